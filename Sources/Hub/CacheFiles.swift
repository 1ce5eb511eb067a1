import Formats
import Foundation

/// Where what was fetched is kept: `$LORAPRESS_CACHE`, else `$XDG_CACHE_HOME/lorapress`, else `~/.cache/lorapress`.
enum CacheFolder {
  static func url(_ environment: [String: String]) throws -> URL {
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let path = value("LORAPRESS_CACHE") { return URL(fileURLWithPath: path, isDirectory: true) }
    if let path = value("XDG_CACHE_HOME"), path.hasPrefix("/") {
      return URL(fileURLWithPath: path, isDirectory: true).appendingPathComponent("lorapress")
    }
    guard let home = value("HOME") else {
      throw HubError(
        "cache", "neither LORAPRESS_CACHE nor HOME is set",
        remedy: "set LORAPRESS_CACHE to a folder for models and data")
    }
    return URL(fileURLWithPath: home, isDirectory: true).appendingPathComponent(".cache/lorapress")
  }

  static func make(_ url: URL) throws {
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
      throw HubError.storage(url.path, code: code.map(Int32.init) ?? EACCES)
    }
  }
}

/// The file that a download grows in.
final class PartialFile {
  let path: String
  let descriptor: Int32
  private(set) var count: Int

  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw HubError.storage(path, code: errno) }
    count = Int(lseek(descriptor, 0, SEEK_END))
  }

  deinit { close(descriptor) }

  /// Cuts the file to its first `length` bytes; it goes on from there.
  func truncate(to length: Int) throws {
    guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0 else {
      throw HubError.storage(path, code: errno)
    }
    count = length
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while let base = rest.baseAddress, rest.count > 0 {
      let written = write(descriptor, base, rest.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw HubError.storage(path, code: errno)
      }
      count += written
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }

  /// Looks again how long the file is, after a child process wrote to the descriptor.
  func refresh() { count = Int(lseek(descriptor, 0, SEEK_END)) }

  /// Throws where the disk has not so many bytes left.
  func requireRoom(for bytes: Int) throws {
    var status = statvfs()
    guard fstatvfs(descriptor, &status) == 0 else { return }
    let free = Int(
      clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    guard free < bytes else { return }
    throw HubError(
      path, "needs \(bytes) more bytes, but the disk has \(free) free",
      remedy: "free some space, or set LORAPRESS_CACHE to a folder on another disk")
  }

  func flush() throws {
    guard fsync(descriptor) == 0 else { throw HubError.storage(path, code: errno) }
  }
}

/// Keeps two processes from fetching the same thing; let go when it is released or the process ends.
final class FolderLock {
  private let descriptor: Int32

  /// Throws where another process holds it.
  init(_ folder: URL, subject: String) throws {
    let path = folder.appendingPathComponent(".lock").path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw HubError.storage(path, code: errno) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw HubError(
        subject, "is being fetched by another lorapress (\(path))", remedy: "wait until that one is done")
    }
  }

  deinit { close(descriptor) }
}

/// What tells that a file is still the one that was hashed.
struct FileIdentity: Equatable {
  let bytes: Int
  let inode: UInt64
  let modified: Int64

  /// nil when there is no such file.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    bytes = Int(status.st_size)
    inode = UInt64(status.st_ino)
    modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
  }

  func json() -> JSONValue {
    ["bytes": JSONValue(bytes), "inode": .string("\(inode)"), "modified_ns": JSONValue(Int(modified))]
  }
}

/// A hash that was computed, with the identity of the file it holds for. Losing it costs only time.
struct HashRecord {
  let sha256: String
  let source: String?

  init(sha256: String, source: String?) {
    self.sha256 = sha256
    self.source = source
  }

  /// nil when there is no record, or the file changed since.
  init?(_ url: URL, for file: FileIdentity) {
    // Any fault of this small file only means that the hash is computed again.
    guard let data = try? Data(contentsOf: url), let json = try? JSONValue(parsing: data, file: url.path),
      json["identity"] == file.json(), let hash = json["sha256"]?.string
    else { return nil }
    sha256 = hash
    source = json["source"]?.string
  }

  func json(for file: FileIdentity) -> Data {
    let value: JSONValue = [
      "sha256": .string(sha256), "source": source.map { .string($0) } ?? .null, "identity": file.json(),
    ]
    return Data((value.text(pretty: true) + "\n").utf8)
  }
}
