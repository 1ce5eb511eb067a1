/// Text on its way into a page: whatever it holds comes out as text.
enum Escape {
  /// Text or an attribute's value in HTML. Characters that HTML doesn't allow become U+FFFD.
  static func html(_ text: String) -> String {
    var out = ""
    out.reserveCapacity(text.utf8.count + 16)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      case "\r": continue
      case _ where isForbidden(scalar): out += "\u{FFFD}"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// Text of one or more lines inside an HTML element: line ends become `<br>`.
  static func htmlLines(_ text: String) -> String {
    html(text).split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "<br>\n")
  }

  /// Running text in Markdown, line ends as `<br>`. Braces are escaped too, for site generators that read `{{`.
  static func markdown(_ text: String) -> String {
    var out = ""
    out.reserveCapacity(text.utf8.count + 16)
    let scalars = Array(text.unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      let next: Unicode.Scalar = index + 1 < scalars.count ? scalars[index + 1] : "\n"
      switch scalar {
      case "_" where index > 0 && isWord(scalars[index - 1]) && isWord(next): out += "_"
      case "\\", "`", "*", "_", "[", "]", "<", ">", "|", "&", "~", "#", "{", "}", "$":
        out += "\\"
        out.unicodeScalars.append(scalar)
      case "%":
        // `{%` opens a tag for some site generators, whatever stands before the brace.
        out += index > 0 && scalars[index - 1] == "{" ? "\\%" : "%"
      case "+", "-", "=":
        if index == 0, !("0"..."9").contains(next) || scalar == "=" { out += "\\" }
        out.unicodeScalars.append(scalar)
      case ".", ")":
        // "1. " at the start of a line would begin a list.
        let isMarker =
          next.properties.isWhitespace && index < 10 && index > 0
          && scalars[..<index].allSatisfy { ("0"..."9").contains($0) }
        if isMarker { out += "\\" }
        out.unicodeScalars.append(scalar)
      case "\n": out += "<br>"
      case "\r": continue
      case "\t": out += " "
      case _ where isForbidden(scalar): out += "\u{FFFD}"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
  }

  /// A code span in Markdown with a fence that the text can't close; `inTable` keeps `|` from ending the cell. A site generator's
  /// tags come out as HTML, unless whoever asks has taken care of them (`hidesTags` false).
  static func markdownCode(_ text: String, inTable: Bool = false, hidesTags: Bool = true) -> String {
    var code = plain(String(text.map { $0.isNewline ? " " : $0 }))
    if hidesTags, code.contains("{{") || code.contains("{%") {
      // Site generators read their tags inside code too, and a code span has no escapes.
      return "<code>\(markdown(code))</code>"
    }
    if inTable { code = code.replacing("|", with: "\\|") }
    let fence = String(repeating: "`", count: longestRun(of: "`", in: code) + 1)
    let pad = code.hasPrefix("`") || code.hasSuffix("`") || code.isEmpty ? " " : ""
    return fence + pad + code + pad + fence
  }

  /// Text that lands inside code the author opened in Markdown: nothing can be escaped there, so what could close the code or
  /// open a site generator's tag is replaced by a look-alike.
  static func insideMarkdownCode(_ text: String) -> String {
    plain(String(text.map { $0.isNewline ? " " : $0 })).replacing("`", with: "ˋ").replacing("{{", with: "{ {")
      .replacing("{{", with: "{ {").replacing("{%", with: "{ %").replacing("{#", with: "{ #")
  }

  /// A fenced block whose fence the code can't close.
  static func markdownBlock(_ code: String, language: String) -> String {
    let fence = String(repeating: "`", count: max(3, longestRun(of: "`", in: code) + 1))
    let word =
      language.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || $0 == "-") } ? language : ""
    return fence + word + "\n" + code + (code.hasSuffix("\n") ? "" : "\n") + fence
  }

  private static func longestRun(of character: Character, in text: String) -> Int {
    var longest = 0
    var run = 0
    for other in text {
      run = other == character ? run + 1 : 0
      longest = max(longest, run)
    }
    return longest
  }

  /// Text without what no page may hold, for templates that escape the rest themselves.
  static func plain(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isForbidden) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isForbidden($0) ? "\u{FFFD}" : $0 }))
  }

  /// Control characters, non-characters, marks of ours, and those that turn the direction of all text after them.
  static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    case 0x202A...0x202E, 0x2066...0x2069: true
    case _ where Mark.isMark(scalar): true
    case 0x00...0x1F, 0x7F...0x9F, 0xFDD0...0xFDEF: true
    default: scalar.value & 0xFFFE == 0xFFFE
    }
  }
}

/// A piece of a page for both targets.
struct Rich: Sendable, Equatable {
  var html: String
  var markdown: String
  /// As a reader hears it: what a particle is chosen by, and what stands inside code.
  var plain: String

  static func text(_ text: String) -> Rich {
    Rich(html: Escape.html(text), markdown: Escape.markdown(text), plain: text)
  }

  /// Text that keeps its line ends.
  static func lines(_ text: String) -> Rich {
    Rich(html: Escape.htmlLines(text), markdown: Escape.markdown(text), plain: text)
  }

  static func code(_ text: String) -> Rich {
    // Names may break after their joints, and only there.
    let joints = "/._-".reduce(Escape.html(text)) { $0.replacing(String($1), with: "\($1)<wbr>") }
    return Rich(html: "<code>\(joints)</code>", markdown: Escape.markdownCode(text, inTable: true), plain: text)
  }

  static func strong(_ inner: Rich) -> Rich {
    // The element, not asterisks: `**50%**를` is not bold in CommonMark.
    Rich(html: "<strong>\(inner.html)</strong>", markdown: "<strong>\(inner.markdown)</strong>", plain: inner.plain)
  }

  static func paragraph(_ inner: Rich) -> Rich {
    Rich(html: "<p>\(inner.html)</p>\n", markdown: inner.markdown, plain: inner.plain)
  }

  static func + (a: Rich, b: Rich) -> Rich {
    Rich(html: a.html + b.html, markdown: a.markdown + b.markdown, plain: a.plain + b.plain)
  }
}

extension [Rich] {
  func joined(_ separator: String) -> Rich {
    Rich(
      html: map(\.html).joined(separator: Escape.html(separator)),
      markdown: map(\.markdown).joined(separator: Escape.markdown(separator)),
      plain: map(\.plain).joined(separator: separator))
  }
}
