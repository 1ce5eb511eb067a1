import Foundation
import Runs

/// A file's text, piece by piece: unpacked where it is gzip or zstd, in UTF-8 whatever it was, without a byte-order mark.
///
/// Only one piece is held. What is wrong with the bytes is told with the line it is found in.
final class ByteSource {
  private static let pieceBytes = 1 << 18

  let name: String
  /// Bytes of the file read so far, packed as they are.
  private(set) var bytesRead = 0
  /// Whether any byte of the file was changed on the way: it is packed, or not UTF-8.
  var isPlain: Bool { unpacker == nil && text.encoding != .cp949 }
  private let file: FileHandle
  private var unpacker: StreamDecoder?
  private var text: TextDecoder
  private var isFirst = true
  private var isAtEnd = false

  /// `name` is what errors call the file.
  init(_ url: URL, name: String) throws {
    self.name = name
    text = TextDecoder(file: name)
    file = try Self.open(url, name: name)
  }

  /// Reads from a pipe's end.
  init(_ pipe: FileHandle, name: String) {
    self.name = name
    text = TextDecoder(file: name)
    file = pipe
  }

  /// A file for reading; no child process gets it.
  static func open(_ url: URL, name: String) throws -> FileHandle {
    let descriptor = Foundation.open(url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw RunsError.unreadable(name, POSIXError(.init(rawValue: errno) ?? .EIO)) }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// How the bytes were packed or encoded, for the report: "gzip", "CP949" …
  var changes: [String] {
    (unpacker.map { [$0.kind.rawValue] } ?? []) + (text.encoding == .cp949 ? [StreamDecoder.Kind.cp949.rawValue] : [])
  }

  /// The next piece of text, never empty, of whole characters; nil at the end.
  func next() throws -> [UInt8]? {
    while !isAtEnd {
      let raw = try read()
      isAtEnd = raw.isEmpty
      let bytes = try unpacked(raw)
      if isAtEnd, let unpacker, !unpacker.isWhole {
        throw DatasetsError(
          file: name, "the \(unpacker.kind.rawValue) data ends too early", remedy: "copy or download the file again")
      }
      let piece = try text.decode(bytes, isLast: isAtEnd)
      if !piece.isEmpty { return piece }
    }
    return nil
  }

  /// One piece of the file, shorter only at its end.
  private func read() throws -> [UInt8] {
    let descriptor = file.fileDescriptor
    var failure: Int32 = 0
    let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
      while count < buffer.count, let base = buffer.baseAddress {
        let got = Foundation.read(descriptor, base + count, buffer.count - count)
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = errno }
        if got <= 0 { break }
        count += got
      }
    }
    guard failure == 0 else { throw RunsError.unreadable(name, POSIXError(.init(rawValue: failure) ?? .EIO)) }
    bytesRead += piece.count
    return piece
  }

  private func unpacked(_ raw: [UInt8]) throws -> [UInt8] {
    if isFirst {
      isFirst = false
      let kind: StreamDecoder.Kind? =
        raw.starts(with: [0x1F, 0x8B]) ? .gzip : raw.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) ? .zstd : nil
      if let kind {
        guard let decoder = StreamDecoder(kind) else {
          throw DatasetsError(file: name, "there is no memory to unpack it", remedy: "close other programs")
        }
        unpacker = decoder
      }
    }
    guard let unpacker else { return raw }
    do { return try unpacker.decode(raw) } catch {
      throw DatasetsError(
        file: name, "the \(unpacker.kind.rawValue) data is damaged", remedy: "copy or download the file again")
    }
  }
}

/// Bytes to UTF-8: UTF-8 is checked, CP949 is told by what it holds and converted, and anything else is an error with its line.
struct TextDecoder {
  enum Encoding { case undecided, utf8, cp949 }

  let file: String
  /// Undecided as long as all was ASCII.
  private(set) var encoding = Encoding.undecided
  private var line = 1
  private var isFirst = true
  /// A character's beginning at the end of the last piece.
  private var left: [UInt8] = []
  private var converter: StreamDecoder?

  init(file: String) { self.file = file }

  mutating func decode(_ bytes: [UInt8], isLast: Bool) throws(DatasetsError) -> [UInt8] {
    var bytes = left.isEmpty ? bytes : left + bytes
    left = []
    if isFirst, !bytes.isEmpty {
      isFirst = false
      try checkBeginning(bytes)
      if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
        bytes.removeFirst(3)
        encoding = .utf8
      }
    }
    let out = encoding == .cp949 ? try converted(bytes, isLast: isLast) : try checked(bytes, isLast: isLast)
    line += out.count { $0 == 0x0A }
    return out
  }

  private func checkBeginning(_ bytes: [UInt8]) throws(DatasetsError) {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw DatasetsError(file: file, "is UTF-16 text, not UTF-8", remedy: Self.remedy("UTF-16"))
    }
    if bytes.prefix(4096).contains(0) {
      throw DatasetsError(
        file: file, "holds zero bytes, so it is no UTF-8 text", remedy: "check that it is a text file")
    }
  }

  private static func remedy(_ from: String) -> String { "save it as UTF-8 (`iconv -f \(from) -t UTF-8 OLD > NEW`)" }

  private mutating func checked(_ bytes: [UInt8], isLast: Bool) throws(DatasetsError) -> [UInt8] {
    var whole = bytes[...]
    if !isLast { whole = whole.dropLast(Self.begunCharacter(bytes)) }
    if String(validating: whole, as: UTF8.self) != nil {
      left = Array(bytes[whole.endIndex...])
      if encoding == .undecided, whole.contains(where: { $0 >= 0x80 }) { encoding = .utf8 }
      return whole.count == bytes.count ? bytes : Array(whole)
    }
    let bad = Self.firstInvalid(whole)
    // Hangul in UTF-8 before the first byte that isn't: no CP949 text has that by chance.
    if encoding == .utf8 || whole[..<bad].contains(where: { $0 >= 0xEA }) { throw mixed(whole, at: bad) }
    guard let decoder = StreamDecoder(.cp949) else {
      throw fault(whole, at: bad, "is not UTF-8 text, and iconv knows no CP949 here", Self.remedy("CP949"))
    }
    converter = decoder
    encoding = .cp949
    return try converted(bytes, isLast: isLast)
  }

  private mutating func converted(_ bytes: [UInt8], isLast: Bool) throws(DatasetsError) -> [UInt8] {
    guard let converter else { return bytes }
    let out: [UInt8]
    do { out = try converter.decode(bytes) } catch {
      throw fault(bytes[...], at: error.at, "is neither UTF-8 nor CP949 text", Self.remedy("ENCODING"))
    }
    if isLast, !converter.isWhole {
      throw fault(bytes[...], at: bytes.count, "ends within a CP949 character", "copy or download the file again")
    }
    return out
  }

  private func mixed(_ bytes: ArraySlice<UInt8>, at bad: Int) -> DatasetsError {
    fault(
      bytes, at: bad, "is UTF-8 text before this line and something else in it (perhaps CP949)",
      "save the whole file in one encoding, UTF-8")
  }

  private func fault(_ bytes: ArraySlice<UInt8>, at bad: Int, _ problem: String, _ remedy: String) -> DatasetsError {
    let before = bytes[..<min(max(bad, bytes.startIndex), bytes.endIndex)].count { $0 == 0x0A }
    return DatasetsError(file: file, line: line + before, problem, remedy: remedy)
  }

  /// How many bytes at the end begin a character that needs more.
  private static func begunCharacter(_ bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let byte = bytes[bytes.count - back]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > back ? back : 0
    }
    return 0
  }

  /// The place of the first byte that no UTF-8 text has there.
  private static func firstInvalid(_ bytes: ArraySlice<UInt8>) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = bytes.startIndex
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar): offset += UTF8.width(scalar)
      case .emptyInput, .error: return offset
      }
    }
  }
}
