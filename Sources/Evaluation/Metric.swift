import Runs
import Workers

/// Scores that share their counting: what is counted in one answer adds up over answers.
protocol Metric: Sendable {
  /// The names of its scores as records have them, each with the signature of a set of answers.
  var scores: [(name: String, signature: String)] { get }
  /// What is counted in one answer, always as many numbers.
  func counts(_ pair: AnswerPair) -> [Double]
  /// The scores, in the order of ``scores``, of a set of answers from their summed counts.
  func values(_ sums: [Double], answers: Int) -> [Double]
  /// The scores of one answer.
  func sentenceValues(_ counts: [Double]) -> [Double]
}

extension Metric {
  func sentenceValues(_ counts: [Double]) -> [Double] { values(counts, answers: 1) }
}

/// What a metric counts in each of some answers, for the scores of any of them.
struct CountTable: Sendable {
  let metric: any Metric
  private let width: Int
  /// Answer by answer.
  private let counts: [Double]
  let answers: Int

  /// Looks at each answer once, on all cores.
  init(_ metric: some Metric, _ pairs: [AnswerPair]) {
    self.metric = metric
    answers = pairs.count
    // So many that handing them out costs nothing beside them.
    let block = 64
    let starts = Array(stride(from: 0, to: pairs.count, by: block))
    let blocks = Parallel.map(starts, state: {}) { _, start in
      pairs[start..<min(start + block, pairs.count)].map { metric.counts($0) }
    }
    counts = blocks.flatMap { $0.flatMap { $0 } }
    width = answers == 0 ? 0 : counts.count / answers
  }

  /// The scores of all answers; 0 for none.
  var values: [Double] { values(0..<answers) }

  /// The scores of the answers at these places; one may count several times.
  func values(_ places: some Collection<Int>) -> [Double] {
    guard !places.isEmpty else { return metric.scores.map { _ in 0 } }
    var sums = [Double](repeating: 0, count: width)
    for place in places {
      let start = place * width
      for index in 0..<width { sums[index] += counts[start + index] }
    }
    return metric.values(sums, answers: places.count)
  }
}
