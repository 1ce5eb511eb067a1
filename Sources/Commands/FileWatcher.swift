import Foundation

/// Notices changes of files in a set of folders: by inotify, and where the system refuses that, by looking at dates and sizes.
final class FileWatcher {
  /// Which folders are watched, asked anew after each change; and which names in them count.
  struct Scope {
    var folders: () -> [String]
    var counts: (_ folder: String, _ name: String) -> Bool
  }

  /// A file that changed: its folder as the scope gave it, and its name.
  struct Change: Hashable {
    var folder: String
    var name: String
  }

  private let scope: Scope
  /// Negative where files are looked at instead.
  private var descriptor: Int32 = -1
  private var folders: [Int32: String] = [:]
  private var seen: [Change: Stamp] = [:]
  private static let pollingPause: TimeInterval = 0.25

  private struct Stamp: Equatable {
    var inode: UInt
    var size: Int
    var seconds: Int
    var nanoseconds: Int
  }

  /// - Parameter polls: look at the files even where inotify is there; for tests and for network folders.
  init(_ scope: Scope, polls: Bool = false) {
    self.scope = scope
    if !polls { descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC)) }
    if descriptor < 0 || !watchFolders() { fallBack() }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  var isPolling: Bool { descriptor < 0 }

  /// What changed, as soon as something did; empty after `limit` seconds.
  func wait(upTo limit: TimeInterval) -> Set<Change> {
    guard !isPolling else {
      usleep(UInt32(min(limit, Self.pollingPause) * 1_000_000))
      return changesByLooking()
    }
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard Glibc.poll(&poll, 1, Int32(limit * 1000)) > 0 else { return [] }
    return changesByEvents()
  }

  // MARK: inotify

  /// False where the system has no more watches to give.
  private func watchFolders() -> Bool {
    let mask =
      UInt32(IN_CLOSE_WRITE) | UInt32(IN_MODIFY) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_CREATE)
      | UInt32(IN_DELETE) | UInt32(IN_ONLYDIR)
    var now: [Int32: String] = [:]
    for folder in scope.folders() {
      let watch = inotify_add_watch(descriptor, folder, mask)
      // A folder that just went away needs no watch.
      if watch < 0, errno == ENOSPC || errno == ENOMEM { return false }
      if watch >= 0 { now[watch] = folder }
    }
    folders = now
    return true
  }

  private func changesByEvents() -> Set<Change> {
    var changes: Set<Change> = []
    var needsFolders = false
    let size = 1 << 16
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
    defer { buffer.deallocate() }
    let header = MemoryLayout<inotify_event>.size
    while true {
      let count = read(descriptor, buffer, size)
      guard count > 0 else { break }
      var at = 0
      while at + header <= count {
        let event = buffer.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
        let length = Int(event.len)
        let name = length > 0 ? String(cString: (buffer + at + header).assumingMemoryBound(to: CChar.self)) : ""
        at += header + length
        if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { needsFolders = true }
        guard let folder = folders[event.wd], scope.counts(folder, name) else { continue }
        changes.insert(Change(folder: folder, name: name))
        if event.mask & UInt32(IN_ISDIR) != 0 { needsFolders = true }
      }
    }
    if needsFolders {
      let before = Set(folders.values)
      if !watchFolders() { fallBack() }
      // Files may have come into a new folder before it was watched.
      for folder in folders.values where !before.contains(folder) { changes.insert(Change(folder: folder, name: "")) }
    }
    return changes
  }

  // MARK: Looking

  private func fallBack() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    folders = [:]
    seen = look()
  }

  private func changesByLooking() -> Set<Change> {
    let now = look()
    defer { seen = now }
    var changes = Set(now.filter { seen[$0.key] != $0.value }.keys)
    changes.formUnion(seen.keys.filter { now[$0] == nil })
    return changes
  }

  private func look() -> [Change: Stamp] {
    var found: [Change: Stamp] = [:]
    for folder in scope.folders() {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      where scope.counts(folder, name) {
        var status = stat()
        guard stat(folder + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
        found[Change(folder: folder, name: name)] = Stamp(
          inode: UInt(status.st_ino), size: Int(status.st_size), seconds: status.st_mtim.tv_sec,
          nanoseconds: status.st_mtim.tv_nsec)
      }
    }
    return found
  }
}
