import Synchronization

/// Memory that is kept from call to call. Who asks while it is lent gets memory of their own.
final class Scratch<Room: Sendable>: Sendable {
  private struct Piece {
    let count: Int
    let room: Room
  }

  private let kept = Mutex<[Piece]>([])
  private let make: @Sendable (Int) -> Room

  init(_ make: @escaping @Sendable (Int) -> Room) { self.make = make }

  /// Lends room for `count` numbers: the smallest piece that has it, else a new one in a kept one's place.
  func use(_ count: Int, _ body: (Room) -> Void) {
    let fitting = kept.withLock { kept -> Piece? in
      let index = kept.indices.filter { kept[$0].count >= count }.min { kept[$0].count < kept[$1].count }
      guard let index else {
        _ = kept.popLast()
        return nil
      }
      return kept.remove(at: index)
    }
    let piece = fitting ?? Piece(count: count, room: make(count))
    body(piece.room)
    kept.withLock { $0.append(piece) }
  }
}

/// Memory of any kind, at a cache line.
final class RawRoom: @unchecked Sendable {
  let base: UnsafeMutableRawPointer

  init(byteCount: Int) { base = .allocate(byteCount: max(1, byteCount), alignment: 64) }

  deinit { base.deallocate() }
}
