import Foundation
import Runs

/// DuckDB's command line, which reads and writes Parquet, as a child process.
public final class DuckDB {
  let process = Process()
  /// What it says of its failure. A file, not a pipe: nothing has to drain it.
  private let errors: Spool

  /// How to get it.
  public static let remedy =
    "install it (`pip install duckdb-cli`) and put `duckdb` on PATH, or name it in LORAPRESS_DUCKDB"

  /// LORAPRESS_DUCKDB, or `duckdb` of the search path.
  public static func program(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> URL? {
    if let path = environment["LORAPRESS_DUCKDB"], !path.isEmpty {
      return FileManager.default.isExecutableFile(atPath: path) ? URL(fileURLWithPath: path) : nil
    }
    return SearchPath.program("duckdb", path: environment["PATH"])
  }

  /// Starts it on one query, with no settings of the user's own, one thread, rows in their order.
  ///
  /// `input` and `output` are its standard streams: in a path DuckDB takes `*`, `?` and `[` for a pattern, and a folder `year=2024` for a column.
  init(_ query: String, options: [String] = [], program: URL, input: FileHandle, output: Any) throws {
    errors = try Spool()
    process.executableURL = program
    process.arguments =
      ["-init", "/dev/null", "-batch"] + options + ["-c", "SET threads = 1; SET memory_limit = '1GB'; \(query)"]
    process.environment = ["LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle(fileDescriptor: errors.descriptor, closeOnDealloc: false)
    do { try process.run() } catch {
      throw DatasetsError(
        file: program.path, "can't be started (\(RunsError.reason(error)))", remedy: Self.remedy)
    }
  }

  /// Waits for its end; nil where all went well, else the reason in its own words.
  func failure() -> String? {
    process.waitUntilExit()
    let status = process.terminationStatus
    if process.terminationReason != .exit { return said() ?? "it was ended by signal \(status)" }
    return status == 0 ? nil : said() ?? "it ended with status \(status)"
  }

  /// Its own reason; nil where it gave none.
  func said() -> String? {
    let text = (try? errors.mapped()).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    let line = lines.first { $0.contains("Error") } ?? lines.first { !$0.isEmpty }
    return line.map { String($0.replacing(" '/dev/stdin'", with: "").prefix(300)) }
  }
}
