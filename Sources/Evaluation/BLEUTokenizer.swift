import Runs

/// How BLEU cuts a text into tokens; the raw value is what stands in sacreBLEU's signature.
public enum BLEUTokenizer: String, Sendable, CaseIterable {
  /// mteval-v13a's rules, meant for Western languages.
  case mteval13a = "13a"
  /// mteval-v14's rules by Unicode categories.
  case international = "intl"
  /// Every character is a token, spaces are none: for Korean, where a word carries its particles, and for languages without spaces.
  case character = "char"
  /// Split at white space alone.
  case none

  /// Nil for `auto`.
  public init?(_ setting: EvaluationSettings.BLEUTokenize) { self.init(rawValue: setting.rawValue) }

  /// The tokens of one text.
  public func tokenize(_ text: String) -> [String] {
    tokens(of: text).map { String($0) }
  }

  func tokens(of pair: AnswerPair) -> TokenPair {
    if self == .character {
      func characters(_ text: String) -> Scalars { text.unicodeScalars.filter { !$0.isPythonSpace } }
      return TokenPair(hypothesis: characters(pair.hypothesis), reference: characters(pair.reference))
    }
    return TokenPair(hypothesis: tokens(of: pair.hypothesis), reference: tokens(of: pair.reference))
  }

  private func tokens(of text: String) -> [Scalars] {
    let line = Scalars(text.unicodeScalars).trimmingEnd()
    switch self {
    case .none: return line.words()
    case .character: return line.filter { !$0.isPythonSpace }.map { [$0] }
    case .international: return Self.international(line).words()
    case .mteval13a: return Self.mteval13a(line).words()
    }
  }

  /// A pair of neighbours set apart by spaces; after a match the scan goes on behind the second of them, as a regular expression does.
  private static func separating(
    _ line: Scalars, when matches: (Unicode.Scalar, Unicode.Scalar) -> Bool,
    as spaced: (Unicode.Scalar, Unicode.Scalar) -> Scalars
  ) -> Scalars {
    var out: Scalars = []
    out.reserveCapacity(line.count * 2)
    var index = 0
    while index < line.count {
      if index + 1 < line.count, matches(line[index], line[index + 1]) {
        out += spaced(line[index], line[index + 1])
        index += 2
      } else {
        out.append(line[index])
        index += 1
      }
    }
    return out
  }

  /// mteval-v14: punctuation is cut off unless digits stand on both sides, symbols always.
  private static func international(_ line: Scalars) -> Scalars {
    var line = separating(line, when: { !$0.isNumber && $1.isPunctuation }, as: { [$0, " ", $1, " "] })
    line = separating(line, when: { $0.isPunctuation && !$1.isNumber }, as: { [" ", $0, " ", $1] })
    return line.flatMap { $0.isSymbol ? [" ", $0, " "] : [$0] }
  }

  private static let entities: [(String, String)] = [
    ("<skipped>", ""), ("-\n", ""), ("\n", " "), ("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"),
  ]

  /// A space, and ASCII punctuation other than the apostrophe, comma, hyphen and full stop.
  private static func isCutOff(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "{"..."~", "["..."`", " "..."&", "("..."+", ":"..."@", "/": true
    default: false
    }
  }

  /// mteval-v13a: entities resolved, ASCII punctuation cut off, full stop and comma unless between digits, a hyphen after a digit.
  private static func mteval13a(_ line: Scalars) -> Scalars {
    var line = line
    // Most texts have none of these.
    if line.contains(where: { $0 == "&" || $0 == "<" || $0 == "\n" }) {
      for (from, to) in entities {
        line = line.replacing(Scalars(from.unicodeScalars), with: Scalars(to.unicodeScalars))
      }
    }
    line = [" "] + line + [" "]
    line = line.flatMap { isCutOff($0) ? [" ", $0, " "] : [$0] }
    func isStop(_ scalar: Unicode.Scalar) -> Bool { scalar == "." || scalar == "," }
    line = separating(line, when: { !$0.isASCIIDigit && isStop($1) }, as: { [$0, " ", $1, " "] })
    line = separating(line, when: { isStop($0) && !$1.isASCIIDigit }, as: { [" ", $0, " ", $1] })
    return separating(line, when: { $0.isASCIIDigit && $1 == "-" }, as: { [$0, " ", $1, " "] })
  }
}
