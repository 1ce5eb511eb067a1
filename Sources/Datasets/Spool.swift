import Foundation
import Runs

/// Rows that wait on the disk, so that a large data set need not fit into memory: a file without a name, gone when nobody holds it.
final class Spool: Sendable {
  /// Where some bytes lie.
  struct Place: Sendable, Equatable {
    var offset: Int
    var length: Int
  }

  let descriptor: Int32

  init() throws {
    var path = Array(
      FileManager.default.temporaryDirectory.appendingPathComponent("lorapress-spool-XXXXXX").path.utf8CString)
    descriptor = mkstemp(&path)
    guard descriptor >= 0 else { throw Self.fault(errno) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    // Nobody else needs its name, and a process that is killed leaves nothing behind.
    unlink(path)
  }

  deinit { close(descriptor) }

  func bytes(_ place: Place) throws -> Data {
    var failure: Int32 = 0
    var data = Data(count: place.length)
    data.withUnsafeMutableBytes { bytes in
      var done = 0
      while done < bytes.count, let base = bytes.baseAddress {
        let got = pread(descriptor, base + done, bytes.count - done, off_t(place.offset + done))
        if got < 0, errno == EINTR { continue }
        if got <= 0 {
          failure = got < 0 ? errno : EIO
          return
        }
        done += got
      }
    }
    guard failure == 0 else { throw Self.fault(failure, "read") }
    return data
  }

  /// All of it, as a mapped file.
  func mapped() throws -> Data {
    do {
      return try Data(contentsOf: URL(fileURLWithPath: "/proc/self/fd/\(descriptor)"), options: .alwaysMapped)
    } catch {
      throw RunsError.unreadable("temporary file", error)
    }
  }

  fileprivate static func fault(_ code: Int32, _ what: String = "written") -> RunsError {
    RunsError(
      "\(FileManager.default.temporaryDirectory.path): a temporary file can't be \(what) (\(String(cString: strerror(code)))); free some space, or set TMPDIR to a folder that has some"
    )
  }
}

/// Fills a spool, whose places can be read back as soon as they are flushed.
final class SpoolWriter {
  private static let bufferBytes = 1 << 20

  private let spool: Spool
  private var buffer: [UInt8] = []
  private var written = 0

  init() throws {
    spool = try Spool()
    buffer.reserveCapacity(Self.bufferBytes)
  }

  func append(_ bytes: some Collection<UInt8>) throws -> Spool.Place {
    let place = Spool.Place(offset: written + buffer.count, length: bytes.count)
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.bufferBytes { try flush() }
    return place
  }

  /// All that was appended so far, for reading.
  func flushed() throws -> Spool {
    if !buffer.isEmpty { try flush() }
    return spool
  }

  private func flush() throws {
    let failure = buffer.withUnsafeBytes { AtomicFile.writeAll($0, to: spool.descriptor) }
    guard failure == 0 else { throw Spool.fault(failure) }
    written += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }
}
