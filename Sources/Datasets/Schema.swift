import Runs

/// A usual layout of columns that needs no `dataset.format`.
struct Schema: Sendable {
  var name: String
  var question: String
  var answer: String
  /// Columns that go on with the question where a row has them.
  var context: [String] = []
  /// Columns that are the system message where a row has them.
  var system: [String] = []

  /// Every pair of question and answer that is known by its columns' names. A new one is a new line here.
  static let known = [
    Schema(name: "question/answer", question: "question", answer: "answer"),
    Schema(name: "question/response", question: "question", answer: "response", system: ["system_prompt"]),
    Schema(
      name: "instruction/output", question: "instruction", answer: "output", context: ["input"], system: ["system"]),
    Schema(name: "instruction/response", question: "instruction", answer: "response", context: ["context"]),
    Schema(name: "prompt/completion", question: "prompt", answer: "completion"),
    Schema(name: "prompt/response", question: "prompt", answer: "response"),
    Schema(name: "Input/Output", question: "Input", answer: "Output"),
    Schema(name: "Q/A", question: "Q", answer: "A"),
    Schema(name: "질문/정답", question: "질문", answer: "정답"),
    Schema(name: "질문/답변", question: "질문", answer: "답변"),
  ]

  /// Columns of whole conversations: a list of messages, by OpenAI's keys (role, content) or ShareGPT's (from, value).
  static let conversations = ["messages", "conversations"]

  /// Columns of plain text, taken only where nothing else fits. "0" is what a list without names became upstream.
  static let texts = ["text", "0"]

  /// All that the columns fit, by what they would become. A layout whose columns another one has, and more, is not meant: Input/Output
  /// stands inside instruction/input/output.
  static func fitting(_ columns: [String]) -> [ColumnMapping] {
    func column(_ name: String) -> String? {
      columns.first { $0 == name } ?? columns.first { $0.lowercased() == name.lowercased() }
    }
    var found = conversations.compactMap { name in
      column(name).map {
        ColumnMapping(name: name, kind: .messages($0, system: name == "conversations" ? column("system") : nil))
      }
    }
    for schema in known {
      guard let question = column(schema.question), let answer = column(schema.answer) else { continue }
      let system = schema.system.compactMap(column)
      found.append(
        ColumnMapping(
          name: schema.name,
          kind: .templates(
            system: system.isEmpty ? nil : Template(optional: system),
            question: Template(column: question, optional: schema.context.compactMap(column)),
            answer: Template(column: answer))))
    }
    let sets = found.map { Set($0.columns) }
    found = found.indices.filter { place in !sets.contains { $0.isStrictSuperset(of: sets[place]) } }.map { found[$0] }
    if found.isEmpty, let text = texts.lazy.compactMap(column).first(where: { $0 != "0" || columns.count == 1 }) {
      found.append(ColumnMapping(name: "text", kind: .text(text, rules: TextRule.allCases)))
    }
    return found
  }
}
