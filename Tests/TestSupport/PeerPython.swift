import Foundation

/// The Python tools of the tests (`scripts/setup --tests` puts them in .venv): what other people read our files with.
public enum PeerPython {
  private static let program = Fixtures.root.appendingPathComponent(".venv/bin/python")

  public static var isHere: Bool { FileManager.default.isExecutableFile(atPath: program.path) }

  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  /// Runs a program, in `folder` as its home, and gives what it prints.
  public static func run(
    _ text: String, _ arguments: [String], folder: URL, environment: [String: String] = [:]
  ) throws -> String {
    let process = Process()
    process.executableURL = program
    process.arguments = ["-c", text] + arguments
    process.environment = [
      "HOME": folder.path, "HF_HOME": folder.appendingPathComponent("hf").path, "PATH": "/usr/bin:/bin",
      "LC_ALL": "C.UTF-8",
    ].merging(environment) { $1 }
    // Files, not pipes: neither stream can fill up.
    let streams = ["out", "err"].map { folder.appendingPathComponent(".\($0).\(UUID().uuidString)") }
    for stream in streams { try Data().write(to: stream) }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: streams[0])
    process.standardError = try FileHandle(forWritingTo: streams[1])
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: try String(contentsOf: streams[1], encoding: .utf8))
    }
    return try String(contentsOf: streams[0], encoding: .utf8)
  }
}
