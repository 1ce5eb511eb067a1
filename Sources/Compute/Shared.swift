import Foundation

/// Which elements dropout keeps: the same for every backend.
///
/// Element i is dropped when the 24 high bits of splitmix64's finaliser (Steele, Lea & Flood, 2014) over
/// key + i · golden ratio lie below probability · 2^24.
struct DropoutMask {
  let key: UInt64
  let threshold: UInt32
  let keepScale: Float

  init(probability: Float, seed: UInt64) {
    precondition(probability >= 0 && probability < 1)
    // The seed is hashed first, or seeds that differ by the golden ratio would give the same mask, shifted.
    key = DropoutMask.mix(seed &+ 0x9E37_79B9_7F4A_7C15)
    threshold = UInt32((Double(probability) * 0x1p24).rounded())
    keepScale = Float(1 / (1 - Double(probability)))
  }

  func keeps(_ index: Int) -> Bool {
    UInt32(DropoutMask.mix(key &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15) >> 40) >= threshold
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// The numbers of one AdamW step, worked out in double as torch.optim.AdamW does.
struct AdamWStep {
  let beta1: Double
  let beta2: Double
  let decay: Double
  /// learningRate / (1 − beta1^step)
  let rate: Double
  /// 1 / √(1 − beta2^step)
  let root: Double
  let epsilon: Double

  init(step: Int, learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float) {
    precondition(step >= 1)
    // 1 − 0.999 is off by 1.3e-5 when 0.999 was a Float: take the decimal that was meant.
    let beta1 = decimal(beta1)
    let beta2 = decimal(beta2)
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = decimal(epsilon)
    decay = 1 - decimal(learningRate) * decimal(weightDecay)
    rate = decimal(learningRate) / (1 - pow(beta1, Double(step)))
    root = 1 / (1 - pow(beta2, Double(step))).squareRoot()
  }
}

/// The double nearest to the shortest decimal that reads back as this float: 0.999 for Float(0.999).
private func decimal(_ value: Float) -> Double { Double(value.description) ?? Double(value) }

/// Cosines and sines of the rotary angles, (T, headSize/2) each, in float32 as the peers compute them.
struct RotaryTable {
  let positions: [Int32]
  let inverseFrequencies: [Float]
  let cosines: Matrix
  let sines: Matrix

  init(positions: [Int32], inverseFrequencies: [Float]) {
    self.positions = positions
    self.inverseFrequencies = inverseFrequencies
    cosines = Matrix(positions.count, inverseFrequencies.count)
    sines = Matrix(positions.count, inverseFrequencies.count)
    for (t, position) in positions.enumerated() {
      for (i, frequency) in inverseFrequencies.enumerated() {
        let angle = Float(position) * frequency
        cosines[t, i] = cos(angle)
        sines[t, i] = sin(angle)
      }
    }
  }
}

/// The checks both backends make on what attention is given; the head size.
func checkAttention(
  q: Matrix, k: Matrix, v: Matrix, out: Matrix, segments: [AttentionSegment], heads: Int, kvHeads: Int
) -> Int {
  precondition(heads > 0 && kvHeads > 0 && heads % kvHeads == 0, "heads must be a multiple of kvHeads")
  precondition(q.columns % heads == 0 && out.rows == q.rows && out.columns == q.columns)
  let headSize = q.columns / heads
  precondition(k.columns == kvHeads * headSize && v.columns == k.columns && v.rows == k.rows)
  for segment in segments {
    precondition(segment.queryRows.lowerBound >= 0 && segment.queryRows.upperBound <= q.rows, "a query row beyond q")
    var keys = 0
    for range in segment.keyRows {
      precondition(range.lowerBound >= 0 && range.upperBound <= k.rows, "a key row beyond k")
      keys += range.count
    }
    precondition(keys >= segment.queryRows.count, "a segment with fewer keys than queries")
  }
  return headSize
}

extension Matrix {
  func hasShape(of other: Matrix) -> Bool { rows == other.rows && columns == other.columns }

  /// The pointer to the start of a row.
  func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * stride }
}
