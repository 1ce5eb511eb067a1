import Synchronization

/// The memory of a canvas, several megabytes. A few pieces are kept for the next pictures: fresh ones come from the system page by page,
/// which takes a tenth of the time that drawing does.
struct PixelMemory: @unchecked Sendable {
  let base: UnsafeMutablePointer<UInt8>
  private let byteCount: Int

  private static let most = 4
  private static let kept = Mutex<[PixelMemory]>([])

  /// Holds any numbers.
  init(byteCount: Int) {
    let fitting = Self.kept.withLock { kept in
      kept.firstIndex { $0.byteCount == byteCount }.map { kept.remove(at: $0) }
    }
    self = fitting ?? PixelMemory(base: .allocate(capacity: byteCount), byteCount: byteCount)
  }

  private init(base: UnsafeMutablePointer<UInt8>, byteCount: Int) {
    (self.base, self.byteCount) = (base, byteCount)
  }

  /// After this nobody may use the memory.
  func giveBack() {
    let dropped = Self.kept.withLock { kept in
      kept.append(self)
      return kept.count > Self.most ? kept.removeFirst() : nil
    }
    dropped?.base.deallocate()
  }
}
