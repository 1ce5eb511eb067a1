import Runs

/// The place of a row or group in a seeded order: a SHA-256 of what it says, so that other rows coming or going don't move it.
///
/// The first half of the digest is kept: as good as all of it for an order, and as a name of the text.
struct Rank: Comparable, Hashable, Sendable {
  private let high: UInt64
  private let low: UInt64

  init(seed: Int, purpose: String, _ text: String) {
    (high, low) = SHA256.prefix(of: "\(seed)\u{1F}\(purpose)\u{1F}\(text)")
  }

  static func < (left: Rank, right: Rank) -> Bool { (left.high, left.low) < (right.high, right.low) }
}
