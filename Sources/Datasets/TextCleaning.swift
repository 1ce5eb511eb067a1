/// What is done to texts on their way in, without changing what they say.
enum TextCleaning {
  /// Whether the same text stands there byte for byte: `==` takes canonically equal texts for equal.
  static func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

  /// Line ends become "\n"; other control characters but the tab, and byte-order marks, go.
  static func withoutControlCharacters(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnwanted) else { return text }
    var out = String.UnicodeScalarView()
    var last: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      if scalar == "\r" || scalar == "\u{85}" {
        out.append("\n")
      } else if scalar == "\n", last == "\r" {
        // "\r\n": one line end, which is written already.
      } else if !isUnwanted(scalar) {
        out.append(scalar)
      }
      last = scalar
    }
    return String(out)
  }

  private static func isUnwanted(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A: false
    case 0..<0x20, 0x7F..<0xA0, 0xFEFF: true
    default: false
    }
  }
}

/// How much of a text is Korean.
struct LanguageShare {
  /// Korean, Latin letters, other ones, or a text without letters.
  enum Name: String, Sendable { case ko, en, other, none }

  private(set) var hangul = 0
  private(set) var latin = 0
  private(set) var others = 0

  init(_ texts: some Sequence<String>) {
    for text in texts {
      for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0xAC00...0xD7A3, 0x1100...0x11FF, 0x3130...0x318F: hangul += 1
        case 0x41...0x5A, 0x61...0x7A, 0xC0...0x24F: latin += 1
        case ..<0x80: continue
        default: if scalar.properties.isAlphabetic { others += 1 }
        }
      }
    }
  }

  private var letters: Int { hangul + latin + others }

  /// The share of Hangul among the letters; 1 for a text without letters, which no language claims.
  var korean: Double { letters == 0 ? 1 : Double(hangul) / Double(letters) }

  /// What most letters are.
  var name: Name {
    if letters == 0 { return .none }
    if hangul >= latin, hangul >= others { return .ko }
    return latin >= others ? .en : .other
  }
}
