import Foundation

/// Writes GGUF files, version 3, little-endian, aligned to 32 bytes.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
public enum GGUFWriter {
  /// Writes metadata and tensors in the order given, one tensor in memory at a time, and renames the file into place; on an error no file or
  /// the old one is there.
  public static func write(
    metadata: [(key: String, value: GGUFValue)], tensors: [TensorOutput], to url: URL
  ) throws {
    for tensor in tensors {
      guard let columns = tensor.shape.last, columns.isMultiple(of: tensor.type.blockSize) else {
        let what = "of shape \(tensor.shape) was to be written as \(tensor.type.rawValue)"
        throw TensorOutput.fault(url.path, "tensor '\(shown(tensor.name))' \(what)")
      }
    }
    let output = try AtomicOutput(url)
    try output.write(try header(metadata, tensors, file: url.path))
    for tensor in tensors {
      try tensor.write(to: output, file: url.path)
      try output.write(padding(after: tensor.byteCount))
    }
    try output.finish()
  }

  private static let alignment = GGUFHeader.defaultAlignment

  private static func padding(after count: Int) -> Data {
    Data(repeating: 0, count: (alignment - count % alignment) % alignment)
  }

  private static func header(
    _ metadata: [(key: String, value: GGUFValue)], _ tensors: [TensorOutput], file: String
  ) throws -> Data {
    var data = Data("GGUF".utf8)
    data.append(UInt32(3))
    data.append(UInt64(tensors.count))
    data.append(UInt64(metadata.count))
    for entry in metadata {
      data.append(text: entry.key)
      data.append(entry.value.type.rawValue)
      data.append(entry.value)
    }
    var offset = 0
    for tensor in tensors {
      guard let type = GGUFHeader.types.first(where: { $0.value == tensor.type })?.key else {
        throw TensorOutput.fault(file, "tensor '\(shown(tensor.name))' was to be written as \(tensor.type.rawValue)")
      }
      data.append(text: tensor.name)
      data.append(UInt32(tensor.shape.count))
      // Innermost first.
      for size in tensor.shape.reversed() { data.append(UInt64(size)) }
      data.append(type)
      data.append(UInt64(offset))
      offset += tensor.byteCount + padding(after: tensor.byteCount).count
    }
    return data + padding(after: data.count)
  }
}

extension GGUFValue {
  /// The type it is written as.
  var type: GGUFValueType {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .uint64: .uint64
    case .int64: .int64
    case .float32: .float32
    case .float64: .float64
    case .bool: .bool
    case .string: .string
    case .array: .array
    }
  }
}

extension GGUFArray {
  public init(_ values: [String]) { self.init(elementType: .string, storage: .strings(values)) }

  public init(_ values: [Int32]) {
    var data = Data(capacity: values.count * 4)
    for value in values { data.append(value) }
    self.init(elementType: .int32, storage: .packed([UInt8](data)))
  }
}

extension Data {
  fileprivate mutating func append<T: FixedWidthInteger>(_ value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  fileprivate mutating func append(text: String) {
    append(UInt64(text.utf8.count))
    append(contentsOf: text.utf8)
  }

  fileprivate mutating func append(_ value: GGUFValue) {
    switch value {
    case .uint8(let value): append(value)
    case .int8(let value): append(value)
    case .uint16(let value): append(value)
    case .int16(let value): append(value)
    case .uint32(let value): append(value)
    case .int32(let value): append(value)
    case .uint64(let value): append(value)
    case .int64(let value): append(value)
    case .float32(let value): append(value.bitPattern)
    case .float64(let value): append(value.bitPattern)
    case .bool(let value): append(UInt8(value ? 1 : 0))
    case .string(let value): append(text: value)
    case .array(let value): append(value)
    }
  }

  private mutating func append(_ array: GGUFArray) {
    append(array.elementType.rawValue)
    append(UInt64(array.count))
    switch array.storage {
    case .packed(let bytes): append(contentsOf: bytes)
    case .strings(let values): for value in values { append(text: value) }
    case .arrays(let values): for value in values { append(value) }
    }
  }
}
