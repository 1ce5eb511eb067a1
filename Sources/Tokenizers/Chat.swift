import Jinja

/// One turn of a conversation.
public struct ChatMessage: Sendable, Equatable, Codable {
  public var role: String
  public var content: String

  public init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}

extension Tokenizer {
  /// The conversation as the model's own template prints it.
  ///
  /// - Parameter variables: further variables of the template, such as `enable_thinking`.
  public func renderChat(
    _ messages: [ChatMessage], addGenerationPrompt: Bool, variables: [String: Value] = [:]
  ) throws -> String {
    var context = variables
    context["messages"] = .list(
      messages.map { ["role": .string($0.role), "content": .string($0.content)] as Value })
    context["add_generation_prompt"] = .bool(addGenerationPrompt)
    // transformers hands these over even where there are none.
    for name in ["tools", "documents"] where context[name] == nil { context[name] = Value.none }
    return try chat.get().render(context)
  }

  /// The ids of the conversation. Tokens that the template writes are tokens; in what the messages say, nothing is.
  ///
  /// An assistant's turn may hold added tokens that are no control tokens (`<think>`, `<tool_call>`): they are part of
  /// what the model is to say, and templates look for them there.
  public func encodeChat(
    _ messages: [ChatMessage], addGenerationPrompt: Bool, variables: [String: Value] = [:]
  ) throws -> [Int32] {
    var work = Work()
    return try encodeChat(messages, addGenerationPrompt: addGenerationPrompt, variables: variables, &work)
  }

  func encodeChat(
    _ messages: [ChatMessage], addGenerationPrompt: Bool, variables: [String: Value], _ work: inout Work
  ) throws -> [Int32] {
    let sentinel = try Sentinel(messages, file: file)
    let text = try renderChat(
      guarded(messages, sentinel), addGenerationPrompt: addGenerationPrompt, variables: variables)
    return encodeRendered(Array(text.utf8), sentinel, &work)
  }

  /// The ids of a conversation and the places of what is supervised in it.
  public typealias SupervisedTurns = (ids: [Int32], turns: [Range<Int>])

  /// The supervised split of a conversation of one or more answers.
  ///
  /// - Returns: `ids` of the whole conversation, and the places in it of each assistant's turn: the answer, its end of turn and, in the
  ///   last turn and wherever the template prints earlier turns alike, the line end after it. What is asked and what is answered are
  ///   tokenised apart, since at inference the question is all there is.
  public func supervisedTurns(
    _ messages: [ChatMessage], variables: [String: Value] = [:]
  ) throws -> SupervisedTurns {
    var work = Work()
    return try supervisedTurns(messages, variables: variables, &work)
  }

  func supervisedTurns(
    _ messages: [ChatMessage], variables: [String: Value], _ work: inout Work
  ) throws -> SupervisedTurns {
    guard let last = messages.last, last.role == "assistant" else {
      throw TokenizerError(file: file, message: "the conversation does not end in an assistant's answer; add one")
    }
    let sentinel = try Sentinel(messages, file: file)
    let safe = guarded(messages, sentinel)
    let whole = Array(try renderChat(safe, addGenerationPrompt: false, variables: variables).utf8)
    var ids: [Int32] = []
    var turns: [Range<Int>] = []
    var done = 0
    for (index, message) in safe.enumerated() where message.role == "assistant" {
      let prompt = Array(try renderChat(Array(safe[..<index]), addGenerationPrompt: true, variables: variables).utf8)
      guard prompt.count >= done, whole.starts(with: prompt),
        let end = index == safe.count - 1
          ? whole.count : try endOfTurn(Array(safe[...index]), from: prompt.count, in: whole, variables)
      else {
        throw TokenizerError(
          file: file,
          message:
            "the chat template prints the turns before an answer differently with the answer there, so prompt "
            + "and answer cannot be told apart; use one question and one answer a row")
      }
      ids += encodeRendered(Array(whole[done..<prompt.count]), sentinel, &work)
      let start = ids.count
      ids += encodeRendered(Array(whole[prompt.count..<end]), sentinel, &work)
      turns.append(start..<ids.count)
      done = end
    }
    return (ids, turns)
  }

  /// Where an earlier answer's turn, which begins at byte `start`, ends in the rendering of the whole conversation: as it does when it is
  /// the last one or, where a template prints last turns differently (Qwen3 leaves their thoughts in), after its first end token.
  private func endOfTurn(
    _ messages: [ChatMessage], from start: Int, in whole: [UInt8], _ variables: [String: Value]
  ) throws -> Int? {
    let alone = Array(try renderChat(messages, addGenerationPrompt: false, variables: variables).utf8)
    if alone.count > start, whole.starts(with: alone) { return alone.count }
    return whole[start...].withUnsafeBufferPointer { bytes in
      for part in addedFinder.split(bytes) {
        if case .token(let token, let range) = part, eosTokens.contains(token.id) { return start + range.upperBound }
      }
      return nil
    }
  }

  /// The messages with every look-alike of a token broken by the sentinel.
  private func guarded(_ messages: [ChatMessage], _ sentinel: Sentinel) -> [ChatMessage] {
    messages.map { message in
      let isAnswer = message.role == "assistant"
      return ChatMessage(
        role: broken(message.role, sentinel) { _ in true },
        content: broken(message.content, sentinel) { $0.special || !isAnswer })
    }
  }

  private func broken(_ text: String, _ sentinel: Sentinel, where wanted: (AddedToken) -> Bool) -> String {
    var text = text
    return text.withUTF8 { bytes in
      let offsets = addedFinder.breaks(in: bytes, where: wanted)
      if offsets.isEmpty { return String(decoding: bytes, as: UTF8.self) }
      var out: [UInt8] = []
      var start = 0
      for offset in offsets {
        out.append(contentsOf: bytes[start..<offset])
        out.append(contentsOf: sentinel.bytes)
        start = offset
      }
      out.append(contentsOf: bytes[start...])
      return String(decoding: out, as: UTF8.self)
    }
  }

  /// Splits a rendering at its tokens; what lies between them is encoded as plain text, without the sentinel.
  private func encodeRendered(_ text: [UInt8], _ sentinel: Sentinel, _ work: inout Work) -> [Int32] {
    work.begin(bytes: text.count)
    text.withUnsafeBufferPointer { bytes in
      for part in addedFinder.split(bytes) {
        switch part {
        case .token(let token, _): work.out.append(token.id)
        case .text(let range):
          let plain = sentinel.removed(from: text[range])
          plain.withUnsafeBufferPointer { encodePlain($0, &work) }
        }
      }
    }
    return work.out
  }
}

/// A noncharacter that no message contains: it breaks look-alikes of tokens and is taken out again after rendering.
private struct Sentinel {
  let bytes: [UInt8]

  init(_ messages: [ChatMessage], file: String) throws {
    var used = Set<UInt32>()
    for message in messages {
      for text in [message.role, message.content] {
        // U+FDD0…U+FDEF all start with the bytes EF B7.
        guard text.utf8.contains(0xEF) else { continue }
        for scalar in text.unicodeScalars where (0xFDD0...0xFDEF).contains(scalar.value) { used.insert(scalar.value) }
      }
    }
    guard let free = (UInt32(0xFDD0)...0xFDEF).first(where: { !used.contains($0) }), let scalar = Unicode.Scalar(free)
    else {
      throw TokenizerError(
        file: file, message: "a conversation uses all 32 noncharacters U+FDD0 to U+FDEF; remove them from the text")
    }
    bytes = Array(String(scalar).utf8)
  }

  func removed(from text: ArraySlice<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(text.count)
    var at = text.startIndex
    while at < text.endIndex {
      if text[at] == bytes[0], at + 2 < text.endIndex, text[at + 1] == bytes[1], text[at + 2] == bytes[2] {
        at += 3
      } else {
        out.append(text[at])
        at += 1
      }
    }
    return out
  }
}
