/// Writes inlines as one line of Markdown (hard breaks aside), escaped for a dialect.
struct MarkdownLine {
  let dialect: MarkdownDialect
  let anchors: [String: String]
  let inTable: Bool
  private var out = String.UnicodeScalarView()
  /// The next character is written as an entity: see ``wrapped(_:by:)``.
  private var encodesNext = false
  private var isLineStart = true

  init(dialect: MarkdownDialect, anchors: [String: String], inTable: Bool) {
    self.dialect = dialect
    self.anchors = anchors
    self.inTable = inTable
  }

  mutating func finish() -> String {
    while let last = out.last, last == " " { out.removeLast() }
    return String(out)
  }

  mutating func write(_ inlines: [MarkdownInline]) {
    for (index, inline) in inlines.enumerated() {
      switch inline {
      case .text(let text): write(text: text)
      case .code(let code): write(code: code)
      case .strong(let inner): wrapped(inner, by: "**", before: inlines[(index + 1)...])
      case .emphasis(let inner): wrapped(inner, by: "*", before: inlines[(index + 1)...])
      case .link(let address, let inner): write(link: address, inner)
      case .image(let address, let alt):
        append("![")
        if let plain = dialect.plainAlt { append(plain(alt)) } else { write(text: alt) }
        append("](\(dialect.image(address)))")
      case .lineBreak:
        if inTable {
          append(dialect.cellBreak)
        } else if !isLineStart {
          // One after another would be an empty line, which ends the paragraph. Two spaces are a hard break to every reader; a backslash is not.
          while out.last == " " { out.removeLast() }
          append("  \n")
          isLineStart = true
        }
      case .footnote(let name): append(dialect.hasFootnotes ? "[^\(name)]" : "\\[\(name)\\]")
      }
    }
  }

  private mutating func append(_ text: String) {
    guard !text.isEmpty else { return }
    out.append(contentsOf: text.unicodeScalars)
    encodesNext = false
    isLineStart = false
  }

  // MARK: Text

  private mutating func write(text: String) {
    let scalars = Array(text.unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      if isLineStart, scalar == " " { continue }
      let next: Unicode.Scalar? = index + 1 < scalars.count ? scalars[index + 1] : nil
      if encodesNext, scalar != " " {
        append(Self.entity(scalar))
        continue
      }
      encodesNext = false
      let startsLine = isLineStart
      isLineStart = false
      if isEscaped(scalar, next: next, previous: index > 0 ? scalars[index - 1] : nil, startsLine: startsLine) {
        out.append("\\")
      }
      switch scalar {
      case "&" where next.map { $0 == "#" || Flanking.isWord($0) } ?? false:
        // It would begin an entity.
        out.append(contentsOf: (dialect.escapesAmpersands ? "\\&" : "&amp;").unicodeScalars)
      case "\n", "\t", "\r": out.append(" ")
      default: out.append(scalar)
      }
    }
  }

  private func isEscaped(
    _ scalar: Unicode.Scalar, next: Unicode.Scalar?, previous: Unicode.Scalar?, startsLine: Bool
  ) -> Bool {
    if dialect.escaped.contains(scalar) {
      guard scalar == "_", let previous, let next else { return true }
      return !(Flanking.isWord(previous) && Flanking.isWord(next))
    }
    let inMarker = (out.last.map { ("0"..."9").contains($0) } ?? false) && isNumberSoFar
    switch scalar {
    case "\"", "'": return dialect.isTypographic
    case "-" where startsLine, "+" where startsLine, "=" where startsLine, "#" where startsLine, ":" where startsLine,
      "^" where startsLine:
      return true
    case "-": return dialect.isTypographic && (next == "-" || previous == "-")
    case ".": return inMarker && next != nil && next == " " || dialect.isTypographic && (next == "." || previous == ".")
    case ")": return inMarker && (next == nil || next == " ")
    default: return false
    }
  }

  /// Whether the line holds digits alone, so that a full stop would begin a list.
  private var isNumberSoFar: Bool {
    var count = 0
    for scalar in out.reversed() {
      if scalar == "\n" { break }
      guard ("0"..."9").contains(scalar), count < 9 else { return false }
      count += 1
    }
    return count > 0
  }

  private static func entity(_ scalar: Unicode.Scalar) -> String { "&#\(scalar.value);" }

  // MARK: Emphasis

  /// CommonMark wants a space or punctuation outside a `**` whose inside is punctuation, and Korean has a particle there:
  /// `**"따옴표"**를`. Written as an entity the particle's first letter begins with `&`, which is punctuation to the rule and
  /// the same letter to the reader; no raw HTML is needed.
  private mutating func wrapped(_ inner: [MarkdownInline], by fence: String, before rest: ArraySlice<MarkdownInline>) {
    var part = MarkdownLine(dialect: dialect, anchors: anchors, inTable: inTable)
    part.isLineStart = false
    part.write(inner)
    var content = part.out
    var spaceBefore = false
    var spaceAfter = false
    while content.first == " " {
      content.removeFirst()
      spaceBefore = true
    }
    while content.last == " " {
      content.removeLast()
      spaceAfter = true
    }
    guard let first = content.first, let last = content.last else {
      if spaceBefore || spaceAfter { write(text: " ") }
      return
    }
    if spaceBefore { write(text: " ") }
    if let previous = out.last, Flanking.isPunctuation(first), !Flanking.isSpace(previous),
      !Flanking.isPunctuation(previous)
    {
      out.removeLast()
      out.append(contentsOf: Self.entity(previous).unicodeScalars)
    }
    append(fence + String(content) + fence)
    if spaceAfter { write(text: " ") }
    encodesNext = !spaceAfter && Flanking.isPunctuation(last) && Self.startsWithLetter(rest)
  }

  private static func startsWithLetter(_ rest: ArraySlice<MarkdownInline>) -> Bool {
    guard case .text(let text)? = rest.first, let scalar = text.unicodeScalars.first else { return false }
    return !Flanking.isSpace(scalar) && !Flanking.isPunctuation(scalar)
  }

  // MARK: Code and links

  private mutating func write(code: String) {
    if dialect.codeWithBarsIsHTML, code.contains("|") {
      append("<code>\(Escape.html(code).replacing("|", with: "&#124;"))</code>")
      return
    }
    let written = Escape.markdownCode(dialect.code(code), inTable: inTable, hidesTags: false)
    // A line that begins with a fence of three would be a block.
    append(written)
  }

  private mutating func write(link address: String, _ inner: [MarkdownInline]) {
    guard var safe = PageRenderer.safeAddress(address) else { return write(inner) }
    if case .text(let text)? = inner.first, inner.count == 1, text == address, text == safe, safe.contains(":") {
      return append("<\(safe)>")
    }
    if safe.hasPrefix("#") {
      let id = String(safe.dropFirst()).removingPercentEncoding ?? ""
      safe = "#" + PageRenderer.percentEncoded(anchors[id] ?? id)
    }
    append("[")
    write(inner)
    append("](" + safe.replacing("(", with: "%28").replacing(")", with: "%29") + ")")
  }
}

/// CommonMark's two classes of characters around a run of asterisks.
enum Flanking {
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }

  static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
  }

  /// Newer readers count symbols (`$`, `€`) as punctuation too: taken so here, an entity more does no harm.
  static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol:
      return true
    default: return false
    }
  }
}
