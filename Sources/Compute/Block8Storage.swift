import CKernels

/// 8-bit codes of a matrix, row by row, with a scale for every 16 or 32 of them: exactly the numbers of GGUF's Q8_0, Q5_0 and Q6_K.
final class Block8Storage: @unchecked Sendable {
  let rows: Int
  let columns: Int
  let blockSize: Int
  let codes: UnsafeMutablePointer<Int8>
  let scales: UnsafeMutablePointer<Float>

  var byteCount: Int { rows * columns + rows * columns / blockSize * 4 }
  var shift: Int { blockSize.trailingZeroBitCount }

  init(rows: Int, columns: Int, blockSize: Int) {
    precondition(blockSize >= 16 && blockSize & (blockSize - 1) == 0 && columns % blockSize == 0)
    self.rows = rows
    self.columns = columns
    self.blockSize = blockSize
    let count = max(1, rows * columns)
    codes = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64).bindMemory(to: Int8.self, capacity: count)
    codes.initialize(repeating: 0, count: count)
    scales = .allocate(capacity: count / blockSize + 1)
    scales.initialize(repeating: 0, count: count / blockSize + 1)
  }

  deinit {
    UnsafeMutableRawPointer(codes).deallocate()
    scales.deallocate()
  }

  /// The scales of Q8_0: a block's absolute maximum becomes 127.
  static func scales(for values: Matrix) -> [Float] {
    let elements = values.elements
    return stride(from: 0, to: elements.count, by: 32).map { start in
      elements[start..<start + 32].reduce(0) { max($0, abs($1)) } / 127
    }
  }

  /// Takes `values`, which become the rows from `first` on and are whole multiples of `theirScales`.
  func take(_ values: Matrix, scales theirScales: [Float], first: Int, threads: Threads) {
    precondition(first >= 0 && first + values.rows <= rows && values.columns == columns && values.isContiguous)
    precondition(theirScales.count == values.rows * columns / blockSize)
    let from = first * columns / blockSize
    for (index, scale) in theirScales.enumerated() { scales[from + index] = scale }
    threads.split(values.rows, minimum: max(1, CPUBackend.smallest / max(1, columns))) { part in
      let start = (first + part.lowerBound) * self.columns
      ck_block8_codes(
        part.count * self.columns, values.row(part.lowerBound), self.scales + start / self.blockSize, self.shift,
        self.codes + start)
    }
  }

  /// Some rows' columns as floats.
  func widen(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<Float>, outStride: Int) {
    precondition(part.upperBound <= rows && some.upperBound <= columns)
    ck_block8_to_f32(
      part.count, some.count, codes, scales, part.lowerBound * columns + some.lowerBound, columns, shift, out, outStride
    )
  }

  /// The same, rounded to bfloat16.
  func narrow(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<UInt16>, outStride: Int) {
    precondition(part.upperBound <= rows && some.upperBound <= columns)
    ck_block8_to_bf16(
      part.count, some.count, codes, scales, part.lowerBound * columns + some.lowerBound, columns, shift, out, outStride
    )
  }
}
