import Foundation

/// A program that runs beside us, its errors collected.
struct ChildProcess {
  struct End {
    let status: Int32
    let errors: String

    /// The last line that says something, for a one-line message.
    var lastError: String {
      let lines = errors.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      let line = lines.last { $0.hasPrefix("ERROR") || $0.contains("Error") } ?? lines.last { !$0.isEmpty }
      return line.map { String($0.prefix(300)) } ?? "it ended with status \(status)"
    }
  }

  let program: String
  let arguments: [String]
  let environment: [String: String]
  /// Where its standard output goes; nowhere unless given.
  var output: Int32?

  /// `tick` is called about ten times a second while it runs.
  func run(isCancelled: () -> Bool, tick: () -> Void) throws -> End {
    let process = Process()
    // env looks the program up in PATH.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput =
      output.map { FileHandle(fileDescriptor: $0, closeOnDealloc: false) } ?? FileHandle.nullDevice
    // A file, not a pipe: nothing has to drain it while the program runs.
    guard let errors = tmpfile() else {
      throw SourceFailure(reason: "no temporary file can be made for \(program)'s messages")
    }
    defer { fclose(errors) }
    process.standardError = FileHandle(fileDescriptor: fileno(errors), closeOnDealloc: false)
    do { try process.run() } catch {
      throw SourceFailure(reason: "\(program) can't be started (\(error.localizedDescription))")
    }
    while process.isRunning {
      usleep(100_000)
      tick()
      if isCancelled() {
        process.terminate()
        process.waitUntilExit()
        throw CancellationError()
      }
    }
    process.waitUntilExit()
    if process.terminationStatus == 127 {
      throw SourceFailure(reason: "\(program) was not found (install python3 and python3-pip)")
    }
    rewind(errors)
    var text = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&text, 1, text.count, errors)
    return End(
      status: process.terminationReason == .exit ? process.terminationStatus : -1,
      errors: String(decoding: text[..<count], as: UTF8.self))
  }
}
