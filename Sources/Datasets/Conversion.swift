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

extension ColumnMapping {
  /// The messages that a raw row becomes.
  public func messages(of row: RawRow) throws(Rejection) -> [ChatRow.Message] {
    guard let columns = row.columns else {
      throw Rejection("wrong_type", "the row is \(row.value.kind) where an object was expected")
    }
    switch kind {
    case .messages(let column): return try Self.conversation(columns[column], column: column)
    case .templates(let system, let question, let answer):
      var messages: [ChatRow.Message] = []
      if let system {
        messages.append(.init(role: "system", content: try system.filled(from: columns, what: "system")))
      }
      messages.append(.init(role: "user", content: try question.filled(from: columns, what: "question")))
      messages.append(.init(role: "assistant", content: try answer.filled(from: columns, what: "answer")))
      return messages
    }
  }

  /// Checks a conversation: an optional system message, then user and assistant by turns, the assistant last, none of them empty.
  /// Contents stay as they are.
  private static func conversation(_ value: JSONValue?, column: String) throws(Rejection) -> [ChatRow.Message] {
    guard let value, value != .null else { throw Rejection("bad_messages", "the row has no \"\(column)\"") }
    guard let elements = value.array else {
      throw Rejection("wrong_type", "\"\(column)\" is \(value.kind) where a list of messages was expected")
    }
    var messages: [ChatRow.Message] = []
    for (index, element) in elements.enumerated() {
      messages.append(try message(element, number: index + 1))
    }
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
      let what = ["user": "question", "assistant": "answer"][message.role] ?? message.role
      throw Rejection("empty_\(what)", "message \(index + 1) is empty")
    }
    return messages
  }

  private static func message(_ value: JSONValue, number: Int) throws(Rejection) -> ChatRow.Message {
    guard let object = value.object else {
      throw Rejection("wrong_type", "message \(number) is \(value.kind) where an object was expected")
    }
    guard let role = object["role"]?.string, let content = object["content"] else {
      throw Rejection("bad_messages", "message \(number) has no \"role\" or no \"content\"")
    }
    guard ["system", "user", "assistant"].contains(role) else {
      throw Rejection("bad_messages", "message \(number) has the unknown role \"\(role)\"")
    }
    guard let text = content.string else {
      throw Rejection("wrong_type", "the content of message \(number) is \(content.kind) where a text was expected")
    }
    return .init(role: role, content: text)
  }
}
