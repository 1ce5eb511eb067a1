import Foundation

/// The oracle: every operation written out as its definition, one loop after the other, with sums in double precision.
///
/// Slow on purpose. Other backends are tested against it.
public struct ReferenceBackend: Backend {
  public let name = "reference"

  public init() {}

  // MARK: Products

  public func multiply(
    _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, beta: Float, into c: Matrix
  ) {
    let depth = transposeA ? a.rows : a.columns
    precondition((transposeA ? a.columns : a.rows) == c.rows && (transposeB ? b.rows : b.columns) == c.columns)
    precondition((transposeB ? b.columns : b.rows) == depth)
    for i in 0..<c.rows {
      for j in 0..<c.columns {
        var sum = 0.0
        for p in 0..<depth {
          sum += Double(transposeA ? a[p, i] : a[i, p]) * Double(transposeB ? b[j, p] : b[p, j])
        }
        let old = beta == 0 ? 0 : Double(beta) * Double(c[i, j])
        c[i, j] = Float(Double(alpha) * sum + old)
      }
    }
  }

  public func multiply(
    _ a: Operand, transposeA: Bool, _ b: Operand, transposeB: Bool, accumulate: Bool, into c: Matrix
  ) {
    multiply(
      a.widened, transposeA: transposeA, b.widened, transposeB: transposeB, alpha: 1, beta: accumulate ? 1 : 0, into: c)
  }

  public func linear(_ x: Operand, _ w: Weight, bias: Matrix?, adding lowRank: LowRank?, into y: Matrix) {
    let x = x.widened
    let weight = w.dequantised
    precondition(x.columns == w.columns && y.columns == w.rows && y.rows == x.rows)
    precondition(bias == nil || bias?.rows == 1 && bias?.columns == w.rows)
    for t in 0..<y.rows {
      for o in 0..<y.columns {
        var sum = Double(bias?[0, o] ?? 0)
        for i in 0..<x.columns { sum += Double(x[t, i]) * Double(weight[o, i]) }
        y[t, o] = Float(sum)
      }
    }
    if let lowRank {
      multiply(lowRank.low, transposeA: false, lowRank.factor, transposeB: true, accumulate: true, into: y)
    }
  }

  public func linearInputGradient(
    _ dy: Operand, _ w: Weight, adding lowRank: LowRank?, into dx: Matrix, accumulate: Bool
  ) {
    multiply(
      dy.widened, transposeA: false, w.dequantised, transposeB: false, alpha: 1, beta: accumulate ? 1 : 0, into: dx)
    if let lowRank {
      multiply(lowRank.low, transposeA: false, lowRank.factor, transposeB: false, accumulate: true, into: dx)
    }
  }

  // MARK: bfloat16

  public func narrow(_ x: Matrix, into out: BFloat16Matrix) {
    precondition(x.rows == out.rows && x.columns == out.columns)
    out.fill(0..<x.rows, from: x)
  }

  public func round(_ x: Matrix, into out: BFloat16Matrix) {
    narrow(x, into: out)
    widen(out, into: x)
  }

  public func widen(_ x: BFloat16Matrix, into out: Matrix) { out.copy(from: x.widened) }

  // MARK: Element-wise and row-wise steps

  public func gather(_ w: Weight, rows ids: [Int32], into out: Matrix) {
    precondition(out.rows == ids.count && out.columns == w.columns)
    let weight = w.dequantised
    for (t, id) in ids.enumerated() {
      for i in 0..<out.columns { out[t, i] = weight[Int(id), i] }
    }
  }

  public func add(_ x: Matrix, scaledBy alpha: Float, to y: Matrix) {
    precondition(x.hasShape(of: y))
    for t in 0..<x.rows {
      for i in 0..<x.columns { y[t, i] = Float(Double(y[t, i]) + Double(alpha) * Double(x[t, i])) }
    }
  }

  public func rmsNorm(_ x: Matrix, gain: Matrix, epsilon: Float, into y: Matrix, inverseRMS: Matrix) {
    precondition(x.hasShape(of: y) && gain.columns == x.columns && inverseRMS.rows == x.rows)
    for t in 0..<x.rows {
      var sum = 0.0
      for i in 0..<x.columns { sum += Double(x[t, i]) * Double(x[t, i]) }
      let inverse = 1 / (sum / Double(x.columns) + Double(epsilon)).squareRoot()
      for i in 0..<x.columns { y[t, i] = Float(Double(x[t, i]) * inverse * Double(gain[0, i])) }
      inverseRMS[t, 0] = Float(inverse)
    }
  }

  public func rmsNormBackward(
    _ dy: Matrix, x: Matrix, gain: Matrix, inverseRMS: Matrix, into dx: Matrix, accumulate: Bool
  ) {
    precondition(x.hasShape(of: dy) && x.hasShape(of: dx) && gain.columns == x.columns && inverseRMS.rows == x.rows)
    for t in 0..<x.rows {
      let inverse = Double(inverseRMS[t, 0])
      var sum = 0.0
      for i in 0..<x.columns { sum += Double(dy[t, i]) * Double(gain[0, i]) * Double(x[t, i]) }
      let mean = sum * inverse * inverse / Double(x.columns)
      for i in 0..<x.columns {
        let gradient = inverse * (Double(dy[t, i]) * Double(gain[0, i]) - Double(x[t, i]) * mean)
        dx[t, i] = Float(gradient + (accumulate ? Double(dx[t, i]) : 0))
      }
    }
  }

  public func rope(_ x: Matrix, positions: [Int32], headSize: Int, inverseFrequencies: [Float], inverse: Bool) {
    let half = headSize / 2
    precondition(positions.count == x.rows && inverseFrequencies.count == half && x.columns % headSize == 0)
    let table = RotaryTable(positions: positions, inverseFrequencies: inverseFrequencies)
    for t in 0..<x.rows {
      for start in stride(from: 0, to: x.columns, by: headSize) {
        for i in 0..<half {
          let cosine = Double(table.cosines[t, i])
          let sine = Double(table.sines[t, i]) * (inverse ? -1 : 1)
          let low = Double(x[t, start + i])
          let high = Double(x[t, start + half + i])
          x[t, start + i] = Float(low * cosine - high * sine)
          x[t, start + half + i] = Float(high * cosine + low * sine)
        }
      }
    }
  }

  public func swiGLU(gate: Matrix, up: Matrix, into out: Matrix) {
    precondition(gate.hasShape(of: up) && gate.hasShape(of: out))
    for t in 0..<gate.rows {
      for i in 0..<gate.columns {
        let g = Double(gate[t, i])
        out[t, i] = Float(g / (1 + exp(-g)) * Double(up[t, i]))
      }
    }
  }

  public func swiGLU(gate: BFloat16Matrix, up: BFloat16Matrix, into out: BFloat16Matrix) {
    let product = Matrix(out.rows, out.columns)
    swiGLU(gate: gate.widened, up: up.widened, into: product)
    narrow(product, into: out)
  }

  public func swiGLUBackward(dOut: Matrix, gate: BFloat16Matrix, up: BFloat16Matrix) {
    let (dGate, dUp) = (gate.widened, up.widened)
    swiGLUBackward(dOut: dOut, gate: gate.widened, up: up.widened, dGate: dGate, dUp: dUp)
    narrow(dGate, into: gate)
    narrow(dUp, into: up)
  }

  public func swiGLUBackward(dOut: Matrix, gate: Matrix, up: Matrix, dGate: Matrix, dUp: Matrix) {
    precondition(gate.hasShape(of: up) && gate.hasShape(of: dOut) && gate.hasShape(of: dGate) && up.hasShape(of: dUp))
    for t in 0..<gate.rows {
      for i in 0..<gate.columns {
        let g = Double(gate[t, i])
        let u = Double(up[t, i])
        let d = Double(dOut[t, i])
        let sigmoid = 1 / (1 + exp(-g))
        dGate[t, i] = Float(d * u * sigmoid * (1 + g * (1 - sigmoid)))
        dUp[t, i] = Float(d * g * sigmoid)
      }
    }
  }

  public func crossEntropy(logits: Matrix, targets: [Int32], gradientScale: Float?) -> [Float] {
    precondition(targets.count == logits.rows)
    return targets.enumerated().map { row, target in
      var largest = -Double.infinity
      for i in 0..<logits.columns { largest = max(largest, Double(logits[row, i])) }
      var sum = 0.0
      for i in 0..<logits.columns { sum += exp(Double(logits[row, i]) - largest) }
      let loss = log(sum) - (Double(logits[row, Int(target)]) - largest)
      if let gradientScale {
        for i in 0..<logits.columns {
          let probability = exp(Double(logits[row, i]) - largest) / sum
          logits[row, i] = Float((probability - (i == Int(target) ? 1 : 0)) * Double(gradientScale))
        }
      }
      return Float(loss)
    }
  }

  public func dropout(_ x: Matrix, rows: [Int]?, probability: Float, seed: UInt64, into out: Matrix) {
    precondition(x.hasShape(of: out) && rows?.count ?? x.rows == x.rows)
    let mask = DropoutMask(probability: probability, seed: seed)
    for t in 0..<x.rows {
      for i in 0..<x.columns { out[t, i] = mask.keeps((rows?[t] ?? t) * x.columns + i) ? x[t, i] * mask.keepScale : 0 }
    }
  }

  // MARK: Optimisation

  public func adamW(
    parameters: Matrix, gradients: Matrix, m: Matrix, v: Matrix, step: Int, learningRate: Float, beta1: Float,
    beta2: Float, epsilon: Float, weightDecay: Float
  ) {
    precondition(parameters.hasShape(of: gradients) && parameters.hasShape(of: m) && parameters.hasShape(of: v))
    let now = AdamWStep(
      step: step, learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    for t in 0..<parameters.rows {
      for i in 0..<parameters.columns {
        let gradient = Double(gradients[t, i])
        let mean = now.beta1 * Double(m[t, i]) + (1 - now.beta1) * gradient
        let square = now.beta2 * Double(v[t, i]) + (1 - now.beta2) * gradient * gradient
        m[t, i] = Float(mean)
        v[t, i] = Float(square)
        let change = now.rate * mean / (square.squareRoot() * now.root + now.epsilon)
        parameters[t, i] = Float(Double(parameters[t, i]) * now.decay - change)
      }
    }
  }

  public func sumOfSquares(_ x: Matrix) -> Double {
    var sum = 0.0
    for t in 0..<x.rows {
      for i in 0..<x.columns { sum += Double(x[t, i]) * Double(x[t, i]) }
    }
    return sum
  }

  public func scale(_ x: Matrix, by factor: Float) {
    for t in 0..<x.rows {
      for i in 0..<x.columns { x[t, i] *= factor }
    }
  }

  public func argmax(_ x: Matrix) -> [Int32] {
    (0..<x.rows).map { row in
      var best = 0
      var value = -Float.infinity
      for i in 0..<x.columns where x[row, i] > value {
        best = i
        value = x[row, i]
      }
      return Int32(best)
    }
  }
}
