import Runs

/// Bootstrap over questions (Efron, 1979), paired for two models (Koehn, 2004): how far a score of these questions, and the difference
/// between two models' scores, moves when as many are drawn from them with replacement.
///
/// It tells of the choice of questions alone, not of another seed or training. The draws are sacreBLEU's own (`--paired-bs`), and depend
/// on the number of questions only: both models are scored on the same ones.
public struct Bootstrap: Sendable {
  public static let resamples = 1000
  public static let confidence = 0.95

  /// The number of questions.
  private let count: Int

  public init(count: Int) { self.count = count }

  /// The score of each draw; empty below two questions, where there is nothing to draw.
  func draws<Score>(_ score: ([Int]) -> Score) -> [Score] {
    guard count > 1, let bound = UInt32(exactly: count) else { return [] }
    var random = PCG64()
    var places = [Int](repeating: 0, count: count)
    return (0..<Self.resamples).map { _ in
      for place in places.indices { places[place] = random.next(below: bound) }
      return score(places)
    }
  }

  /// The middle 95% of the draws; nil where there are none.
  static func interval(_ draws: [Double]) -> [Double]? {
    guard !draws.isEmpty else { return nil }
    let sorted = draws.sorted()
    let tail = Int(Double(sorted.count) * (1 - confidence) / 2)
    return [sorted[tail], sorted[sorted.count - 1 - tail]]
  }

  /// How often chance alone would part two models of equal worth at least as far, as sacreBLEU counts it: the share of draws whose
  /// absolute difference lies above the mean one by more than `difference`, with one more on either side. Nil where there are no draws.
  ///
  /// Two scores that are the same are no evidence at all: 1, where sacreBLEU's count gives its least value.
  static func pValue(of difference: Double, _ draws: [Double]) -> Double? {
    guard !draws.isEmpty else { return nil }
    if difference == 0 { return 1 }
    let mean = draws.reduce(0) { $0 + $1.magnitude } / Double(draws.count)
    let further = draws.count { $0.magnitude - mean > difference.magnitude }
    return Double(further + 1) / Double(draws.count + 1)
  }

  /// What `evaluation/metrics.json` says of how its intervals came about.
  public static var record: EvaluationRecord.Bootstrap {
    EvaluationRecord.Bootstrap(resamples: resamples, confidence: confidence, seed: PCG64.seed)
  }
}
