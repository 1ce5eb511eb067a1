import Synchronization

/// The memory of a canvas, several megabytes. A few pieces are kept for the next pictures: fresh ones come from the system page by page,
/// which takes a twentieth of drawing.
final class PixelMemory {
  private struct Piece: @unchecked Sendable {
    let base: UnsafeMutablePointer<UInt8>
    let byteCount: Int
  }

  private static let most = 4
  private static let kept = Mutex<[Piece]>([])

  private let piece: Piece
  /// Any numbers to begin with.
  var base: UnsafeMutablePointer<UInt8> { piece.base }

  init(byteCount: Int) {
    let fitting = Self.kept.withLock { kept in
      kept.firstIndex { $0.byteCount == byteCount }.map { kept.remove(at: $0) }
    }
    piece = fitting ?? Piece(base: .allocate(capacity: byteCount), byteCount: byteCount)
  }

  deinit {
    let dropped = Self.kept.withLock { kept in
      kept.append(piece)
      return kept.count > Self.most ? kept.removeFirst() : nil
    }
    dropped?.base.deallocate()
  }
}
