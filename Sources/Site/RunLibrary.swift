import Foundation
import Runs
import Synchronization

/// The runs of an output folder, each read once.
final class RunLibrary: Sendable {
  private let output: URL
  private let loaded = Mutex<[String: Result<RunData, any Error>]>([:])

  init(output: URL) { self.output = output }

  func run(_ id: String) throws -> RunData {
    if let known = loaded.withLock({ $0[id] }) { return try known.get() }
    let result = Result { try RunData(output: output, id: id) }
    loaded.withLock { $0[id] = result }
    return try result.get()
  }

  func exists(_ id: String) -> Bool {
    RunFolder.isSafeName(id) && FileManager.default.fileExists(atPath: RunFolder(output: output, id: id).record.path)
  }

  /// The ids of all runs with a run.json, sorted by their bytes.
  func ids() throws -> [String] {
    let folder = output.appendingPathComponent("runs")
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: folder.path) } catch {
      throw RunsError.unreadable(folder.path, error)
    }
    return names.filter(exists).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
