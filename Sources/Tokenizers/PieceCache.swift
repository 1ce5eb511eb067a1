/// Pieces of text that were encoded before, with their ids: in a text of any length most words come again.
///
/// A table of fixed size in which every piece has one place, where the newest stays; so memory is bounded and nothing is ever looked for.
/// Long pieces, and those of many ids, have no room in it: they come again seldom.
struct PieceCache {
  private static let bits: UInt64 = 15
  private static let longest = 32
  private static let mostIDs = 7

  /// A piece's bytes, filled up with zeros, its length, and its place in the table.
  struct Key {
    fileprivate let bytes: SIMD4<UInt64>
    fileprivate let length: Int32
    fileprivate let place: Int

    /// Nil for a piece that is too long.
    init?(_ piece: UnsafeBufferPointer<UInt8>) {
      guard piece.count <= PieceCache.longest else { return nil }
      var bytes = SIMD4<UInt64>.zero
      withUnsafeMutableBytes(of: &bytes) { $0.copyMemory(from: UnsafeRawBufferPointer(piece)) }
      self.bytes = bytes
      length = Int32(piece.count)
      let factors = SIMD4<UInt64>(
        0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0xD6E8_FEB8_6659_FD93)
      var hash = (bytes &* factors).wrappedSum()
      hash = (hash ^ (hash >> 32)) &* 0x9E37_79B9_7F4A_7C15
      place = Int(truncatingIfNeeded: hash >> (64 - PieceCache.bits))
    }
  }

  private var keys = [SIMD4<UInt64>](repeating: .zero, count: 1 << bits)
  /// length << 8 | number of ids, then the ids; 0 where nothing is kept.
  private var values = [SIMD8<Int32>](repeating: .zero, count: 1 << bits)

  /// Adds the ids of a piece that is kept; false where it is not.
  func append(_ key: Key, to out: inout [Int32]) -> Bool {
    let value = values[key.place]
    guard value[0] >> 8 == key.length, keys[key.place] == key.bytes else { return false }
    for index in 0..<Int(value[0] & 0xFF) { out.append(value[index + 1]) }
    return true
  }

  mutating func keep(_ key: Key, _ ids: ArraySlice<Int32>) {
    // No piece is empty, so that a kept one's value is never 0.
    guard ids.count <= Self.mostIDs, key.length > 0 else { return }
    var value = SIMD8<Int32>.zero
    value[0] = key.length << 8 | Int32(ids.count)
    for (index, id) in ids.enumerated() { value[index + 1] = id }
    keys[key.place] = key.bytes
    values[key.place] = value
  }
}
