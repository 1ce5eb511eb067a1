import Formats
import Foundation
import Runs

/// Rows of a Parquet file, by DuckDB's command line as a child process that writes them as JSON lines.
final class ParquetReader: RowReader {
  let container = "parquet"
  let isEmpty = false
  /// Nobody can tell from outside how far DuckDB is.
  let bytesRead = 0
  private let name: String
  private let duckDB: DuckDB
  private let output = Pipe()
  private let rows: JSONLinesReader
  private var isAtEnd = false

  init(_ url: URL, name: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    self.name = name
    let file = try ByteSource.open(url, name: name)
    guard let program = DuckDB.program(environment) else {
      throw DatasetsError(
        file: name, "Parquet is read by DuckDB's command line, which is not here", remedy: DuckDB.remedy)
    }
    rows = JSONLinesReader(ByteSource(output.fileHandleForReading, name: name), allowsNaN: true)
    duckDB = try DuckDB(
      "SELECT * FROM read_parquet('/dev/stdin')", options: ["-jsonlines"], program: program, input: file,
      output: output)
    // The child has its own; Foundation keeps a process that was not waited for, and what it holds.
    try? file.close()
  }

  deinit {
    // Rows that nobody wants any more: DuckDB ends when it writes the next one, also behind a script that started it.
    try? output.fileHandleForReading.close()
    if duckDB.process.isRunning { duckDB.process.terminate() }
  }

  func next() throws -> JSONValue? {
    if isAtEnd { return nil }
    do {
      if let row = try rows.next() { return row }
    } catch {
      duckDB.process.terminate()
      duckDB.process.waitUntilExit()
      // Where DuckDB says something, a row that was cut off is the smaller half of the story.
      throw duckDB.said().map(failure) ?? error
    }
    isAtEnd = true
    if let reason = duckDB.failure() { throw failure(reason) }
    return nil
  }

  private func failure(_ reason: String) -> any Error {
    DatasetsError(
      file: name, "DuckDB can't read it (\(reason))",
      remedy: "copy or download the file again, or check that it is Parquet")
  }
}
