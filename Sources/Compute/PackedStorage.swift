import CKernels

/// How the numbers of a packed weight lie: GGUF's formats with scales for blocks of 16 or 32 numbers.
// The cases bear the format's own names.
// swift-format-ignore: AlwaysUseLowerCamelCase
public enum PackedFormat: String, Sendable, CaseIterable {
  case q4_0 = "Q4_0"
  case q4_1 = "Q4_1"
  case q5_0 = "Q5_0"
  case q5_1 = "Q5_1"
  case q8_0 = "Q8_0"
  case q4_K = "Q4_K"
  case q5_K = "Q5_K"
  case q6_K = "Q6_K"

  var number: Int32 {
    switch self {
    case .q4_0: Int32(CK_PACKED_Q4_0)
    case .q4_1: Int32(CK_PACKED_Q4_1)
    case .q5_0: Int32(CK_PACKED_Q5_0)
    case .q5_1: Int32(CK_PACKED_Q5_1)
    case .q8_0: Int32(CK_PACKED_Q8_0)
    case .q4_K: Int32(CK_PACKED_Q4_K)
    case .q5_K: Int32(CK_PACKED_Q5_K)
    case .q6_K: Int32(CK_PACKED_Q6_K)
    }
  }

  /// How many columns share a factor: a row is a whole number of these.
  public var chunkColumns: Int { ck_packed_chunk_columns(number) }
  /// How many share a scale; 0 where the factor is the only one.
  public var blockColumns: Int { ck_packed_block_columns(number) }
  /// Bytes of sixteen rows' chunk.
  var chunkBytes: Int { ck_packed_chunk_bytes(number) }
}

/// Rows of a packed weight taken apart, each array row by row: a code a number, scales and minima a block, factors and least factors
/// (binary16) a chunk. A number is (factor · scale) · (code − zero) − least · minimum; what a format doesn't have is empty.
public struct PackedParts: Sendable {
  public var codes: [UInt8]
  public var scales: [UInt8]
  public var minima: [UInt8]
  public var factors: [UInt16]
  public var least: [UInt16]

  public init(codes: [UInt8], scales: [UInt8], minima: [UInt8], factors: [UInt16], least: [UInt16]) {
    self.codes = codes
    self.scales = scales
    self.minima = minima
    self.factors = factors
    self.least = least
  }
}

/// A matrix in the blocks of a GGUF file, exactly, sixteen rows side by side.
final class PackedStorage: @unchecked Sendable {
  let rows: Int
  let columns: Int
  let format: PackedFormat
  private let bytes: UnsafeMutablePointer<UInt8>
  /// The kernels' view of all this; its pointer lives as long as the storage.
  let view: ck_packed
  let byteCount: Int

  /// The bytes of sixteen rows.
  private var groupBytes: Int { columns / format.chunkColumns * format.chunkBytes }

  /// `fill` gives the parts of some rows, at most sixteen at a time, on any thread.
  init(
    rows: Int, columns: Int, format: PackedFormat, path: Int32 = ck_packed_fastest_path(), threads: Threads,
    fill: @Sendable (Range<Int>) -> PackedParts
  ) {
    precondition(rows >= 0 && columns > 0 && columns % format.chunkColumns == 0)
    self.rows = rows
    self.columns = columns
    self.format = format
    let groups = (rows + 15) / 16
    byteCount = groups * (columns / format.chunkColumns) * format.chunkBytes
    bytes = LargeMemory.allocate(byteCount: byteCount).bindMemory(to: UInt8.self, capacity: max(1, byteCount))
    view = ck_packed(bytes: bytes, columns: columns, format: format.number, path: path)
    threads.forEach(groups) { group in
      let part = group * 16..<min(rows, group * 16 + 16)
      self.take(fill(part), count: part.count, into: self.bytes + group * self.groupBytes)
    }
  }

  deinit { UnsafeMutableRawPointer(bytes).deallocate() }

  private func take(_ parts: PackedParts, count: Int, into target: UnsafeMutablePointer<UInt8>) {
    let chunks = count * columns / format.chunkColumns
    let blocks = format.blockColumns == 0 ? 0 : count * columns / format.blockColumns
    let hasMinima = !parts.least.isEmpty
    precondition(parts.codes.count == count * columns && parts.factors.count == chunks && parts.scales.count == blocks)
    precondition(parts.least.count == (hasMinima ? chunks : 0) && parts.minima.count == (hasMinima ? blocks : 0))
    parts.codes.withUnsafeBufferPointer { codes in
      parts.scales.withUnsafeBufferPointer { scales in
        parts.minima.withUnsafeBufferPointer { minima in
          parts.factors.withUnsafeBufferPointer { factors in
            parts.least.withUnsafeBufferPointer { least in
              var from = ck_packed_parts(
                codes: codes.baseAddress, scales: scales.baseAddress, minima: minima.baseAddress,
                factors: factors.baseAddress, least: least.baseAddress)
              ck_packed_take(format.number, &from, count, columns, target)
            }
          }
        }
      }
    }
  }

  /// The first row with a number that is NaN or infinite.
  var firstRowNotFinite: Int? {
    let row = withUnsafePointer(to: view) { ck_packed_first_not_finite($0, rows) }
    return row < 0 ? nil : row
  }

  /// Some rows' columns as floats.
  func widen(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<Float>, outStride: Int) {
    precondition(part.upperBound <= rows && some.upperBound <= columns)
    withUnsafePointer(to: view) {
      ck_packed_to_f32($0, part.lowerBound, part.count, some.lowerBound, some.count, out, outStride)
    }
  }

  /// The same, rounded to bfloat16.
  func narrow(rows part: Range<Int>, columns some: Range<Int>, into out: UnsafeMutablePointer<UInt16>, outStride: Int) {
    precondition(part.upperBound <= rows && some.upperBound <= columns)
    withUnsafePointer(to: view) {
      ck_packed_to_bf16($0, part.lowerBound, part.count, some.lowerBound, some.count, out, outStride)
    }
  }

  /// Where the chunks of some rows' columns lie in memory.
  func place(rows part: Range<Int>, columns some: Range<Int>) -> ck_next {
    let first = some.lowerBound / format.chunkColumns
    let end = (some.upperBound + format.chunkColumns - 1) / format.chunkColumns
    return ck_next(
      base: bytes + part.lowerBound / 16 * groupBytes + first * format.chunkBytes, rows: (part.count + 15) / 16,
      bytes: (end - first) * format.chunkBytes, stride: groupBytes)
  }
}

extension CPUBackend {
  /// y (T,n) ← x (T,k) · wᵀ + bias for a handful of rows, x rounded to 8 bits in blocks of 32.
  func packedProductOfFewRows(_ x: Matrix, _ w: PackedStorage, bias: Matrix?, into y: Matrix) {
    roundedToInt8(x) { rounded in
      threads.split(y.columns, minimum: CPUBackend.smallest / w.columns, grain: 16) { part in
        let start = part.lowerBound
        withUnsafePointer(to: w.view) { view in
          withUnsafePointer(to: rounded.rows) {
            ck_packed_few_rows(
              view, start, part.count, $0, bias.map { $0.pointer + start }, y.pointer + start, y.stride)
          }
        }
      }
    }
  }

  /// Lends x (T,k), k a multiple of 32, rounded to 8 bits.
  func roundedToInt8(_ x: Matrix, _ body: (Int8Rows) -> Void) {
    let count = x.rows * x.columns
    raw.use(count + count / 4 + count / 4) { room in
      let codes = room.base.assumingMemoryBound(to: Int8.self)
      let scales = (room.base + count).assumingMemoryBound(to: Float.self)
      let sums = scales + count / 32
      let halves = (room.base + count + count / 4).assumingMemoryBound(to: Int32.self)
      ck_int8_round(x.rows, x.columns, x.pointer, x.stride, codes, scales, sums, halves)
      body(Int8Rows(rows: ck_int8_rows(rows: x.rows, codes: codes, scales: scales, sums: sums, halves: halves)))
    }
  }
}

/// Rows rounded to 8 bits, which several threads read.
struct Int8Rows: @unchecked Sendable {
  let rows: ck_int8_rows
}
