import CKernels

/// A frozen weight (out, in) of the base model, held as its kind says.
public final class Weight: @unchecked Sendable {
  /// How the numbers lie in memory, and with that what the products compute in.
  public enum Kind: String, Sendable {
    /// float32, products in float32.
    case f32
    /// bfloat16, rounded to the nearest; products of bfloat16 with float32 sums.
    case bf16
    /// 4-bit codes in blocks of 64 (QLoRA); products as ``Weight/products`` says.
    case nf4
    /// 8-bit codes with one scale a row (LLM.int8() without its outliers); products as ``Weight/products`` says.
    case int8
    /// The blocks of a GGUF file as they are, of 4 to 8 bits a number; products with up to 15 rows of the other factor round that to 8 bits,
    /// the others are as ``Weight/products`` says.
    case packed
  }

  /// What the products with quantised numbers compute in, once a tile of them is dequantised.
  public enum Products: Sendable { case f32, bf16 }

  /// Storage of each kind.
  enum Numbers {
    case f32(Matrix)
    case bf16(BFloat16Storage)
    case nf4(NF4Storage)
    case int8(Int8Storage)
    case packed(PackedStorage)
  }

  public let rows: Int
  public let columns: Int
  let numbers: Numbers
  public let products: Products

  /// Keeps `values` (contiguous) for `.f32`, a rounded or quantised copy of it otherwise. `doubleQuant` is NF4's, `products` that of the
  /// quantised kinds.
  public convenience init(
    _ values: Matrix, kind: Kind = .f32, doubleQuant: Bool = true, products: Products = .f32
  ) {
    precondition(values.isContiguous)
    if kind == .f32 {
      self.init(rows: values.rows, columns: values.columns, numbers: .f32(values), products: .f32)
    } else {
      self.init(
        rows: values.rows, columns: values.columns, kind: kind, doubleQuant: doubleQuant, products: products,
        threads: Threads()
      ) { $1.copy(from: values.rows($0)) }
    }
  }

  /// Made piece by piece, so that the float32 numbers are never whole in memory (but for `.f32`): `fill` writes rows of the
  /// weight into a matrix.
  public convenience init<Failure: Error>(
    rows: Int, columns: Int, kind: Kind, doubleQuant: Bool = true, products: Products = .f32, threads: Threads,
    fill: (Range<Int>, Matrix) throws(Failure) -> Void
  ) throws(Failure) {
    // About four megabytes, and always a whole number of NF4's blocks.
    let step = max(64, (1 << 20) / max(1, columns) / 64 * 64)
    let room = Matrix(kind == .f32 ? 0 : min(step, rows), columns)
    func pieces(_ take: (Range<Int>, Matrix) -> Void) throws(Failure) {
      for start in stride(from: 0, to: rows, by: step) {
        let part = start..<min(start + step, rows)
        let piece = room.rows(0..<part.count)
        try fill(part, piece)
        take(part, piece)
      }
    }
    let numbers: Numbers
    switch kind {
    case .f32:
      let values = Matrix(rows, columns)
      try fill(0..<rows, values)
      numbers = .f32(values)
    case .bf16:
      let storage = BFloat16Storage(count: rows * columns)
      try pieces { part, piece in
        threads.split(part.count, minimum: CPUBackend.smallest / max(1, columns)) {
          let start = $0.lowerBound
          ck_to_bf16(
            $0.count, columns, piece.row(start), columns, storage.base + (part.lowerBound + start) * columns, columns)
        }
      }
      numbers = .bf16(storage)
    case .nf4:
      var quantiser = NF4Quantiser(count: rows * columns)
      try pieces { part, piece in
        quantiser.quantise(
          piece.pointer, first: part.lowerBound * columns, count: part.count * columns, threads: threads)
      }
      numbers = .nf4(NF4Storage(count: rows * columns, parts: quantiser.finish(doubleQuant: doubleQuant)))
    case .int8:
      let storage = Int8Storage(rows: rows, columns: columns)
      try pieces { part, piece in storage.quantise(piece, first: part.lowerBound, threads: threads) }
      numbers = .int8(storage)
    case .packed: preconditionFailure("packed numbers are taken as a file has them")
    }
    self.init(rows: rows, columns: columns, numbers: numbers, products: kind == .bf16 ? .bf16 : products)
  }

  /// Numbers in the blocks of a GGUF file, rows being whole blocks: `fill` gives some rows taken apart, on any thread.
  public convenience init(
    rows: Int, columns: Int, format: PackedFormat, products: Products, threads: Threads,
    fill: @Sendable (Range<Int>) -> PackedParts
  ) {
    let storage = PackedStorage(rows: rows, columns: columns, format: format, threads: threads, fill: fill)
    self.init(rows: rows, columns: columns, numbers: .packed(storage), products: products)
  }

  /// Numbers quantised before; nil if the parts don't belong to a tensor of this shape.
  public convenience init?(rows: Int, columns: Int, nf4 parts: NF4Parts, products: Products = .f32) {
    guard rows >= 0, columns >= 0, parts.fits(count: rows * columns) else { return nil }
    self.init(
      rows: rows, columns: columns, numbers: .nf4(NF4Storage(count: rows * columns, parts: parts)), products: products)
  }

  init(rows: Int, columns: Int, numbers: Numbers, products: Products) {
    self.rows = rows
    self.columns = columns
    self.numbers = numbers
    self.products = products
  }

  /// What its products compute in: where that is bfloat16, their other factor is rounded to it.
  public var computes: Products {
    switch numbers {
    case .f32: .f32
    case .bf16: .bf16
    case .nf4, .int8, .packed: products
    }
  }

  public var kind: Kind {
    switch numbers {
    case .f32: .f32
    case .bf16: .bf16
    case .nf4: .nf4
    case .int8: .int8
    case .packed: .packed
    }
  }

  /// The bytes its numbers take in memory.
  public var byteCount: Int {
    switch numbers {
    case .f32: rows * columns * 4
    case .bf16: rows * columns * 2
    case .nf4(let storage): storage.byteCount
    case .int8(let storage): storage.byteCount
    case .packed(let storage): storage.byteCount
    }
  }

  /// The parts of an NF4 weight; nil of another kind.
  public var nf4Parts: NF4Parts? {
    if case .nf4(let storage) = numbers { storage.parts } else { nil }
  }

  /// Codes, row by row, and the maximum of each row of an 8-bit weight; nil of another kind.
  public var int8Parts: (codes: [Int8], absmax: [Float])? {
    guard case .int8(let storage) = numbers else { return nil }
    return (
      Array(UnsafeBufferPointer(start: storage.codes, count: rows * columns)),
      Array(UnsafeBufferPointer(start: storage.absmax, count: rows))
    )
  }

  /// The first row of a packed weight with a number that is NaN or infinite; nil if there is none, or of another kind.
  public var firstRowNotFinite: Int? {
    if case .packed(let storage) = numbers { storage.firstRowNotFinite } else { nil }
  }

  /// The weight as float32 numbers, for tests, the reference backend and export.
  public var dequantised: Matrix {
    if case .f32(let values) = numbers { return values }
    let result = Matrix(rows, columns)
    widen(rows: 0..<rows, columns: 0..<columns, into: result.pointer, outStride: columns)
    return result
  }

  /// Some rows' columns as floats.
  func widen(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<Float>, outStride: Int) {
    precondition(part.lowerBound >= 0 && part.upperBound <= rows && some.lowerBound >= 0 && some.upperBound <= columns)
    switch numbers {
    case .f32(let values):
      for (target, row) in part.enumerated() {
        (out + target * outStride).update(from: values.row(row) + some.lowerBound, count: some.count)
      }
    case .bf16(let storage):
      for (target, row) in part.enumerated() {
        storage.widen(from: row * columns + some.lowerBound, count: some.count, into: out + target * outStride)
      }
    case .nf4(let storage):
      storage.widen(
        first: part.lowerBound * columns + some.lowerBound, rows: part.count, columns: some.count, stride: columns,
        into: out, outStride: outStride)
    case .int8(let storage): storage.widen(rows: part, columns: some, into: out, outStride: outStride)
    case .packed(let storage): storage.widen(rows: part, columns: some, into: out, outStride: outStride)
    }
  }

  /// Some rows' columns of a quantised weight, each number rounded to bfloat16.
  func narrow(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<UInt16>, outStride: Int) {
    precondition(part.lowerBound >= 0 && part.upperBound <= rows && some.lowerBound >= 0 && some.upperBound <= columns)
    switch numbers {
    case .f32, .bf16: preconditionFailure("not quantised")
    case .nf4(let storage):
      storage.narrow(
        first: part.lowerBound * columns + some.lowerBound, rows: part.count, columns: some.count, stride: columns,
        into: out, outStride: outStride)
    case .int8(let storage): storage.narrow(rows: part, columns: some, into: out, outStride: outStride)
    case .packed(let storage): storage.narrow(rows: part, columns: some, into: out, outStride: outStride)
    }
  }

  /// Where the codes of some rows' columns lie in memory, of a quantised weight.
  func place(rows part: Range<Int>, columns some: Range<Int>) -> ck_next {
    let first = part.lowerBound * columns + some.lowerBound
    switch numbers {
    case .f32, .bf16: return ck_next(base: nil, rows: 0, bytes: 0, stride: 0)
    case .nf4(let storage):
      return ck_next(base: storage.view.codes + first / 2, rows: part.count, bytes: some.count / 2, stride: columns / 2)
    case .int8(let storage):
      return ck_next(base: storage.codes + first, rows: part.count, bytes: some.count, stride: columns)
    case .packed(let storage): return storage.place(rows: part, columns: some)
    }
  }

  /// Rounds every number to the nearest bfloat16 in place: what `.bf16` computes with, held as float32.
  public static func roundToBFloat16(_ values: Matrix) {
    precondition(values.isContiguous)
    let rounded = BFloat16Storage(values)
    rounded.widen(from: 0, count: values.rows * values.columns, into: values.pointer)
  }
}
