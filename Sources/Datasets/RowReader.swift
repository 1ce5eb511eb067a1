import Formats
import Foundation
import Runs

/// The rows of one file, one after the other.
protocol RowReader: AnyObject {
  /// "json array of objects", "json object of arrays", "jsonl", "csv", "tsv" or "parquet", and how it was packed or encoded: "csv (gzip)".
  /// Known for sure when all is read.
  var container: String { get }
  /// How much of the file is read, in its own bytes.
  var bytesRead: Int { get }
  /// Whether the file holds nothing at all, not even a heading. Known when a row was asked for.
  var isEmpty: Bool { get }
  /// Nil at the end.
  func next() throws -> JSONValue?
}

/// Data files by their names' endings: JSON (a list of objects, or an object of equally long lists), JSONL, CSV, TSV and Parquet; all but
/// the last may be packed (.gz, .zst).
enum DataFile {
  enum Format: String { case json, jsonl, csv, tsv, parquet }

  private static let endings: [String: Format] = [
    "json": .json, "jsonl": .jsonl, "ndjson": .jsonl, "csv": .csv, "tsv": .tsv, "parquet": .parquet,
  ]
  static let packed: Set<String> = ["gz", "zst", "zstd"]

  /// Nil for other files.
  static func format(of name: String) -> Format? {
    var path = name as NSString
    if packed.contains(path.pathExtension.lowercased()) { path = path.deletingPathExtension as NSString }
    return endings[path.pathExtension.lowercased()]
  }

  /// Opens a file. `name` is what errors call it.
  static func open(_ url: URL, name: String) throws -> any RowReader {
    guard let format = format(of: name) else {
      throw DatasetsError(
        file: name, "files ending in '.\((name as NSString).pathExtension)' are not read",
        remedy: "use .json, .jsonl, .csv, .tsv or .parquet, the text files also with .gz or .zst")
    }
    switch format {
    case .json: return try JSONReader(url, name: name)
    case .jsonl: return try JSONLinesReader(ByteSource(url, name: name))
    case .csv: return try DelimitedReader(ByteSource(url, name: name), separator: UInt8(ascii: ","), format: "csv")
    case .tsv: return try DelimitedReader(ByteSource(url, name: name), separator: 0x09, format: "tsv")
    case .parquet: return try ParquetReader(url, name: name)
    }
  }

  static func container(_ format: String, _ changes: [String]) -> String {
    changes.isEmpty ? format : "\(format) (\(changes.joined(separator: ", ")))"
  }
}

/// The lines of a text, without their "\n".
struct LineReader {
  /// A longer line is no row.
  private static let longest = 1 << 28

  let source: ByteSource
  private var buffer: [UInt8] = []
  private var at = 0
  private var isAtEnd = false
  /// The number of the line given last, from 1.
  private(set) var line = 0

  init(_ source: ByteSource) { self.source = source }

  /// Hands the next line to `body`; nil at the end. An empty text has no line, and nothing follows the last "\n".
  mutating func next<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) throws -> Value? {
    var searched = at
    while true {
      let end = buffer.withUnsafeBytes { bytes in
        bytes[searched...].firstIndex(of: 0x0A)
      }
      if let end { return try give(upTo: end, body) }
      searched = buffer.count - at
      if isAtEnd { return at < buffer.count ? try give(upTo: buffer.count, body) : nil }
      buffer.removeFirst(at)
      at = 0
      if buffer.count > Self.longest {
        throw DatasetsError(
          file: source.name, line: line + 1, "the line is longer than \(Self.longest >> 20) MiB",
          remedy: "name the file .json if it is one JSON value")
      }
      if let piece = try source.next() { buffer += piece } else { isAtEnd = true }
    }
  }

  private mutating func give<Value>(upTo end: Int, _ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
    line += 1
    let start = at
    at = min(end + 1, buffer.count)
    return try buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
  }
}

/// One JSON value a line; empty lines are passed over.
final class JSONLinesReader: RowReader {
  private var lines: LineReader
  private let format: String
  private let allowsNaN: Bool

  /// `allowsNaN` takes a bare NaN as null.
  init(_ source: ByteSource, format: String = "jsonl", allowsNaN: Bool = false) {
    lines = LineReader(source)
    self.format = format
    self.allowsNaN = allowsNaN
  }

  var container: String { DataFile.container(format, lines.source.changes) }
  var bytesRead: Int { lines.source.bytesRead }
  private(set) var isEmpty = true

  func next() throws -> JSONValue? {
    let name = lines.source.name
    while true {
      let number = lines.line + 1
      let found = try lines.next { line -> JSONValue? in
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return nil }
        do throws(FormatError) {
          return try JSONValue(parsing: line, file: name, firstLine: number, allowNaN: allowsNaN)
        } catch { throw DatasetsError("\(error.description); correct the file there") }
      }
      guard let found else { return nil }
      if let value = found {
        isEmpty = false
        return value
      }
    }
  }
}

/// A JSON text: a list of rows, read one by one, or an object of columns, which is held whole.
final class JSONReader: RowReader {
  private var list: JSONListReader?
  private var rows: IndexingIterator<[JSONValue]> = [].makeIterator()
  private let name: String
  private let size: Int
  private let format: String
  private let changes: [String]

  init(_ url: URL, name: String) throws {
    self.name = name
    let (data, changes) = try Self.text(of: url, name: name)
    self.changes = changes
    size = data.count
    let list = JSONListReader(data, file: name)
    isEmpty = list.firstByte == nil
    if list.firstByte == UInt8(ascii: "[") {
      self.list = list
      format = "json array of objects"
      return
    }
    format = "json object of arrays"
    if list.firstByte != nil { rows = try Self.columns(of: data, name: name).makeIterator() }
  }

  var container: String { DataFile.container(format, changes) }
  var bytesRead: Int { list?.position ?? size }
  let isEmpty: Bool

  func next() throws -> JSONValue? {
    do throws(FormatError) { return try list == nil ? rows.next() : list?.next() } catch {
      guard error.message.hasPrefix("more text after") else {
        throw DatasetsError("\(error.description); correct the file there")
      }
      throw DatasetsError("\(error.description); name the file .jsonl if it holds one object a line")
    }
  }

  /// The text as mapped bytes: of the file itself, or of a copy without a name where it has to be unpacked or converted first.
  private static func text(of url: URL, name: String) throws -> (Data, changes: [String]) {
    let source = try ByteSource(url, name: name)
    while try source.next() != nil {}
    if source.bytesRead == 0 { return (Data(), []) }
    if !source.isPlain {
      let again = try ByteSource(url, name: name)
      let spool = try SpoolWriter()
      while let piece = try again.next() { _ = try spool.append(piece) }
      return (try spool.flushed().mapped(), again.changes)
    }
    do { return (try Data(contentsOf: url, options: .alwaysMapped), source.changes) } catch {
      throw RunsError.unreadable(name, error)
    }
  }
}

extension JSONReader {
  /// An object of columns, each a list of the same length, turned into rows.
  private static func columns(of data: Data, name: String) throws(DatasetsError) -> [JSONValue] {
    let value: JSONValue
    do { value = try JSONValue(parsing: data, file: name) } catch {
      let remedy =
        error.message.hasPrefix("more text after")
        ? "name the file .jsonl if it holds one object a line" : "correct the file there"
      throw DatasetsError("\(error.description); \(remedy)")
    }
    guard let object = value.object else {
      throw DatasetsError(
        file: name, "holds \(value.kind), not a list of rows",
        remedy: "write a list of objects: [{\"question\": …, \"answer\": …}, …]")
    }
    var columns: [(name: String, values: [JSONValue])] = []
    for entry in object.entries {
      guard let values = entry.value.array else {
        throw DatasetsError(
          file: name, "is one object whose \"\(entry.key)\" is \(entry.value.kind), not a list",
          remedy: "write a list of objects, or an object of equally long lists")
      }
      columns.append((entry.key, values))
    }
    guard let first = columns.first else { return [] }
    for column in columns where column.values.count != first.values.count {
      throw DatasetsError(
        file: name,
        "\"\(first.name)\" has \(first.values.count) values and \"\(column.name)\" has \(column.values.count)",
        remedy: "make all columns equally long")
    }
    return first.values.indices.map { index in
      .object(JSONObject(columns.map { JSONObject.Entry(key: $0.name, value: $0.values[index]) }))
    }
  }
}
