/// Text as it is generated, up to the first of some stop texts, wherever token boundaries lie: what may become one is held back until it
/// is known not to.
///
/// Texts are compared by bytes. Of several stop texts the one that is complete first counts, and of those that end together the longest,
/// so that the answer doesn't depend on how the text was cut into tokens.
public struct StoppingDecoder: Sendable {
  private var decoder: StreamingDecoder
  private let stops: [[UInt8]]
  /// Whole characters that were decoded and not given out yet.
  private var held: [UInt8] = []
  /// Whether a stop text has come: nothing follows any more.
  public private(set) var isStopped = false

  /// Empty stop texts count for nothing.
  public init(_ tokenizer: Tokenizer, stops: [String], skipSpecial: Bool) {
    decoder = tokenizer.streamingDecoder(skipSpecial: skipSpecial)
    self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty }
  }

  /// The text that is sure to belong to the answer with this token; may be empty.
  public mutating func push(_ id: Int32) -> String {
    isStopped ? "" : take(decoder.push(id))
  }

  /// What is left at the end.
  public mutating func finish() -> String {
    if isStopped { return "" }
    let last = take(decoder.finish())
    defer { held = [] }
    return last + String(decoding: held, as: UTF8.self)
  }

  private mutating func take(_ text: String) -> String {
    if stops.isEmpty { return text }
    for byte in text.utf8 {
      held.append(byte)
      let ended = stops.filter { held.count >= $0.count && held.suffix($0.count).elementsEqual($0) }
      guard let longest = ended.map(\.count).max() else { continue }
      isStopped = true
      defer { held = [] }
      return String(decoding: held.dropLast(longest), as: UTF8.self)
    }
    let sure = held.count - beginning
    defer { held.removeFirst(sure) }
    return String(decoding: held.prefix(sure), as: UTF8.self)
  }

  /// How many bytes at the end may be the beginning of a stop text. They begin like one, so with a whole character.
  private var beginning: Int {
    stops.map { stop in
      (1..<max(stop.count, 1)).last { $0 <= held.count && held.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }.max() ?? 0
  }
}
