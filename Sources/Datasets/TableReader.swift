import Formats
import Foundation
import Runs

/// Reads data files: JSON (a list of objects, or an object of equally long lists), JSONL, CSV and TSV, in UTF-8.
public enum TableReader {
  /// Reads one file by its name's ending. `name` is what errors and rows call it.
  public static func read(_ url: URL, name: String) throws -> RawTable {
    let data: Data
    do { data = try Data(contentsOf: url) } catch { throw RunsError.unreadable(name, error) }
    let table = try read(data, name: name)
    if table.rows.isEmpty {
      throw DatasetsError(file: name, "holds no rows", remedy: "give it at least one question with its answer")
    }
    return table
  }

  static func read(_ data: Data, name: String) throws -> RawTable {
    let ending = (name as NSString).pathExtension.lowercased()
    guard ["json", "jsonl", "ndjson", "csv", "tsv"].contains(ending) else {
      throw DatasetsError(
        file: name, "files ending in '.\(ending)' are not read", remedy: "use .json, .jsonl, .csv or .tsv")
    }
    try checkEncoding(data, name: name)
    if data.allSatisfy({ [0x20, 0x09, 0x0A, 0x0D].contains($0) }) {
      throw DatasetsError(file: name, "is empty", remedy: "give it at least one question with its answer")
    }
    do {
      switch ending {
      case "json": return try json(data, name: name)
      case "csv": return try delimited(data, name: name, by: ",", container: "csv")
      case "tsv": return try delimited(data, name: name, by: "\t", container: "tsv")
      default:
        let lines = try JSONValue.lines(of: data, file: name)
        return RawTable(file: name, container: "jsonl", values: lines.map(\.value))
      }
    } catch let error as FormatError {
      throw DatasetsError("\(error.description); correct the file there")
    }
  }

  // MARK: - Encoding

  private static func checkEncoding(_ data: Data, name: String) throws(DatasetsError) {
    func remedy(_ from: String) -> String { "save it as UTF-8 (`iconv -f \(from) -t UTF-8 OLD > NEW`)" }
    if data.starts(with: [0xFF, 0xFE]) || data.starts(with: [0xFE, 0xFF]) {
      throw DatasetsError(file: name, "is UTF-16 text, not UTF-8", remedy: remedy("UTF-16"))
    }
    if data.prefix(4096).contains(0) {
      throw DatasetsError(
        file: name, "holds zero bytes, so it is no UTF-8 text", remedy: "check that it is a text file")
    }
    guard let bad = data.withUnsafeBytes(firstInvalidUTF8) else { return }
    let line = data.prefix(bad).reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
    throw DatasetsError(file: name, line: line, "is not UTF-8 text (perhaps CP949)", remedy: remedy("CP949"))
  }

  /// The offset of the first byte that no UTF-8 text has there.
  private static func firstInvalidUTF8(_ bytes: UnsafeRawBufferPointer) -> Int? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var offset = 0
    while true {
      switch decoder.decode(&iterator) {
      case .scalarValue(let scalar): offset += UTF8.width(scalar)
      case .emptyInput, .error: return offset
      }
    }
  }

  // MARK: - JSON

  private static func json(_ data: Data, name: String) throws -> RawTable {
    let value: JSONValue
    do {
      value = try JSONValue(parsing: data, file: name)
    } catch {
      guard error.message.hasPrefix("more text after") else { throw error }
      throw DatasetsError("\(error.description); name the file .jsonl if it holds one object a line")
    }
    switch value {
    case .array(let elements): return RawTable(file: name, container: "json array of objects", values: elements)
    case .object(let object):
      return RawTable(file: name, container: "json object of arrays", values: try rows(of: object, name: name))
    default:
      throw DatasetsError(
        file: name, "holds \(value.kind), not a list of rows",
        remedy: "write a list of objects: [{\"question\": …, \"answer\": …}, …]")
    }
  }

  /// An object of columns, each a list of the same length, turned into rows.
  private static func rows(of object: JSONObject, name: String) throws(DatasetsError) -> [JSONValue] {
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

  // MARK: - CSV and TSV

  private static func delimited(
    _ data: Data, name: String, by separator: Unicode.Scalar, container: String
  ) throws(DatasetsError) -> RawTable {
    var records = try DelimitedText(data: data, file: name, separator: separator).records()
    guard !records.isEmpty else { return RawTable(file: name, container: container, rows: []) }
    let heading = records.removeFirst()
    var names: [String] = []
    for (index, field) in heading.fields.enumerated() {
      let title = field.trimmingCharacters(in: .whitespaces)
      let column = title.isEmpty ? "column \(index + 1)" : title
      if names.contains(column) {
        throw DatasetsError(
          file: name, line: heading.line, "the column \"\(column)\" stands there twice", remedy: "rename one")
      }
      names.append(column)
    }
    var values: [JSONValue] = []
    for record in records {
      guard record.fields.count == names.count else {
        throw DatasetsError(
          file: name, line: record.line, "\(record.fields.count) fields, where the heading has \(names.count)",
          remedy: "put double quotes around a field that holds a separator, a quote or a line end")
      }
      values.append(.object(JSONObject(zip(names, record.fields).map { .init(key: $0, value: .string($1)) })))
    }
    return RawTable(file: name, container: container, values: values)
  }
}
