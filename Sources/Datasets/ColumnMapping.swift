import Formats
import Runs

/// What one file's rows are made of, and how they become messages.
public struct ColumnMapping: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// Rows that are conversations already, in this column; some layouts keep the system message in a column of its own.
    case messages(String, system: String?)
    case templates(system: Template?, question: Template, answer: Template)
    /// Rows of one text, turned into conversations by the first of these rules that fits.
    case text(String, rules: [TextRule])
  }

  /// "messages", "question/answer" …, or "dataset.format".
  public let name: String
  let kind: Kind

  init(name: String, kind: Kind) {
    self.name = name
    self.kind = kind
  }

  /// Role → the column or template it is made from.
  public var description: [String: String] {
    switch kind {
    case .messages(let column, let system):
      var roles = ["messages": "{\(column)}"]
      roles["system"] = system.map { "{\($0)}" }
      return roles
    case .templates(let system, let question, let answer):
      var roles = ["user": question.text, "assistant": answer.text]
      roles["system"] = system?.text
      return roles
    case .text(let column, let rules):
      return ["text": "{\(column)}", "rules": rules.map(\.rawValue).joined(separator: ", ")]
    }
  }

  /// The `dataset.format` that asks for this mapping.
  var yaml: String {
    func quoted(_ text: String) -> String {
      "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n") + "\""
    }
    switch kind {
    case .messages(let column, _): return "{messages: \(quoted("{\(column)}"))}"
    case .templates(let system, let question, let answer):
      let first = system.map { "system: \(quoted($0.text)), " } ?? ""
      return "{\(first)input: \(quoted(question.text)), output: \(quoted(answer.text))}"
    case .text(let column, _): return "{text: \(quoted("{\(column)}"))}"
    }
  }

  /// Columns that messages are made of.
  var columns: [String] {
    switch kind {
    case .messages(let column, let system): [column] + (system.map { [$0] } ?? [])
    case .templates(let system, let question, let answer):
      [system, question, answer].compactMap(\.self).flatMap { $0.columns + $0.optional }
    case .text(let column, _): [column]
    }
  }

  /// The mapping of a file with these columns: the experiment's `format` if it gives one, else found by the columns' names.
  public init(columns: [String], file: String, format: FormatSettings?) throws(DatasetsError) {
    if columns.isEmpty {
      throw DatasetsError(
        file: file, "no row is an object with columns",
        remedy: "write each row like {\"question\": …, \"answer\": …}")
    }
    if let format {
      try self.init(format: format, columns: columns, file: file)
    } else {
      self = try Self.detected(in: columns, file: file)
    }
  }

  private init(format: FormatSettings, columns: [String], file: String) throws(DatasetsError) {
    name = "dataset.format"
    if let text = format.messages {
      kind = .messages(try Self.column(text, "messages", among: columns, file: file), system: nil)
      return
    }
    if let text = format.text {
      kind = .text(try Self.column(text, "text", among: columns, file: file), rules: format.rules)
      return
    }
    var system: Template?
    if let text = format.system { system = try Template(text, setting: "dataset.format.system") }
    let question = try Template(format.input, setting: "dataset.format.input")
    let answer = try Template(format.output, setting: "dataset.format.output")
    for (setting, template) in [("input", question), ("output", answer)] where template.columns.isEmpty {
      throw DatasetsError(
        "dataset.format.\(setting): \"\(template.text)\" names no column; write one of \(Self.braced(columns)) into it")
    }
    for (setting, template) in [("system", system), ("input", question), ("output", answer)] {
      for name in template?.columns ?? [] { try Self.require(name, setting, among: columns, file: file) }
    }
    kind = .templates(system: system, question: question, answer: answer)
  }

  /// The one column that a setting like `messages: "{conversations}"` names.
  private static func column(
    _ text: String, _ setting: String, among columns: [String], file: String
  ) throws(DatasetsError) -> String {
    let template = try Template(text, setting: "dataset.format.\(setting)")
    guard template.parts.count == 1, let name = template.columns.first else {
      throw DatasetsError(
        "dataset.format.\(setting): \"\(text)\" is not one column; write one of \(braced(columns))")
    }
    try require(name, setting, among: columns, file: file)
    return name
  }

  private static func require(
    _ name: String, _ setting: String, among columns: [String], file: String
  ) throws(DatasetsError) {
    if columns.contains(name) { return }
    let nearest = Spelling.nearest(to: name, among: columns).map { "did you mean {\($0)}?" }
    throw DatasetsError(
      file: file, "no row has the column \"\(name)\" of dataset.format.\(setting)",
      remedy: "\(nearest ?? "change it to one that exists") (columns: \(listed(columns)))")
  }

  private static func detected(in columns: [String], file: String) throws(DatasetsError) -> ColumnMapping {
    let fitting = Schema.fitting(columns)
    guard let found = fitting.first else {
      throw DatasetsError(
        file: file, "no known pair of question and answer among the columns \(listed(columns))",
        remedy: "say which they are: dataset.format: {input: \"{COLUMN}\", output: \"{COLUMN}\"}")
    }
    if fitting.count > 1 {
      throw DatasetsError(
        file: file, "the columns fit \(fitting.map(\.name).joined(separator: " and ")) equally",
        remedy: "say which is meant: dataset.format: \(fitting.map(\.yaml).joined(separator: " or "))")
    }
    return found
  }

  private static func listed(_ columns: [String]) -> String { columns.map { "\"\($0)\"" }.joined(separator: ", ") }
  private static func braced(_ columns: [String]) -> String { columns.map { "{\($0)}" }.joined(separator: ", ") }
}
