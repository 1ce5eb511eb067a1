import Formats
import Foundation
import Jinja

/// A byte-level BPE tokeniser with the chat format of its model. A value: copies share their tables.
public struct Tokenizer: Sendable {
  /// The file or folder it was read from, for errors.
  public let file: String
  let encoder: BytePairEncoder
  let preTokenizer: PreTokenizer
  let normalizesToNFC: Bool
  let added: [Int32: AddedToken]
  /// Every added token; and apart, those that are looked for before and after normalisation.
  let addedFinder: AddedTokenFinder
  let rawFinder: AddedTokenFinder
  let normalizedFinder: AddedTokenFinder

  /// The number of ids, used or not: the highest id + 1.
  public var vocabularySize: Int { encoder.vocabulary.count }
  public let bosToken: Int32?
  public let padToken: Int32?
  /// Whether the model expects the BOS token before a text without a chat template. ``encode(_:special:)`` adds none.
  public let addsBOS: Bool
  /// The ids at which generation stops: the tokeniser's end of text and the ends of turn that the model names.
  public let eosTokens: [Int32]
  /// The source of the model's chat template.
  public let chatTemplate: String?
  let chat: Result<Template, any Error>

  /// What the two ways of reading a tokeniser come down to.
  struct Parts {
    var file: String
    /// The model's own tokens by id (as bytes); nil for ids that are unused or added tokens alone.
    var tokens: [[UInt8]?]
    var merges: [(left: [UInt8], right: [UInt8])]
    var added: [AddedToken]
    var patterns: [String]
    var nfc: Bool
    var ignoresMerges: Bool
    var bos: Int32?
    var pad: Int32?
    var addsBOS = false
    var eos: [Int32]
    var chatTemplate: String?
    /// bos_token, eos_token … as the chat template sees them.
    var names: [String: String]
  }

  init(_ parts: Parts) throws {
    file = parts.file
    var tokens = parts.tokens
    var added: [Int32: AddedToken] = [:]
    for token in parts.added {
      guard token.id >= 0, token.id < 1 << 24 else {
        throw TokenizerError(
          file: file, message: "the added token '\(token.content)' has the id \(token.id); the file is damaged")
      }
      added[token.id] = token
      while tokens.count <= Int(token.id) { tokens.append(nil) }
      tokens[Int(token.id)] = Array(token.content.utf8)
    }
    let vocabulary = Vocabulary(tokens) { added[Int32($0)] == nil }
    encoder = BytePairEncoder(
      vocabulary: vocabulary, merges: try Self.merges(parts, vocabulary),
      byteTokens: (0...255).map { vocabulary.find([UInt8($0)]) ?? -1 }, ignoresMerges: parts.ignoresMerges)
    preTokenizer = PreTokenizer(stages: try parts.patterns.map { try Pattern(oniguruma: $0, file: parts.file) })
    normalizesToNFC = parts.nfc
    self.added = added
    let all = added.values.sorted { $0.id < $1.id }
    addedFinder = AddedTokenFinder(all)
    rawFinder = AddedTokenFinder(all.filter { !$0.normalized })
    normalizedFinder = AddedTokenFinder(all.filter(\.normalized))
    bosToken = parts.bos
    padToken = parts.pad
    addsBOS = parts.addsBOS
    var seen = Set<Int32>()
    eosTokens = parts.eos.filter { seen.insert($0).inserted }
    chatTemplate = parts.chatTemplate
    chat = Self.chatTemplate(parts)
  }

  private static func merges(_ parts: Parts, _ vocabulary: Vocabulary) throws -> Merges {
    var merges = Merges(capacity: parts.merges.count)
    for (rank, pair) in parts.merges.enumerated() {
      guard let left = vocabulary.find(pair.left), let right = vocabulary.find(pair.right),
        let merged = vocabulary.find(pair.left + pair.right)
      else {
        throw TokenizerError(
          file: parts.file,
          message: "merge \(rank + 1) names a token that the vocabulary has not; the file is damaged, get it again")
      }
      merges.insert(left, right, rank: rank, merged: merged)
    }
    return merges
  }

  private static func chatTemplate(_ parts: Parts) -> Result<Template, any Error> {
    Result {
      guard let source = parts.chatTemplate else {
        throw TokenizerError(
          file: parts.file, message: "the model has no chat template; use an instruct model, or text without chat")
      }
      var environment = Environment(options: .chat)
      for (name, text) in parts.names { environment.globals[name] = .string(text) }
      return try environment.template(source, name: "\(parts.file): chat template")
    }
  }

  // MARK: Encoding

  /// The ids of a text; no BOS is added.
  ///
  /// - Parameter special: whether a special or added token that is written out in the text becomes that token. Without
  ///   it everything is plain text.
  public func encode(_ text: String, special: Bool = false) -> [Int32] {
    var text = text
    return text.withUTF8 { encode($0, special: special) }
  }

  func encode(_ text: UnsafeBufferPointer<UInt8>, special: Bool) -> [Int32] {
    var work = Work()
    return encode(text, special: special, &work)
  }

  func encode(_ text: UnsafeBufferPointer<UInt8>, special: Bool, _ work: inout Work) -> [Int32] {
    work.begin(bytes: text.count)
    guard special else {
      encodePlain(text, &work)
      return work.out
    }
    for part in rawFinder.split(text) {
      switch part {
      case .token(let token, _): work.out.append(token.id)
      case .text(let range):
        withNormalized(UnsafeBufferPointer(rebasing: text[range])) { normal in
          for part in normalizedFinder.split(normal) {
            switch part {
            case .token(let token, _): work.out.append(token.id)
            case .text(let range): encodeNormalized(UnsafeBufferPointer(rebasing: normal[range]), &work)
            }
          }
        }
      }
    }
    return work.out
  }

  /// The ids so far, and what can be used again from text to text.
  struct Work {
    var out: [Int32] = []
    var scratch = BytePairEncoder.Scratch()
    let pieces = PreTokenizer.Scratch()
    /// Where the pieces of the text end.
    var ends: [Int] = []
    /// Where many texts are encoded.
    var known: PieceCache?

    mutating func begin(bytes: Int) {
      out = []
      out.reserveCapacity(bytes / 3 + 8)
    }
  }

  func encodePlain(_ text: UnsafeBufferPointer<UInt8>, _ work: inout Work) {
    withNormalized(text) { encodeNormalized($0, &work) }
  }

  private func withNormalized(_ text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    guard normalizesToNFC, let normal = UnicodeText.nfc(text) else { return body(text) }
    normal.withUnsafeBufferPointer(body)
  }

  private func encodeNormalized(_ text: UnsafeBufferPointer<UInt8>, _ work: inout Work) {
    work.ends.removeAll(keepingCapacity: true)
    preTokenizer.split(text, work.pieces, into: &work.ends)
    // A plain loop: a closure would hold the tables anew for each piece, and threads would wait for each other's counts of holders.
    var start = 0
    for end in work.ends {
      let piece = UnsafeBufferPointer(rebasing: text[start..<end])
      start = end
      guard work.known != nil, let key = PieceCache.Key(piece) else {
        encoder.encode(piece, into: &work.out, &work.scratch)
        continue
      }
      if work.known?.append(key, to: &work.out) == true { continue }
      let first = work.out.count
      encoder.encode(piece, into: &work.out, &work.scratch)
      work.known?.keep(key, work.out[first...])
    }
  }

  // MARK: Decoding

  /// The bytes of a token; empty for an id that is not used.
  public func bytes(of id: Int32) -> [UInt8] {
    guard id >= 0, Int(id) < vocabularySize else { return [] }
    return Array(encoder.vocabulary[Int(id)])
  }

  /// Whether an id is a control token, such as an end of turn.
  public func isSpecial(_ id: Int32) -> Bool { added[id]?.special ?? false }

  /// The id of an added token that is written exactly so.
  public func id(ofAddedToken content: String) -> Int32? {
    added.values.first { $0.content.utf8.elementsEqual(content.utf8) }?.id
  }

  /// The text of ids; bytes that are no UTF-8 become U+FFFD.
  public func decode(_ ids: [Int32], skipSpecial: Bool) -> String {
    var bytes: [UInt8] = []
    for id in ids where !(skipSpecial && isSpecial(id)) { bytes.append(contentsOf: self.bytes(of: id)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A decoder that takes ids one at a time.
  public func streamingDecoder(skipSpecial: Bool) -> StreamingDecoder {
    StreamingDecoder(tokenizer: self, skipSpecial: skipSpecial)
  }
}

/// Text as it is generated: what a token leaves of a character is held back until the character is whole.
public struct StreamingDecoder: Sendable {
  let tokenizer: Tokenizer
  let skipSpecial: Bool
  private var pending: [UInt8] = []

  init(tokenizer: Tokenizer, skipSpecial: Bool) {
    self.tokenizer = tokenizer
    self.skipSpecial = skipSpecial
  }

  /// The text that is whole with this token; may be empty.
  public mutating func push(_ id: Int32) -> String {
    if skipSpecial, tokenizer.isSpecial(id) { return "" }
    pending.append(contentsOf: tokenizer.bytes(of: id))
    let held = Self.incomplete(pending)
    let text = String(decoding: pending.dropLast(held), as: UTF8.self)
    pending.removeFirst(pending.count - held)
    return text
  }

  /// What is left at the end: an unfinished character becomes U+FFFD.
  public mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end may still become a character.
  private static func incomplete(_ bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let byte = bytes[bytes.count - back]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF5 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1
      guard length > back else { return 0 }
      if back > 1, !isPossible(byte, bytes[bytes.count - back + 1]) { return 0 }
      return back
    }
    return 0
  }

  /// Whether a lead byte may be followed by this second byte (no overlong forms, surrogates or values past U+10FFFF).
  private static func isPossible(_ lead: UInt8, _ second: UInt8) -> Bool {
    switch lead {
    case 0xE0: second >= 0xA0
    case 0xED: second <= 0x9F
    case 0xF0: second >= 0x90
    case 0xF4: second <= 0x8F
    default: true
    }
  }
}
