import CKernels
import Foundation

/// Cross-entropy through the head by our own kernel, with the softmax kept up as blocks of the vocabulary come by (Milakov & Gimelshein,
/// "Online normalizer calculation for softmax", 2018): a block's logits are exponentiated and multiplied with the same rows of the head
/// while both are in a cache.
extension CPUBackend {
  /// Rows of hidden that meet a block of the head at once.
  private static let headRows = 256
  /// Rows of the head in a block: with the rows of hidden half a megabyte of logits.
  private static let headBlock = 512
  /// Rows of the head whose sums lie in one place. A fixed number, so that no sum depends on the number of threads.
  private static let headStretch = 8 * headBlock

  public func headCrossEntropy(
    _ hidden: Matrix, _ head: Weight, targets: [Int32], gradientScale: Float?, dHidden: Matrix?
  ) -> [Float]? {
    precondition(targets.count == hidden.rows && hidden.columns == head.columns)
    precondition(targets.allSatisfy { $0 >= 0 && Int($0) < head.rows }, "a target beyond the head")
    guard bfloat16 == .panels, head.computes == .bf16, hidden.rows > CPUBackend.fewRows, head.columns > 0 else {
      return nil
    }
    var losses: [Float] = []
    losses.reserveCapacity(targets.count)
    for start in stride(from: 0, to: hidden.rows, by: Self.headRows) {
      let rows = start..<min(start + Self.headRows, hidden.rows)
      rounded(.f32(hidden.rows(rows))) {
        losses += headCrossEntropy(
          $0, head, targets: Array(targets[rows]), gradientScale: gradientScale, dHidden: dHidden?.rows(rows))
      }
    }
    return losses
  }

  private func headCrossEntropy(
    _ x: BFloat16Matrix, _ head: Weight, targets: [Int32], gradientScale: Float?, dHidden: Matrix?
  ) -> [Float] {
    let stretches = (head.rows + Self.headStretch - 1) / Self.headStretch
    let sums = HeadSums(stretches: stretches, rows: x.rows)
    let width = dHidden == nil ? 0 : x.columns
    wide.use(stretches * x.rows * width) { room in
      // (N, D) for each stretch: Σ e^(logit − maximum) · row of the head, its targets' left out.
      let products = (0..<stretches).map {
        Matrix(room, offset: $0 * x.rows * width, rows: x.rows, columns: width)
      }
      threads.forEach(stretches) { stretch in
        let part = stretch * Self.headStretch..<min((stretch + 1) * Self.headStretch, head.rows)
        addBlocks(of: part, x, head, targets, into: sums, stretch, products[stretch])
      }
      guard let dHidden, let gradientScale else { return }
      dHidden.fill(0)
      eachRows(dHidden) { part in
        let target = Matrix(1, width)
        for row in part {
          for (product, share) in zip(products, sums.shares(of: row)) {
            ck_add(1, width, gradientScale * share, product.row(row), width, dHidden.row(row), dHidden.stride)
          }
          // Where a token is nearly certain, its probability less one is small: it is never rounded.
          let token = Int(targets[row])
          head.widen(rows: token..<token + 1, columns: 0..<width, into: target.pointer, outStride: width)
          ck_add(
            1, width, gradientScale * sums.targetSlope(row), target.pointer, width, dHidden.row(row), dHidden.stride)
        }
      }
    }
    return (0..<x.rows).map(sums.loss)
  }

  /// Takes a stretch of the head's rows into its sums, and into `products` unless that has no columns.
  private func addBlocks(
    of stretch: Range<Int>, _ x: BFloat16Matrix, _ head: Weight, _ targets: [Int32], into sums: HeadSums, _ place: Int,
    _ products: Matrix
  ) {
    let (n, width, block) = (x.rows, 64, Self.headBlock)
    let (forward, backward) = (RightFactor(head, transposed: true), RightFactor(head, transposed: false))
    let depth = max(min(x.columns, Self.panelDepth), block)
    let logitBytes = n * block * 4
    raw.use(logitBytes * 3 / 2 + PanelRoom.bytes(forward, width: width, depth: depth)) { room in
      let logits = room.base.assumingMemoryBound(to: Float.self)
      let exponentials = BFloat16Matrix(
        (room.base + logitBytes).assumingMemoryBound(to: UInt16.self), rows: n, columns: block, owner: room)
      let panels = PanelRoom(room, offset: logitBytes * 3 / 2, width: width, depth: depth)
      for start in stride(from: stretch.lowerBound, to: stretch.upperBound, by: block) {
        let rows = start..<min(start + block, stretch.upperBound)
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: width) {
          let columns = first..<min(first + width, rows.upperBound)
          let after = columns.upperBound..<min(columns.upperBound + width, rows.upperBound)
          panel(
            x, 0..<n, forward, columns: columns, depth: 0..<x.columns,
            next: forward.place(columns: after, depth: 0..<min(x.columns, Self.panelDepth)), room: panels,
            accumulate: false, into: logits + first - start, stride: block)
        }
        let hit = (0..<n).filter { rows.contains(Int(targets[$0])) }
        for row in hit { sums.targetLogits[row] = logits[row * block + Int(targets[row]) - start] }
        let makesGradient = products.columns > 0
        ck_softmax_block(
          n, rows.count, logits, block, sums.maxima + place * n, sums.sums + place * n,
          makesGradient ? exponentials.row(0) : nil, exponentials.stride, products.pointer, products.stride,
          start > stretch.lowerBound ? products.columns : 0)
        guard makesGradient else { continue }
        for row in hit { exponentials.row(row)[Int(targets[row]) - start] = 0 }
        if rows.count % 2 == 1 { for row in 0..<n { exponentials.row(row)[rows.count] = 0 } }
        for first in stride(from: 0, to: products.columns, by: width) {
          let columns = first..<min(first + width, products.columns)
          let after = rows.upperBound..<min(rows.upperBound + width, stretch.upperBound)
          let isLast = columns.upperBound == products.columns
          panel(
            exponentials, 0..<n, backward, columns: columns, depth: rows,
            next: isLast ? forward.place(columns: after, depth: 0..<min(x.columns, Self.panelDepth)) : .nothing,
            room: panels, accumulate: start > stretch.lowerBound, into: products.pointer + first,
            stride: products.stride)
        }
      }
    }
  }
}

/// What the softmax of N rows is made of, by stretches of the vocabulary. Threads write to places of their own.
private final class HeadSums: @unchecked Sendable {
  private let stretches: Int
  private let rows: Int
  /// (stretches, N)
  let maxima: UnsafeMutablePointer<Float>
  /// (stretches, N): Σ e^(logit − maximum).
  let sums: UnsafeMutablePointer<Float>
  let targetLogits: UnsafeMutablePointer<Float>

  init(stretches: Int, rows: Int) {
    (self.stretches, self.rows) = (stretches, rows)
    maxima = .allocate(capacity: stretches * rows)
    maxima.initialize(repeating: -.infinity, count: stretches * rows)
    sums = .allocate(capacity: stretches * rows)
    sums.initialize(repeating: 0, count: stretches * rows)
    targetLogits = .allocate(capacity: rows)
    targetLogits.initialize(repeating: 0, count: rows)
  }

  deinit {
    maxima.deallocate()
    sums.deallocate()
    targetLogits.deallocate()
  }

  /// A row's largest logit, and its Σ e^(logit − that).
  private func total(_ row: Int) -> (maximum: Float, sum: Double) {
    let maximum = (0..<stretches).reduce(-Float.infinity) { max($0, maxima[$1 * rows + row]) }
    let sum = (0..<stretches).reduce(0.0) {
      $0 + Double(sums[$1 * rows + row]) * exp(Double(maxima[$1 * rows + row]) - Double(maximum))
    }
    return (maximum, sum)
  }

  /// -log softmax of the row's target.
  func loss(_ row: Int) -> Float {
    let (maximum, sum) = total(row)
    return Float(log(sum) - (Double(targetLogits[row]) - Double(maximum)))
  }

  /// By what each stretch's exponentials are multiplied to be probabilities.
  func shares(of row: Int) -> [Float] {
    let (maximum, sum) = total(row)
    return (0..<stretches).map { Float(exp(Double(maxima[$0 * rows + row]) - Double(maximum)) / sum) }
  }

  /// The probability of the row's target, less one.
  func targetSlope(_ row: Int) -> Float {
    let (maximum, sum) = total(row)
    return Float(exp(Double(targetLogits[row]) - Double(maximum)) / sum - 1)
  }
}
