import Foundation
import Runs

/// The fields of one protobuf message, in their order. What a message means is its reader's business; unknown fields pass by.
struct ProtobufReader {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(Data)
    case fixed32(UInt32)
  }

  private let data: Data
  private var index: Int
  /// "events.out…: record at byte 24", for messages.
  private let place: String

  init(_ data: Data, place: String) {
    self.data = data
    self.place = place
    index = data.startIndex
  }

  /// The next field's number and value, nil at the end.
  mutating func next() throws(RunsError) -> (field: Int, value: Value)? {
    guard index < data.endIndex else { return nil }
    let key = try varint()
    guard let field = Int(exactly: key >> 3), field > 0 else { throw damage("a field has no number") }
    switch key & 7 {
    case 0: return (field, .varint(try varint()))
    case 1: return (field, .fixed64(try little(8)))
    case 2:
      let length = try varint()
      guard length <= UInt64(data.endIndex - index) else {
        throw damage("a field of \(length) bytes runs past the record")
      }
      defer { index += Int(length) }
      return (field, .bytes(data[index..<index + Int(length)]))
    case 5: return (field, .fixed32(UInt32(truncatingIfNeeded: try little(4))))
    default: throw damage("a field of an unknown wire type")
    }
  }

  private mutating func varint() throws(RunsError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard index < data.endIndex else { throw damage("the record ends inside a number") }
      let byte = data[index]
      index += 1
      if shift == 63, byte > 1 { throw damage("a number of more than 64 bits") }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw damage("a number of more than 64 bits")
  }

  private mutating func little(_ count: Int) throws(RunsError) -> UInt64 {
    guard data.endIndex - index >= count else { throw damage("the record ends inside a number") }
    defer { index += count }
    return data[index..<index + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func damage(_ what: String) -> RunsError {
    RunsError("\(place): \(what); the file is damaged or no TensorBoard event file, copy it again")
  }
}

extension ProtobufReader.Value {
  var bytes: Data? { if case .bytes(let data) = self { data } else { nil } }
  var varint: UInt64? { if case .varint(let number) = self { number } else { nil } }
  var double: Double? { if case .fixed64(let bits) = self { Double(bitPattern: bits) } else { nil } }
  var float: Float? { if case .fixed32(let bits) = self { Float(bitPattern: bits) } else { nil } }
  var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
}
