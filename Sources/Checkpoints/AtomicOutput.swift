import Foundation

/// A file written piece by piece beside its place, flushed, and renamed when whole.
final class AtomicOutput {
  private let descriptor: Int32
  private let target: URL
  private let temporary: URL
  private var finished = false

  init(_ target: URL) throws {
    self.target = target
    let folder = target.deletingLastPathComponent()
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
      throw CheckpointError.unwritable(folder.path, code: code.map(Int32.init) ?? EACCES)
    }
    temporary = folder.appendingPathComponent(".\(target.lastPathComponent).\(getpid()).tmp")
    descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw CheckpointError.unwritable(target.path, code: errno) }
  }

  deinit {
    if !finished {
      close(descriptor)
      unlink(temporary.path)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while let base = rest.baseAddress, rest.count > 0 {
      let count = Foundation.write(descriptor, base, rest.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw CheckpointError.unwritable(target.path, code: errno)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  func write(_ data: Data) throws { try data.withUnsafeBytes { try write($0) } }

  /// Puts the file in its place; nothing may be written after it.
  func finish() throws {
    var failure: Int32 = fsync(descriptor) == 0 ? 0 : errno
    if close(descriptor) != 0, failure == 0 { failure = errno }
    finished = true
    if failure == 0, rename(temporary.path, target.path) != 0 { failure = errno }
    guard failure == 0 else {
      unlink(temporary.path)
      throw CheckpointError.unwritable(target.path, code: failure)
    }
  }
}
