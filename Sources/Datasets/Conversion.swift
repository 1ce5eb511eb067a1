import Formats
import Runs

/// Why a row is left out: a short fixed word, counted in the report, and the reason in words.
public struct Rejection: Error, Sendable, Equatable {
  public let reason: String
  public let detail: String

  init(_ reason: String, _ detail: String) {
    self.reason = reason
    self.detail = detail
  }
}

extension ChatRow.Message {
  /// What it is to the row, in reasons of rejection: "question", "answer", "system".
  var part: String { ["user": "question", "assistant": "answer"][role] ?? role }
}

/// A chat that a raw row became, and by which rule where its text had to be read.
public struct Conversation: Sendable, Equatable {
  public var messages: [ChatRow.Message]
  public var rule: TextRule?

  init(_ messages: [ChatRow.Message], rule: TextRule? = nil) {
    self.messages = messages
    self.rule = rule
  }
}

extension ColumnMapping {
  /// The conversations that a raw row becomes: one, or for a text as many as its rule makes of it.
  public func conversations(of row: RawRow) throws(Rejection) -> [Conversation] {
    guard let columns = row.columns else {
      throw Rejection("wrong_type", "the row is \(row.value.kind) where an object was expected")
    }
    switch kind {
    case .messages(let column, let system):
      var messages = try Self.messages(columns.column(column), column: column)
      if let system, messages.first?.role != "system", let text = columns.column(system)?.string?.trimmingWhitespace(),
        !text.isEmpty
      {
        messages.insert(.init(role: "system", content: text), at: 0)
      }
      return [Conversation(try Self.checked(messages))]
    case .templates(let system, let question, let answer):
      // Prompt and completion may be lists of messages, as TRL has them.
      if let column = question.onlyColumn, columns.column(column)?.array?.first?.object != nil {
        let prompt = try Self.messages(columns.column(column), column: column)
        return [Conversation(try Self.checked(prompt + (try Self.completion(columns, answer))))]
      }
      var messages: [ChatRow.Message] = []
      if let system {
        let text = try system.filled(from: columns, what: "system")
        if !text.isEmpty { messages.append(.init(role: "system", content: text)) }
      }
      messages.append(.init(role: "user", content: try question.filled(from: columns, what: "question")))
      messages.append(.init(role: "assistant", content: try answer.filled(from: columns, what: "answer")))
      return [Conversation(messages)]
    case .text(let column, let rules): return try Self.conversations(ofText: columns.column(column), column, rules)
    }
  }

  private static func completion(_ columns: JSONObject, _ answer: Template) throws(Rejection) -> [ChatRow.Message] {
    if let column = answer.onlyColumn, columns.column(column)?.array?.first?.object != nil {
      return try messages(columns.column(column), column: column)
    }
    return [.init(role: "assistant", content: try answer.filled(from: columns, what: "answer"))]
  }

  private static func conversations(
    ofText value: JSONValue?, _ column: String, _ rules: [TextRule]
  ) throws(Rejection) -> [Conversation] {
    guard let value, value != .null else { throw Rejection("no_text", "the row has no \"\(column)\"") }
    guard let text = value.string else {
      throw Rejection("wrong_type", "\"\(column)\" is \(value.kind) where a text was expected")
    }
    if text.trimmingWhitespace().isEmpty { throw Rejection("empty_text", "\"\(column)\" is empty") }
    for rule in rules {
      guard let found = rule.conversations(in: text) else { continue }
      var conversations: [Conversation] = []
      for messages in found { conversations.append(Conversation(try checked(messages), rule: rule)) }
      return conversations
    }
    let tried = rules.map(\.rawValue).joined(separator: ", ")
    throw Rejection("no_rule", "none of the rules \(tried) makes a question and an answer of \"\(column)\"")
  }

  // MARK: - Lists of messages

  /// What other tools call the roles.
  private static let roles = [
    "system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
    "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
  ]

  private static func messages(_ value: JSONValue?, column: String) throws(Rejection) -> [ChatRow.Message] {
    guard let value, value != .null else { throw Rejection("bad_messages", "the row has no \"\(column)\"") }
    guard let elements = value.array else {
      throw Rejection("wrong_type", "\"\(column)\" is \(value.kind) where a list of messages was expected")
    }
    var messages: [ChatRow.Message] = []
    for (index, element) in elements.enumerated() {
      messages.append(try message(element, number: index + 1))
    }
    return messages
  }

  private static func message(_ value: JSONValue, number: Int) throws(Rejection) -> ChatRow.Message {
    guard let object = value.object else {
      throw Rejection("wrong_type", "message \(number) is \(value.kind) where an object was expected")
    }
    let isShareGPT = object["role"] == nil && object["from"] != nil
    let keys = isShareGPT ? (role: "from", content: "value") : (role: "role", content: "content")
    guard let name = object[keys.role]?.string, let content = object[keys.content] else {
      throw Rejection("bad_messages", "message \(number) has no \"\(keys.role)\" or no \"\(keys.content)\"")
    }
    guard let role = roles[name.lowercased()] else {
      throw Rejection("bad_messages", "message \(number) has the unknown role \"\(name)\"")
    }
    guard let text = content.string else {
      throw Rejection("wrong_type", "the content of message \(number) is \(content.kind) where a text was expected")
    }
    return .init(role: role, content: text)
  }

  /// Checks a conversation: an optional system message, then user and assistant by turns, the assistant last, none of them empty.
  /// Contents stay as they are.
  private static func checked(_ messages: [ChatRow.Message]) throws(Rejection) -> [ChatRow.Message] {
    let turns = messages.first?.role == "system" ? messages.dropFirst() : messages[...]
    for (index, turn) in turns.enumerated() {
      let expected = index.isMultiple(of: 2) ? "user" : "assistant"
      if turn.role != expected {
        let number = index + 1 + messages.count - turns.count
        throw Rejection("bad_messages", "message \(number) is the \(turn.role)'s where the \(expected)'s was expected")
      }
    }
    guard let last = turns.last else { throw Rejection("no_question", "the conversation has no question") }
    if last.role != "assistant" { throw Rejection("no_answer", "the conversation does not end with an answer") }
    for (index, message) in messages.enumerated() where message.content.trimmingWhitespace().isEmpty {
      throw Rejection("empty_\(message.part)", "message \(index + 1) is empty")
    }
    return messages
  }
}
