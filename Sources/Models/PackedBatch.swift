import Compute

/// One row for training or scoring, as token ids: what is asked and what is to be learnt.
public struct TokenizedExample: Sendable, Equatable {
  /// L token ids.
  public var ids: [Int32]
  /// The places of the supervised tokens, in order and apart from one another. Of each answer: its text, the end-of-turn token and what
  /// the template prints after it.
  public var supervised: [Range<Int>]
  /// The line of the split's file that the row was made from.
  public var line: Int?

  public init(ids: [Int32], supervised: [Range<Int>], line: Int? = nil) {
    self.ids = ids
    self.supervised = supervised.map { $0.clamped(to: 0..<ids.count) }
    self.line = line
  }

  /// One question and one answer.
  public init(prompt: [Int32], answer: [Int32]) {
    self.init(ids: prompt + answer, supervised: [prompt.count..<prompt.count + answer.count])
  }

  public var count: Int { ids.count }

  /// Tokens before the first supervised one.
  public var promptLength: Int { supervised.first?.lowerBound ?? ids.count }

  /// Tokens up to the one whose output predicts the last supervised token; all of them where none is predicted.
  var predictingLength: Int {
    let end = supervised.last { !$0.isEmpty }?.upperBound ?? 0
    return end > 1 ? end - 1 : ids.count
  }

  /// The first `length` tokens.
  public func prefix(_ length: Int) -> TokenizedExample {
    let ids = Array(ids.prefix(length))
    return TokenizedExample(ids: ids, supervised: supervised.filter { $0.lowerBound < ids.count }, line: line)
  }
}

/// Rows laid one after another without padding; attention never crosses from one to another.
///
/// A beginning that all rows share (the system prompt) is laid down once, and every row attends to it: the same sums as
/// separate rows, at a fraction of the work. Of a row with answers nothing is laid down after the place that predicts its last supervised
/// token: nothing there is attended to by what the loss is made of.
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
  /// The tokens of each row as it was given.
  public private(set) var lengths: [Int] = []

  public init(_ examples: [TokenizedExample], sharesPrefix: Bool = true) {
    let shared = sharesPrefix && examples.count > 1 ? Self.commonPrefix(examples) : 0
    if shared > 0 {
      ids += examples[0].ids[..<shared]
      positions += (0..<Int32(shared))
      segments.append(AttentionSegment(queryRows: 0..<shared, keyRows: [0..<shared]))
    }
    for example in examples {
      let start = ids.count
      let tokens = example.ids
      let used = example.predictingLength
      ids += tokens[shared..<used]
      positions += (Int32(shared)..<Int32(used))
      let own = start..<ids.count
      segments.append(AttentionSegment(queryRows: own, keyRows: shared > 0 ? [0..<shared, own] : [own]))
      let firstTarget = targets.count
      // The output at place j − 1 predicts the token at place j. A row's very first token is predicted by nothing.
      for range in example.supervised {
        for place in max(range.lowerBound, 1)..<max(range.upperBound, 1) {
          predicting.append(start + place - 1 - shared)
          targets.append(tokens[place])
        }
      }
      targetRanges.append(firstTarget..<targets.count)
      lengths.append(tokens.count)
    }
  }

  /// A batch of prompts alone, for generation: no targets.
  public init(prompts: [[Int32]]) {
    self.init(prompts.map { TokenizedExample(prompt: $0, answer: []) }, sharesPrefix: false)
  }

  /// How many leading tokens all rows share before their first supervised one, at most all but the last of the shortest prompt, whose
  /// output already predicts an answer.
  static func commonPrefix(_ examples: [TokenizedExample]) -> Int {
    guard let first = examples.first else { return 0 }
    var length = examples.map { $0.promptLength - 1 }.min() ?? 0
    for example in examples.dropFirst() {
      var same = 0
      while same < length, example.ids[same] == first.ids[same] { same += 1 }
      length = same
    }
    return max(length, 0)
  }
}
