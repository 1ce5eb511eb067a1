/// NumPy's default generator, PCG64 (O'Neill, 2014: XSL RR 128/64): `numpy.random.default_rng(12345)`, which sacreBLEU draws its resamples
/// from.
struct PCG64 {
  /// sacreBLEU's own seed.
  static let seed = 12345

  // What NumPy makes of that seed.
  private var state: UInt128 = 33_261_208_707_367_790_463_622_745_601_869_196_757
  private static let increment: UInt128 = 268_209_174_141_567_072_605_526_753_992_732_310_247
  private static let multiplier: UInt128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645
  /// The upper half of the last number, if it is yet to be given.
  private var left: UInt32?

  private mutating func next() -> UInt32 {
    if let half = left {
      left = nil
      return half
    }
    state = state &* Self.multiplier &+ Self.increment
    let mixed = UInt64(truncatingIfNeeded: state >> 64) ^ UInt64(truncatingIfNeeded: state)
    let turn = UInt64(truncatingIfNeeded: state >> 122)
    let number = mixed >> turn | mixed << ((64 - turn) & 63)
    left = UInt32(truncatingIfNeeded: number >> 32)
    return UInt32(truncatingIfNeeded: number)
  }

  /// A number from 0 to below `bound`, evenly (Lemire, 2019): NumPy's `integers(0, bound)` for a bound from 2 to 2³².
  mutating func next(below bound: UInt32) -> Int {
    var product = UInt64(next()) * UInt64(bound)
    let threshold = (0 &- bound) % bound
    while UInt32(truncatingIfNeeded: product) < threshold { product = UInt64(next()) * UInt64(bound) }
    return Int(product >> 32)
  }
}
