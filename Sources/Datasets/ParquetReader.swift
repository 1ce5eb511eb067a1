import Foundation
import Formats
import Runs

/// Rows of a Parquet file, by DuckDB's command line as a child process that writes them as JSON lines.
final class ParquetReader: RowReader {
  let container = "parquet"
  let isEmpty = false
  private let name: String
  private let size: Int
  private let process: Process
  private let errors: URL
  private let rows: JSONLinesReader
  private var isAtEnd = false

  static let remedy = "install it (`pip install duckdb-cli`) and put `duckdb` on PATH, or name it in LORAPRESS_DUCKDB"

  init(_ url: URL, name: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    self.name = name
    guard let file = fopen(url.path, "rb") else {
      throw RunsError.unreadable(name, POSIXError(.init(rawValue: errno) ?? .EIO))
    }
    fclose(file)
    size = (try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int) ?? 0
    guard let program = Self.program(environment) else {
      throw DatasetsError(
        file: name, "Parquet is read by DuckDB's command line, which is not here", remedy: Self.remedy)
    }
    errors = FileManager.default.temporaryDirectory.appendingPathComponent("lorapress-duckdb-\(UUID().uuidString)")
    guard FileManager.default.createFile(atPath: errors.path, contents: nil) else {
      throw DatasetsError(
        file: name, "no temporary file can be made in \(errors.deletingLastPathComponent().path)",
        remedy: "free some space, or set TMPDIR to a folder that has some")
    }
    let output = Pipe()
    process = Process()
    process.executableURL = program
    let path = url.path.replacing("'", with: "''")
    // No settings of the user's own, one thread, rows in the file's order.
    process.arguments = [
      "-init", "/dev/null", "-batch", "-jsonlines", "-c",
      "SET threads = 1; SET memory_limit = '1GB'; SELECT * FROM read_parquet('\(path)')",
    ]
    process.environment = ["LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errors)
    do { try process.run() } catch {
      unlink(errors.path)
      throw DatasetsError(
        file: name, "\(program.path) can't be started (\(RunsError.reason(error)))", remedy: Self.remedy)
    }
    rows = JSONLinesReader(
      ByteSource(descriptor: dup(output.fileHandleForReading.fileDescriptor), name: name), allowsNaN: true)
  }

  deinit {
    if process.isRunning { process.terminate() }
    unlink(errors.path)
  }

  /// LORAPRESS_DUCKDB, or `duckdb` of the search path.
  static func program(_ environment: [String: String]) -> URL? {
    if let path = environment["LORAPRESS_DUCKDB"], !path.isEmpty {
      return FileManager.default.isExecutableFile(atPath: path) ? URL(fileURLWithPath: path) : nil
    }
    return (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").lazy
      .map { URL(fileURLWithPath: String($0)).appendingPathComponent("duckdb") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }

  /// All at the end; before it, nobody can tell from outside how far DuckDB is.
  var bytesRead: Int { isAtEnd ? size : 0 }

  func next() throws -> JSONValue? {
    if isAtEnd { return nil }
    do {
      if let row = try rows.next() { return row }
    } catch {
      // A row that was cut off is the smaller half of the story.
      process.terminate()
      try checkEnd()
      throw error
    }
    isAtEnd = true
    try checkEnd()
    return nil
  }

  private func checkEnd() throws(DatasetsError) {
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus != 0 else { return }
    throw DatasetsError(
      file: name, "DuckDB can't read it (\(message()))",
      remedy: "copy or download the file again, or check that it is Parquet")
  }

  /// DuckDB's own reason, without the file's path that stands in the message anyway.
  private func message() -> String {
    let text = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
    let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    let line = lines.first { $0.contains("Error") } ?? lines.first { !$0.isEmpty }
    return line.map { String($0.prefix(300)) } ?? "it ended with status \(process.terminationStatus)"
  }
}
