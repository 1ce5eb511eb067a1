import Foundation
import Runs

/// The folders `checkpoint-<step>` of a run: the adapter after each save, as many as `save_total_limit` allows.
struct KeptCheckpoints {
  private let folder: RunFolder
  private static let prefix = "checkpoint-"

  init(_ folder: RunFolder) { self.folder = folder }

  private var parent: URL { folder.at("checkpoints") }

  /// Their steps, the oldest first.
  var steps: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
    return names.compactMap { $0.hasPrefix(Self.prefix) ? Int($0.dropFirst(Self.prefix.count)) : nil }.sorted()
  }

  func remove(where isUnwanted: (Int) -> Bool) throws {
    for step in steps where isUnwanted(step) { try FileManager.default.removeItem(at: folder.checkpoint(step)) }
    // What a cut-off training left half-filled.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
    where name.hasPrefix(".\(Self.prefix)") {
      try FileManager.default.removeItem(at: parent.appendingPathComponent(name))
    }
  }

  /// Removes the oldest until `limit` are left, as transformers' `rotate_checkpoints` does: never the newest nor the best one.
  func rotate(limit: Int?, best: Int?) throws {
    guard let limit else { return }
    let all = steps
    let spared = Set([all.last, best].compactMap { $0 }).intersection(all)
    let old = all.filter { !spared.contains($0) }
    let excess = all.count - max(limit, spared.count)
    let unwanted = Set(old.prefix(max(0, excess)))
    try remove { unwanted.contains($0) }
  }
}
