import Foundation
import Runs

/// Puts a finished build in place: written aside, then renamed, so that a reader sees the old site or the new one.
struct Staging {
  let output: URL

  struct Counts {
    var written = 0
    var unchanged = 0
    var removed = 0
  }

  func install(_ plan: SitePlan) throws -> Counts {
    let manager = FileManager.default
    let building = output.appendingPathComponent(".site-building-\(getpid())")
    defer { try? manager.removeItem(at: building) }
    var counts = Counts()
    let parts = [("posts", plan.posts), ("site", plan.site)]
    for (name, files) in parts {
      count(files, old: output.appendingPathComponent(name), &counts)
      try AtomicFile.makeFolder(building.appendingPathComponent(name))
      for path in files.keys.sorted() {
        if let data = files[path] {
          try write(data, to: building.appendingPathComponent(name).appendingPathComponent(path))
        }
      }
    }
    for path in plan.charts.keys.sorted() {
      guard let data = plan.charts[path] else { continue }
      let isNew = try AtomicFile.writeIfChanged(
        data, to: output.appendingPathComponent("runs").appendingPathComponent(path))
      if isNew { counts.written += 1 } else { counts.unchanged += 1 }
    }
    for (name, _) in parts {
      try swap(
        building.appendingPathComponent(name), into: output.appendingPathComponent(name),
        aside: building.appendingPathComponent("old-\(name)"))
    }
    return counts
  }

  /// The old folder is moved out of the way, the new one in; if that fails the old one comes back.
  private func swap(_ new: URL, into place: URL, aside: URL) throws {
    let hadOld = rename(place.path, aside.path) == 0
    if !hadOld, errno != ENOENT { throw RunsError.unwritable(place.path, code: errno) }
    guard rename(new.path, place.path) == 0 else {
      let code = errno
      if hadOld { _ = rename(aside.path, place.path) }
      throw RunsError.unwritable(place.path, code: code)
    }
  }

  private func write(_ data: Data, to url: URL) throws {
    try AtomicFile.makeFolder(url.deletingLastPathComponent())
    do { try data.write(to: url) } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
      throw RunsError.unwritable(url.path, code: code.map(Int32.init) ?? EIO)
    }
  }

  private func count(_ files: [String: Data], old: URL, _ counts: inout Counts) {
    for (path, data) in files {
      if (try? Data(contentsOf: old.appendingPathComponent(path))) == data {
        counts.unchanged += 1
      } else {
        counts.written += 1
      }
    }
    let before = (try? CodeRegions.files(below: old)) ?? []
    counts.removed += before.filter { files[$0] == nil }.count
  }
}
