import CStreams

/// gzip, zstd or CP949, decoded piece by piece.
final class StreamDecoder {
  enum Kind: String { case gzip, zstd, cp949 = "CP949" }

  struct BadInput: Error {
    /// The place in the piece; negative where it is in what the last piece left.
    var at: Int
  }

  private static let pieceBytes = 1 << 17

  let kind: Kind
  private let decoder: OpaquePointer
  /// Input that was not taken yet: the beginning of a character that the next piece goes on with.
  private var left: [UInt8] = []

  /// Nil where there is no memory, or where the system's iconv does not know CP949.
  init?(_ kind: Kind) {
    let decoder: OpaquePointer? =
      switch kind {
      case .gzip: cstreams_gzip()
      case .zstd: cstreams_zstd()
      case .cp949: cstreams_cp949()
      }
    guard let decoder else { return nil }
    self.kind = kind
    self.decoder = decoder
  }

  deinit { cstreams_free(decoder) }

  /// Whether nothing is missing at the end of what was given.
  var isWhole: Bool { left.isEmpty && cstreams_is_whole(decoder) != 0 }

  /// What a piece becomes.
  func decode(_ piece: [UInt8]) throws(BadInput) -> [UInt8] {
    let input = left.isEmpty ? piece : left + piece
    let begun = left.count
    left = []
    var out: [UInt8] = []
    var at = 0
    while true {
      var used = 0
      var made = 0
      var status: Int32 = 0
      let start = out.count
      out.append(contentsOf: repeatElement(0, count: Self.pieceBytes))
      input.withUnsafeBufferPointer { input in
        out.withUnsafeMutableBufferPointer { out in
          guard let from = input.baseAddress, let to = out.baseAddress else { return }
          status = Int32(
            cstreams_decode(decoder, from + at, input.count - at, &used, to + start, Self.pieceBytes, &made))
        }
      }
      out.removeLast(Self.pieceBytes - made)
      at += used
      guard status == CSTREAMS_OK else { throw BadInput(at: at - begun) }
      // Output that filled its place may go on without new input.
      if made == Self.pieceBytes { continue }
      if at >= input.count || used == 0 { break }
    }
    if at < input.count {
      // A character has two bytes at most: more that is not taken can't be begun.
      guard kind == .cp949, input.count - at < 4 else { throw BadInput(at: at - begun) }
      left = Array(input[at...])
    }
    return out
  }
}
