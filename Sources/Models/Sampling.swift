import Compute
import Foundation

/// How the next token is chosen, by the names of Hugging Face's `GenerationConfig`.
public struct Sampling: Sendable, Equatable {
  /// 0 takes the most probable token (greedy).
  public var temperature: Float
  /// Only the `topK` most probable tokens stay (0: all), and of these the fewest whose probabilities sum to `topP`.
  public var topK: Int
  public var topP: Float
  /// Above 1 the tokens of prompt and answer so far are less likely to come again; greedy decoding heeds it too. 1 changes nothing.
  public var repetitionPenalty: Float
  public var seed: UInt64

  public static let greedy = Sampling(temperature: 0, topK: 0, topP: 1, seed: 0)

  public init(temperature: Float, topK: Int, topP: Float, repetitionPenalty: Float = 1, seed: UInt64) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.repetitionPenalty = repetitionPenalty
    self.seed = seed
  }
}

/// Draws tokens from logits; each sequence has its own stream of random numbers and its own tokens to repeat less.
struct Sampler {
  private let sampling: Sampling
  private var random: RandomNumbers
  /// The tokens of prompt and answer, each once; not kept without a penalty.
  private var seen: Set<Int32> = []

  init(_ sampling: Sampling, stream: UInt64, prompt: [Int32]) {
    self.sampling = sampling
    random = RandomNumbers(seed: RandomNumbers.mix(sampling.seed &+ RandomNumbers.mix(stream)))
    if sampling.repetitionPenalty != 1 { seen = Set(prompt) }
  }

  /// Notes a token of the answer.
  mutating func note(_ token: Int32) {
    if sampling.repetitionPenalty != 1 { seen.insert(token) }
  }

  /// Makes the logits (1, V) of the tokens so far smaller, each once: a positive one is divided by the penalty, a negative one multiplied
  /// with it. Keskar et al., "CTRL", 2019, with the sign that transformers' `RepetitionPenaltyLogitsProcessor` minds.
  func penalise(_ logits: Matrix) {
    for token in seen where token >= 0 && Int(token) < logits.columns {
      let logit = logits[0, Int(token)]
      logits[0, Int(token)] = logit < 0 ? logit * sampling.repetitionPenalty : logit / sampling.repetitionPenalty
    }
  }

  /// A token by the probabilities of one row (1, V) of logits; the temperature must be above 0.
  mutating func draw(_ logits: Matrix) -> Int32 {
    let candidates = logits.withElements { self.candidates(UnsafeBufferPointer($0)) }
    var left = Double(random.nextUnit()) * candidates.reduce(0) { $0 + Double($1.weight) }
    for candidate in candidates {
      left -= Double(candidate.weight)
      if left < 0 { return candidate.token }
    }
    return candidates[candidates.count - 1].token
  }

  /// A token that may come. Its probability is its weight by the sum of all weights; the most probable token weighs 1.
  struct Candidate: Equatable {
    var token: Int32
    var weight: Float
  }

  /// The tokens that `topK` and `topP` leave, the most probable first and of equal ones the lower; all of them stand in their own order.
  ///
  /// The vocabulary is never sorted as a whole: the best `topK` come from one pass with a heap, and without `topK` only those tokens are
  /// sorted that can be among the first `topP`.
  func candidates(_ logits: UnsafeBufferPointer<Float>) -> [Candidate] {
    var candidates: [Candidate]
    if sampling.topK > 0, sampling.topK < logits.count {
      candidates = Self.greatest(sampling.topK, of: logits)
      let peak = candidates[0].weight
      for index in candidates.indices { candidates[index].weight = weight(candidates[index].weight, peak: peak) }
    } else {
      let peak = logits.max() ?? 0
      candidates = logits.enumerated().map {
        Candidate(token: Int32($0.offset), weight: weight($0.element, peak: peak))
      }
    }
    guard sampling.topP < 1 else { return candidates }
    let sum = candidates.reduce(0) { $0 + Double($1.weight) }
    if candidates.count == logits.count {
      // Tokens below this weight have together less than 1 - topP of the sum, so that the others hold the first topP and more.
      let least = Float((1 - Double(sampling.topP)) * sum / Double(logits.count))
      candidates = candidates.filter { !($0.weight < least) }
      candidates.sort { $0.weight != $1.weight ? $0.weight > $1.weight : $0.token < $1.token }
    }
    var kept = 0
    var share = 0.0
    while kept < candidates.count, share < Double(sampling.topP) * sum {
      share += Double(candidates[kept].weight)
      kept += 1
    }
    return Array(candidates.prefix(max(kept, 1)))
  }

  private func weight(_ logit: Float, peak: Float) -> Float { exp((logit - peak) / sampling.temperature) }

  /// The `count` greatest logits, greatest first and of equal ones the lower token; the weights are the logits.
  private static func greatest(_ count: Int, of logits: UnsafeBufferPointer<Float>) -> [Candidate] {
    func isWorse(_ a: Candidate, _ b: Candidate) -> Bool {
      a.weight != b.weight ? a.weight < b.weight : a.token > b.token
    }
    // A heap with the worst of the kept ones at its root. Tokens come in their order, so an equal one later never goes in.
    var heap: [Candidate] = []
    heap.reserveCapacity(count)
    func sink(_ start: Int) {
      var parent = start
      while true {
        var child = parent * 2 + 1
        guard child < heap.count else { return }
        if child + 1 < heap.count, isWorse(heap[child + 1], heap[child]) { child += 1 }
        guard isWorse(heap[child], heap[parent]) else { return }
        heap.swapAt(parent, child)
        parent = child
      }
    }
    for (token, logit) in logits.enumerated() {
      if heap.count < count {
        heap.append(Candidate(token: Int32(token), weight: logit))
        if heap.count == count { for start in (0..<count / 2).reversed() { sink(start) } }
      } else if logit > heap[0].weight {
        heap[0] = Candidate(token: Int32(token), weight: logit)
        sink(0)
      }
    }
    return heap.sorted { isWorse($1, $0) }
  }
}
