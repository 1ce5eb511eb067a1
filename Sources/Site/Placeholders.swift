/// Marks of ours in a post's text, from the Private Use Area: they pass through Markdown as letters do, and are replaced once,
/// by text that is never read as Markdown or as a template again.
enum Mark {
  /// Opens the number of a fragment.
  static let fragment: Unicode.Scalar = "\u{E000}"
  /// The same where the fragment stands inside code.
  static let codeFragment: Unicode.Scalar = "\u{E006}"
  /// Closes the number of a fragment.
  static let end: Unicode.Scalar = "\u{E001}"
  static let strongOpen: Unicode.Scalar = "\u{E002}"
  static let strongClose: Unicode.Scalar = "\u{E003}"
  static let emphasisOpen: Unicode.Scalar = "\u{E004}"
  static let emphasisClose: Unicode.Scalar = "\u{E005}"

  static func isMark(_ scalar: Unicode.Scalar) -> Bool { (0xE000...0xE006).contains(scalar.value) }

  static func placeholder(_ number: Int) -> String { "\(fragment)\(number)\(end)" }

  /// Text from outside, without anything that looks like a mark.
  static func removed(from text: String) -> String {
    guard text.unicodeScalars.contains(where: isMark) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isMark($0) ? "\u{FFFD}" : $0 }))
  }

  /// A part of a text with marks in it.
  enum Part: Equatable {
    case text(String)
    case fragment(Int, isCode: Bool)
    case mark(Unicode.Scalar)
  }

  static func parts(of text: String) -> [Part] {
    var parts: [Part] = []
    var plain = String.UnicodeScalarView()
    func flush() {
      if !plain.isEmpty { parts.append(.text(String(plain))) }
      plain = String.UnicodeScalarView()
    }
    let scalars = text.unicodeScalars
    var index = scalars.startIndex
    while index < scalars.endIndex {
      let scalar = scalars[index]
      index = scalars.index(after: index)
      guard isMark(scalar) else {
        plain.append(scalar)
        continue
      }
      flush()
      if scalar == fragment || scalar == codeFragment {
        let close = scalars[index...].firstIndex(of: end)
        guard let close, let number = Int(String(scalars[index..<close])) else { continue }
        parts.append(.fragment(number, isCode: scalar == codeFragment))
        index = scalars.index(after: close)
      } else if scalar != end {
        parts.append(.mark(scalar))
      }
    }
    flush()
    return parts
  }
}
