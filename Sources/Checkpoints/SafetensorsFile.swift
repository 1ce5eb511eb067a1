import Formats
import Foundation

/// A memory-mapped safetensors file. F32, F16 and BF16 tensors are read; others are listed.
///
/// Format: eight bytes of header length, that much JSON, then the data, which the tensors cover without hole or overlap
/// (https://github.com/huggingface/safetensors#format).
public final class SafetensorsFile: TensorSource {
  public let file: String
  public let tensors: [TensorInfo]
  /// The header's `__metadata__`, in its order; empty without one.
  public let metadata: [(key: String, value: String)]
  public var byteCount: Int { mapped.count }

  private let mapped: MappedFile
  private let places: [String: Int]

  public init(_ path: String) throws {
    file = path
    let mapped = try MappedFile(path)
    self.mapped = mapped
    let header = try mapped.withBytes { try SafetensorsHeader(reading: $0, file: path) }
    tensors = header.tensors
    metadata = header.metadata
    places = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { ($1.name, $0) })
  }

  public func info(_ name: String) -> TensorInfo? { places[name].map { tensors[$0] } }

  public func read(_ name: String, rows: Range<Int>, into out: UnsafeMutableBufferPointer<Float>) throws {
    try readMapped(try require(name), in: mapped, rows: rows, into: out)
  }

  /// The bytes of a tensor of any type, as they lie in the file.
  public func bytes(_ name: String) throws -> [UInt8] {
    let info = try require(name)
    return mapped.withBytes(info.offset..<info.offset + info.byteCount) { [UInt8]($0) }
  }

  public func release(_ name: String) {
    guard let info = info(name) else { return }
    mapped.release(info.offset..<info.offset + info.byteCount)
  }
}

struct SafetensorsHeader {
  var tensors: [TensorInfo] = []
  var metadata: [(key: String, value: String)] = []

  /// The limit of the Rust library.
  private static let longest = 100_000_000
  private static let mostDimensions = 8

  private static func failure(_ file: String, _ message: String) -> CheckpointError {
    CheckpointError(
      file: file, message, remedy: "the file is damaged or no safetensors file; fetch it or write it again")
  }

  init(reading bytes: UnsafeRawBufferPointer, file: String) throws {
    guard bytes.count >= 8 else {
      throw Self.failure(
        file, "the file ends at byte \(bytes.count), before the 8 bytes of the header's length are over")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(Self.longest) else {
      throw Self.failure(file, "the header's length at byte 0 is \(length), over the limit of \(Self.longest)")
    }
    guard length <= UInt64(bytes.count - 8) else {
      throw Self.failure(file, "the file ends at byte \(bytes.count), inside the header of \(length) bytes at byte 8")
    }
    let start = 8 + Int(length)
    guard start > 8, bytes[8] == UInt8(ascii: "{") else {
      throw Self.failure(file, "the header at byte 8 does not begin with '{'")
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: Data(bytes[8..<start]), file: file)
    } catch {
      throw Self.failure(file, "the header is not valid JSON (\(shown(error.message)))")
    }
    guard let object = json.object else {
      throw Self.failure(file, "the header is \(json.kind), where an object was expected")
    }
    var names: Set<String> = []
    for entry in object.entries {
      guard names.insert(entry.key).inserted else {
        throw Self.failure(file, "the header names '\(shown(entry.key))' twice")
      }
      if entry.key == "__metadata__" {
        try readMetadata(entry.value, file: file)
      } else {
        tensors.append(
          try Self.tensor(entry.key, entry.value, file: file, start: start, dataBytes: bytes.count - start))
      }
    }
    tensors.sort { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }
    try checkCover(file: file, start: start, end: bytes.count)
  }

  private mutating func readMetadata(_ value: JSONValue, file: String) throws {
    guard let object = value.object else {
      throw Self.failure(file, "'__metadata__' is \(value.kind), where an object was expected")
    }
    for entry in object.entries {
      guard let text = entry.value.string else {
        throw Self.failure(
          file, "'\(shown(entry.key))' in '__metadata__' is \(entry.value.kind), where a text was expected")
      }
      metadata.append((entry.key, text))
    }
  }

  private static func tensor(
    _ name: String, _ value: JSONValue, file: String, start: Int, dataBytes: Int
  ) throws -> TensorInfo {
    let label = "tensor '\(shown(name))'"
    guard let dtype = value["dtype"]?.string else { throw failure(file, "\(label) has no dtype") }
    guard let type = TensorType(rawValue: dtype), type.blockSize == 1 else {
      throw CheckpointError(
        file: file, "\(label) is of type \(shown(dtype)), which is not supported",
        remedy: "use weights saved as F32, F16 or BF16")
    }
    guard let sizes = value["shape"]?.array, sizes.count <= mostDimensions else {
      throw failure(file, "\(label) has no shape of up to \(mostDimensions) dimensions")
    }
    var shape: [Int] = []
    var count = 1
    for size in sizes {
      guard let size = size.integer, size >= 0 else {
        throw failure(file, "a dimension of \(label) is not a whole number")
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, product <= 1 << 56 else { throw failure(file, "\(label) has too many elements") }
      count = product
      shape.append(size)
    }
    guard let offsets = value["data_offsets"]?.array, offsets.count == 2, let from = offsets[0].integer,
      let to = offsets[1].integer, from >= 0, from <= to
    else { throw failure(file, "\(label) has no data_offsets of the form [begin, end]") }
    guard to <= dataBytes else {
      throw failure(
        file, "the file ends at byte \(start + dataBytes), but \(label) ends at byte \(start)+\(to); was it cut off?")
    }
    guard to - from == count * type.blockBytes else {
      throw failure(
        file,
        "\(label) of shape \(shape) and type \(dtype) takes \(count * type.blockBytes) bytes, but its data_offsets span \(to - from)"
      )
    }
    return TensorInfo(name: name, shape: shape, type: type, file: file, offset: start + from, byteCount: to - from)
  }

  private func checkCover(file: String, start: Int, end: Int) throws {
    var covered = start
    for tensor in tensors {
      guard tensor.offset == covered else {
        let what = tensor.offset < covered ? "overlaps the tensor before it" : "leaves a hole before it"
        throw Self.failure(
          file, "tensor '\(shown(tensor.name))' at byte \(tensor.offset) \(what) (byte \(covered) was expected)")
      }
      covered += tensor.byteCount
    }
    guard covered == end else {
      throw Self.failure(file, "\(end - covered) bytes from byte \(covered) on belong to no tensor")
    }
  }
}
