import Models
import Runs

/// Percentile bootstrap over questions (Efron, 1979; for machine translation Koehn, 2004): how far a score of these questions moves when as
/// many are drawn from them with replacement.
///
/// It tells of the choice of questions alone, not of another seed or training. The draws depend on the number of questions only, so the base
/// and the tuned model are scored on the same ones.
public struct Bootstrap: Sendable {
  public static let resamples = 1000
  public static let confidence = 0.95
  /// sacreBLEU's own seed.
  public static let seed = 12345

  /// The number of questions.
  private let count: Int

  public init(count: Int) { self.count = count }

  /// The middle 95% of the draws' scores; nil below two questions, where there is nothing to draw.
  public func interval(_ score: ([Int]) -> Double) -> [Double]? {
    guard count > 1 else { return nil }
    var random = RandomNumbers(seed: UInt64(Self.seed))
    let scores = (0..<Self.resamples).map { _ in
      score((0..<count).map { _ in Int(random.next() % UInt64(count)) })
    }.sorted()
    let tail = Int(Double(scores.count) * (1 - Self.confidence) / 2)
    return [scores[tail], scores[scores.count - 1 - tail]]
  }

  /// What `evaluation/metrics.json` says of how its intervals came about.
  public static var record: EvaluationRecord.Bootstrap {
    EvaluationRecord.Bootstrap(resamples: resamples, confidence: confidence, seed: seed)
  }
}
