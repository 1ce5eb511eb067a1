/// One token of a template: literal text, the edges of tags, or a token of an expression.
enum Token: Equatable, Sendable {
  case text(String)
  case blockStart
  case blockEnd
  case outputStart
  case outputEnd
  case name(String)
  case integer(Int)
  case decimal(Double)
  case string(String)
  case symbol(String)
  case end
}

struct PlacedToken: Sendable {
  var token: Token
  var place: Place
}

/// Cuts a template's source into tokens, with Jinja's whitespace control.
struct Lexer {
  let name: String
  let options: Options
  let source: [Unicode.Scalar]
  var at = 0
  var place = Place(line: 1, column: 1)
  var tokens: [PlacedToken] = []
  /// Whether the text before here ends a line (or is the start): only then may `lstrip_blocks` take the indentation.
  var atLineStart = true

  init(_ text: String, name: String, options: Options) {
    self.name = name
    self.options = options
    var scalars: [Unicode.Scalar] = []
    scalars.reserveCapacity(text.utf8.count)
    var previous: Unicode.Scalar = " "
    for scalar in text.unicodeScalars {
      // Jinja reads every kind of line end as "\n".
      if scalar == "\n", previous == "\r" {
        // The carriage return has become the line end already.
      } else {
        scalars.append(scalar == "\r" ? "\n" : scalar)
      }
      previous = scalar
    }
    if !options.keepTrailingNewline, scalars.last == "\n" { scalars.removeLast() }
    source = scalars
  }

  static func tokens(of text: String, name: String, options: Options) throws -> [PlacedToken] {
    var lexer = Lexer(text, name: name, options: options)
    while lexer.at < lexer.source.count { try lexer.readTextAndTag() }
    lexer.add(.end)
    return lexer.tokens
  }

  func error(_ message: String, _ place: Place? = nil) -> JinjaError {
    let place = place ?? self.place
    return JinjaError(template: name, line: place.line, column: place.column, message: message)
  }

  mutating func add(_ token: Token, _ place: Place? = nil) {
    tokens.append(PlacedToken(token: token, place: place ?? self.place))
  }

  func looking(at text: String, from index: Int? = nil) -> Bool {
    var index = index ?? at
    for scalar in text.unicodeScalars {
      guard index < source.count, source[index] == scalar else { return false }
      index += 1
    }
    return true
  }

  mutating func advance(_ count: Int = 1) {
    for _ in 0..<count where at < source.count {
      if source[at] == "\n" {
        place.line += 1
        place.column = 1
      } else {
        place.column += 1
      }
      at += 1
    }
  }

  mutating func skipSpace() {
    while at < source.count, Value.isSpace(source[at]) { advance() }
  }

  // MARK: Text and the edges of tags

  private enum Kind { case block, output, comment }

  mutating func readTextAndTag() throws {
    let start = at
    var next = at
    var kind: Kind?
    while next < source.count {
      if source[next] == "{", next + 1 < source.count {
        if source[next + 1] == "%" { kind = .block }
        if source[next + 1] == "{" { kind = .output }
        if source[next + 1] == "#" { kind = .comment }
        if kind != nil { break }
      }
      next += 1
    }
    guard let kind else {
      emitText(start, source.count)
      return advance(source.count - at)
    }
    let sign = next + 2 < source.count ? source[next + 2] : " "
    emitText(start, textEnd(start, next, sign, mayStrip: kind != .output))
    advance(next - at)
    let tagPlace = place
    advance(sign == "-" || sign == "+" ? 3 : 2)
    switch kind {
    case .comment: try skipComment(from: tagPlace)
    case .output:
      add(.outputStart, tagPlace)
      try readExpression(closing: "}}", .outputEnd, from: tagPlace)
    case .block:
      if rawTagEnd() != nil { return try readRaw(from: tagPlace) }
      add(.blockStart, tagPlace)
      try readExpression(closing: "%}", .blockEnd, from: tagPlace)
    }
    atLineStart = at > 0 && source[at - 1] == "\n"
  }

  private mutating func emitText(_ start: Int, _ end: Int) {
    guard end > start else { return }
    var text = ""
    text.unicodeScalars.append(contentsOf: source[start..<end])
    add(.text(text))
  }

  /// Where the text before a tag ends once the tag's `-`, `+` or `lstrip_blocks` had its way.
  private func textEnd(_ start: Int, _ tag: Int, _ sign: Unicode.Scalar, mayStrip: Bool) -> Int {
    if sign == "-" {
      var end = tag
      while end > start, Value.isSpace(source[end - 1]) { end -= 1 }
      return end
    }
    guard options.lstripBlocks, mayStrip, sign != "+" else { return tag }
    var lineStart = tag
    while lineStart > start, source[lineStart - 1] != "\n" { lineStart -= 1 }
    guard lineStart > start || atLineStart else { return tag }
    return source[lineStart..<tag].allSatisfy(Value.isSpace) ? lineStart : tag
  }

  /// Takes what follows a closing tag: all space after `-`, one line end under `trim_blocks` unless `+`.
  private mutating func finishTag(_ sign: Unicode.Scalar?, trimLine: Bool) {
    if sign == "-" {
      skipSpace()
    } else if sign == nil, trimLine, options.trimBlocks, at < source.count, source[at] == "\n" {
      advance()
    }
  }

  private mutating func skipComment(from start: Place) throws {
    while at < source.count {
      if looking(at: "#}") {
        advance(2)
        return finishTag(nil, trimLine: true)
      }
      if source[at] == "-" || source[at] == "+", looking(at: "#}", from: at + 1) {
        let sign = source[at]
        advance(3)
        return finishTag(sign, trimLine: true)
      }
      advance()
    }
    throw error("this comment is never closed; end it with #}", start)
  }

  // MARK: raw

  /// The index just past `raw … %}` when the tag opened here is one.
  private func rawTagEnd(_ word: String = "raw", from start: Int? = nil) -> (end: Int, sign: Unicode.Scalar?)? {
    var index = start ?? at
    while index < source.count, Value.isSpace(source[index]) { index += 1 }
    guard looking(at: word, from: index) else { return nil }
    index += word.unicodeScalars.count
    while index < source.count, Value.isSpace(source[index]) { index += 1 }
    if looking(at: "%}", from: index) { return (index + 2, nil) }
    if index < source.count, source[index] == "-" || source[index] == "+", looking(at: "%}", from: index + 1) {
      return (index + 3, source[index])
    }
    return nil
  }

  private mutating func readRaw(from start: Place) throws {
    guard let opening = rawTagEnd() else { return }
    advance(opening.end - at)
    finishTag(opening.sign, trimLine: false)
    atLineStart = at > 0 && source[at - 1] == "\n"
    let textStart = at
    var tag = at
    while tag < source.count {
      if looking(at: "{%", from: tag) {
        let sign: Unicode.Scalar = tag + 2 < source.count ? source[tag + 2] : " "
        let inner = tag + (sign == "-" || sign == "+" ? 3 : 2)
        if let closing = rawTagEnd("endraw", from: inner) {
          emitText(textStart, textEnd(textStart, tag, sign, mayStrip: true))
          advance(closing.end - at)
          finishTag(closing.sign, trimLine: true)
          atLineStart = at > 0 && source[at - 1] == "\n"
          return
        }
      }
      tag += 1
    }
    throw error("{% raw %} is never closed; end it with {% endraw %}", start)
  }

  // MARK: Expressions

  private mutating func readExpression(closing: String, _ end: Token, from start: Place) throws {
    var open: [Unicode.Scalar] = []
    while true {
      skipSpace()
      guard at < source.count else { throw error("this tag is never closed; end it with \(closing)", start) }
      if open.isEmpty {
        if looking(at: closing) {
          add(end)
          advance(2)
          return finishTag(nil, trimLine: closing == "%}")
        }
        let sign = source[at]
        if sign == "-" || (sign == "+" && closing == "%}"), looking(at: closing, from: at + 1) {
          add(end)
          advance(3)
          return finishTag(sign, trimLine: true)
        }
      }
      try readToken(&open)
    }
  }

  private mutating func readToken(_ open: inout [Unicode.Scalar]) throws {
    let start = place
    let scalar = source[at]
    if scalar == "\"" || scalar == "'" { return try readString(scalar) }
    if ("0"..."9").contains(scalar) { return try readNumber() }
    if scalar == "_" || scalar.properties.isXIDStart {
      let begin = at
      while at < source.count, source[at] == "_" || source[at].properties.isXIDContinue { advance() }
      return add(.name(text(begin, at)), start)
    }
    for symbol in ["==", "!=", "<=", ">=", "//", "**"] where looking(at: symbol) {
      add(.symbol(symbol), start)
      return advance(2)
    }
    guard "()[]{}+-*/%~<>=.,:|".unicodeScalars.contains(scalar) else {
      throw error("unexpected character '\(scalar)'", start)
    }
    if let closing = ["(": ")", "[": "]", "{": "}"][scalar] as Unicode.Scalar? { open.append(closing) }
    if [")", "]", "}"].contains(scalar) {
      guard open.last == scalar else { throw error("unexpected '\(scalar)'", start) }
      open.removeLast()
    }
    add(.symbol(String(scalar)), start)
    advance()
  }

  private func text(_ start: Int, _ end: Int) -> String {
    var out = ""
    out.unicodeScalars.append(contentsOf: source[start..<end])
    return out
  }
}
