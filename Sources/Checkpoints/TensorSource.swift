import CQuants
import Foundation

/// How the numbers of a tensor are stored: blocks of `blockSize` elements in `blockBytes` bytes each.
// The cases bear the format's own names.
// swift-format-ignore: AlwaysUseLowerCamelCase
public enum TensorType: String, Sendable, CaseIterable {
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case q4_0 = "Q4_0"
  case q4_1 = "Q4_1"
  case q5_0 = "Q5_0"
  case q5_1 = "Q5_1"
  case q8_0 = "Q8_0"
  case q4_K = "Q4_K"
  case q5_K = "Q5_K"
  case q6_K = "Q6_K"
  // Known so that a file holding one can be checked and its other tensors used; not read as weights.
  case f64 = "F64"
  case i8 = "I8"
  case i16 = "I16"
  case i32 = "I32"
  case i64 = "I64"
  case u8 = "U8"
  case u16 = "U16"
  case u32 = "U32"
  case u64 = "U64"
  case bool = "BOOL"

  /// Elements a block holds: 1, 32 or 256. A row is a whole number of blocks.
  public var blockSize: Int {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
    case .q4_K, .q5_K, .q6_K: 256
    default: 1
    }
  }

  /// Bytes a block takes.
  public var blockBytes: Int {
    switch self {
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .f64, .i64, .u64: 8
    case .i8, .u8, .bool: 1
    }
  }

  /// Whether ``TensorSource/read(_:rows:into:)`` takes it.
  public var isReadable: Bool {
    switch self {
    case .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool: false
    default: true
    }
  }
}

/// One tensor of a file.
public struct TensorInfo: Sendable, Equatable {
  public let name: String
  /// Outermost first: a linear weight is [out, in]; empty for a scalar.
  public let shape: [Int]
  public let type: TensorType
  /// The file that holds it (of several, where a model is split).
  public let file: String
  /// The first byte in that file, and how many there are.
  public let offset: Int
  public let byteCount: Int

  /// The last dimension; 1 for a scalar.
  public var columns: Int { shape.last ?? 1 }
  /// The product of the leading dimensions; 1 for a vector.
  public var rows: Int { shape.dropLast().reduce(1, *) }
  public var count: Int { rows * columns }
  /// Bytes of one row: a whole number of blocks.
  public var rowBytes: Int { columns / type.blockSize * type.blockBytes }

  public init(name: String, shape: [Int], type: TensorType, file: String, offset: Int, byteCount: Int) {
    self.name = name
    self.shape = shape
    self.type = type
    self.file = file
    self.offset = offset
    self.byteCount = byteCount
  }
}

/// Named tensors of a file or a folder.
public protocol TensorSource: Sendable {
  /// The file or folder, as the user gave it, for messages.
  var file: String { get }
  /// In the order of the file's own table.
  var tensors: [TensorInfo] { get }
  func info(_ name: String) -> TensorInfo?

  /// The float32 values of rows `rows` of a tensor seen as (``TensorInfo/rows``, ``TensorInfo/columns``), row-major, into
  /// `out`, which holds exactly rows.count · columns. Safe to call from several threads.
  func read(_ name: String, rows: Range<Int>, into out: UnsafeMutableBufferPointer<Float>) throws

  /// Gives back the memory that reading this tensor has mapped; reading it again is allowed and maps it again.
  func release(_ name: String)
}

extension TensorSource {
  /// The tensor, or an error that names it.
  public func require(_ name: String) throws -> TensorInfo {
    guard let info = info(name) else {
      throw CheckpointError(
        file: file, "has no tensor '\(shown(name))'", remedy: "check that this is the model or adapter that you meant")
    }
    return info
  }

  /// A whole tensor, or `rows` of it, into `out` (exactly its count), dequantised by `threads` threads; its mapped pages are
  /// given back.
  ///
  /// The values do not depend on `threads`.
  public func readAll(
    _ name: String, rows part: Range<Int>? = nil, into out: UnsafeMutableBufferPointer<Float>, threads: Int = 2
  ) throws {
    let info = try require(name)
    let part = part ?? 0..<info.rows
    guard part.lowerBound >= 0, part.upperBound <= info.rows, out.count == part.count * info.columns else {
      throw wrongRoom(info, rows: part, room: out.count)
    }
    // Slices of about half a megabyte of output keep the threads evenly busy.
    let rowsPerSlice = max(1, (1 << 17) / max(1, info.columns))
    let slices = (part.count + rowsPerSlice - 1) / rowsPerSlice
    let target = SharedRoom(out)
    let next = SliceCounter()
    let failures = FailureBox()
    DispatchQueue.concurrentPerform(iterations: min(max(1, threads), max(1, slices))) { _ in
      while let slice = next.take(below: slices) {
        let rows = slice * rowsPerSlice..<min(part.count, (slice + 1) * rowsPerSlice)
        let source = part.lowerBound + rows.lowerBound..<part.lowerBound + rows.upperBound
        do {
          try self.read(name, rows: source, into: target.slice(rows, columns: info.columns))
        } catch {
          failures.note(error)
        }
      }
    }
    release(name)
    if let error = failures.first { throw error }
  }

  /// A whole tensor as an array, row-major.
  public func floats(_ name: String, threads: Int = 2) throws -> [Float] {
    let info = try require(name)
    return try [Float](unsafeUninitializedCapacity: info.count) { room, count in
      try readAll(name, into: UnsafeMutableBufferPointer(rebasing: room[..<info.count]), threads: threads)
      count = info.count
    }
  }

  func wrongRoom(_ info: TensorInfo, rows: Range<Int>, room: Int) -> CheckpointError {
    CheckpointError(
      file: file,
      "rows \(rows.lowerBound)-\(rows.upperBound) of tensor '\(shown(info.name))' of shape \(info.shape) were asked for, "
        + "with room for \(room) values",
      remedy: "check that the model's configuration fits its weights")
  }
}

/// Memory that several threads fill, each its own rows.
private struct SharedRoom: @unchecked Sendable {
  private let out: UnsafeMutableBufferPointer<Float>
  init(_ out: UnsafeMutableBufferPointer<Float>) { self.out = out }

  func slice(_ rows: Range<Int>, columns: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: out[rows.lowerBound * columns..<rows.upperBound * columns])
  }
}

private final class SliceCounter: @unchecked Sendable {
  private let lock = NSLock()
  private var next = 0

  func take(below end: Int) -> Int? {
    lock.withLock {
      guard next < end else { return nil }
      defer { next += 1 }
      return next
    }
  }
}

private final class FailureBox: @unchecked Sendable {
  private let lock = NSLock()
  private var error: (any Error)?

  var first: (any Error)? { lock.withLock { error } }
  func note(_ new: any Error) { lock.withLock { error = error ?? new } }
}

/// Dequantises whole rows: `bytes` hold out.count elements of `type`.
func dequantize(
  _ type: TensorType, _ bytes: UnsafeRawBufferPointer, into out: UnsafeMutableBufferPointer<Float>
) {
  guard let from = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), let to = out.baseAddress else { return }
  let blocks = out.count / type.blockSize
  switch type {
  case .f32: memcpy(to, from, out.count * 4)
  case .f16: cq_f16_to_f32(from, to, blocks)
  case .bf16: cq_bf16_to_f32(from, to, blocks)
  case .q4_0: cq_q4_0(from, to, blocks)
  case .q4_1: cq_q4_1(from, to, blocks)
  case .q5_0: cq_q5_0(from, to, blocks)
  case .q5_1: cq_q5_1(from, to, blocks)
  case .q8_0: cq_q8_0(from, to, blocks)
  case .q4_K: cq_q4_k(from, to, blocks)
  case .q5_K: cq_q5_k(from, to, blocks)
  case .q6_K: cq_q6_k(from, to, blocks)
  case .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool: break
  }
}
