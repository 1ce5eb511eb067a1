/// A token that stands beside the vocabulary proper: it is found in a text as it is written, before anything else.
public struct AddedToken: Sendable, Equatable {
  public var id: Int32
  public var content: String
  /// A control token such as an end of turn; others are ordinary text that must stay whole.
  public var special: Bool
  /// Takes the whitespace before, after it, with it.
  public var lstrip = false
  public var rstrip = false
  /// Stands alone only: no letter or digit next to it.
  public var singleWord = false
  /// Is looked for in the normalised text, not in the text as given.
  public var normalized = false

  public init(id: Int32, content: String, special: Bool) {
    self.id = id
    self.content = content
    self.special = special
  }
}

/// Finds added tokens in a text: the leftmost, and of those that start together the longest.
struct AddedTokenFinder: Sendable {
  private let tokens: [(bytes: [UInt8], token: AddedToken)]
  /// For each first byte the tokens that start with it, longest first.
  private let byFirst: [[Int]]
  var isEmpty: Bool { tokens.isEmpty }

  init(_ added: [AddedToken]) {
    tokens = added.filter { !$0.content.isEmpty }.map { (Array($0.content.utf8), $0) }
    var byFirst = [[Int]](repeating: [], count: 256)
    for (index, token) in tokens.enumerated() { byFirst[Int(token.bytes[0])].append(index) }
    let sizes = tokens.map(\.bytes.count)
    self.byFirst = byFirst.map { $0.sorted { sizes[$0] != sizes[$1] ? sizes[$0] > sizes[$1] : $0 < $1 } }
  }

  enum Part: Equatable {
    case text(Range<Int>)
    /// A token and the bytes it stands in the text with.
    case token(AddedToken, Range<Int>)
  }

  func split(_ text: UnsafeBufferPointer<UInt8>) -> [Part] {
    if isEmpty || text.isEmpty { return text.isEmpty ? [] : [.text(0..<text.count)] }
    var parts: [Part] = []
    var plain = 0
    var at = 0
    while at < text.count {
      guard let (bytes, token) = match(text, at) else {
        at += 1
        continue
      }
      var start = at
      var end = at + bytes
      if token.lstrip {
        while start > plain, let size = Self.space(before: start, text) { start = max(plain, start - size) }
      }
      if token.rstrip { while end < text.count, let size = Self.space(at: end, text) { end += size } }
      if start > plain { parts.append(.text(plain..<start)) }
      parts.append(.token(token, start..<end))
      plain = end
      at = end
    }
    if plain < text.count { parts.append(.text(plain..<text.count)) }
    return parts
  }

  private func match(_ text: UnsafeBufferPointer<UInt8>, _ at: Int) -> (Int, AddedToken)? {
    for index in byFirst[Int(text[at])] {
      let bytes = tokens[index].bytes
      guard at + bytes.count <= text.count else { continue }
      guard bytes.indices.allSatisfy({ text[at + $0] == bytes[$0] }) else { continue }
      let token = tokens[index].token
      if token.singleWord, Self.isWord(before: at, text) || Self.isWord(at: at + bytes.count, text) { return nil }
      return (bytes.count, token)
    }
    return nil
  }

  /// The offsets at which a mark must be put so that no token is left in the text: after the first character of each
  /// place where one stands, overlapping ones too. A token of one character, or of whitespace, cannot be broken so.
  func breaks(in text: UnsafeBufferPointer<UInt8>, where wanted: (AddedToken) -> Bool) -> [Int] {
    var offsets: [Int] = []
    for at in text.indices {
      for index in byFirst[Int(text[at])] {
        let (bytes, token) = tokens[index]
        guard at + bytes.count <= text.count, wanted(token) else { continue }
        guard bytes.indices.allSatisfy({ text[at + $0] == bytes[$0] }) else { continue }
        // Past the leading whitespace, which a template may strip.
        var width = 0
        while let size = Self.space(at: at + width, text), width < bytes.count { width += size }
        guard let first = Self.scalar(at: at + width, text) else { continue }
        width += UTF8.width(first)
        if width < bytes.count { offsets.append(at + width) }
      }
    }
    return Array(Set(offsets)).sorted()
  }

  private static func scalar(at place: Int, _ text: UnsafeBufferPointer<UInt8>) -> Unicode.Scalar? {
    guard place < text.count else { return nil }
    var end = place + 1
    while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
    return String(decoding: UnsafeBufferPointer(rebasing: text[place..<end]), as: UTF8.self).unicodeScalars.first
  }

  private static func scalar(before place: Int, _ text: UnsafeBufferPointer<UInt8>) -> Unicode.Scalar? {
    guard place > 0 else { return nil }
    var start = place - 1
    while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(at: start, UnsafeBufferPointer(rebasing: text[..<place]))
  }

  private static func space(at place: Int, _ text: UnsafeBufferPointer<UInt8>) -> Int? {
    scalar(at: place, text).flatMap { $0.properties.isWhitespace ? UTF8.width($0) : nil }
  }

  private static func space(before place: Int, _ text: UnsafeBufferPointer<UInt8>) -> Int? {
    scalar(before: place, text).flatMap { $0.properties.isWhitespace ? UTF8.width($0) : nil }
  }

  private static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
    scalar.map { $0 == "_" || $0.properties.isXIDContinue } ?? false
  }
  private static func isWord(at place: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    isWord(scalar(at: place, text))
  }
  private static func isWord(before place: Int, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
    isWord(scalar(before: place, text))
  }
}
