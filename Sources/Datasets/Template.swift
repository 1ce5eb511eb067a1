import Formats

/// A text with `{column}` places. `{{` and `}}` stand for the braces themselves.
struct Template: Sendable, Equatable {
  enum Part: Sendable, Equatable {
    case text(String)
    case column(String)
  }

  var parts: [Part]
  /// Columns that are added, each after an empty line, where a row has them.
  var optional: [String] = []

  init(column: String, optional: [String] = []) {
    parts = [.column(column)]
    self.optional = optional
  }

  /// A text of optional columns alone: empty where a row has none of them.
  init(optional: [String]) {
    parts = []
    self.optional = optional
  }

  /// Reads a template of the experiment; `setting` names it in errors.
  init(_ text: String, setting: String) throws(DatasetsError) {
    parts = []
    var literal = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    func failure(_ problem: String) -> DatasetsError {
      DatasetsError(
        "\(setting): \(problem) in \"\(text)\"; write a column as {name}, and a plain brace twice: {{ or }}")
    }
    while let scalar = rest.popFirst() {
      if scalar == "{" || scalar == "}", rest.first == scalar {
        rest.removeFirst()
        literal.append(scalar)
      } else if scalar == "{" {
        guard let end = rest.firstIndex(of: "}") else { throw failure("a '{' is never closed") }
        let name = String(rest[..<end])
        guard !name.isEmpty, !name.contains("{") else { throw failure("a pair of braces names no column") }
        if !literal.isEmpty { parts.append(.text(String(literal))) }
        literal = String.UnicodeScalarView()
        parts.append(.column(name))
        rest = rest[rest.index(after: end)...]
      } else if scalar == "}" {
        throw failure("a '}' closes nothing")
      } else {
        literal.append(scalar)
      }
    }
    if !literal.isEmpty { parts.append(.text(String(literal))) }
  }

  /// The columns that every row must have.
  var columns: [String] { parts.compactMap { if case .column(let name) = $0 { name } else { nil } } }

  /// The column that the template is made of and nothing else; optional ones don't count.
  var onlyColumn: String? {
    if parts.count == 1, case .column(let name) = parts.first { name } else { nil }
  }

  /// As it is written in an experiment.
  var text: String {
    let required = parts.map { part in
      switch part {
      case .text(let text): text.replacing("{", with: "{{").replacing("}", with: "}}")
      case .column(let name): "{\(name)}"
      }
    }.joined()
    return ([required] + optional.map { "{\($0)}" }).filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  /// The text of one row. `what` ("question") ends the reject's reason.
  func filled(from row: JSONObject, what: String) throws(Rejection) -> String {
    var out = ""
    var values: [String] = []
    for part in parts {
      switch part {
      case .text(let text): out += text
      case .column(let name):
        guard let value = try Self.text(of: name, in: row) else {
          throw Rejection("no_\(what)", "the row has no \"\(name)\"")
        }
        out += value
        values.append(value)
      }
    }
    if !columns.isEmpty, values.allSatisfy(\.isEmpty) {
      throw Rejection("empty_\(what)", columns.map { "\"\($0)\"" }.joined(separator: " and ") + " is empty")
    }
    for name in optional {
      if let value = try Self.text(of: name, in: row), !value.isEmpty { out += "\n\n" + value }
    }
    return out.trimmingWhitespace()
  }

  /// A column's text without white space around it; nil where it is missing or null.
  private static func text(of name: String, in row: JSONObject) throws(Rejection) -> String? {
    let value = row.column(name)
    switch value {
    case nil, .null: return nil
    case .string(let text): return text.trimmingWhitespace()
    case .number(let number): return number.text
    case .bool(let value): return value ? "true" : "false"
    case .array, .object:
      throw Rejection("wrong_type", "\"\(name)\" is \(value?.kind ?? "") where a text was expected")
    }
  }
}

extension StringProtocol {
  func trimmingWhitespace() -> String {
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
      let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
    else { return "" }
    return String(String.UnicodeScalarView(scalars[first...last]))
  }
}
