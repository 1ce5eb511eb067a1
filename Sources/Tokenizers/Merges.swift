/// Which pairs of tokens merge, into what, and in which order.
struct Merges: Sendable {
  /// Open addressing; a key is left << 32 | right, all ones where empty.
  private var keys: [UInt64]
  /// rank << 32 | merged token.
  private var values: [UInt64]
  private let mask: Int
  private let shift: UInt64
  static let none = UInt64.max

  init(capacity: Int) {
    var bits: UInt64 = 4
    while 1 << bits < capacity * 2 { bits += 1 }
    keys = Array(repeating: UInt64.max, count: 1 << bits)
    values = Array(repeating: Self.none, count: 1 << bits)
    mask = 1 << bits - 1
    shift = 64 - bits
  }

  private func slot(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift) }

  /// A pair that is given twice keeps the later rank, as a Python dictionary would.
  mutating func insert(_ left: Int32, _ right: Int32, rank: Int, merged: Int32) {
    let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    var place = slot(key)
    while keys[place] != UInt64.max, keys[place] != key { place = (place + 1) & mask }
    keys[place] = key
    values[place] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: merged))
  }

  /// rank << 32 | merged token, or ``none``.
  @inline(__always)
  func find(_ left: Int32, _ right: Int32) -> UInt64 {
    let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    var place = slot(key)
    while true {
      let here = keys[place]
      if here == key { return values[place] }
      if here == UInt64.max { return Self.none }
      place = (place + 1) & mask
    }
  }
}
