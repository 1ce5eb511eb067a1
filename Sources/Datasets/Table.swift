import Formats
import Foundation
import Runs

/// One data file: its first rows tell how its rows become messages, then all of them come one after the other.
final class Table {
  /// So much is read ahead to learn the columns.
  private static let peekedRows = 10_000
  private static let peekedBytes = 1 << 25

  let file: String
  /// Bytes of the whole file.
  let size: Int
  let mapping: ColumnMapping
  /// The columns of the rows that were read ahead, in the order of their first appearance.
  let columns: [String]
  /// "csv", "jsonl (gzip)" … Known for sure when all is read.
  var container: String { reader?.container ?? lastContainer }
  /// Bytes of the file read so far; DuckDB does not tell.
  var bytesRead: Int { isAtEnd ? size : reader?.bytesRead ?? 0 }
  private let url: URL
  /// Nil before its turn and at the end: of many files few are open at a time.
  private var reader: (any RowReader)?
  private var lastContainer: String
  private var ahead: [JSONValue] = []
  private var number = 0
  private var isAtEnd = false

  /// Opens files and finds the mapping of each; `group` is a column that must be there. Only the first one stays open, the others are
  /// opened again when their rows are asked for.
  static func open(_ files: [DataFiles.File], format: FormatSettings?, group: String? = nil) throws -> [Table] {
    var tables: [Table] = []
    for file in files {
      let table = try Table(file, format: format, group: group)
      if !tables.isEmpty { table.close() }
      tables.append(table)
    }
    return tables
  }

  private init(_ file: DataFiles.File, format: FormatSettings?, group: String?) throws {
    self.file = file.name
    url = file.url
    size = (try? FileManager.default.attributesOfItem(atPath: file.url.path)[.size] as? Int) ?? 0
    let reader = try DataFile.open(file.url, name: file.name)
    self.reader = reader
    (ahead, columns) = try Self.readAhead(reader)
    lastContainer = reader.container
    if ahead.isEmpty {
      throw DatasetsError(
        file: file.name, reader.isEmpty ? "is empty" : "holds no rows",
        remedy: "give it at least one question with its answer")
    }
    if let group, !columns.contains(group) {
      let list = columns.map { "\"\($0)\"" }.joined(separator: ", ")
      throw DatasetsError(
        file: file.name, "no row has the column \"\(group)\" of dataset.split.group",
        remedy: "change it to one that exists (columns: \(list)), or leave it out")
    }
    mapping = try ColumnMapping(columns: columns, file: file.name, format: format)
    ahead.reverse()
  }

  private static func readAhead(_ reader: any RowReader) throws -> (rows: [JSONValue], columns: [String]) {
    var rows: [JSONValue] = []
    var names: [String] = []
    var seen: Set<String> = []
    while rows.count < peekedRows, rows.isEmpty || reader.bytesRead < peekedBytes, let row = try reader.next() {
      rows.append(row)
      for name in row.object?.keys ?? [] where seen.insert(name).inserted { names.append(name) }
    }
    return (rows, names)
  }

  private func close() {
    lastContainer = container
    reader = nil
    ahead = []
  }

  /// The next row, numbered from 1; nil at the end.
  func next() throws -> RawRow? {
    if isAtEnd { return nil }
    let reader = try self.reader ?? DataFile.open(url, name: file)
    self.reader = reader
    guard let value = try ahead.popLast() ?? reader.next() else {
      isAtEnd = true
      close()
      return nil
    }
    number += 1
    return RawRow(source: .init(file: file, row: number), value: value)
  }
}
