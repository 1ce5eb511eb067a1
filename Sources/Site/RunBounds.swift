import Foundation
import Runs

/// Numbers that no training has: a log that holds one is refused by name, before a chart counts up to it.
enum RunBounds {
  private static let steps = 0...1_000_000_000_000
  private static let epochs = 0.0...1e9
  private static let tokens = 0...1_000_000_000
  private static let rows = 100_000_000
  /// Beyond what any training's arithmetic holds.
  private static let magnitude = 1e38

  static func check(_ events: [MetricsEvent], _ report: DatasetReport?, id: String) throws {
    for (index, event) in events.enumerated() {
      func wrong(_ name: String, _ value: String) -> SiteError {
        SiteError(
          "run \(id): log/metrics.jsonl:\(index + 1): \(name) \(value) is not what a training logs; remove the line or log it anew"
        )
      }
      guard steps.contains(event.step) else { throw wrong("step", "\(event.step)") }
      if let epoch = event.epoch, !epochs.contains(epoch) { throw wrong("epoch", "\(epoch)") }
      let numbers = [event.loss, event.learningRate, event.gradNorm, event.tokensPerSecond].compactMap { $0 }
      if let number = numbers.first(where: { $0.isFinite && $0.magnitude > magnitude }) {
        throw wrong("the number", "\(number)")
      }
    }
    var total = 0
    for length in report?.tokenLengths ?? [] {
      let isPossible = tokens.contains(length.tokens) && (0...rows).contains(length.rows)
      if isPossible { total += length.rows }
      guard isPossible, total <= rows else {
        throw SiteError(
          "run \(id): dataset/report.json: \(length.rows) rows of \(length.tokens) tokens are not to be counted; prepare the dataset again"
        )
      }
    }
  }
}
