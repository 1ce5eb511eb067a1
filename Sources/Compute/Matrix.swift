import CKernels

/// A block of float32 storage, 64-byte aligned and zeroed, that matrices are views of.
public final class Storage: @unchecked Sendable {
  public let count: Int
  let base: UnsafeMutablePointer<Float>

  public init(count: Int) {
    self.count = count
    let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
    base = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    base.initialize(repeating: 0, count: max(count, 1))
  }

  deinit { UnsafeMutableRawPointer(base).deallocate() }
}

/// A (rows, columns) row-major view of float32 storage; `stride` elements lie between the starts of two rows.
///
/// Copying a Matrix copies the view, not the numbers, as in NumPy. Nothing here is synchronised: whoever writes must be
/// the only one that uses those rows at that time.
public struct Matrix: @unchecked Sendable {
  public let rows: Int
  public let columns: Int
  public let stride: Int
  let storage: Storage
  let offset: Int

  /// A new matrix of zeros.
  public init(_ rows: Int, _ columns: Int) {
    self.init(Storage(count: rows * columns), offset: 0, rows: rows, columns: columns)
  }

  /// A view of `storage`, starting at element `offset`, `stride` (by default `columns`) elements from row to row.
  public init(_ storage: Storage, offset: Int, rows: Int, columns: Int, stride: Int? = nil) {
    let stride = stride ?? columns
    precondition(rows >= 0 && columns >= 0 && offset >= 0 && stride >= columns)
    precondition(rows == 0 || offset + (rows - 1) * stride + columns <= storage.count, "a view beyond its storage")
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.storage = storage
    self.offset = offset
  }

  /// A new matrix with these elements, row by row.
  public init(_ rows: Int, _ columns: Int, _ elements: [Float]) {
    precondition(elements.count == rows * columns)
    self.init(rows, columns)
    for (index, element) in elements.enumerated() { storage.base[index] = element }
  }

  public var isContiguous: Bool { stride == columns || rows <= 1 }

  /// The elements, row by row.
  public var elements: [Float] {
    var result: [Float] = []
    result.reserveCapacity(rows * columns)
    for row in 0..<rows {
      result.append(contentsOf: UnsafeBufferPointer(start: pointer + row * stride, count: columns))
    }
    return result
  }

  /// The view of some rows.
  public func rows(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return Matrix(
      storage, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  /// The view of some columns.
  public func columns(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return Matrix(storage, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  /// The same elements, contiguous, seen in another shape.
  public func reshaped(_ rows: Int, _ columns: Int) -> Matrix {
    precondition(isContiguous && rows * columns == self.rows * self.columns)
    return Matrix(storage, offset: offset, rows: rows, columns: columns)
  }

  public subscript(row: Int, column: Int) -> Float {
    get {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      return pointer[row * stride + column]
    }
    nonmutating set {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      pointer[row * stride + column] = newValue
    }
  }

  /// Where the first NaN or infinity lies; nil if there is none.
  public var firstNotFinite: (row: Int, column: Int)? {
    for row in 0..<rows {
      let column = ck_first_not_finite(columns, pointer + row * stride)
      if column >= 0 { return (row, column) }
    }
    return nil
  }

  /// Copies the elements of a matrix of the same shape into this one.
  public func copy(from other: Matrix) {
    precondition(rows == other.rows && columns == other.columns)
    for row in 0..<rows { (pointer + row * stride).update(from: other.pointer + row * other.stride, count: columns) }
  }

  /// A contiguous matrix of its own with the same elements.
  public var copied: Matrix {
    let result = Matrix(rows, columns)
    result.copy(from: self)
    return result
  }

  public func fill(_ value: Float) {
    for row in 0..<rows { (pointer + row * stride).update(repeating: value, count: columns) }
  }

  /// Copies of the listed rows, in that order.
  public func gathering(_ indices: [Int]) -> Matrix {
    let result = Matrix(indices.count, columns)
    result.gather(indices, from: self)
    return result
  }

  /// Row i ← row `indices[i]` of a matrix as wide as this one.
  public func gather(_ indices: [Int], from other: Matrix) {
    precondition(rows == indices.count)
    for (target, source) in indices.enumerated() {
      rows(target..<target + 1).copy(from: other.rows(source..<source + 1))
    }
  }

  /// Row `indices[i]` ← row i of a matrix as wide as this one; the others stay.
  public func scatter(_ indices: [Int], from other: Matrix) {
    precondition(other.rows == indices.count)
    for (source, target) in indices.enumerated() {
      rows(target..<target + 1).copy(from: other.rows(source..<source + 1))
    }
  }

  /// Lends the elements of a contiguous matrix for filling (a checkpoint's reader) or for writing out.
  public func withElements<R>(_ body: (UnsafeMutableBufferPointer<Float>) throws -> R) rethrows -> R {
    precondition(isContiguous)
    return try body(UnsafeMutableBufferPointer(start: pointer, count: rows * columns))
  }

  var pointer: UnsafeMutablePointer<Float> { storage.base + offset }
}
