import Foundation

/// Files that are there whole or not at all: written beside their place, flushed, then renamed.
public enum AtomicFile {
  /// Writes `data` to `url`, making the folders above it. On an error the old file stands as it was.
  public static func write(_ data: Data, to url: URL, flushed: Bool = true) throws(RunsError) {
    try replace(url, flushed: flushed) { descriptor in data.withUnsafeBytes { writeAll($0, to: descriptor) } }
  }

  /// Puts a new file in the place of `url`, filled by `fill`, which returns 0 or the errno.
  private static func replace(_ url: URL, flushed: Bool = true, _ fill: (Int32) -> Int32) throws(RunsError) {
    try makeFolder(url.deletingLastPathComponent())
    let temporary = url.deletingLastPathComponent()
      .appendingPathComponent(".\(url.lastPathComponent).\(getpid()).tmp")
    let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .unwritable(url.path, code: errno) }
    var failure = fill(descriptor)
    if failure == 0, flushed, fsync(descriptor) != 0 { failure = errno }
    if close(descriptor) != 0, failure == 0 { failure = errno }
    if failure == 0, rename(temporary.path, url.path) != 0 { failure = errno }
    guard failure == 0 else {
      unlink(temporary.path)
      throw .unwritable(url.path, code: failure)
    }
  }

  public static func write(_ text: String, to url: URL) throws(RunsError) {
    try write(Data(text.utf8), to: url)
  }

  /// Removes what a write that was cut off left in a folder.
  public static func removeLeftovers(in folder: URL) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    where name.hasPrefix(".") && name.hasSuffix(".tmp") {
      unlink(folder.appendingPathComponent(name).path)
    }
  }

  public static func makeFolder(_ url: URL) throws(RunsError) {
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      throw .unwritable(url.path, code: RunsError.code(error) ?? EACCES)
    }
  }

  /// Writes all bytes; returns 0 or the errno.
  public static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var rest = bytes
    while let base = rest.baseAddress, rest.count > 0 {
      let count = Foundation.write(descriptor, base, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return 0
  }
}

extension AtomicFile {
  /// A file that is being written beside its place.
  public final class Writer {
    private static let bufferBytes = 1 << 20

    private let descriptor: Int32
    private let url: URL
    private var buffer = Data()

    fileprivate init(descriptor: Int32, url: URL) {
      self.descriptor = descriptor
      self.url = url
    }

    /// "\n" is added.
    public func write(line: Data) throws(RunsError) {
      buffer.append(line)
      buffer.append(0x0A)
      if buffer.count >= Self.bufferBytes { try flush() }
    }

    fileprivate func flush() throws(RunsError) {
      let failure = buffer.withUnsafeBytes { AtomicFile.writeAll($0, to: descriptor) }
      buffer.removeAll(keepingCapacity: true)
      guard failure == 0 else { throw .unwritable(url.path, code: failure) }
    }
  }

  /// Writes what `body` gives piece by piece: the file is there whole when it returns, and on an error the old one stands as it was.
  public static func write(to url: URL, _ body: (Writer) throws -> Void) throws {
    var failure: (any Error)?
    do {
      try replace(url) { descriptor in
        do {
          let writer = Writer(descriptor: descriptor, url: url)
          try body(writer)
          try writer.flush()
          return 0
        } catch {
          failure = error
          return ECANCELED
        }
      }
    } catch { throw failure ?? error }
  }
}

/// A log that grows line by line and survives being cut off: a torn last line is dropped when it is opened again.
public final class AppendLog {
  private let descriptor: Int32
  private let url: URL

  /// Opens or makes the file. `keep` decides, line by line (without "\n"), how much of an older log stays: the first line for
  /// which it is false, and all after it, go.
  public init(_ url: URL, keepingWhile keep: (Data) -> Bool = { _ in true }) throws(RunsError) {
    self.url = url
    try AtomicFile.makeFolder(url.deletingLastPathComponent())
    descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .unwritable(url.path, code: errno) }
    let old: Data
    do { old = try Data(contentsOf: url) } catch { throw .unreadable(url.path, error) }
    var end = 0
    var start = 0
    while let lineEnd = old[start...].firstIndex(of: 0x0A) {
      guard keep(old[start..<lineEnd]) else { break }
      end = lineEnd + 1
      start = end
    }
    guard ftruncate(descriptor, off_t(end)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
      throw .unwritable(url.path, code: errno)
    }
  }

  deinit { close(descriptor) }

  /// Appends one line, "\n" added; it is in the file when this returns.
  public func append(_ line: String) throws(RunsError) {
    var failure: Int32 = 0
    Data((line + "\n").utf8).withUnsafeBytes { failure = AtomicFile.writeAll($0, to: descriptor) }
    guard failure == 0 else { throw .unwritable(url.path, code: failure) }
  }

  public func flush() throws(RunsError) {
    guard fsync(descriptor) == 0 else { throw .unwritable(url.path, code: errno) }
  }
}
