import CSystem
import Foundation
import Runs
import Workers

/// Puts a finished build in place: built aside, then swapped in, so that a reader sees the old site or the new one, and a build
/// that fails or is killed leaves a whole one.
///
/// A file with the same bytes as before is not written again: the new folder gets a hard link to it, so that its inode and date
/// stay. A folder in which nothing changed is not touched at all. What the file system can't do has a fallback: without hard links
/// unchanged files are copied with their dates, without an exchange in one step a folder is moved aside for a moment, and the next
/// build brings it back if that moment was the last.
struct Staging: Sendable {
  let output: URL
  /// False only in tests of the fallbacks.
  var linksFiles = true
  var exchangesFolders = true

  /// One folder of the output, replaced as a whole.
  struct Tree: Sendable {
    var name: String
    /// Every file by its path below the folder.
    var files: [String: Data]
  }

  struct Counts: Equatable {
    var written = 0
    var unchanged = 0
    var removed = 0
  }

  private static let prefix = ".site-building-"

  /// What became of posts, site and charts together, and how many files of each further folder are new or different.
  struct Result: Equatable {
    var site = Counts()
    var more: [Int] = []
  }

  /// - Parameter more: further folders beside `posts` and `site`.
  func install(_ plan: SitePlan, more: [Tree] = []) throws -> Result {
    let trees = [Tree(name: "posts", files: plan.posts), Tree(name: "site", files: plan.site)] + more
    try AtomicFile.makeFolder(output)
    let lock = Lock(output)
    defer { lock.release() }
    recover(trees)
    let building = output.appendingPathComponent("\(Self.prefix)\(getpid())")
    defer { remove(building) }
    var result = Result()
    var changed: [Tree] = []
    for (index, tree) in trees.enumerated() {
      let difference = try Difference(tree, old: place(tree))
      if index < trees.count - more.count {
        result.site.written += difference.written.count
        result.site.unchanged += tree.files.count - difference.written.count
        result.site.removed += difference.removed
      } else {
        result.more.append(difference.written.count)
      }
      if difference.isEmpty { continue }
      try build(tree, difference, in: building.appendingPathComponent(tree.name))
      changed.append(tree)
    }
    try writeCharts(plan.charts, &result.site)
    try swap(changed, in: building)
    return result
  }

  private func place(_ tree: Tree) -> URL { output.appendingPathComponent(tree.name) }

  // MARK: Building aside

  /// What of a tree differs from the folder that is there.
  private struct Difference: Sendable {
    var written: Set<String> = []
    var removed = 0
    var isMissing = false

    var isEmpty: Bool { written.isEmpty && removed == 0 && !isMissing }

    init(_ tree: Tree, old: URL) throws {
      let before = try CodeRegions.files(below: old)
      isMissing = !FileManager.default.fileExists(atPath: old.path)
      removed = before.filter { tree.files[$0] == nil }.count
      let paths = tree.files.keys.sorted()
      let files = tree.files
      let same = try Parallel.map(paths) { path in
        files[path].map { Staging.holds(old.appendingPathComponent(path), $0) } ?? false
      }
      for (path, isSame) in zip(paths, same) where !isSame { written.insert(path) }
    }
  }

  /// Whether a regular file (not a link to one) holds exactly these bytes.
  private static func holds(_ file: URL, _ data: Data) -> Bool {
    var status = stat()
    guard lstat(file.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == data.count else {
      return false
    }
    return (try? Data(contentsOf: file)) == data
  }

  private func build(_ tree: Tree, _ difference: Difference, in folder: URL) throws {
    try AtomicFile.makeFolder(folder)
    let paths = tree.files.keys.sorted()
    // Folders first: then each file is written by itself, and the cores share the work.
    // (Cut by hand: Foundation's deletingLastPathComponent crashes at a name of one letter.)
    for parent in Set(paths.compactMap { path in path.lastIndex(of: "/").map { path[..<$0] } }).sorted() {
      try AtomicFile.makeFolder(folder.appendingPathComponent(String(parent)))
    }
    let staging = self
    _ = try Parallel.map(paths) { path in
      guard let data = tree.files[path] else { return }
      let file = folder.appendingPathComponent(path)
      if difference.written.contains(path) {
        try staging.write(data, to: file)
      } else {
        try staging.keep(staging.place(tree).appendingPathComponent(path), as: file, data)
      }
    }
  }

  private func keep(_ old: URL, as new: URL, _ data: Data) throws {
    if linksFiles, link(old.path, new.path) == 0 { return }
    try write(data, to: new)
    var status = stat()
    guard stat(old.path, &status) == 0 else { return }
    let times = [status.st_atim, status.st_mtim]
    _ = utimensat(AT_FDCWD, new.path, times, 0)
  }

  private func write(_ data: Data, to url: URL) throws {
    do { try data.write(to: url) } catch {
      throw RunsError.unwritable(url.path, code: RunsError.code(error) ?? EIO)
    }
  }

  private func writeCharts(_ charts: [String: Data], _ counts: inout Counts) throws {
    let runs = output.appendingPathComponent("runs")
    let paths = charts.keys.sorted()
    let written = try Parallel.map(paths) { path in
      guard let data = charts[path] else { return false }
      let file = runs.appendingPathComponent(path)
      if Staging.holds(file, data) { return false }
      // Flushing each of thousands would take longer than all the rest; the next build mends what a power cut left.
      try AtomicFile.write(data, to: file, flushed: false)
      return true
    }
    counts.written += written.filter { $0 }.count
    counts.unchanged += written.filter { !$0 }.count
  }

  // MARK: Swapping in

  /// All folders, or none: where one can't be put in place, those before it go back.
  private func swap(_ trees: [Tree], in building: URL) throws {
    var done: [Tree] = []
    for tree in trees {
      do { try swap(building.appendingPathComponent(tree.name), into: place(tree)) } catch {
        for tree in done.reversed() { try? swap(building.appendingPathComponent(tree.name), into: place(tree)) }
        throw error
      }
      done.append(tree)
    }
  }

  /// Afterwards the old folder, where there was one, lies in the new one's place.
  private func swap(_ new: URL, into place: URL) throws {
    try AtomicFile.makeFolder(place.deletingLastPathComponent())
    if exchangesFolders, csystem_exchange(new.path, place.path) == 0 { return }
    let aside = Self.aside(place)
    let hadOld = rename(place.path, aside.path) == 0
    if !hadOld, errno != ENOENT { throw RunsError.unwritable(place.path, code: errno) }
    guard rename(new.path, place.path) == 0 else {
      let code = errno
      if hadOld { _ = rename(aside.path, place.path) }
      throw RunsError.unwritable(place.path, code: code)
    }
    if hadOld { _ = rename(aside.path, new.path) }
  }

  // MARK: After a build that was killed

  /// Brings back a folder that was moved aside and removes half-built ones. Called with the lock held: nobody else is building.
  private func recover(_ trees: [Tree]) {
    for tree in trees {
      let aside = Self.aside(place(tree))
      // Renaming onto an existing folder fails unless that is empty, so a finished swap is not undone.
      if rename(aside.path, place(tree).path) != 0, errno != ENOENT { remove(aside) }
    }
    for name in (try? FileManager.default.contentsOfDirectory(atPath: output.path)) ?? []
    where name.hasPrefix(Self.prefix) && Int(name.dropFirst(Self.prefix.count)) != nil {
      remove(output.appendingPathComponent(name))
    }
  }

  private static func aside(_ place: URL) -> URL {
    place.deletingLastPathComponent().appendingPathComponent(".\(place.lastPathComponent).before")
  }

  private func remove(_ folder: URL) { try? FileManager.default.removeItem(at: folder) }

  /// Keeps a second build of the same output waiting. It is on the folder itself, so that it leaves no file behind; where a file
  /// system has no locks, two builds at once may do work twice.
  private struct Lock {
    private let descriptor: Int32

    init(_ folder: URL) {
      descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      if descriptor >= 0 { while flock(descriptor, LOCK_EX) != 0, errno == EINTR {} }
    }

    func release() { if descriptor >= 0 { close(descriptor) } }
  }
}
