#if canImport(Glibc)
  import Glibc
#endif

/// Memory for numbers that are read as one long stream, such as weights. Where the system has huge pages, large pieces ask for them: reading
/// then waits less for the tables of pages.
enum LargeMemory {
  private static let hugePage = 2 << 20

  /// At least one byte, at a cache line; `deallocate()` frees it.
  static func allocate(byteCount: Int) -> UnsafeMutableRawPointer {
    guard byteCount >= hugePage else { return .allocate(byteCount: max(1, byteCount), alignment: 64) }
    let base = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: hugePage)
    #if os(Linux)
      // A refusal changes nothing.
      _ = madvise(base, byteCount / hugePage * hugePage, MADV_HUGEPAGE)
    #endif
    return base
  }
}
