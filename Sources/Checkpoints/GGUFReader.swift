/// Reads the header of a GGUF file, front to back. Every length and count is held against the bytes that are left
/// before anything is made of it.
struct GGUFReader {
  static let deepest = 8
  static let longestName = 65_535

  let bytes: UnsafeRawBufferPointer
  let file: String
  private(set) var offset = 0

  var left: Int { bytes.count - offset }

  init(_ bytes: UnsafeRawBufferPointer, file: String) {
    self.bytes = bytes
    self.file = file
  }

  static let corrupt =
    "the file is damaged or no GGUF model; fetch it again (`lorapress model pull NAME` for a model of the catalogue)"

  func failure(_ message: String, at place: Int? = nil) -> CheckpointError {
    CheckpointError(file: file, "\(message) (at byte \(place ?? offset))", remedy: Self.corrupt)
  }

  func cutOff(_ what: String, needs: UInt64) -> CheckpointError {
    CheckpointError(
      file: file,
      "the file ends at byte \(bytes.count), where \(what) at byte \(offset) takes \(needs) bytes; the download was cut off?",
      remedy: "`lorapress model pull NAME` fetches a model of the catalogue again")
  }

  /// Moves past `count` bytes and returns where they start.
  mutating func take(_ count: UInt64, _ what: @autoclosure () -> String) throws -> Int {
    guard count <= UInt64(left) else { throw cutOff(what(), needs: count) }
    defer { offset += Int(count) }
    return offset
  }

  mutating func integer<T: FixedWidthInteger>(_: T.Type, _ what: @autoclosure () -> String) throws -> T {
    let place = try take(UInt64(MemoryLayout<T>.size), what())
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: T.self))
  }

  /// A count of things that take `least` bytes each at the least.
  mutating func count(least: Int, _ what: @autoclosure () -> String) throws -> Int {
    let place = offset
    let count = try integer(UInt64.self, what())
    guard count <= UInt64(left / least) else {
      throw failure("\(what()) is \(count), more than the \(left) bytes that follow can hold", at: place)
    }
    return Int(count)
  }

  mutating func string(_ what: @autoclosure () -> String, longest: Int = .max) throws -> String {
    let place = offset
    let length = try count(least: 1, "the length of \(what())")
    guard length <= longest else { throw failure("\(what()) is \(length) bytes long", at: place) }
    let start = try take(UInt64(length), what())
    guard let text = String(validating: bytes[start..<start + length], as: UTF8.self) else {
      throw failure("\(what()) is not valid UTF-8", at: start)
    }
    return text
  }

  mutating func value(_ type: GGUFValueType, _ key: String) throws -> GGUFValue {
    switch type {
    case .string: return .string(try string("the text of '\(shown(key))'"))
    case .array: return .array(try array(key, depth: 0))
    default:
      let place = try take(UInt64(type.leastBytes), "the value of '\(shown(key))'")
      if type == .bool, bytes[place] > 1 {
        throw failure("the value of '\(shown(key))' should be true or false, but is \(bytes[place])", at: place)
      }
      guard let number = GGUFArray.number(type, in: bytes, at: place) else {
        throw failure("the value of '\(shown(key))' can't be read", at: place)
      }
      return number
    }
  }

  mutating func valueType(_ what: @autoclosure () -> String) throws -> GGUFValueType {
    let place = offset
    let number = try integer(UInt32.self, what())
    guard let type = GGUFValueType(rawValue: number) else {
      throw failure("\(what()) is \(number), which is no GGUF value type", at: place)
    }
    return type
  }

  private mutating func array(_ key: String, depth: Int) throws -> GGUFArray {
    guard depth < Self.deepest else {
      throw failure("the list '\(shown(key))' is nested more than \(Self.deepest) levels deep")
    }
    let type = try valueType("the element type of '\(shown(key))'")
    let count = try count(least: type.leastBytes, "the number of elements of '\(shown(key))'")
    switch type {
    case .string:
      var values: [String] = []
      values.reserveCapacity(count)
      for index in 0..<count { values.append(try string("element \(index) of '\(shown(key))'")) }
      return GGUFArray(elementType: type, storage: .strings(values))
    case .array:
      var values: [GGUFArray] = []
      values.reserveCapacity(count)
      for _ in 0..<count { values.append(try array(key, depth: depth + 1)) }
      return GGUFArray(elementType: type, storage: .arrays(values))
    default:
      let start = try take(UInt64(count * type.leastBytes), "the list '\(shown(key))'")
      return GGUFArray(elementType: type, storage: .packed([UInt8](bytes[start..<start + count * type.leastBytes])))
    }
  }
}
