/// Texts as code points, which is how sacreBLEU and rouge-score see them: canonically equal texts are not equal, and "\r\n" is two.
typealias Scalars = [Unicode.Scalar]

extension Unicode.Scalar {
  /// What Python's `str.split()` splits at: Unicode's White_Space, and the four ASCII separators.
  var isPythonSpace: Bool { properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains(self) }

  var isASCIIDigit: Bool { ("0"..."9").contains(self) }

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

  /// General category M.
  var isMark: Bool {
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: true
    default: false
    }
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
}

enum NGrams {
  /// How often each run of `order` neighbours occurs.
  static func counts<Element: Hashable>(of items: [Element], order: Int) -> [ArraySlice<Element>: Int] {
    guard items.count >= order, order > 0 else { return [:] }
    var counts: [ArraySlice<Element>: Int] = [:]
    for start in 0...(items.count - order) { counts[items[start..<(start + order)], default: 0] += 1 }
    return counts
  }

  /// How many of the left n-grams are matched on the right, each at most as often as it stands there.
  static func matches<Key: Hashable>(_ left: [Key: Int], _ right: [Key: Int]) -> Int {
    var sum = 0
    for (gram, count) in left { sum += min(count, right[gram] ?? 0) }
    return sum
  }
}
