import CKernels

/// Row-wise 8-bit numbers of a matrix (LLM.int8() without its outliers): codes · absmax / 127, one absmax a row.
final class Int8Storage: @unchecked Sendable {
  let rows: Int
  let columns: Int
  let codes: UnsafeMutablePointer<Int8>
  /// One a row: bitsandbytes' `SCB`.
  let absmax: UnsafeMutablePointer<Float>

  var byteCount: Int { rows * columns + rows * 4 }

  init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    codes = LargeMemory.allocate(byteCount: rows * columns).bindMemory(to: Int8.self, capacity: max(1, rows * columns))
    codes.initialize(repeating: 0, count: max(1, rows * columns))
    absmax = .allocate(capacity: max(1, rows))
    absmax.initialize(repeating: 0, count: max(1, rows))
  }

  deinit {
    UnsafeMutableRawPointer(codes).deallocate()
    absmax.deallocate()
  }

  /// Quantises `values`, which become the rows from `first` on.
  func quantise(_ values: Matrix, first: Int, threads: Threads) {
    precondition(first >= 0 && first + values.rows <= rows && values.columns == columns)
    threads.split(values.rows, minimum: max(1, CPUBackend.smallest / max(1, columns))) { part in
      let row = first + part.lowerBound
      ck_int8_quantise(
        part.count, self.columns, values.row(part.lowerBound), values.stride, self.codes + row * self.columns,
        self.absmax + row)
    }
  }

  /// Some rows' columns as floats.
  func widen(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<Float>, outStride: Int) {
    precondition(part.upperBound <= rows && some.upperBound <= columns)
    ck_int8_to_f32(
      part.count, some.count, codes + part.lowerBound * columns + some.lowerBound, columns, absmax + part.lowerBound,
      out, outStride)
  }

  /// The same, rounded to bfloat16.
  func narrow(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<UInt16>, outStride: Int) {
    precondition(part.upperBound <= rows && some.upperBound <= columns)
    ck_int8_to_bf16(
      part.count, some.count, codes + part.lowerBound * columns + some.lowerBound, columns, absmax + part.lowerBound,
      out, outStride)
  }
}
