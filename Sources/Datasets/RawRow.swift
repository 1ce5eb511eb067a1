import Formats
import Runs

/// One row as it stood in its file, before anything was made of it.
public struct RawRow: Sendable, Equatable {
  /// `row` counts the rows of the file from 1; a table's heading is none.
  public var source: ChatRow.Source
  /// An object of columns in their order; anything else is rejected later, with its row.
  public var value: JSONValue

  public init(source: ChatRow.Source, value: JSONValue) {
    self.source = source
    self.value = value
  }

  public var columns: JSONObject? { value.object }
}

extension JSONObject {
  /// A column's value. A name in another of Unicode's forms (files made on a Mac) names the same column where no other does.
  func column(_ name: String) -> JSONValue? { self[name] ?? entries.last { $0.key == name }?.value }
}

/// The rows of one file.
public struct RawTable: Sendable {
  /// As the experiment names it.
  public var file: String
  /// "json array of objects", "json object of arrays", "jsonl", "csv" or "tsv".
  public var container: String
  public var rows: [RawRow]

  public init(file: String, container: String, rows: [RawRow]) {
    self.file = file
    self.container = container
    self.rows = rows
  }

  init(file: String, container: String, values: [JSONValue]) {
    let rows = values.enumerated().map { RawRow(source: .init(file: file, row: $0.offset + 1), value: $0.element) }
    self.init(file: file, container: container, rows: rows)
  }

  /// The columns that any row has, in the order of their first appearance.
  public var columnNames: [String] {
    var names: [String] = []
    var seen: Set<String> = []
    for row in rows {
      for name in row.columns?.keys ?? [] where seen.insert(name).inserted { names.append(name) }
    }
    return names
  }
}
