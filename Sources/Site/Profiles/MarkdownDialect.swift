/// What a platform's Markdown reader wants written differently.
struct MarkdownDialect: Sendable {
  /// Characters that get a backslash wherever they stand in running text.
  var escaped: Set<Unicode.Scalar> = ["\\", "`", "*", "_", "[", "]", "<", ">", "|", "~", "$", "{", "}"]
  /// Quotes, `--` and `...` would be turned into others ("smart" typography).
  var isTypographic = false
  /// kramdown: a code span with `|` would make a table of its paragraph.
  var codeWithBarsIsHTML = false
  /// A line break inside a table's cell.
  var cellBreak = "<br>"
  /// `[^1]` is read; else notes become a list at the end.
  var hasFootnotes = true
  /// `{#id}` after a heading is read.
  var namesHeadings = false
  /// What parts two lists of one kind, where another mark does not.
  var listEnd: String?
  /// What a list that does not begin at 1 needs besides its numbers.
  var listStart: @Sendable (Int) -> String = { _ in "" }
  /// What a code block holds, so that the platform's templates leave it alone.
  var code: @Sendable (String) -> String = { $0 }
  /// `\&` is read; else an ampersand that would begin an entity is one itself.
  var escapesAmpersands = true
  /// The text of a picture, where escapes in it would be shown.
  var plainAlt: (@Sendable (String) -> String)?
  /// The address of one of the post's pictures.
  var image: @Sendable (String) -> String = { $0 }

  /// GitHub's flavour as velog reads it: every line end is a line break there, so that a paragraph must be one line.
  static let velog = {
    var dialect = MarkdownDialect()
    dialect.hasFootnotes = false
    return dialect
  }()

  /// GitHub's flavour as the Hugging Face Hub reads it.
  static let hub = MarkdownDialect()

  /// Goldmark as Hugo sets it up: no raw HTML, smart typography, shortcodes.
  static let hugo = {
    var dialect = MarkdownDialect()
    dialect.isTypographic = true
    dialect.cellBreak = " / "
    dialect.code = ShortcodeEscape.escape
    dialect.plainAlt = PlainAlt.text
    dialect.namesHeadings = true
    return dialect
  }()

  /// kramdown with GitHub's input as Jekyll sets it up; Liquid is taken care of over the whole text.
  static let jekyll = {
    var dialect = MarkdownDialect()
    dialect.isTypographic = true
    dialect.codeWithBarsIsHTML = true
    dialect.escapesAmpersands = false
    dialect.listEnd = "^"
    dialect.listStart = { "\n{: start=\"\($0)\"}" }
    return dialect
  }()
}

/// Liquid's `{{` and `{%` as text: Jekyll reads them before Markdown, code blocks included.
enum LiquidEscape {
  static func escape(_ text: String) -> String {
    var out = ""
    out.reserveCapacity(text.utf8.count)
    var rest = text.unicodeScalars[...]
    while let first = rest.first {
      rest = rest.dropFirst()
      guard first == "{", let next = rest.first, next == "{" || next == "%" else {
        out.unicodeScalars.append(first)
        continue
      }
      rest = rest.dropFirst()
      out += "{{ \"{\(next)\" }}"
    }
    return out
  }
}

/// Hugo's `{{< … >}}` and `{{% … %}}` as text in code, where no backslash helps: the comment form prints the call itself. One that
/// is never closed gets an invisible joiner, as Hugo would refuse the page.
enum ShortcodeEscape {
  static let unclosed = "{{\u{2060}"

  static func escape(_ code: String) -> String {
    var out = ""
    var rest = code[...]
    while let open = rest.firstRange(of: "{{") {
      out += rest[..<open.lowerBound]
      let after = rest[open.upperBound...]
      guard let mark = after.first, mark == "<" || mark == "%" else {
        out += "{"
        rest = rest[rest.index(after: open.lowerBound)...]
        continue
      }
      let close = mark == "<" ? ">}}" : "%}}"
      let inner = after.dropFirst()
      // `/*` right after the opening is Hugo's own comment form, which would lose its stars.
      guard !inner.hasPrefix("/*"), let end = inner.firstRange(of: close), !inner[..<end.lowerBound].contains("*/")
      else {
        out += unclosed
        rest = after
        continue
      }
      out += "{{\(mark)/*" + inner[..<end.lowerBound] + "*/\(close)"
      rest = inner[end.upperBound...]
    }
    return out + rest
  }
}

/// A picture's text without anything that Markdown reads: Hugo (0.111, and its Goldmark) shows the backslashes of escapes there.
enum PlainAlt {
  private static let likes: [Character: Character] = [
    "[": "(", "]": ")", "{": "(", "}": ")", "<": "‹", ">": "›", "`": "’", "'": "’", "~": "∼", "*": "∗", "|": "/",
    "\\": "/", "\n": " ",
  ]

  static func text(_ alt: String) -> String {
    var out = ""
    var isOpen = false
    for character in alt.replacing("...", with: "…").replacing("--", with: "–") {
      if character == "\"" {
        isOpen.toggle()
        out.append(isOpen ? "“" : "”")
      } else {
        out.append(likes[character] ?? character)
      }
    }
    return out
  }
}

/// Ids of headings as GitHub makes them, and Hugo, kramdown's GitHub input and velog after it.
struct HeadingSlugs {
  private var taken: [String: Int] = [:]

  mutating func next(_ heading: String) -> String {
    let slug = Self.slug(heading)
    let number = taken[slug]
    taken[slug] = (number ?? 0) + 1
    return number.map { "\(slug)-\($0)" } ?? slug
  }

  static func slug(_ heading: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in heading.lowercased().unicodeScalars {
      if scalar == " " { out.append("-") }
      switch scalar.properties.generalCategory {
      case .lowercaseLetter, .uppercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
        .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber, .connectorPunctuation:
        out.append(scalar)
      case _ where scalar == "-": out.append(scalar)
      default: break
      }
    }
    return String(out)
  }
}
