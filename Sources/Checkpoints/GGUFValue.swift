/// The types of GGUF metadata, with their numbers in the file.
public enum GGUFValueType: UInt32, Sendable {
  case uint8 = 0
  case int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// Bytes of a value; for texts and lists the least they can take (a length; an element type and a length).
  var leastBytes: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .string: 8
    case .array: 12
    }
  }
}

/// One value of GGUF metadata, of its exact type so that it can be written again.
public enum GGUFValue: Sendable, Equatable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case uint64(UInt64)
  case int64(Int64)
  case float32(Float)
  case float64(Double)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)

  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var array: GGUFArray? { if case .array(let value) = self { value } else { nil } }

  /// Any integer type that fits an Int.
  public var integer: Int? {
    switch self {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(exactly: value)
    default: nil
    }
  }

  /// Any number.
  public var double: Double? {
    switch self {
    case .float32(let value): Double(value)
    case .float64(let value): value
    default: integer.map(Double.init)
    }
  }

  public var strings: [String]? { array?.strings }
  public var integers: [Int]? { array?.integers }
  public var doubles: [Double]? { array?.doubles }
}

/// A list in GGUF metadata. Numbers stay in the file's bytes, so that a list takes no more memory than it took there.
public struct GGUFArray: Sendable, Equatable {
  enum Storage: Sendable, Equatable {
    /// Little-endian, `elementType.leastBytes` each.
    case packed([UInt8])
    case strings([String])
    case arrays([GGUFArray])
  }

  public let elementType: GGUFValueType
  let storage: Storage

  public var count: Int {
    switch storage {
    case .packed(let bytes): bytes.count / elementType.leastBytes
    case .strings(let values): values.count
    case .arrays(let values): values.count
    }
  }

  /// nil for an index beyond the end.
  public subscript(index: Int) -> GGUFValue? {
    guard index >= 0, index < count else { return nil }
    switch storage {
    case .strings(let values): return .string(values[index])
    case .arrays(let values): return .array(values[index])
    case .packed(let bytes):
      return bytes.withUnsafeBytes { GGUFArray.number(elementType, in: $0, at: index * elementType.leastBytes) }
    }
  }

  /// The number of a fixed-size type at `offset`, which the caller has checked; nil for texts and lists.
  static func number(_ type: GGUFValueType, in bytes: UnsafeRawBufferPointer, at offset: Int) -> GGUFValue? {
    func load<T: FixedWidthInteger>(_: T.Type) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    switch type {
    case .uint8: return .uint8(load(UInt8.self))
    case .int8: return .int8(load(Int8.self))
    case .uint16: return .uint16(load(UInt16.self))
    case .int16: return .int16(load(Int16.self))
    case .uint32: return .uint32(load(UInt32.self))
    case .int32: return .int32(load(Int32.self))
    case .uint64: return .uint64(load(UInt64.self))
    case .int64: return .int64(load(Int64.self))
    case .float32: return .float32(Float(bitPattern: load(UInt32.self)))
    case .float64: return .float64(Double(bitPattern: load(UInt64.self)))
    case .bool: return .bool(load(UInt8.self) != 0)
    case .string, .array: return nil
    }
  }

  public var strings: [String]? { if case .strings(let values) = storage { values } else { nil } }
  public var arrays: [GGUFArray]? { if case .arrays(let values) = storage { values } else { nil } }
  /// All elements, where each is an integer that fits an Int.
  public var integers: [Int]? { mapped { $0.integer } }
  /// All elements, where each is a number.
  public var doubles: [Double]? { mapped { $0.double } }
  public var bools: [Bool]? { mapped { $0.bool } }

  private func mapped<T>(_ convert: (GGUFValue) -> T?) -> [T]? {
    guard case .packed(let bytes) = storage else { return nil }
    var result: [T] = []
    result.reserveCapacity(count)
    return bytes.withUnsafeBytes { raw in
      for offset in stride(from: 0, to: raw.count, by: elementType.leastBytes) {
        guard let value = GGUFArray.number(elementType, in: raw, at: offset), let element = convert(value) else {
          return nil
        }
        result.append(element)
      }
      return result
    }
  }
}
