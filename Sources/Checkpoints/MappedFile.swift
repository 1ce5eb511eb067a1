import Foundation

/// A file's bytes, mapped for reading. The pointer stays behind closures and dies with the mapping.
///
/// The file must not be shortened while it is mapped (the system answers that with SIGBUS); models are replaced by
/// rename, which leaves an open mapping as it was.
final class MappedFile: @unchecked Sendable {
  // Unchecked: the mapping is read-only and never changes after init.
  private let bytes: UnsafeRawBufferPointer
  let path: String

  var count: Int { bytes.count }

  init(_ path: String) throws {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw CheckpointError.unreadable(path, code: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw CheckpointError.unreadable(path, code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CheckpointError(file: path, "is not a file", remedy: "give the path of a file of weights")
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw CheckpointError.unreadable(path, code: errno)
    }
    bytes = UnsafeRawBufferPointer(start: base, count: size)
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }

  func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try body(bytes) }

  /// The bytes of a range that was checked against ``count`` when the file was opened.
  func withBytes<R>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
  }

  /// Gives the pages that lie wholly within the range back to the system: mapped pages count as resident memory.
  func release(_ range: Range<Int>) {
    guard let base = bytes.baseAddress, range.lowerBound >= 0, range.upperBound <= bytes.count else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound == bytes.count ? bytes.count : range.upperBound / page * page
    guard start < end else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
  }
}

extension TensorSource {
  /// Rows of a tensor that lies in a mapped file, its range having been checked when that was opened.
  func readMapped(
    _ info: TensorInfo, in mapped: MappedFile, rows: Range<Int>, into out: UnsafeMutableBufferPointer<Float>
  ) throws {
    guard info.type.isReadable else {
      throw CheckpointError(
        file: info.file, "tensor '\(shown(info.name))' is of type \(info.type.rawValue), which holds no weights",
        remedy: "use a model whose weights are floating-point or quantised")
    }
    guard rows.lowerBound >= 0, rows.upperBound <= info.rows, out.count == rows.count * info.columns else {
      throw wrongRoom(info, rows: rows, room: out.count)
    }
    let start = info.offset + rows.lowerBound * info.rowBytes
    mapped.withBytes(start..<start + rows.count * info.rowBytes) { dequantize(info.type, $0, into: out) }
  }
}
