import Foundation

extension ReferenceBackend {
  public func attention(
    q: Matrix, k: Matrix, v: Matrix, segments: [AttentionSegment], heads: Int, kvHeads: Int,
    products: Weight.Products, into out: Matrix, logSumExp: Matrix?
  ) {
    let headSize = checkAttention(q: q, k: k, v: v, out: out, segments: segments, heads: heads, kvHeads: kvHeads)
    out.fill(0)
    logSumExp?.fill(0)
    for (row, keys) in visibleKeys(segments) {
      for head in 0..<heads {
        let kvStart = head / (heads / kvHeads) * headSize
        let (probabilities, total) = softmax(
          q: q, k: k, row: row, keys: keys, start: head * headSize, kvStart, headSize)
        for c in 0..<headSize {
          var sum = 0.0
          for (key, probability) in zip(keys, probabilities) { sum += probability * Double(v[key, kvStart + c]) }
          out[row, head * headSize + c] = Float(sum)
        }
        logSumExp?[row, head] = Float(total)
      }
    }
  }

  public func attentionBackward(
    dOut: Matrix, q: Matrix, k: Matrix, v: Matrix, out: Matrix, logSumExp: Matrix, segments: [AttentionSegment],
    heads: Int, kvHeads: Int, products: Weight.Products, dq: Matrix, dk: Matrix, dv: Matrix
  ) {
    let headSize = checkAttention(q: q, k: k, v: v, out: out, segments: segments, heads: heads, kvHeads: kvHeads)
    precondition(dOut.hasShape(of: q) && dq.hasShape(of: q) && dk.hasShape(of: k) && dv.hasShape(of: v))
    let scale = 1 / Double(headSize).squareRoot()
    var keyGradients = [Double](repeating: 0, count: k.rows * k.columns)
    var valueGradients = keyGradients
    dq.fill(0)
    for (row, keys) in visibleKeys(segments) {
      for head in 0..<heads {
        let start = head * headSize
        let kvStart = head / (heads / kvHeads) * headSize
        let (probabilities, _) = softmax(q: q, k: k, row: row, keys: keys, start: start, kvStart, headSize)
        // The gradient of each probability, and their mean under the softmax.
        let slopes = keys.map { key in
          (0..<headSize).reduce(0.0) { $0 + Double(dOut[row, start + $1]) * Double(v[key, kvStart + $1]) }
        }
        let mean = zip(probabilities, slopes).reduce(0.0) { $0 + $1.0 * $1.1 }
        var queryGradient = [Double](repeating: 0, count: headSize)
        for (index, key) in keys.enumerated() {
          let score = probabilities[index] * (slopes[index] - mean) * scale
          for c in 0..<headSize {
            queryGradient[c] += score * Double(k[key, kvStart + c])
            keyGradients[key * k.columns + kvStart + c] += score * Double(q[row, start + c])
            valueGradients[key * v.columns + kvStart + c] += probabilities[index] * Double(dOut[row, start + c])
          }
        }
        for c in 0..<headSize { dq[row, start + c] = Float(queryGradient[c]) }
      }
    }
    for row in 0..<k.rows {
      for c in 0..<k.columns {
        dk[row, c] = Float(keyGradients[row * k.columns + c])
        dv[row, c] = Float(valueGradients[row * k.columns + c])
      }
    }
  }

  /// Every query row with the key rows it sees, in order.
  private func visibleKeys(_ segments: [AttentionSegment]) -> [(row: Int, keys: ArraySlice<Int>)] {
    segments.flatMap { segment in
      let keys = segment.keyRows.flatMap { Array($0) }
      return segment.queryRows.enumerated().map { j, row in
        (row, keys.prefix(keys.count - segment.queryRows.count + j + 1))
      }
    }
  }

  /// The probabilities of one query row's keys, and the logarithm of the sum of e^score.
  private func softmax(
    q: Matrix, k: Matrix, row: Int, keys: ArraySlice<Int>, start: Int, _ kvStart: Int, _ headSize: Int
  ) -> ([Double], Double) {
    let scores = keys.map { key in
      (0..<headSize).reduce(0.0) { $0 + Double(q[row, start + $1]) * Double(k[key, kvStart + $1]) }
        / Double(headSize).squareRoot()
    }
    let largest = scores.max() ?? 0
    let exponentials = scores.map { exp($0 - largest) }
    let sum = exponentials.reduce(0, +)
    return (exponentials.map { $0 / sum }, largest + log(sum))
  }
}
