import Workers

/// Whole data sets: the same results as one text after another, in the same order, on all cores. Each thread keeps the words it has met.
extension Tokenizer {
  /// Texts that a thread takes at once.
  private static let atOnce = 32

  /// The ids of each text, as ``encode(_:special:)`` gives them.
  public func encode(all texts: [String], special: Bool = false) -> [[Int32]] {
    results(of: texts) { text, work in
      var text = text
      return text.withUTF8 { encode($0, special: special, &work) }
    }
  }

  /// The ids of each conversation, as ``encodeChat(_:addGenerationPrompt:variables:)`` gives them.
  public func encodeChats(_ conversations: [[ChatMessage]], addGenerationPrompt: Bool) throws -> [[Int32]] {
    try results(of: conversations) { messages, work in
      Result { try encodeChat(messages, addGenerationPrompt: addGenerationPrompt, variables: [:], &work) }
    }.map { try $0.get() }
  }

  /// The supervised split of each conversation, as ``supervisedTurns(_:variables:)`` gives it, or why there is none.
  public func supervisedTurns(all conversations: [[ChatMessage]]) -> [Result<SupervisedTurns, any Error>] {
    results(of: conversations) { messages, work in
      Result { try supervisedTurns(messages, variables: [:], &work) }
    }
  }

  private func results<Item: Sendable, Made: Sendable>(
    of items: [Item], _ body: @escaping @Sendable (Item, inout Work) -> Made
  ) -> [Made] {
    let parts = stride(from: 0, to: items.count, by: Self.atOnce).map { $0..<min($0 + Self.atOnce, items.count) }
    return Parallel.map(parts, state: { Work(known: PieceCache()) }) { work, part in
      items[part].map { body($0, &work) }
    }.flatMap { $0 }
  }
}
