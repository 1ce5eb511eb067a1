import Foundation
import Formats
import Runs
import Synchronization

/// The bytes of a run's known files, each read once: what is decoded, what is hashed and what a number is traced to are the same
/// bytes, even while a training goes on writing.
final class RunFiles: Sendable {
  private let contents: [String: Data]
  private let folder: RunFolder
  /// SHA-256 of each file, by its path in the run folder.
  let hashes: [String: String]
  private let documents = Mutex<[String: JSONValue]>([:])

  init(_ folder: RunFolder, paths: [String]) throws {
    self.folder = folder
    var contents: [String: Data] = [:]
    for path in paths {
      let url = folder.at(path)
      do { contents[path] = try Data(contentsOf: url) } catch let error as NSError {
        let isMissing = error.domain == NSCocoaErrorDomain && error.code == CocoaError.Code.fileReadNoSuchFile.rawValue
        guard isMissing else { throw RunsError.unreadable(url.path, error) }
      }
    }
    self.contents = contents
    hashes = contents.mapValues { SHA256.hex(of: $0) }
  }

  func has(_ path: String) -> Bool { contents[path] != nil }

  func record<Record: Decodable>(_ type: Record.Type, _ path: String) throws -> Record? {
    try contents[path].map { try RecordFile.decode(type, from: $0, file: folder.at(path).path) }
  }

  func lines<Record: Decodable>(_ type: Record.Type, _ path: String) throws -> [Record] {
    try contents[path].map { try RecordFile.decodeLines(type, from: $0, file: folder.at(path).path) } ?? []
  }

  func review(_ path: String) throws -> ReviewRecord? {
    try contents[path].map { try ReviewRecord(parsing: $0, file: folder.at(path).path) }
  }

  func events(_ path: String) throws -> [MetricsEvent] {
    try contents[path].map { try MetricsLog.events(in: $0, file: folder.at(path).path) } ?? []
  }

  func yaml(_ path: String) throws -> YAMLNode? {
    guard let data = contents[path] else { return nil }
    let file = folder.at(path).path
    guard let text = String(validating: data, as: UTF8.self) else {
      throw SiteError("\(file): is not UTF-8 text; save it as UTF-8")
    }
    return try YAMLNode(parsing: text, file: file)
  }

  /// A known file as JSON, parsed when it is first asked for; nil for another file.
  func document(_ path: String) throws -> JSONValue? {
    guard let data = contents[path] else { return nil }
    if let known = documents.withLock({ $0[path] }) { return known }
    let document: JSONValue
    let file = folder.at(path).path
    switch (path as NSString).pathExtension {
    case "yaml", "yml": document = try yaml(path)?.json ?? .null
    case "jsonl":
      // A last line that was cut off is passed over, as the records' reader does.
      let whole = data.lastIndex(of: 0x0A).map { data[...$0] } ?? Data()
      document = .array(try JSONValue.lines(of: whole, file: file).map(\.value))
    default: document = try JSONValue(parsing: data, file: file, allowNaN: true)
    }
    documents.withLock { $0[path] = document }
    return document
  }

  /// The first line of a known JSONL file that is not empty, as a list; nil for another file.
  func firstLine(_ path: String) throws -> JSONValue? {
    guard let data = contents[path] else { return nil }
    var rest = data[...]
    while let end = rest.firstIndex(of: 0x0A) {
      let line = try JSONValue.lines(of: rest[...end], file: folder.at(path).path).map(\.value)
      if !line.isEmpty { return .array(line) }
      rest = rest[(end + 1)...]
    }
    return .array([])
  }
}
