import Foundation
import Runs

/// Prepared rows as Parquet, by DuckDB's command line.
enum ParquetWriter {
  /// The columns of a row's line that a file of ours can have, with their types.
  private static let types = [
    "messages": "STRUCT(role VARCHAR, content VARCHAR)[]", "source": "STRUCT(file VARCHAR, row BIGINT)",
  ]

  /// The program, or an error that says how to get it.
  static func program(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws(DatasetsError)
    -> URL
  {
    guard let program = DuckDB.program(environment) else {
      throw DatasetsError(
        "dataset.output: parquet is written by DuckDB's command line, which is not here; \(DuckDB.remedy)")
    }
    return program
  }

  /// Writes the rows of a split's JSONL file to `url`, which is there whole or not at all. Columns that a row lacks are null.
  static func write(_ lines: URL, columns: [String], to url: URL) throws {
    let spool = try Spool()
    let columns = columns.map { "'\($0)': '\(types[$0] ?? "VARCHAR")'" }.joined(separator: ", ")
    let input = try ByteSource.open(lines, name: lines.path)
    let duckDB = try DuckDB(
      """
      COPY (SELECT * FROM read_json('/dev/stdin', format = 'newline_delimited', columns = {\(columns)}, \
      maximum_object_size = 67108864)) TO '/dev/stdout' (FORMAT parquet, COMPRESSION zstd)
      """, program: try program(), input: input,
      output: FileHandle(fileDescriptor: spool.descriptor, closeOnDealloc: false))
    try? input.close()
    if let reason = duckDB.failure() {
      throw DatasetsError(
        file: url.path, "DuckDB can't write it (\(reason))",
        remedy: "free some space in \(FileManager.default.temporaryDirectory.path), or write `output: jsonl`")
    }
    try AtomicFile.write(try spool.mapped(), to: url)
  }
}
