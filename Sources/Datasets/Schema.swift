import Formats
import Runs

/// A usual pair of columns that needs no `dataset.format`.
struct Schema: Sendable {
  var name: String
  var question: String
  var answer: String
  /// Columns that go on with the question where a row has them.
  var context: [String] = []

  /// Every layout that is known by its columns. A new one is a new line here.
  static let known = [
    Schema(name: "question/answer", question: "question", answer: "answer"),
    Schema(name: "instruction/output", question: "instruction", answer: "output", context: ["input"]),
    Schema(name: "prompt/completion", question: "prompt", answer: "completion"),
    Schema(name: "Q/A", question: "Q", answer: "A"),
    Schema(name: "질문/정답", question: "질문", answer: "정답"),
  ]
}

/// What one file's rows are made of, and how they become messages.
public struct ColumnMapping: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// Rows that are conversations already, in this column.
    case messages(String)
    case templates(system: Template?, question: Template, answer: Template)
  }

  /// "messages", "question/answer" …, or "dataset.format".
  public let name: String
  let kind: Kind

  /// Role → the column or template it is made from.
  public var description: [String: String] {
    switch kind {
    case .messages(let column): return ["messages": "{\(column)}"]
    case .templates(let system, let question, let answer):
      var roles = ["user": question.text, "assistant": answer.text]
      roles["system"] = system?.text
      return roles
    }
  }

  /// Columns that messages are made of.
  var columns: [String] {
    switch kind {
    case .messages(let column): [column]
    case .templates(let system, let question, let answer):
      [system, question, answer].compactMap(\.self).flatMap { $0.columns + $0.optional }
    }
  }

  /// The mapping of a file: the experiment's `format` if it gives one, else found by the names of the columns.
  public init(table: RawTable, format: FormatSettings?) throws(DatasetsError) {
    let names = table.columnNames
    if names.isEmpty {
      throw DatasetsError(
        file: table.file, "no row is an object with columns",
        remedy: "write each row like {\"question\": …, \"answer\": …}")
    }
    if let format {
      try self.init(format: format, columns: names, file: table.file)
    } else {
      try self.init(detectingIn: names, file: table.file)
    }
  }

  private init(format: FormatSettings, columns: [String], file: String) throws(DatasetsError) {
    var system: Template?
    if let text = format.system { system = try Template(text, setting: "dataset.format.system") }
    let question = try Template(format.input, setting: "dataset.format.input")
    let answer = try Template(format.output, setting: "dataset.format.output")
    for (setting, template) in [("input", question), ("output", answer)] where template.columns.isEmpty {
      throw DatasetsError(
        "dataset.format.\(setting): \"\(template.text)\" names no column; write one of \(Self.braced(columns)) into it")
    }
    for (setting, template) in [("system", system), ("input", question), ("output", answer)] {
      for name in template?.columns ?? [] where !columns.contains(name) {
        let nearest = Spelling.nearest(to: name, among: columns).map { "did you mean {\($0)}?" }
        throw DatasetsError(
          file: file, "no row has the column \"\(name)\" of dataset.format.\(setting)",
          remedy: "\(nearest ?? "change it to one that exists") (columns: \(Self.listed(columns)))")
      }
    }
    name = "dataset.format"
    kind = .templates(system: system, question: question, answer: answer)
  }

  private init(detectingIn columns: [String], file: String) throws(DatasetsError) {
    func column(_ name: String) -> String? {
      columns.first { $0 == name } ?? columns.first { $0.lowercased() == name.lowercased() }
    }
    if let messages = column("messages") {
      name = "messages"
      kind = .messages(messages)
      return
    }
    var fitting: [(name: String, kind: Kind)] = []
    for schema in Schema.known {
      guard let question = column(schema.question), let answer = column(schema.answer) else { continue }
      let template = Template(column: question, optional: schema.context.compactMap(column))
      fitting.append((schema.name, .templates(system: nil, question: template, answer: Template(column: answer))))
    }
    guard let found = fitting.first else {
      throw DatasetsError(
        file: file, "no known pair of question and answer among the columns \(Self.listed(columns))",
        remedy: "say which they are: dataset.format: {input: \"{COLUMN}\", output: \"{COLUMN}\"}")
    }
    if fitting.count > 1 {
      throw DatasetsError(
        file: file, "the columns fit \(fitting.map(\.name).joined(separator: " and ")) equally",
        remedy: "say which is meant: dataset.format: {input: \"{COLUMN}\", output: \"{COLUMN}\"}")
    }
    name = found.name
    kind = found.kind
  }

  private static func listed(_ columns: [String]) -> String { columns.map { "\"\($0)\"" }.joined(separator: ", ") }
  private static func braced(_ columns: [String]) -> String { columns.map { "{\($0)}" }.joined(separator: ", ") }
}
