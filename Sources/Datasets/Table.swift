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
  private let reader: any RowReader
  private var ahead: [JSONValue] = []
  private var number = 0

  /// Opens a file and finds its mapping; `group` is a column that must be there.
  init(_ file: DataFiles.File, format: FormatSettings?, group: String?) throws {
    self.file = file.name
    size = (try? FileManager.default.attributesOfItem(atPath: file.url.path)[.size] as? Int) ?? 0
    reader = try DataFile.open(file.url, name: file.name)
    (ahead, columns) = try Self.readAhead(reader)
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

  /// "csv", "jsonl (gzip)" … Known for sure when all is read.
  var container: String { reader.container }
  /// Bytes of the file read so far.
  var bytesRead: Int { reader.bytesRead }

  /// The next row, numbered from 1; nil at the end.
  func next() throws -> RawRow? {
    guard let value = try ahead.popLast() ?? reader.next() else { return nil }
    number += 1
    return RawRow(source: .init(file: file, row: number), value: value)
  }
}
