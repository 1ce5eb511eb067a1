import Foundation
import Runs
import TestSupport
import Testing

/// A small project of its own in a temporary folder, with one finished run, for the program to be started in.
struct ScratchProject {
  let folder: URL

  var output: URL { folder.appendingPathComponent("output") }
  var site: URL { output.appendingPathComponent("site") }
  var post: URL { folder.appendingPathComponent("content/posts/note.md") }
  var run: RunFolder { RunFolder(output: output, id: "fixture-run") }

  init(_ folder: URL) throws {
    self.folder = folder
    let files = FileManager.default
    try files.createDirectory(at: folder.appendingPathComponent("content/posts"), withIntermediateDirectories: true)
    try files.createDirectory(at: output.appendingPathComponent("runs"), withIntermediateDirectories: true)
    try Data("# none\n".utf8).write(to: folder.appendingPathComponent("content/models.yaml"))
    try files.copyItem(
      at: Fixtures.root.appendingPathComponent("templates"), to: folder.appendingPathComponent("templates"))
    try files.copyItem(at: Fixtures.url("Site", "run"), to: run.url)
    try writePost("처음")
  }

  func writePost(_ text: String, more: String = "") throws {
    let body = """
      ---
      title: 쪽지
      run: fixture-run
      ---
      \(text): {{ value("run.json#/training/best_eval_loss", "loss") }}

      ```swift
      let text = "\(text)"
      ```

      {{ chart("loss") }}

      \(more)
      """
    try body.write(to: post, atomically: true, encoding: .utf8)
  }

  /// Starts the program in the project's folder.
  func start(_ arguments: [String], environment: [String: String] = [:], output: FileHandle? = nil) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appendingPathComponent("lorapress")
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C.UTF-8"]) { $1 }
      .merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output ?? FileHandle.nullDevice
    process.standardError = try errors()
    try process.run()
    return process
  }

  var errorFile: URL { folder.appendingPathComponent("errors.txt") }

  private func errors() throws -> FileHandle {
    if !FileManager.default.fileExists(atPath: errorFile.path) { try Data().write(to: errorFile) }
    let handle = try FileHandle(forWritingTo: errorFile)
    try handle.seekToEnd()
    return handle
  }

  /// All files of a part of the output by their paths.
  func bytes(_ part: String) throws -> [String: Data] {
    let place = output.appendingPathComponent(part)
    var found: [String: Data] = [:]
    for path in (try? FileManager.default.subpathsOfDirectory(atPath: place.path)) ?? [] {
      let url = place.appendingPathComponent(path)
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), !isFolder.boolValue else {
        continue
      }
      found[path] = try Data(contentsOf: url)
    }
    return found
  }
}
