import Compute

/// What DoRA multiplies a layer's product by, row of W by row: the learnt magnitude over the norm (Liu et al., "DoRA:
/// Weight-Decomposed Low-Rank Adaptation", 2024).
struct DoRAScale {
  /// (1, out): m / ‖W + scaling·B·A‖
  let scale: Matrix
  /// (1, out): 1 / ‖W + scaling·B·A‖
  let inverseNorm: Matrix

  /// The norm without W + scaling·B·A itself, row o of it being w:
  /// ‖w + s·b·A‖² = ‖w‖² + 2s·(w·Aᵀ)·b + s²·b·(A·Aᵀ)·b, whatever kind W is held in.
  init(_ layer: LoraLayer, magnitude: Matrix, weight: Weight, backend: any Backend) {
    let (rank, out) = (layer.a.rows, layer.b.rows)
    let products = Matrix(rank, out)
    backend.linear(layer.a, weight, bias: nil, into: products)
    let gram = Matrix(rank, rank)
    backend.multiply(layer.a, transposeA: false, layer.a, transposeB: true, alpha: 1, beta: 0, into: gram)
    let bGram = Matrix(out, rank)
    backend.multiply(layer.b, transposeA: false, gram, transposeB: false, alpha: 1, beta: 0, into: bGram)

    scale = Matrix(1, out)
    inverseNorm = Matrix(1, out)
    let s = Double(layer.scaling)
    for row in 0..<out {
      var square = layer.weightSquares[row]
      for j in 0..<rank {
        square += Double(layer.b[row, j]) * (2 * s * Double(products[j, row]) + s * s * Double(bGram[row, j]))
      }
      // A row of zeros stays one of zeros instead of becoming NaN.
      let inverse = 1 / max(square, Double(Float.leastNormalMagnitude)).squareRoot()
      inverseNorm[0, row] = Float(inverse)
      scale[0, row] = Float(Double(magnitude[0, row]) * inverse)
    }
  }

  /// ‖w‖² of each row of a frozen weight, in double precision, a bounded number of rows at a time.
  static func rowSquares(_ weight: Weight, backend: any Backend) -> [Double] {
    let chunk = max(1, min(weight.rows, (1 << 20) / max(1, weight.columns)))
    let scratch = Matrix(chunk, weight.columns)
    var squares: [Double] = []
    squares.reserveCapacity(weight.rows)
    for start in stride(from: 0, to: weight.rows, by: chunk) {
      let rows = start..<min(start + chunk, weight.rows)
      backend.gather(weight, rows: rows.map(Int32.init), into: scratch.rows(0..<rows.count))
      for row in 0..<rows.count { squares.append(backend.sumOfSquares(scratch.rows(row..<row + 1))) }
    }
    return squares
  }
}

extension LoraAdapter {
  /// The scales for the adapter's present numbers, by a layer's path; none without DoRA.
  func doraScales(on decoder: Decoder) -> [String: DoRAScale] {
    guard configuration.useDoRA else { return [:] }
    var scales: [String: DoRAScale] = [:]
    for linear in decoder.layers.flatMap(\.linears) {
      guard let layer = layer(linear.path), let magnitude = layer.magnitude else { continue }
      scales[linear.path] = DoRAScale(layer, magnitude: magnitude, weight: linear.weight, backend: decoder.backend)
    }
    return scales
  }
}
