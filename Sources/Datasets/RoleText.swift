import Runs

/// A conversation written as one text, its turns begun by role tokens: `<usr> … <sys> …`, `### 질문: … ### 응답: …`, ChatML.
struct RoleText {
  private enum Role { case system, user, context, assistant }

  /// What stands after "###" at the beginning of a line, with or without a colon.
  private static let headings: [String: Role] = [
    "system": .system, "시스템": .system,
    "instruction": .user, "question": .user, "user": .user, "human": .user, "prompt": .user,
    "질문": .user, "명령어": .user, "명령": .user, "지시": .user, "지시사항": .user, "사용자": .user, "요청": .user,
    "input": .context, "context": .context, "입력": .context, "맥락": .context, "문맥": .context,
    "response": .assistant, "answer": .assistant, "assistant": .assistant, "output": .assistant,
    "응답": .assistant, "답변": .assistant, "정답": .assistant, "답": .assistant, "출력": .assistant, "챗봇": .assistant,
  ]

  /// Tokens that begin a turn wherever they stand. Korean chat models of GPT-2's time call the answering side `<sys>`.
  private static let tags: [(text: String, role: Role)] = [
    ("<usr>", .user), ("<user>", .user), ("<human>", .user), ("<|user|>", .user), ("<|im_start|>user", .user),
    ("<sys>", .assistant), ("<bot>", .assistant), ("<assistant>", .assistant), ("<|assistant|>", .assistant),
    ("<|im_start|>assistant", .assistant),
    ("<system>", .system), ("<|system|>", .system), ("<|im_start|>system", .system),
  ]

  /// Tokens that end a turn; they are no part of it.
  private static let ends = ["<s>", "</s>", "<bos>", "<eos>", "<|im_end|>", "<|endoftext|>", "<|end|>", "<pad>"]

  private static let longestHeading = 40

  /// The turns as messages, in their order; nil where the text has not both a question's and an answer's token. What stands before the
  /// first token is the system's. The messages are not checked.
  static func messages(in text: String) -> [ChatRow.Message]? {
    let bytes = Array(text.utf8)
    var turns: [(role: Role, start: Int, end: Int)] = []
    var at = 0
    var isLineStart = true
    var first = bytes.count
    while at < bytes.count {
      if let (role, length) = marker(bytes[at...], isLineStart: isLineStart) {
        if turns.isEmpty { first = at } else { turns[turns.count - 1].end = at }
        at += length
        turns.append((role, at, bytes.count))
        isLineStart = false
      } else {
        // Spaces before a heading don't count.
        isLineStart = bytes[at] == 0x0A || bytes[at] == 0x0D || (isLineStart && bytes[at] == 0x20)
        at += 1
      }
    }
    guard turns.contains(where: { $0.role == .user }), turns.contains(where: { $0.role == .assistant }) else {
      return nil
    }
    var messages: [ChatRow.Message] = []
    let before = trimmed(bytes[..<first])
    if !before.isEmpty { messages.append(.init(role: "system", content: before)) }
    for turn in turns {
      let content = trimmed(bytes[turn.start..<turn.end])
      switch turn.role {
      case .system: messages.append(.init(role: "system", content: content))
      case .user: messages.append(.init(role: "user", content: content))
      case .assistant: messages.append(.init(role: "assistant", content: content))
      case .context:
        if content.isEmpty { continue }
        if messages.last?.role == "user", let question = messages.popLast()?.content {
          messages.append(.init(role: "user", content: "\(question)\n\n\(content)"))
        } else {
          messages.append(.init(role: "user", content: content))
        }
      }
    }
    return messages
  }

  private static func marker(_ bytes: ArraySlice<UInt8>, isLineStart: Bool) -> (role: Role, length: Int)? {
    switch bytes.first {
    case UInt8(ascii: "<"):
      guard let tag = tags.first(where: { bytes.starts(with: $0.text.utf8) }) else { return nil }
      let length = tag.text.utf8.count
      let hasColon = bytes.dropFirst(length).first == UInt8(ascii: ":")
      return (tag.role, length + (hasColon ? 1 : 0))
    case UInt8(ascii: "#") where isLineStart: return heading(bytes)
    default: return nil
    }
  }

  private static func heading(_ bytes: ArraySlice<UInt8>) -> (role: Role, length: Int)? {
    guard bytes.starts(with: "###".utf8), bytes.dropFirst(3).first != UInt8(ascii: "#") else { return nil }
    let rest = bytes.dropFirst(3).prefix(longestHeading)
    guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: ":") || $0 == 0x0A || $0 == 0x0D }) else { return nil }
    let name = String(decoding: rest[..<end], as: UTF8.self).trimmingWhitespace().lowercased()
    return headings[name].map { ($0, end + 1 - bytes.startIndex) }
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
    var text = String(decoding: bytes, as: UTF8.self).trimmingWhitespace()
    while let end = ends.first(where: { text.hasSuffix($0) }) {
      text = String(text.dropLast(end.count)).trimmingWhitespace()
    }
    while let start = ends.first(where: { text.hasPrefix($0) }) {
      text = String(text.dropFirst(start.count)).trimmingWhitespace()
    }
    return text
  }
}
