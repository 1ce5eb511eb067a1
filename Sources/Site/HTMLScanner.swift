/// Reads the tags and texts of a page in order, with their lines. Enough to check pages with: it forgives what it can't read.
struct HTMLScanner: Sequence, IteratorProtocol {
  struct Attribute: Sendable, Equatable {
    var name: String
    /// As it is written, without its quotes; nil where there is none.
    var raw: String?

    /// Unescaped.
    var value: String { raw.map(HTMLScanner.unescaped) ?? "" }
  }

  enum Token: Sendable, Equatable {
    case start(String, [Attribute])
    case end(String)
    /// Unescaped.
    case text(String)
    /// A comment or the doctype.
    case other
  }

  struct Item: Sendable, Equatable {
    var token: Token
    /// One-based, of its first character.
    var line: Int
    /// A text as it is written.
    var raw = ""
    /// A start tag that closes itself: `<br/>`.
    var isClosed = false
  }

  private let bytes: [UInt8]
  private var at = 0
  private var line = 1
  /// The element whose text is no markup, if in one.
  private var rawElement: String?

  init(_ bytes: [UInt8]) { self.bytes = bytes }
  init(_ text: String) { self.init(Array(text.utf8)) }

  /// Elements that hold nothing and have no end tag.
  static let empty: Set<String> = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
  ]

  mutating func next() -> Item? {
    guard at < bytes.count else { return nil }
    let start = line
    if let name = rawElement {
      rawElement = nil
      let end = find("</\(name)", from: at) ?? bytes.count
      if end > at {
        let text = take(to: end)
        return Item(token: .text(text), line: start, raw: text)
      }
    }
    guard bytes[at] == UInt8(ascii: "<"), at + 1 < bytes.count else { return textItem(start) }
    let next = bytes[at + 1]
    if next == UInt8(ascii: "!") || next == UInt8(ascii: "?") {
      let isComment = bytes[at...].starts(with: "<!--".utf8)
      let end = isComment ? find("-->", from: at + 4).map { $0 + 3 } : find(">", from: at).map { $0 + 1 }
      _ = take(to: end ?? bytes.count)
      return Item(token: .other, line: start)
    }
    if next == UInt8(ascii: "/") {
      let end = find(">", from: at) ?? bytes.count
      at += 2
      let name = take(to: Swift.max(at, end))
      at = Swift.min(end + 1, bytes.count)
      return Item(token: .end(name.split(whereSeparator: \.isWhitespace).first?.lowercased() ?? ""), line: start)
    }
    guard isLetter(next) else { return textItem(start) }
    return startTag(start)
  }

  private mutating func textItem(_ start: Int) -> Item {
    var end = at + 1
    while end < bytes.count, bytes[end] != UInt8(ascii: "<") { end += 1 }
    let raw = take(to: end)
    return Item(token: .text(Self.unescaped(raw)), line: start, raw: raw)
  }

  private mutating func startTag(_ start: Int) -> Item {
    var isClosed = false
    at += 1
    let name = takeName().lowercased()
    var attributes: [Attribute] = []
    while at < bytes.count, bytes[at] != UInt8(ascii: ">") {
      if isSpace(bytes[at]) || bytes[at] == UInt8(ascii: "/") {
        isClosed = bytes[at] == UInt8(ascii: "/")
        advance()
        continue
      }
      let key = takeName().lowercased()
      if key.isEmpty {
        advance()
        continue
      }
      while at < bytes.count, isSpace(bytes[at]) { advance() }
      guard at < bytes.count, bytes[at] == UInt8(ascii: "=") else {
        attributes.append(Attribute(name: key, raw: nil))
        continue
      }
      advance()
      while at < bytes.count, isSpace(bytes[at]) { advance() }
      attributes.append(Attribute(name: key, raw: takeValue()))
      isClosed = false
    }
    if at < bytes.count { at += 1 }
    if ["script", "style", "title", "textarea"].contains(name) { rawElement = name }
    return Item(token: .start(name, attributes), line: start, isClosed: isClosed)
  }

  private mutating func takeValue() -> String {
    guard at < bytes.count else { return "" }
    let quote = bytes[at]
    guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
      var end = at
      while end < bytes.count, !isSpace(bytes[end]), bytes[end] != UInt8(ascii: ">") { end += 1 }
      return take(to: end)
    }
    at += 1
    var end = at
    while end < bytes.count, bytes[end] != quote { end += 1 }
    let value = take(to: end)
    at = Swift.min(end + 1, bytes.count)
    return value
  }

  private mutating func takeName() -> String {
    var end = at
    while end < bytes.count, !isSpace(bytes[end]), !"=>/".utf8.contains(bytes[end]) { end += 1 }
    return take(to: end)
  }

  private mutating func advance() {
    if bytes[at] == 0x0A { line += 1 }
    at += 1
  }

  private mutating func take(to end: Int) -> String {
    let slice = bytes[at..<end]
    for byte in slice where byte == 0x0A { line += 1 }
    at = end
    return String(decoding: slice, as: UTF8.self)
  }

  private func find(_ text: String, from start: Int) -> Int? {
    let wanted = Array(text.utf8)
    guard start <= bytes.count, bytes.count - start >= wanted.count else { return nil }
    for index in start...(bytes.count - wanted.count)
    where bytes[index] == wanted[0] && bytes[index..<index + wanted.count].elementsEqual(wanted) {
      return index
    }
    return nil
  }

  private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
  private func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }

  private static let names: [Substring: Character] = [
    "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": "\u{A0}",
  ]

  /// Text with its character references replaced; an unknown one stays as it is.
  static func unescaped(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
    var out = ""
    var rest = text[...]
    while let amp = rest.firstIndex(of: "&") {
      out += rest[..<amp]
      rest = rest[rest.index(after: amp)...]
      guard let end = rest.prefix(12).firstIndex(of: ";"), let character = character(rest[..<end]) else {
        out += "&"
        continue
      }
      out.append(character)
      rest = rest[rest.index(after: end)...]
    }
    return out + rest
  }

  private static func character(_ name: Substring) -> Character? {
    if let known = names[name] { return known }
    guard name.hasPrefix("#") else { return nil }
    let digits = name.dropFirst()
    let value =
      digits.first.map { $0 == "x" || $0 == "X" } ?? false ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
    return value.flatMap(Unicode.Scalar.init).map(Character.init)
  }
}
