import Foundation

/// The frames of a TensorBoard event file, one TFRecord each: the payload's length (8 bytes, little-endian), the length's masked
/// CRC-32C (4), the payload, the payload's masked CRC-32C (4).
public enum TensorBoardRecord {
  static let headBytes = 12
  static let footBytes = 4

  public static func frame(_ payload: Data) -> Data {
    let length = littleEndian(UInt64(payload.count))
    return length + littleEndian(maskedCRC(length)) + payload + littleEndian(maskedCRC(payload))
  }

  /// TensorFlow's mask: a CRC of bytes that hold a CRC themselves would be weak.
  static func maskedCRC(_ data: Data) -> UInt32 {
    let crc = crc32c(data)
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }

  /// CRC-32C (Castagnoli), a byte at a time.
  public static func crc32c(_ data: Data) -> UInt32 {
    data.withUnsafeBytes { bytes in
      var crc = ~UInt32(0)
      for byte in bytes { crc = crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
      return ~crc
    }
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
  }

  public static func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> Data {
    withUnsafeBytes(of: number.littleEndian) { Data($0) }
  }
}

/// Reads an event file's frames one after the other, with both checksums checked.
public struct TensorBoardRecordReader {
  /// Longer than any record of scalars and settings; a length beyond it is damage.
  private static let longest: UInt64 = 1 << 28

  private let data: Data
  private let file: String
  /// Where the next frame begins, from the file's start.
  public private(set) var offset = 0
  /// Where the last frame begins if the file ends inside it: the writer was cut off, or is still writing.
  public private(set) var cutOffAt: Int?

  /// `file` names the data in errors.
  public init(_ data: Data, file: String) {
    self.data = data
    self.file = file
  }

  /// The next frame's payload; nil at the end, and where the file is cut off.
  public mutating func next() throws(RunsError) -> Data? {
    let left = data.count - offset
    guard left > 0 else { return nil }
    guard left >= TensorBoardRecord.headBytes else { return cutOff() }
    let start = data.startIndex + offset
    let length: UInt64 = number(at: start)
    guard number(at: start + 8) == TensorBoardRecord.maskedCRC(data[start..<start + 8]) else {
      // Space that a file system gave to a writer that died is zero to the end.
      if data[start...].allSatisfy({ $0 == 0 }) { return cutOff() }
      throw damage("the checksum of the record's length is wrong")
    }
    guard length <= Self.longest else {
      throw damage("the record claims \(length) bytes, over the limit of \(Self.longest)")
    }
    let whole = TensorBoardRecord.headBytes + Int(length) + TensorBoardRecord.footBytes
    guard left >= whole else { return cutOff() }
    let payload = data[(start + TensorBoardRecord.headBytes)..<(start + whole - TensorBoardRecord.footBytes)]
    guard number(at: payload.endIndex) == TensorBoardRecord.maskedCRC(payload) else {
      throw damage("the checksum of the record's content is wrong")
    }
    offset += whole
    return payload
  }

  private mutating func cutOff() -> Data? {
    cutOffAt = offset
    offset = data.count
    return nil
  }

  private func number<Number: FixedWidthInteger>(at index: Int) -> Number {
    data[index..<index + MemoryLayout<Number>.size].reversed().reduce(Number(0)) { $0 << 8 | Number($1) }
  }

  private func damage(_ what: String) -> RunsError {
    RunsError("\(file): byte \(offset): \(what); the file is damaged or no TensorBoard event file, copy it again")
  }
}
