import CSystem
import Foundation

/// Folders that are there whole or not at all: filled beside their place, then swapped in.
public enum AtomicFolder {
  /// Calls `fill` with a new empty folder beside `url` and puts it in `url`'s place when that succeeds. On an error `url` stays as it was.
  public static func replace(_ url: URL, fill: (URL) throws -> Void) throws {
    let parent = url.deletingLastPathComponent()
    try AtomicFile.makeFolder(parent)
    let new = parent.appendingPathComponent(".\(url.lastPathComponent).\(getpid()).new")
    try? FileManager.default.removeItem(at: new)
    try AtomicFile.makeFolder(new)
    do { try fill(new) } catch {
      try? FileManager.default.removeItem(at: new)
      throw error
    }
    try swap(new, into: url)
  }

  /// Puts the folder `new` in the place of `url`, whose old content goes.
  public static func swap(_ new: URL, into url: URL) throws(RunsError) {
    if !FileManager.default.fileExists(atPath: url.path) {
      guard rename(new.path, url.path) == 0 else { throw .unwritable(url.path, code: errno) }
      return
    }
    if csystem_exchange(new.path, url.path) != 0 {
      // Without an exchange there is a moment with neither; `recover` knows the name that is left then.
      let old = aside(url)
      try? FileManager.default.removeItem(at: old)
      guard rename(url.path, old.path) == 0, rename(new.path, url.path) == 0 else {
        throw .unwritable(url.path, code: errno)
      }
      try? FileManager.default.removeItem(at: old)
      return
    }
    try? FileManager.default.removeItem(at: new)
  }

  /// Puts back a folder that a cut-off ``swap(_:into:)`` left aside, and removes half-filled new ones.
  public static func recover(_ url: URL) {
    let files = FileManager.default
    if !files.fileExists(atPath: url.path), files.fileExists(atPath: aside(url).path) {
      _ = rename(aside(url).path, url.path)
    }
    let parent = url.deletingLastPathComponent()
    for name in (try? files.contentsOfDirectory(atPath: parent.path)) ?? []
    where name.hasPrefix(".\(url.lastPathComponent).") && name.hasSuffix(".new") {
      try? files.removeItem(at: parent.appendingPathComponent(name))
    }
  }

  private static func aside(_ url: URL) -> URL {
    url.deletingLastPathComponent().appendingPathComponent(".\(url.lastPathComponent).old")
  }
}
