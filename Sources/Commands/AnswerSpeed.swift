import Foundation

/// How fast an answer comes, counted from the speed's own making.
struct AnswerSpeed {
  private let start = ContinuousClock.now
  private var first: ContinuousClock.Instant?
  private var last = ContinuousClock.now

  /// A token came.
  mutating func note() {
    last = .now
    if first == nil { first = last }
  }

  /// "42 tokens · 31.2 tokens/s · first after 0.21 s", the rate that of the tokens after the first.
  func words(tokens: Int) -> Words {
    let wait = String(format: "%.2f", first.map { ($0 - start) / .seconds(1) } ?? 0)
    let rate = Self.rate(tokens - 1, in: first.map { last - $0 } ?? .zero)
    return Words(
      "\(tokens) tokens · \(rate) tokens/s · first after \(wait) s",
      ko: "토큰 \(tokens)개 · 초당 \(rate)개 · 첫 토큰까지 \(wait)초")
  }

  /// So many tokens a second: "31.2".
  static func rate(_ tokens: Int, in time: Duration) -> String {
    String(format: "%.1f", time > .zero ? Double(max(tokens, 0)) / (time / .seconds(1)) : 0)
  }
}
