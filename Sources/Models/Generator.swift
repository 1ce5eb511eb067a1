import Compute

/// What came of one prompt.
public struct Generation: Sendable, Equatable {
  public enum StopReason: String, Sendable { case stop, length }
  /// The new tokens, without the end token.
  public var ids: [Int32] = []
  public var stopReason = StopReason.length
}

/// Answers prompts, several at once: prompts are read in batches, then every step feeds one token of each unfinished answer.
public struct Generator {
  /// What follows a new token.
  public enum Continuation: Sendable {
    case goOn
    /// This answer is whole: it stopped.
    case endAnswer
    /// No answer goes on, and no further prompt is read.
    case endAll
  }

  /// Prompt tokens read in one go.
  private static let prefillTokens = 512

  let session: DecoderSession
  private let endTokens: Set<Int32>
  private let together: Int
  private let cacheBytes: Int

  /// - Parameters:
  ///   - together: prompts that are answered at the same time, at most.
  ///   - cacheBytes: for their keys and values; fewer prompts are answered together where more would take more, one always.
  public init(_ session: DecoderSession, endTokens: [Int32], together: Int = 8, cacheBytes: Int = 512 << 20) {
    self.session = session
    self.endTokens = Set(endTokens)
    self.together = max(together, 1)
    self.cacheBytes = cacheBytes
  }

  /// Continues each prompt up to an end token or `maxNewTokens`. `onToken` hears (prompt's index, token) as they come and says how to go
  /// on. Which prompts are answered together changes no answer: each has its own random numbers, by its index.
  public func generate(
    _ prompts: [[Int32]], maxNewTokens: Int, sampling: Sampling = .greedy,
    onToken: (Int, Int32) -> Continuation = { _, _ in .goOn }
  ) throws -> [Generation] {
    for (index, prompt) in prompts.enumerated() {
      try check(prompt, maxNewTokens: maxNewTokens, name: "prompt \(index + 1)")
    }
    var answers = prompts.enumerated().map { index, prompt in
      Answer(index: index, prompt: prompt, sampler: Sampler(sampling, stream: UInt64(index), prompt: prompt))
    }
    guard maxNewTokens > 0 else { return answers.map(\.generation) }
    for group in groups(prompts, maxNewTokens: maxNewTokens) {
      let batch = Batch(
        cache: KeyValueCache(session.decoder.configuration, capacities: group.map { prompts[$0].count + maxNewTokens }),
        maxNewTokens: maxNewTokens, isGreedy: sampling.temperature <= 0)
      guard answer(&answers[group], batch, onToken) else { break }
    }
    return answers.map(\.generation)
  }

  /// Refuses a prompt that is empty, or that doesn't fit into the model's context with its answer.
  func check(_ prompt: [Int32], maxNewTokens: Int, name: String) throws {
    let limit = session.decoder.configuration.maxPositionEmbeddings
    if prompt.isEmpty { throw ModelError("\(name) is empty; give it at least one token") }
    if maxNewTokens > limit - prompt.count {
      throw ModelError(
        "\(name) has \(prompt.count) tokens, with \(maxNewTokens) new ones more than the model's \(limit); shorten it or lower --max-new-tokens"
      )
    }
  }

  /// One prompt and what comes of it.
  struct Answer {
    let index: Int
    let prompt: [Int32]
    var sampler: Sampler
    var generation = Generation()
  }

  /// What the prompts of a group share; a prompt's place in the group is its sequence in the cache.
  struct Batch {
    let cache: KeyValueCache
    let maxNewTokens: Int
    let isGreedy: Bool
  }

  /// Answers one group; of a prompt is read what the cache doesn't hold yet. False when the listener wants no more.
  func answer(_ answers: inout ArraySlice<Answer>, _ batch: Batch, _ onToken: (Int, Int32) -> Continuation)
    -> Bool
  {
    let first = answers.startIndex
    var running: [(sequence: Int, ids: [Int32])] = []
    func step(_ fed: [(sequence: Int, ids: [Int32])]) -> Bool {
      let logits = session.step(fed, cache: batch.cache)
      let tokens = choose(logits, fed.map { $0.sequence + first }, &answers, isGreedy: batch.isGreedy)
      for (token, (sequence, _)) in zip(tokens, fed) {
        let place = sequence + first
        if endTokens.contains(token) {
          answers[place].generation.stopReason = .stop
          continue
        }
        answers[place].generation.ids.append(token)
        answers[place].sampler.note(token)
        switch onToken(answers[place].index, token) {
        case .endAll: return false
        case .endAnswer: answers[place].generation.stopReason = .stop
        case .goOn:
          if answers[place].generation.ids.count < batch.maxNewTokens { running.append((sequence, [token])) }
        }
      }
      return true
    }
    for some in prefillGroups(answers.map(\.prompt)) {
      guard step(some.map { ($0, Array(answers[first + $0].prompt.dropFirst(batch.cache.lengths[$0]))) }) else {
        return false
      }
    }
    while !running.isEmpty {
      let fed = running
      running = []
      guard step(fed) else { return false }
    }
    return true
  }

  /// The next token of the answers at `places`, one a row of the logits (places, V), which change where tokens are repeated less.
  private func choose(_ logits: Matrix, _ places: [Int], _ answers: inout ArraySlice<Answer>, isGreedy: Bool) -> [Int32]
  {
    for (row, place) in places.enumerated() { answers[place].sampler.penalise(logits.rows(row..<row + 1)) }
    if isGreedy { return session.decoder.backend.argmax(logits) }
    return places.enumerated().map { row, place in answers[place].sampler.draw(logits.rows(row..<row + 1)) }
  }

  /// Prompts that follow each other, as many as may be answered together.
  private func groups(_ prompts: [[Int32]], maxNewTokens: Int) -> [Range<Int>] {
    let perToken = KeyValueCache.bytesPerToken(session.decoder.configuration)
    var groups: [Range<Int>] = []
    var bytes = 0
    for (index, prompt) in prompts.enumerated() {
      let own = (prompt.count + maxNewTokens) * perToken
      if let last = groups.last, last.count < together, bytes + own <= cacheBytes {
        groups[groups.count - 1] = last.lowerBound..<index + 1
        bytes += own
      } else {
        groups.append(index..<index + 1)
        bytes = own
      }
    }
    return groups
  }

  /// Places of prompts that are read in one go.
  private func prefillGroups(_ prompts: [[Int32]]) -> [[Int]] {
    var groups: [[Int]] = []
    var tokens = Self.prefillTokens
    for (index, prompt) in prompts.enumerated() {
      if tokens + prompt.count > Self.prefillTokens {
        groups.append([])
        tokens = 0
      }
      groups[groups.count - 1].append(index)
      tokens += prompt.count
    }
    return groups
  }
}
