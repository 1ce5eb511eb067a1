import CQuants
import Foundation

/// A memory-mapped GGUF file, version 3, little-endian: metadata and named tensors.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Dimensions are turned around to outermost first.
/// Opening reads the header alone; weights are dequantised when read, bit for bit as the gguf Python package does.
public final class GGUFFile: TensorSource {
  public let file: String
  public let tensors: [TensorInfo]
  public let metadata: [String: GGUFValue]
  /// The keys of ``metadata`` in the file's order.
  public let metadataKeys: [String]
  /// The file's size in bytes.
  public var byteCount: Int { mapped.count }

  private let mapped: MappedFile
  private let places: [String: Int]

  public init(_ path: String) throws {
    file = path
    let mapped = try MappedFile(path)
    self.mapped = mapped
    let header = try mapped.withBytes { try GGUFHeader(reading: $0, file: path) }
    mapped.release(0..<header.byteCount)
    metadata = header.metadata
    metadataKeys = header.keys
    tensors = header.tensors
    places = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { ($1.name, $0) })
  }

  public func info(_ name: String) -> TensorInfo? { places[name].map { tensors[$0] } }

  public func read(_ name: String, rows: Range<Int>, into out: UnsafeMutableBufferPointer<Float>) throws {
    try readMapped(try require(name), in: mapped, rows: rows, into: out)
  }

  /// A tensor in blocks of quantised numbers, to be taken as they are; nil of another type.
  public func blocks(_ name: String) throws -> QuantisedBlocks? { QuantisedBlocks(try require(name), in: mapped) }

  public func release(_ name: String) {
    guard let info = info(name) else { return }
    mapped.release(info.offset..<info.offset + info.byteCount)
  }

  /// Whether the file begins as a GGUF file does; false for a file that can't be read.
  public static func looksLike(_ path: String) -> Bool {
    guard let handle = FileHandle(forReadingAtPath: path) else { return false }
    defer { try? handle.close() }
    return (try? handle.read(upToCount: 4)) == Data("GGUF".utf8)
  }
}

/// What stands before the weights.
struct GGUFHeader {
  var metadata: [String: GGUFValue] = [:]
  var keys: [String] = []
  var tensors: [TensorInfo] = []
  var byteCount = 0

  static let defaultAlignment = 32
  /// ggml's own limit.
  private static let mostDimensions = 4

  init(reading bytes: UnsafeRawBufferPointer, file: String) throws {
    var reader = GGUFReader(bytes, file: file)
    try Self.checkStart(&reader)
    let tensorCount = try reader.count(least: 32, "the number of tensors")
    let entryCount = try reader.count(least: 13, "the number of metadata entries")
    try readMetadata(&reader, count: entryCount)
    let alignment = try readAlignment(reader)
    try readTensors(&reader, count: tensorCount, alignment: alignment)
    byteCount = reader.offset
  }

  private static func checkStart(_ reader: inout GGUFReader) throws {
    let magic = try reader.take(4, "the mark \"GGUF\"")
    guard reader.bytes[magic..<magic + 4].elementsEqual("GGUF".utf8) else {
      throw CheckpointError(
        file: reader.file, "is no GGUF file (it does not begin with \"GGUF\")",
        remedy: "give a .gguf file, a Hugging Face folder or a name that `lorapress model list` shows")
    }
    let version = try reader.integer(UInt32.self, "the version")
    if version == 3 { return }
    let what =
      version.byteSwapped <= 0xFFFF && version > 0xFFFF
      ? "is a big-endian GGUF file; only little-endian ones are supported"
      : "is GGUF version \(version); only version 3 is supported"
    throw CheckpointError(
      file: reader.file, "\(what) (at byte 4)",
      remedy: "convert the model again with a current llama.cpp, or fetch a newer file")
  }

  private mutating func readMetadata(_ reader: inout GGUFReader, count: Int) throws {
    keys.reserveCapacity(count)
    for index in 0..<count {
      let place = reader.offset
      let key = try reader.string("the key of metadata entry \(index)", longest: GGUFReader.longestName)
      let type = try reader.valueType("the type of '\(shown(key))'")
      let value = try reader.value(type, key)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw reader.failure("the metadata key '\(shown(key))' stands there twice", at: place)
      }
      keys.append(key)
    }
  }

  private func readAlignment(_ reader: GGUFReader) throws -> Int {
    guard let value = metadata["general.alignment"] else { return Self.defaultAlignment }
    guard let alignment = value.integer, alignment > 0, alignment <= 1 << 30, alignment.nonzeroBitCount == 1 else {
      throw reader.failure("'general.alignment' should be a power of two, but is \(value)")
    }
    return alignment
  }

  private mutating func readTensors(_ reader: inout GGUFReader, count: Int, alignment: Int) throws {
    var entries: [(info: TensorInfo, place: Int)] = []
    entries.reserveCapacity(count)
    var names: Set<String> = []
    for index in 0..<count {
      let place = reader.offset
      let info = try Self.tensor(&reader, index: index, alignment: alignment)
      guard names.insert(info.name).inserted else {
        throw reader.failure("the tensor '\(shown(info.name))' stands there twice", at: place)
      }
      entries.append((info, place))
    }
    let (padded, overflow) = reader.offset.addingReportingOverflow(alignment - 1)
    if overflow { throw reader.failure("the header is too long") }
    let start = padded / alignment * alignment
    for (info, place) in entries {
      let (offset, wraps) = start.addingReportingOverflow(info.offset)
      guard !wraps, offset <= reader.bytes.count, info.byteCount <= reader.bytes.count - offset else {
        throw CheckpointError(
          file: reader.file,
          "the file ends at byte \(reader.bytes.count), but tensor '\(shown(info.name))' (entry at byte \(place)) takes "
            + "\(info.byteCount) bytes from offset \(info.offset) of the data at byte \(start); the download was cut off?",
          remedy: "`lorapress model pull NAME` fetches a model of the catalogue again")
      }
      tensors.append(
        TensorInfo(
          name: info.name, shape: info.shape, type: info.type, file: reader.file, offset: offset,
          byteCount: info.byteCount))
    }
    try checkOverlap(reader)
  }

  private func checkOverlap(_ reader: GGUFReader) throws {
    let sorted = tensors.sorted { $0.offset < $1.offset }
    for (one, next) in zip(sorted, sorted.dropFirst()) where one.offset + one.byteCount > next.offset {
      throw reader.failure("the tensors '\(shown(one.name))' and '\(shown(next.name))' overlap", at: next.offset)
    }
  }

  /// One entry of the tensor table; its offset is still relative to the data section.
  private static func tensor(_ reader: inout GGUFReader, index: Int, alignment: Int) throws -> TensorInfo {
    let name = try reader.string("the name of tensor \(index)", longest: GGUFReader.longestName)
    let label = "tensor '\(shown(name))'"
    let place = reader.offset
    let dimensions = try reader.integer(UInt32.self, "the number of dimensions of \(label)")
    guard dimensions >= 1, dimensions <= mostDimensions else {
      throw reader.failure(
        "\(label) has \(dimensions) dimensions, where 1 to \(mostDimensions) are possible", at: place)
    }
    var shape: [Int] = []
    var count = 1
    for _ in 0..<dimensions {
      let place = reader.offset
      let size = try reader.integer(UInt64.self, "a dimension of \(label)")
      guard let size = Int(exactly: size), size > 0 else {
        throw reader.failure("a dimension of \(label) is \(size)", at: place)
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      // Far beyond any file, and small enough that byte counts can't overflow.
      guard !overflow, product <= 1 << 56 else { throw reader.failure("\(label) has too many elements", at: place) }
      count = product
      shape.insert(size, at: 0)
    }
    let typePlace = reader.offset
    let number = try reader.integer(UInt32.self, "the type of \(label)")
    let type = try tensorType(number, label: label, reader: reader, at: typePlace)
    guard let columns = shape.last, columns.isMultiple(of: type.blockSize) else {
      throw reader.failure(
        "\(label) has rows of \(shape.last ?? 0) elements, no multiple of the \(type.blockSize) that a block of \(type.rawValue) holds",
        at: place)
    }
    let offsetPlace = reader.offset
    let offset = try reader.integer(UInt64.self, "the offset of \(label)")
    guard let offset = Int(exactly: offset) else {
      throw reader.failure("the offset of \(label) is \(offset), far outside the file", at: offsetPlace)
    }
    guard offset.isMultiple(of: alignment) else {
      throw reader.failure(
        "the offset of \(label) is \(offset), no multiple of the alignment \(alignment)", at: offsetPlace)
    }
    return TensorInfo(
      name: name, shape: shape, type: type, file: reader.file, offset: offset,
      byteCount: count / type.blockSize * type.blockBytes)
  }

  static let types: [UInt32: TensorType] = [
    0: .f32, 1: .f16, 2: .q4_0, 3: .q4_1, 6: .q5_0, 7: .q5_1, 8: .q8_0, 12: .q4_K, 13: .q5_K, 14: .q6_K,
    24: .i8, 25: .i16, 26: .i32, 27: .i64, 28: .f64, 30: .bf16,
  ]

  private static let unsupported: [UInt32: String] = [
    9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
  ]

  private static func tensorType(_ number: UInt32, label: String, reader: GGUFReader, at place: Int) throws
    -> TensorType
  {
    if let type = types[number] { return type }
    guard let name = unsupported[number] else {
      throw reader.failure("\(label) is of the unknown type \(number)", at: place)
    }
    throw CheckpointError(
      file: reader.file, "\(label) is of type \(name), which is not supported (at byte \(place))",
      remedy:
        "use a file quantised as F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K (Q4_K_M for one)")
  }
}
