/// Texts as code points, which is how sacreBLEU and rouge-score see them: canonically equal texts are not equal, and "\r\n" is two.
typealias Scalars = [Unicode.Scalar]

extension Unicode.Scalar {
  /// What Python's `str.split()` splits at: Unicode's White_Space, and the four ASCII separators.
  var isPythonSpace: Bool { properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains(self) }

  var isASCIIDigit: Bool { ("0"..."9").contains(self) }

  /// Python's `string.punctuation`.
  var isASCIIPunctuation: Bool {
    switch self {
    case "!"..."/", ":"..."@", "["..."`", "{"..."~": true
    default: false
    }
  }

  var isHangulSyllable: Bool { (0xAC00...0xD7A3).contains(value) }

  /// A syllable or a letter of one.
  var isHangul: Bool {
    switch value {
    case 0xAC00...0xD7A3, 0x1100...0x11FF, 0x3130...0x318F, 0xA960...0xA97F, 0xD7B0...0xD7FF, 0xFFA0...0xFFDC: true
    default: false
    }
  }

  /// General category N: decimal digits, letter numbers, other numbers.
  var isNumber: Bool {
    switch properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: true
    default: false
    }
  }

  /// General category P.
  var isPunctuation: Bool {
    switch properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation,
      .otherPunctuation:
      true
    default: false
    }
  }

  /// General category S.
  var isSymbol: Bool {
    switch properties.generalCategory {
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: true
    default: false
    }
  }

  /// General category L.
  var isLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  /// General categories L, M and N.
  var isWordPart: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
      .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber:
      true
    default: false
    }
  }
}

extension String {
  init(_ scalars: Scalars) {
    self.init()
    unicodeScalars.append(contentsOf: scalars)
  }
}

extension Array where Element == Unicode.Scalar {
  /// Python's `str.split()`: the runs between white space, without empty ones.
  func words() -> [Scalars] { split(whereSeparator: \.isPythonSpace).map(Scalars.init) }

  /// Python's `str.rstrip()`.
  func trimmingEnd() -> Scalars {
    guard let last = lastIndex(where: { !$0.isPythonSpace }) else { return [] }
    return Scalars(self[...last])
  }

  /// Python's `str.lower()`.
  func lowercased() -> Scalars {
    var lower: Scalars = []
    lower.reserveCapacity(count)
    for (place, scalar) in enumerated() {
      if scalar == "Σ" {
        lower.append(isFinalSigma(at: place) ? "ς" : "σ")
      } else if scalar.isHangulSyllable || !scalar.properties.changesWhenLowercased {
        lower.append(scalar)
      } else {
        lower += scalar.properties.lowercaseMapping.unicodeScalars
      }
    }
    return lower
  }

  /// Whether a letter with case stands before it and none behind it, over marks between.
  private func isFinalSigma(at place: Int) -> Bool {
    let before = self[..<place].last { !$0.properties.isCaseIgnorable }
    let after = self[(place + 1)...].first { !$0.properties.isCaseIgnorable }
    return before?.properties.isCased == true && after?.properties.isCased != true
  }
}
