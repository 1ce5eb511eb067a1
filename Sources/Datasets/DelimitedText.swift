import Formats
import Foundation
import Runs

/// CSV and TSV as RFC 4180 has them: fields in double quotes may hold separators, line ends and doubled quotes. Lines end at CRLF, LF
/// or CR; empty lines are passed over; a quote inside an unquoted field is a plain character.
final class DelimitedReader: RowReader {
  struct Record: Equatable {
    /// The line it begins at, from 1.
    var line: Int
    var fields: [String]
  }

  private let source: ByteSource
  private let separator: UInt8
  private let format: String
  private var piece: [UInt8] = []
  private var at = 0
  private var isAtEnd = false
  private var line = 1
  /// The columns; nil before the heading is read.
  private var names: [String]?

  init(_ source: ByteSource, separator: UInt8, format: String) {
    self.source = source
    self.separator = separator
    self.format = format
  }

  var container: String { DataFile.container(format, source.changes) }
  var bytesRead: Int { source.bytesRead }
  var isEmpty: Bool { names == nil }

  func next() throws -> JSONValue? {
    if names == nil {
      guard let heading = try record() else { return nil }
      names = try Self.columns(of: heading, file: source.name)
    }
    guard let names, let record = try record() else { return nil }
    guard record.fields.count == names.count else {
      throw DatasetsError(
        file: source.name, line: record.line, "\(record.fields.count) fields, where the heading has \(names.count)",
        remedy: "put double quotes around a field that holds a separator, a quote or a line end")
    }
    return .object(JSONObject(zip(names, record.fields).map { .init(key: $0, value: .string($1)) }))
  }

  private static func columns(of heading: Record, file: String) throws(DatasetsError) -> [String] {
    var names: [String] = []
    for (index, field) in heading.fields.enumerated() {
      let title = field.trimmingCharacters(in: .whitespaces)
      let column = title.isEmpty ? "column \(index + 1)" : title
      if names.contains(column) {
        throw DatasetsError(
          file: file, line: heading.line, "the column \"\(column)\" stands there twice", remedy: "rename one")
      }
      names.append(column)
    }
    return names
  }

  // MARK: - Records

  /// The next record that is no empty line.
  private func record() throws -> Record? {
    while try here() != nil {
      let record = try fields()
      // An empty line is a record of one empty field that had no quotes.
      if record.fields != [""] { return record }
    }
    return nil
  }

  /// The byte to be read next; nil at the end.
  private func here() throws -> UInt8? {
    while at == piece.count, !isAtEnd {
      at = 0
      if let next = try source.next() {
        piece = next
      } else {
        piece = []
        isAtEnd = true
      }
    }
    return at < piece.count ? piece[at] : nil
  }

  private func fields() throws -> Record {
    var record = Record(line: line, fields: [])
    while true {
      record.fields.append(try here() == UInt8(ascii: "\"") ? try quoted() : try plain())
      guard try here() == separator else {
        try endLine()
        return record
      }
      at += 1
    }
  }

  private func endLine() throws {
    guard let end = try here() else { return }
    at += 1
    if end == 0x0D, try here() == 0x0A { at += 1 }
    line += 1
  }

  private func plain() throws -> String {
    var field: [UInt8] = []
    while let byte = try here(), byte != separator, byte != 0x0A, byte != 0x0D {
      field.append(byte)
      at += 1
    }
    return String(decoding: field, as: UTF8.self)
  }

  private func quoted() throws -> String {
    let start = line
    var field: [UInt8] = []
    at += 1
    while let byte = try here() {
      at += 1
      if byte != UInt8(ascii: "\"") {
        if byte == 0x0A { line += 1 } else if byte == 0x0D, try here() != 0x0A { line += 1 }
        field.append(byte)
      } else if try here() == UInt8(ascii: "\"") {
        field.append(byte)
        at += 1
      } else {
        let next = try here()
        guard next == nil || next == separator || next == 0x0A || next == 0x0D else {
          throw DatasetsError(
            file: source.name, line: line, "text after the closing double quote of a field",
            remedy: "double the quotes inside a quoted field")
        }
        return String(decoding: field, as: UTF8.self)
      }
    }
    throw DatasetsError(
      file: source.name, line: start, "a double quote opened here is never closed", remedy: "close it, or double it")
  }
}
