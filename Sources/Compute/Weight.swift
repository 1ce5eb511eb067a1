import CKernels

/// A frozen weight (out, in) of the base model, held as its kind says.
public final class Weight: @unchecked Sendable {
  /// How the numbers lie in memory, and with that what the products compute in.
  public enum Kind: String, Sendable {
    /// float32, products in float32.
    case f32
    /// bfloat16, rounded to the nearest; products of bfloat16 with float32 sums.
    case bf16
  }

  /// Storage of each kind.
  enum Numbers {
    case f32(Matrix)
    case bf16(BFloat16Storage)
  }

  public let rows: Int
  public let columns: Int
  let numbers: Numbers

  /// Keeps `values` (contiguous) for `.f32`, a rounded copy of it otherwise.
  public init(_ values: Matrix, kind: Kind = .f32) {
    precondition(values.isContiguous)
    rows = values.rows
    columns = values.columns
    switch kind {
    case .f32: numbers = .f32(values)
    case .bf16: numbers = .bf16(BFloat16Storage(values))
    }
  }

  public var kind: Kind {
    switch numbers {
    case .f32: .f32
    case .bf16: .bf16
    }
  }

  /// The bytes it holds in memory.
  public var byteCount: Int { rows * columns * (kind == .f32 ? 4 : 2) }

  /// The weight as float32 numbers, for tests, the reference backend and export.
  public var dequantised: Matrix {
    switch numbers {
    case .f32(let values): return values
    case .bf16(let storage):
      let result = Matrix(rows, columns)
      storage.widen(from: 0, count: rows * columns, into: result.pointer)
      return result
    }
  }

  /// Rounds every number to the nearest bfloat16 in place: what `.bf16` computes with, held as float32.
  public static func roundToBFloat16(_ values: Matrix) {
    precondition(values.isContiguous)
    let rounded = BFloat16Storage(values)
    rounded.widen(from: 0, count: values.rows * values.columns, into: values.pointer)
  }
}

/// bfloat16 numbers of a matrix, row by row, 64-byte aligned.
final class BFloat16Storage: @unchecked Sendable {
  let count: Int
  let base: UnsafeMutablePointer<UInt16>

  init(count: Int) {
    self.count = count
    let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 2, alignment: 64)
    base = raw.bindMemory(to: UInt16.self, capacity: max(count, 1))
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
