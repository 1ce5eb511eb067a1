import Foundation

/// What is wrong with a text, and where.
public struct FormatError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file's name as the user gave it, or another name of the text.
  public let file: String
  /// One-based; nil where no line applies.
  public let line: Int?
  public let column: Int?
  public let message: String

  public init(file: String, line: Int? = nil, column: Int? = nil, message: String) {
    self.file = file
    self.line = line
    self.column = column
    self.message = message
  }

  public var description: String {
    var place = file
    if let line { place += ":\(line)" }
    if line != nil, let column { place += ":\(column)" }
    return "\(place): \(message)"
  }
}

extension JSONValue {
  /// Reads one JSON text (RFC 8259). `file` names it in errors, `firstLine` is the number of its first line there.
  ///
  /// `allowNaN` also takes the bare NaN, Infinity and -Infinity that Python writes, as null.
  public init(parsing data: Data, file: String, firstLine: Int = 1, allowNaN: Bool = false) throws(FormatError) {
    let result: Result<JSONValue, FormatError> = data.withUnsafeBytes { raw in
      var parser = JSONParser(bytes: raw, file: file, firstLine: firstLine, allowNaN: allowNaN)
      do throws(FormatError) { return .success(try parser.parseDocument()) } catch { return .failure(error) }
    }
    self = try result.get()
  }

  /// The same of bytes that live only as long as the call.
  public init(
    parsing bytes: UnsafeRawBufferPointer, file: String, firstLine: Int = 1, allowNaN: Bool = false
  ) throws(FormatError) {
    var parser = JSONParser(bytes: bytes, file: file, firstLine: firstLine, allowNaN: allowNaN)
    self = try parser.parseDocument()
  }

  public init(parsing text: String, file: String, firstLine: Int = 1) throws(FormatError) {
    try self.init(parsing: Data(text.utf8), file: file, firstLine: firstLine)
  }

  /// Reads a file of one JSON value a line; empty lines are passed over. Lines end at "\n" alone.
  public static func lines(of data: Data, file: String) throws(FormatError) -> [(line: Int, value: JSONValue)] {
    let result: Result<[(line: Int, value: JSONValue)], FormatError> = data.withUnsafeBytes { raw in
      do throws(FormatError) { return .success(try lines(of: raw, file: file)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  private static func lines(
    of bytes: UnsafeRawBufferPointer, file: String
  ) throws(FormatError) -> [(line: Int, value: JSONValue)] {
    var result: [(line: Int, value: JSONValue)] = []
    var number = 0
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      var parser = JSONParser(
        bytes: UnsafeRawBufferPointer(rebasing: line), file: file, firstLine: number, allowNaN: false)
      result.append((number, try parser.parseDocument()))
    }
    return result
  }
}

/// The elements of one JSON list, read one after the other: a large file need not be held as values.
public struct JSONListReader {
  private let data: Data
  private let file: String
  private var at = 0
  private var isBegun = false

  /// `data` may be a mapped file. `file` names it in errors.
  public init(_ data: Data, file: String) {
    self.data = data
    self.file = file
  }

  /// The first byte that is no white space: what kind of value the text holds.
  public var firstByte: UInt8? {
    data.withUnsafeBytes { bytes in
      var parser = JSONParser(bytes: bytes, file: file, firstLine: 1, allowNaN: false)
      parser.skipSpace()
      return parser.at < bytes.count ? bytes[parser.at] : nil
    }
  }

  /// Bytes read so far.
  public var position: Int { at }

  /// The next element; nil after the last one, when nothing but white space follows the list.
  public mutating func next() throws(FormatError) -> JSONValue? {
    let result: Result<(value: JSONValue?, at: Int), FormatError> = data.withUnsafeBytes { bytes in
      var parser = JSONParser(bytes: bytes, file: file, firstLine: 1, allowNaN: false)
      if isBegun { parser.at = at }
      do throws(FormatError) {
        let value = try parser.parseNextElement(isFirst: !isBegun)
        return .success((value, parser.at))
      } catch { return .failure(error) }
    }
    let found = try result.get()
    isBegun = true
    at = found.at
    return found.value
  }
}

private struct JSONParser {
  static let deepest = 256

  let bytes: UnsafeRawBufferPointer
  let file: String
  let firstLine: Int
  let allowNaN: Bool
  var at = 0

  init(bytes: UnsafeRawBufferPointer, file: String, firstLine: Int, allowNaN: Bool) {
    self.bytes = bytes
    self.file = file
    self.firstLine = firstLine
    self.allowNaN = allowNaN
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { at = 3 }
  }

  func failure(_ message: String, at place: Int? = nil) -> FormatError {
    let place = min(place ?? at, bytes.count)
    var line = firstLine
    var lineStart = 0
    for index in 0..<place where bytes[index] == 0x0A {
      line += 1
      lineStart = index + 1
    }
    // Columns count characters as an editor does, not bytes.
    let column = String(decoding: bytes[lineStart..<place], as: UTF8.self).unicodeScalars.count + 1
    return FormatError(file: file, line: line, column: column, message: message)
  }

  mutating func parseDocument() throws(FormatError) -> JSONValue {
    skipSpace()
    if at == bytes.count { throw failure("empty, where JSON was expected") }
    let value = try parseValue(depth: 0)
    skipSpace()
    if at < bytes.count { throw failure("more text after the end of the JSON value") }
    return value
  }

  /// One element of the list that the text is; nil at its end. `at` stands before the list, then behind each element.
  mutating func parseNextElement(isFirst: Bool) throws(FormatError) -> JSONValue? {
    skipSpace()
    if isFirst {
      guard at < bytes.count, bytes[at] == UInt8(ascii: "[") else { throw failure("a list was expected") }
      at += 1
      skipSpace()
      if at < bytes.count, bytes[at] == UInt8(ascii: "]") { return try endOfList() }
    } else {
      // Behind the end of the list nothing is left.
      if at == bytes.count { return nil }
      if bytes[at] == UInt8(ascii: "]") { return try endOfList() }
      guard bytes[at] == UInt8(ascii: ",") else { throw failure("',' or ']' was expected here") }
      at += 1
      skipSpace()
    }
    let value = try parseValue(depth: 1)
    skipSpace()
    guard at < bytes.count else {
      var start = JSONParser(bytes: bytes, file: file, firstLine: firstLine, allowNaN: allowNaN)
      start.skipSpace()
      throw failure("a list opened at \(place(start.at)) is never closed")
    }
    return value
  }

  private mutating func endOfList() throws(FormatError) -> JSONValue? {
    at += 1
    skipSpace()
    if at < bytes.count { throw failure("more text after the end of the JSON value") }
    return nil
  }

  mutating func skipSpace() {
    while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 { at += 1 }
  }

  mutating func parseValue(depth: Int) throws(FormatError) -> JSONValue {
    guard depth < Self.deepest else { throw failure("nested more than \(Self.deepest) levels deep") }
    guard at < bytes.count else { throw failure("the text ends where a value was expected") }
    switch bytes[at] {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case UInt8(ascii: "N") where allowNaN: return try parseWord("NaN", .null)
    case UInt8(ascii: "I") where allowNaN: return try parseWord("Infinity", .null)
    default: return try parseNumber()
    }
  }

  mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(FormatError) -> JSONValue {
    let length = word.utf8CodeUnitCount
    guard at + length <= bytes.count, (0..<length).allSatisfy({ bytes[at + $0] == word.utf8Start[$0] }) else {
      throw failure("not a JSON value (a text needs double quotes)")
    }
    at += length
    return value
  }

  mutating func parseObject(depth: Int) throws(FormatError) -> JSONValue {
    let start = at
    at += 1
    var entries: [JSONObject.Entry] = []
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
      at += 1
      return .object(JSONObject())
    }
    while true {
      skipSpace()
      guard at < bytes.count else { throw failure("an object opened at \(place(start)) is never closed") }
      guard bytes[at] == UInt8(ascii: "\"") else { throw failure("a key in double quotes was expected here") }
      let key = try parseString()
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: ":") else {
        throw failure("':' was expected after the key \"\(key)\"")
      }
      at += 1
      skipSpace()
      entries.append(JSONObject.Entry(key: key, value: try parseValue(depth: depth + 1)))
      skipSpace()
      guard at < bytes.count else { throw failure("an object opened at \(place(start)) is never closed") }
      if bytes[at] == UInt8(ascii: ",") {
        at += 1
      } else if bytes[at] == UInt8(ascii: "}") {
        at += 1
        return .object(JSONObject(entries))
      } else {
        throw failure("',' or '}' was expected here")
      }
    }
  }

  mutating func parseArray(depth: Int) throws(FormatError) -> JSONValue {
    let start = at
    at += 1
    var elements: [JSONValue] = []
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
      at += 1
      return .array([])
    }
    while true {
      skipSpace()
      elements.append(try parseValue(depth: depth + 1))
      skipSpace()
      guard at < bytes.count else { throw failure("a list opened at \(place(start)) is never closed") }
      if bytes[at] == UInt8(ascii: ",") {
        at += 1
      } else if bytes[at] == UInt8(ascii: "]") {
        at += 1
        return .array(elements)
      } else {
        throw failure("',' or ']' was expected here")
      }
    }
  }

  func place(_ offset: Int) -> String {
    let error = failure("", at: offset)
    return "line \(error.line ?? 0), column \(error.column ?? 0)"
  }

  mutating func parseNumber() throws(FormatError) -> JSONValue {
    let start = at
    func digit(_ index: Int) -> Bool { index < bytes.count && bytes[index] >= 0x30 && bytes[index] <= 0x39 }
    if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
    if allowNaN, at < bytes.count, bytes[at] == UInt8(ascii: "I") { return try parseWord("Infinity", .null) }
    guard digit(at) else { throw failure("not a JSON value (a text needs double quotes)", at: start) }
    if bytes[at] == 0x30, digit(at + 1) { throw failure("a number must not start with 0") }
    while digit(at) { at += 1 }
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      guard digit(at) else { throw failure("a digit was expected after the decimal point") }
      while digit(at) { at += 1 }
    }
    if at < bytes.count, bytes[at] == UInt8(ascii: "e") || bytes[at] == UInt8(ascii: "E") {
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
      guard digit(at) else { throw failure("a digit was expected in the exponent") }
      while digit(at) { at += 1 }
    }
    return .number(JSONNumber(text: String(decoding: bytes[start..<at], as: UTF8.self)))
  }

  mutating func parseString() throws(FormatError) -> String {
    let start = at
    at += 1
    let plainStart = at
    while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 {
      at += 1
    }
    if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
      let text = try decode(bytes[plainStart..<at], start)
      at += 1
      return text
    }
    return try parseEscapedString(from: start)
  }

  func decode(_ slice: Slice<UnsafeRawBufferPointer>, _ start: Int) throws(FormatError) -> String {
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw failure("this text is not valid UTF-8; save the file as UTF-8", at: start)
    }
    return text
  }

  mutating func parseEscapedString(from start: Int) throws(FormatError) -> String {
    var buffer: [UInt8] = Array(bytes[(start + 1)..<at])
    while true {
      guard at < bytes.count else { throw failure("a text opened here is never closed", at: start) }
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        at += 1
        guard let text = String(validating: buffer, as: UTF8.self) else {
          throw failure("this text is not valid UTF-8; save the file as UTF-8", at: start)
        }
        return text
      }
      if byte < 0x20 {
        throw failure(
          byte == 0x0A
            ? "a text must not run over the end of the line" : "a control character in a text must be escaped")
      }
      at += 1
      if byte != UInt8(ascii: "\\") {
        buffer.append(byte)
        continue
      }
      try parseEscape(into: &buffer)
    }
  }

  mutating func parseEscape(into buffer: inout [UInt8]) throws(FormatError) {
    guard at < bytes.count else { throw failure("the text ends in an escape") }
    let byte = bytes[at]
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
    case UInt8(ascii: "b"): buffer.append(0x08)
    case UInt8(ascii: "f"): buffer.append(0x0C)
    case UInt8(ascii: "n"): buffer.append(0x0A)
    case UInt8(ascii: "r"): buffer.append(0x0D)
    case UInt8(ascii: "t"): buffer.append(0x09)
    case UInt8(ascii: "u"):
      let high = try parseHex4()
      var scalar = high
      if (0xD800..<0xDC00).contains(high), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
        bytes[at + 1] == UInt8(ascii: "u")
      {
        let back = at
        at += 2
        let low = try parseHex4()
        if (0xDC00..<0xE000).contains(low) {
          scalar = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
        } else {
          at = back
        }
      }
      // A lone surrogate is no character; Python writes them for broken text. It becomes U+FFFD, as browsers show it.
      let character = Unicode.Scalar(scalar) ?? "\u{FFFD}"
      buffer.append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
    default: throw failure("'\\\(Character(Unicode.Scalar(byte)))' is no JSON escape", at: at - 2)
    }
  }

  mutating func parseHex4() throws(FormatError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard at < bytes.count, let digit = Character(Unicode.Scalar(bytes[at])).hexDigitValue else {
        throw failure("four hexadecimal digits were expected after \\u")
      }
      value = value * 16 + UInt32(digit)
      at += 1
    }
    return value
  }
}
