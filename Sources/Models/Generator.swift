import Compute
import Foundation

/// How the next token is chosen.
public struct Sampling: Sendable, Equatable {
  /// 0 takes the most probable token (greedy).
  public var temperature: Float
  /// Only the `topK` most probable tokens stay (0: all), and of these the fewest whose probabilities sum to `topP`.
  public var topK: Int
  public var topP: Float
  public var seed: UInt64

  public static let greedy = Sampling(temperature: 0, topK: 0, topP: 1, seed: 0)

  public init(temperature: Float, topK: Int, topP: Float, seed: UInt64) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }
}

/// What came of one prompt.
public struct Generation: Sendable, Equatable {
  public enum StopReason: String, Sendable { case stop, length }
  /// The new tokens, without the end token.
  public var ids: [Int32] = []
  public var stopReason = StopReason.length
}

/// Answers prompts, several at once: prompts are read in batches, then every step feeds one token of each unfinished answer.
public struct Generator {
  /// Prompt tokens read in one go.
  private static let prefillTokens = 512

  private let session: DecoderSession
  private let endTokens: Set<Int32>

  public init(_ session: DecoderSession, endTokens: [Int32]) {
    self.session = session
    self.endTokens = Set(endTokens)
  }

  /// Continues each prompt up to an end token or `maxNewTokens`. `onToken` hears (prompt's index, token) as they come and may end the
  /// work by returning false.
  public func generate(
    _ prompts: [[Int32]], maxNewTokens: Int, sampling: Sampling = .greedy,
    onToken: (Int, Int32) -> Bool = { _, _ in true }
  ) throws -> [Generation] {
    let limit = session.decoder.configuration.maxPositionEmbeddings
    for (index, prompt) in prompts.enumerated() {
      if prompt.isEmpty { throw ModelError("prompt \(index + 1) is empty; give it at least one token") }
      if prompt.count + maxNewTokens > limit {
        throw ModelError(
          "prompt \(index + 1) has \(prompt.count) tokens, with \(maxNewTokens) new ones more than the model's \(limit); shorten it or lower --max-new-tokens"
        )
      }
    }
    var results = prompts.map { _ in Generation() }
    guard maxNewTokens > 0 else { return results }
    let cache = KeyValueCache(session.decoder.configuration, capacities: prompts.map { $0.count + maxNewTokens })
    var samplers = prompts.indices.map { Sampler(sampling, stream: UInt64($0)) }
    var running: [(sequence: Int, ids: [Int32])] = []

    for group in prefillGroups(prompts) {
      let fed = group.map { (sequence: $0, ids: prompts[$0]) }
      let logits = session.step(fed, cache: cache)
      guard take(logits, fed.map(\.sequence), maxNewTokens, &samplers, &results, &running, onToken) else {
        return results
      }
    }
    while !running.isEmpty {
      let fed = running
      running = []
      let logits = session.step(fed, cache: cache)
      guard take(logits, fed.map(\.sequence), maxNewTokens, &samplers, &results, &running, onToken) else { break }
    }
    return results
  }

  /// Chooses the next token of each sequence and notes who goes on. False when the listener wants no more.
  private func take(
    _ logits: Matrix, _ sequences: [Int], _ maxNewTokens: Int, _ samplers: inout [Sampler],
    _ results: inout [Generation],
    _ running: inout [(sequence: Int, ids: [Int32])], _ onToken: (Int, Int32) -> Bool
  ) -> Bool {
    let best = session.decoder.backend.argmax(logits)
    for (row, sequence) in sequences.enumerated() {
      let token = samplers[sequence].choose(logits.rows(row..<row + 1), best: best[row])
      if endTokens.contains(token) {
        results[sequence].stopReason = .stop
        continue
      }
      results[sequence].ids.append(token)
      if !onToken(sequence, token) { return false }
      if results[sequence].ids.count < maxNewTokens { running.append((sequence, [token])) }
    }
    return true
  }

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

/// Draws tokens from logits; each sequence has its own stream of random numbers.
struct Sampler {
  private let sampling: Sampling
  private var random: RandomNumbers

  init(_ sampling: Sampling, stream: UInt64) {
    self.sampling = sampling
    random = RandomNumbers(seed: RandomNumbers.mix(sampling.seed &+ RandomNumbers.mix(stream)))
  }

  /// `logits` is one row (1, V), `best` its largest column.
  mutating func choose(_ logits: Matrix, best: Int32) -> Int32 {
    guard sampling.temperature > 0 else { return best }
    var candidates = logits.elements.enumerated().map {
      (token: Int32($0.offset), logit: $0.element / sampling.temperature)
    }
    candidates.sort { $0.logit != $1.logit ? $0.logit > $1.logit : $0.token < $1.token }
    if sampling.topK > 0 { candidates = Array(candidates.prefix(sampling.topK)) }
    let peak = candidates[0].logit
    var weights = candidates.map { exp($0.logit - peak) }
    let sum = weights.reduce(0, +)
    if sampling.topP < 1 {
      var kept = 0
      var share: Float = 0
      while kept < weights.count, share < sampling.topP {
        share += weights[kept] / sum
        kept += 1
      }
      weights = Array(weights.prefix(max(kept, 1)))
    }
    var left = random.nextUnit() * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return candidates[index].token }
    }
    return candidates[weights.count - 1].token
  }
}
