import Formats
import Foundation
import Runs

/// Rows of a Parquet file, by DuckDB's command line as a child process that writes them as JSON lines.
public final class ParquetReader: RowReader {
  let container = "parquet"
  let isEmpty = false
  /// Nobody can tell from outside how far DuckDB is.
  let bytesRead = 0
  private let name: String
  private let process = Process()
  private let output = Pipe()
  /// What DuckDB says of its failure. A file, not a pipe: nothing has to drain it.
  private let errors: Spool
  private let rows: JSONLinesReader
  private var isAtEnd = false

  /// How to get DuckDB's command line.
  public static let remedy =
    "install it (`pip install duckdb-cli`) and put `duckdb` on PATH, or name it in LORAPRESS_DUCKDB"

  init(_ url: URL, name: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    self.name = name
    let file = try ByteSource.open(url, name: name)
    guard let program = Self.program(environment) else {
      throw DatasetsError(
        file: name, "Parquet is read by DuckDB's command line, which is not here", remedy: Self.remedy)
    }
    errors = try Spool()
    rows = JSONLinesReader(ByteSource(output.fileHandleForReading, name: name), allowsNaN: true)
    process.executableURL = program
    // No settings of the user's own, one thread, rows in the file's order. The file comes as standard input, since in a path DuckDB takes
    // `*`, `?` and `[` for a pattern, and a folder `year=2024` for a column.
    process.arguments = [
      "-init", "/dev/null", "-batch", "-jsonlines", "-c",
      "SET threads = 1; SET memory_limit = '1GB'; SELECT * FROM read_parquet('/dev/stdin')",
    ]
    process.environment = ["LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"]
    process.standardInput = file
    process.standardOutput = output
    process.standardError = FileHandle(fileDescriptor: errors.descriptor, closeOnDealloc: false)
    do { try process.run() } catch {
      throw DatasetsError(
        file: name, "\(program.path) can't be started (\(RunsError.reason(error)))", remedy: Self.remedy)
    }
    // The child has its own; Foundation keeps a process that was not waited for, and what it holds.
    try? file.close()
  }

  deinit {
    // Rows that nobody wants any more: DuckDB ends when it writes the next one, also behind a script that started it.
    try? output.fileHandleForReading.close()
    if process.isRunning { process.terminate() }
  }

  /// LORAPRESS_DUCKDB, or `duckdb` of the search path.
  public static func program(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> URL? {
    if let path = environment["LORAPRESS_DUCKDB"], !path.isEmpty {
      return FileManager.default.isExecutableFile(atPath: path) ? URL(fileURLWithPath: path) : nil
    }
    return SearchPath.program("duckdb", path: environment["PATH"])
  }

  func next() throws -> JSONValue? {
    if isAtEnd { return nil }
    do {
      if let row = try rows.next() { return row }
    } catch {
      process.terminate()
      process.waitUntilExit()
      // Where DuckDB says something, a row that was cut off is the smaller half of the story.
      throw said().map(failure) ?? error
    }
    isAtEnd = true
    process.waitUntilExit()
    let status = process.terminationStatus
    if process.terminationReason != .exit { throw failure(said() ?? "it was ended by signal \(status)") }
    if status != 0 { throw failure(said() ?? "it ended with status \(status)") }
    return nil
  }

  private func failure(_ reason: String) -> any Error {
    DatasetsError(
      file: name, "DuckDB can't read it (\(reason))",
      remedy: "copy or download the file again, or check that it is Parquet")
  }

  /// DuckDB's own reason; nil where it gave none.
  private func said() -> String? {
    let text = (try? errors.mapped()).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    let line = lines.first { $0.contains("Error") } ?? lines.first { !$0.isEmpty }
    return line.map { String($0.replacing(" '/dev/stdin'", with: "").prefix(300)) }
  }
}
