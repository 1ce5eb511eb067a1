/// The bytes of every token, and the way back from bytes to the token.
///
/// Keyed by bytes: Swift's String equality would merge tokens that are canonically equal.
struct Vocabulary: Sendable {
  /// All tokens' bytes, one after the other; token i is `bytes[starts[i]..<starts[i + 1]]`.
  private(set) var bytes: [UInt8] = []
  private(set) var starts: [Int] = [0]
  /// Open addressing: token + 1, or 0 where empty. The first of equal tokens is kept.
  private var slots: [Int32] = []
  private var mask = 0

  var count: Int { starts.count - 1 }

  /// - Parameters:
  ///   - tokens: a token's bytes by id, nil where an id is not used.
  ///   - isFound: whether ``find(_:)`` knows the id; added tokens are none of the model's own.
  init(_ tokens: [[UInt8]?], isFound: (Int) -> Bool) {
    starts.reserveCapacity(tokens.count + 1)
    for token in tokens {
      if let token { bytes.append(contentsOf: token) }
      starts.append(bytes.count)
    }
    var size = 16
    while size < tokens.count * 2 { size *= 2 }
    slots = Array(repeating: 0, count: size)
    mask = size - 1
    bytes.withUnsafeBufferPointer { bytes in
      for id in 0..<count where starts[id] < starts[id + 1] && isFound(id) {
        let token = UnsafeBufferPointer(rebasing: bytes[starts[id]..<starts[id + 1]])
        var slot = Self.hash(token) & mask
        while slots[slot] != 0 {
          if Self.equal(token, bytes, starts, Int(slots[slot]) - 1) { break }
          slot = (slot + 1) & mask
        }
        if slots[slot] == 0 { slots[slot] = Int32(id + 1) }
      }
    }
  }

  subscript(id: Int) -> ArraySlice<UInt8> { bytes[starts[id]..<starts[id + 1]] }

  func find(_ token: UnsafeBufferPointer<UInt8>) -> Int32? {
    if token.isEmpty { return nil }
    return bytes.withUnsafeBufferPointer { bytes in
      var slot = Self.hash(token) & mask
      while slots[slot] != 0 {
        if Self.equal(token, bytes, starts, Int(slots[slot]) - 1) { return slots[slot] - 1 }
        slot = (slot + 1) & mask
      }
      return nil
    }
  }

  func find(_ token: [UInt8]) -> Int32? { token.withUnsafeBufferPointer { find($0) } }

  private static func equal(
    _ token: UnsafeBufferPointer<UInt8>, _ bytes: UnsafeBufferPointer<UInt8>, _ starts: [Int], _ id: Int
  ) -> Bool {
    let start = starts[id]
    guard starts[id + 1] - start == token.count else { return false }
    for index in 0..<token.count where bytes[start + index] != token[index] { return false }
    return true
  }

  /// FNV-1a with a last mix.
  private static func hash(_ token: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in token { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash ^= hash >> 29
    return Int(truncatingIfNeeded: hash & 0x7FFF_FFFF_FFFF_FFFF)
  }
}

/// Byte-level BPE writes bytes as printable characters: GPT-2's table of 256.
enum ByteAlphabet {
  /// The byte that a character stands for, for the code points below 0x144; 0xFFFF elsewhere.
  static let byteOfCharacter: [UInt16] = {
    var table = [UInt16](repeating: 0xFFFF, count: 0x144)
    var next = 0x100
    for byte in 0..<256 {
      let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
      table[isPrintable ? byte : next] = UInt16(byte)
      if !isPrintable { next += 1 }
    }
    return table
  }()

  /// The bytes that a token's characters stand for, nil where one of them stands for none.
  static func bytes(of token: String) -> [UInt8]? {
    var out: [UInt8] = []
    out.reserveCapacity(token.utf8.count)
    for scalar in token.unicodeScalars {
      guard scalar.value < 0x144, byteOfCharacter[Int(scalar.value)] != 0xFFFF else { return nil }
      out.append(UInt8(byteOfCharacter[Int(scalar.value)]))
    }
    return out
  }
}
