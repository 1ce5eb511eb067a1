import Compute

/// One row for training or scoring: what is asked and what is to be learnt, as token ids.
public struct TokenizedExample: Sendable, Equatable {
  public var prompt: [Int32]
  /// The supervised tokens: the answer, the end-of-turn token and what the template prints after it.
  public var answer: [Int32]

  public init(prompt: [Int32], answer: [Int32]) {
    self.prompt = prompt
    self.answer = answer
  }

  public var count: Int { prompt.count + answer.count }
}

/// Rows laid one after another without padding; attention never crosses from one to another.
///
/// A beginning that all rows share (the system prompt) is laid down once, and every row attends to it: the same sums as
/// separate rows, at a fraction of the work.
public struct PackedBatch: Sendable {
  /// T token ids and their positions within their own row.
  public private(set) var ids: [Int32] = []
  public private(set) var positions: [Int32] = []
  public private(set) var segments: [AttentionSegment] = []
  /// N packed indices whose output predicts a supervised token, and those tokens.
  public private(set) var predicting: [Int] = []
  public private(set) var targets: [Int32] = []
  /// The ranges of `targets` that belong to each row, in the order given.
  public private(set) var targetRanges: [Range<Int>] = []

  public init(_ examples: [TokenizedExample], sharesPrefix: Bool = true) {
    let shared = sharesPrefix && examples.count > 1 ? Self.commonPrefix(examples) : 0
    if shared > 0 {
      ids += examples[0].prompt[..<shared]
      positions += (0..<Int32(shared))
      segments.append(AttentionSegment(queryRows: 0..<shared, keyRows: [0..<shared]))
    }
    for example in examples {
      let start = ids.count
      let tokens = example.prompt + example.answer
      ids += tokens[shared...]
      positions += (Int32(shared)..<Int32(tokens.count))
      let own = start..<ids.count
      segments.append(AttentionSegment(queryRows: own, keyRows: shared > 0 ? [0..<shared, own] : [own]))
      let firstTarget = targets.count
      // The output at place j − 1 predicts the token at place j. A row's very first token is predicted by nothing.
      for place in max(example.prompt.count, 1)..<max(tokens.count, 1) {
        predicting.append(start + place - 1 - shared)
        targets.append(tokens[place])
      }
      targetRanges.append(firstTarget..<targets.count)
    }
  }

  /// A batch of prompts alone, for generation: no targets.
  public init(prompts: [[Int32]]) {
    self.init(prompts.map { TokenizedExample(prompt: $0, answer: []) }, sharesPrefix: false)
  }

  /// How many leading prompt tokens all rows share, at most all but the last one of the shortest prompt, whose output already
  /// predicts an answer.
  static func commonPrefix(_ examples: [TokenizedExample]) -> Int {
    guard let first = examples.first else { return 0 }
    var length = examples.map { $0.prompt.count - 1 }.min() ?? 0
    for example in examples.dropFirst() {
      var same = 0
      while same < length, example.prompt[same] == first.prompt[same] { same += 1 }
      length = same
    }
    return max(length, 0)
  }
}
