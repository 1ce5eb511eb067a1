import CKernels

/// bfloat16 numbers, row by row, 64-byte aligned.
final class BFloat16Storage: @unchecked Sendable {
  let count: Int
  let base: UnsafeMutablePointer<UInt16>

  init(count: Int) {
    self.count = count
    base = LargeMemory.allocate(byteCount: count * 2).bindMemory(to: UInt16.self, capacity: max(count, 1))
  }

  convenience init(_ values: Matrix) {
    self.init(count: values.rows * values.columns)
    ck_to_bf16(values.rows, values.columns, values.pointer, values.stride, base, values.columns)
  }

  deinit { UnsafeMutableRawPointer(base).deallocate() }

  /// Numbers `from` … as floats.
  func widen(from: Int, count: Int, into target: UnsafeMutablePointer<Float>) {
    precondition(from >= 0 && count >= 0 && from + count <= self.count)
    ck_from_bf16(count, base + from, target)
  }
}

/// A (rows, columns) row-major view of bfloat16 storage: what products take, and what a step keeps of its activations. Like a ``Matrix``,
/// a view whose numbers a copy shares.
public struct BFloat16Matrix: @unchecked Sendable {
  public let rows: Int
  public let columns: Int
  /// Even, so that the pairs of every row lie alike; a row of odd length has a zero behind it.
  public let stride: Int
  private let base: UnsafeMutablePointer<UInt16>
  /// Keeps the numbers alive.
  let owner: AnyObject

  private static func evenUp(_ columns: Int) -> Int { (columns + 1) / 2 * 2 }

  /// The bfloat16 numbers that such a matrix takes.
  static func count(_ rows: Int, _ columns: Int) -> Int { rows * evenUp(columns) }

  /// The float32 numbers whose memory such a matrix takes.
  public static func floatCount(_ rows: Int, _ columns: Int) -> Int { count(rows, columns) / 2 }

  init(_ storage: BFloat16Storage, rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0 && Self.count(rows, columns) <= storage.count, "a view beyond its storage")
    (self.rows, self.columns, stride) = (rows, columns, Self.evenUp(columns))
    (base, owner) = (storage.base, storage)
  }

  /// A view of the memory of `storage` from float `offset` on, whatever numbers were there.
  public init(_ storage: Storage, offset: Int, rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0 && offset >= 0)
    precondition(offset + Self.floatCount(rows, columns) <= storage.count, "a view beyond its storage")
    (self.rows, self.columns, stride) = (rows, columns, Self.evenUp(columns))
    owner = storage
    base = UnsafeMutableRawPointer(storage.base + offset).assumingMemoryBound(to: UInt16.self)
  }

  /// A view of memory that `owner` keeps.
  init(_ base: UnsafeMutablePointer<UInt16>, rows: Int, columns: Int, owner: AnyObject) {
    (self.rows, self.columns, stride) = (rows, columns, Self.evenUp(columns))
    (self.base, self.owner) = (base, owner)
  }

  public init(_ rows: Int, _ columns: Int) {
    self.init(BFloat16Storage(count: Self.count(rows, columns)), rows: rows, columns: columns)
  }

  /// The numbers, which float32 holds exactly.
  public var widened: Matrix {
    let result = Matrix(rows, columns)
    for row in 0..<rows { ck_from_bf16(columns, self.row(row), result.row(row)) }
    return result
  }

  /// Row i ← row `indices[i]` of a matrix as wide as this one.
  public func gather(_ indices: [Int], from other: BFloat16Matrix) {
    precondition(rows == indices.count && columns == other.columns)
    for (target, source) in indices.enumerated() {
      precondition(source >= 0 && source < other.rows)
      row(target).update(from: other.row(source), count: stride)
    }
  }

  func row(_ index: Int) -> UnsafeMutablePointer<UInt16> { base + index * stride }

  func hasShape(of other: BFloat16Matrix) -> Bool { rows == other.rows && columns == other.columns }

  /// Rounds some rows of x, of the same shape.
  func fill(_ part: Range<Int>, from x: Matrix) {
    let start = part.lowerBound
    ck_to_bf16(part.count, columns, x.row(start), x.stride, row(start), stride)
    clearPadding(part)
  }

  func clearPadding(_ part: Range<Int>) {
    if stride > columns {
      for index in part { row(index)[columns] = 0 }
    }
  }
}

/// What goes into products: float32, or rounded to bfloat16 once for all products that take it.
public enum Operand: Sendable {
  /// Fewer rows than this are better left in float32: their products are bound by reading the weight, whose kernels take them so.
  public static let fewestRoundedRows = CPUBackend.fewRows + 1

  case f32(Matrix)
  case bf16(BFloat16Matrix)

  public var rows: Int {
    switch self {
    case .f32(let matrix): matrix.rows
    case .bf16(let matrix): matrix.rows
    }
  }

  public var columns: Int {
    switch self {
    case .f32(let matrix): matrix.columns
    case .bf16(let matrix): matrix.columns
    }
  }

  /// The same numbers in float32: the matrix itself where it is one.
  public var widened: Matrix {
    switch self {
    case .f32(let matrix): matrix
    case .bf16(let matrix): matrix.widened
    }
  }

  /// Row i ← row `indices[i]` of numbers as wide and of the same kind.
  public func gather(_ indices: [Int], from other: Operand) {
    switch (self, other) {
    case (.f32(let matrix), .f32(let other)): matrix.gather(indices, from: other)
    case (.bf16(let matrix), .bf16(let other)): matrix.gather(indices, from: other)
    default: preconditionFailure("rows of another kind")
    }
  }
}
