import CSystem
import Foundation
import Runs

/// Puts a finished build in place: written aside, then swapped in, so that a reader sees the old site or the new one.
///
/// A file that stays the same is the same file afterwards, its time and inode untouched; where nothing changed at all, nothing is
/// swapped. See docs/decisions/0006-staging.md.
struct Staging {
  let output: URL

  struct Counts {
    var written = 0
    var unchanged = 0
    var removed = 0
  }

  private static let prefix = ".site-building-"

  func install(_ plan: SitePlan) throws -> Counts {
    removeLeftovers()
    let manager = FileManager.default
    let building = output.appendingPathComponent("\(Self.prefix)\(getpid())")
    defer { try? manager.removeItem(at: building) }
    var counts = Counts()
    var changed: [String] = []
    for (name, files) in [("posts", plan.posts), ("site", plan.site)] {
      let place = output.appendingPathComponent(name)
      let part = try build(files, old: place, new: building.appendingPathComponent(name))
      counts.written += part.written
      counts.unchanged += part.unchanged
      counts.removed += part.removed
      if part.written + part.removed > 0 || !manager.fileExists(atPath: place.path) { changed.append(name) }
    }
    for path in plan.charts.keys.sorted() {
      guard let data = plan.charts[path] else { continue }
      let isNew = try AtomicFile.writeIfChanged(
        data, to: output.appendingPathComponent("runs").appendingPathComponent(path), flushed: false)
      if isNew { counts.written += 1 } else { counts.unchanged += 1 }
    }
    for name in changed {
      try swap(
        building.appendingPathComponent(name), into: output.appendingPathComponent(name),
        aside: building.appendingPathComponent("old-\(name)"))
    }
    return counts
  }

  // MARK: Building aside

  /// Makes the new folder from what changed and links to what did not.
  private func build(_ files: [String: Data], old: URL, new: URL) throws -> Counts {
    var counts = Counts()
    try AtomicFile.makeFolder(new)
    var folders: Set<String> = []
    for path in files.keys.sorted() {
      guard let data = files[path] else { continue }
      let target = new.appendingPathComponent(path)
      let folder = target.deletingLastPathComponent()
      if folders.insert(folder.path).inserted { try AtomicFile.makeFolder(folder) }
      let source = old.appendingPathComponent(path)
      if holds(source, data) {
        counts.unchanged += 1
        if link(source.path, target.path) == 0 { continue }
        // No hard links here: a copy with the old time.
        try write(data, to: target)
        copyTime(from: source, to: target)
      } else {
        counts.written += 1
        try write(data, to: target)
      }
    }
    let before = (try? CodeRegions.files(below: old)) ?? []
    counts.removed = before.filter { files[$0] == nil }.count
    return counts
  }

  /// Whether a plain file has exactly these bytes.
  private func holds(_ url: URL, _ data: Data) -> Bool {
    var status = stat()
    guard lstat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == data.count else {
      return false
    }
    return (try? Data(contentsOf: url)) == data
  }

  private func write(_ data: Data, to url: URL) throws {
    do { try data.write(to: url) } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
      throw RunsError.unwritable(url.path, code: code.map(Int32.init) ?? EIO)
    }
  }

  private func copyTime(from source: URL, to target: URL) {
    var status = stat()
    guard lstat(source.path, &status) == 0 else { return }
    _ = utimensat(AT_FDCWD, target.path, [status.st_atim, status.st_mtim], 0)
  }

  // MARK: Swapping

  /// Exchanges the two folders in one step where the file system can; elsewhere the old one is moved out of the way first, and
  /// comes back if the new one can't be moved in.
  private func swap(_ new: URL, into place: URL, aside: URL) throws {
    switch csystem_exchange(new.path, place.path) {
    case 0: return
    case ENOENT:
      guard rename(new.path, place.path) == 0 else { throw RunsError.unwritable(place.path, code: errno) }
    case ENOSYS, EINVAL:
      guard rename(place.path, aside.path) == 0 else { throw RunsError.unwritable(place.path, code: errno) }
      guard rename(new.path, place.path) == 0 else {
        let code = errno
        _ = rename(aside.path, place.path)
        throw RunsError.unwritable(place.path, code: code)
      }
    case let code: throw RunsError.unwritable(place.path, code: code)
    }
  }

  /// Folders of builds whose process is gone. One that was killed between the two renames above still holds the old site.
  private func removeLeftovers() {
    let manager = FileManager.default
    for name in (try? manager.contentsOfDirectory(atPath: output.path)) ?? [] where name.hasPrefix(Self.prefix) {
      guard let process = Int32(name.dropFirst(Self.prefix.count)), kill(process, 0) != 0, errno == ESRCH else {
        continue
      }
      let folder = output.appendingPathComponent(name)
      for part in ["posts", "site"] {
        let place = output.appendingPathComponent(part)
        if !manager.fileExists(atPath: place.path) {
          _ = rename(folder.appendingPathComponent("old-\(part)").path, place.path)
        }
      }
      try? manager.removeItem(at: folder)
    }
  }
}
