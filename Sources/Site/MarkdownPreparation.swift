/// Makes a post's Markdown mean what a Korean author means, before CommonMark reads it.
///
/// CommonMark asks for a space or a punctuation mark after a closing `**` that follows punctuation, and Korean has a particle
/// there: `**"따옴표"**를`, `**50%**를`. Such pairs become marks of ours. Bare addresses become `<…>` up to their last ASCII
/// character, so that a particle stays outside. Code is left alone.
struct MarkdownPreparation {
  private var out: [Unicode.Scalar] = []
  private var runs: [Run] = []

  /// A run of one or two asterisks, by its place in `out`.
  private struct Run {
    var place: Int
    var count: Int
    var canOpen: Bool
    var canClose: Bool
    /// Whether CommonMark sees it as the author does.
    var opensByRule: Bool
    var closesByRule: Bool
  }

  static func prepare(_ text: String) -> String {
    var preparation = MarkdownPreparation()
    var fence: (mark: Character, count: Int)?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let bare = line.drop { $0 == " " || $0 == ">" }
      if let open = fence {
        if bare.prefix(while: { $0 == open.mark }).count >= open.count { fence = nil }
        preparation.copyCode(line)
      } else if let mark = bare.first, mark == "`" || mark == "~", bare.prefix(while: { $0 == mark }).count >= 3,
        mark == "~" || !bare.drop(while: { $0 == mark }).contains("`")
      {
        preparation.endParagraph()
        fence = (mark, bare.prefix { $0 == mark }.count)
        preparation.copyCode(line)
      } else {
        if startsBlock(bare) { preparation.endParagraph() }
        preparation.read(line)
      }
      preparation.out.append("\n")
    }
    preparation.endParagraph()
    if preparation.out.last == "\n" { preparation.out.removeLast() }
    return String(String.UnicodeScalarView(preparation.out))
  }

  private static func startsBlock(_ line: Substring) -> Bool {
    guard let first = line.first else { return true }
    if first == "#" || first == "|" || first == "-" || first == "+" || first == "[" { return true }
    if first == "*" { return line.dropFirst().first == " " }
    let digits = line.prefix { $0.isASCII && $0.isNumber }
    return !digits.isEmpty && [".", ")"].contains(line.dropFirst(digits.count).first)
  }

  private mutating func copyCode(_ line: Substring) {
    for scalar in line.unicodeScalars { out.append(scalar == Mark.fragment ? Mark.codeFragment : scalar) }
  }

  private mutating func read(_ line: Substring) {
    let scalars = Array(line.unicodeScalars)
    let isTable = line.drop { $0 == " " }.first == "|"
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      switch scalar {
      case "\\" where index + 1 < scalars.count:
        out += scalars[index...index + 1]
        index += 2
      case "`": index = copyCodeSpan(scalars, index)
      case "<": index = copyTag(scalars, index)
      case "*": index = readAsterisks(scalars, index)
      case "|" where isTable:
        out.append(scalar)
        endParagraph()
        index += 1
      case "h": index = readAddress(scalars, index)
      case "]" where index + 1 < scalars.count && scalars[index + 1] == "(":
        index = copyDestination(scalars, index)
      default:
        out.append(scalar)
        index += 1
      }
    }
  }

  private mutating func copyCodeSpan(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
    let count = scalars[start...].prefix { $0 == "`" }.count
    var index = start + count
    while index < scalars.count {
      let run = scalars[index...].prefix { $0 == "`" }.count
      if run == count {
        out += scalars[start..<index + run].map { $0 == Mark.fragment ? Mark.codeFragment : $0 }
        return index + run
      }
      index += max(run, 1)
    }
    out += scalars[start..<start + count]
    return start + count
  }

  /// `<https://…>` and `<b>` are copied as they are.
  private mutating func copyTag(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
    let end = scalars[start...].firstIndex(of: ">")
    let next = start + 1 < scalars.count ? scalars[start + 1] : " "
    guard let end, next.properties.isAlphabetic || next == "/" || next == "!" else {
      out.append("<")
      return start + 1
    }
    out += scalars[start...end]
    return end + 1
  }

  private mutating func copyDestination(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
    var depth = 0
    for index in (start + 1)..<scalars.count {
      if scalars[index] == "(" { depth += 1 }
      if scalars[index] == ")" { depth -= 1 }
      if depth == 0 {
        out += scalars[start...index]
        return index + 1
      }
    }
    out.append("]")
    return start + 1
  }

  private mutating func readAddress(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
    func has(_ prefix: String) -> Bool { scalars[start...].starts(with: prefix.unicodeScalars) }
    let before = start > 0 ? scalars[start - 1] : " "
    guard has("https://") || has("http://"), !(before.isASCII && before.properties.isAlphabetic), before != "[" else {
      out.append("h")
      return start + 1
    }
    var end = start
    while end < scalars.count, scalars[end].isASCII, scalars[end].value > 0x20,
      !"<>\"`|\\^{}*".unicodeScalars.contains(scalars[end])
    {
      end += 1
    }
    // The full stop of the sentence and a bracket that was opened before are no part of the address.
    while end > start {
      let last = scalars[end - 1]
      let unopened =
        last == ")" && scalars[start..<end].filter { $0 == "(" }.count < scalars[start..<end].filter { $0 == ")" }.count
      guard ".,:;!?'_~]".unicodeScalars.contains(last) || unopened else { break }
      end -= 1
    }
    guard end - start > 8 else {
      out.append("h")
      return start + 1
    }
    out.append("<")
    out += scalars[start..<end]
    out.append(">")
    return end
  }

  private mutating func readAsterisks(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
    let count = scalars[start...].prefix { $0 == "*" }.count
    let end = start + count
    let before = start > 0 ? scalars[start - 1] : " "
    let after = end < scalars.count ? scalars[end] : " "
    if count <= 2 {
      let canOpen = !Self.isSpace(after)
      let canClose = !Self.isSpace(before)
      let opens = canOpen && (!Self.isPunctuation(after) || Self.isSpace(before) || Self.isPunctuation(before))
      let closes = canClose && (!Self.isPunctuation(before) || Self.isSpace(after) || Self.isPunctuation(after))
      runs.append(
        Run(
          place: out.count, count: count, canOpen: canOpen, canClose: canClose, opensByRule: opens, closesByRule: closes
        ))
    }
    out += scalars[start..<end]
    return end
  }

  /// Pairs the runs of the paragraph; a pair with an end that CommonMark would not see is replaced by marks.
  private mutating func endParagraph() {
    var open: [Run] = []
    var pairs: [(Run, Run)] = []
    var crossed: [Run] = []
    for run in runs {
      if run.canClose, let place = open.lastIndex(where: { $0.count == run.count }) {
        let pair = (open[place], run)
        if !pair.0.opensByRule || !pair.1.closesByRule {
          pairs.append(pair)
          crossed += open[(place + 1)...]
        }
        open.removeSubrange(place...)
      } else if run.canOpen {
        open.append(run)
      }
    }
    runs = []
    var edits: [(place: Int, count: Int, with: [Unicode.Scalar])] = crossed.map {
      ($0.place, $0.count, Array(repeating: ["\\", "*"], count: $0.count).flatMap { $0 })
    }
    for (left, right) in pairs {
      let isStrong = left.count == 2
      edits.append((left.place, left.count, [isStrong ? Mark.strongOpen : Mark.emphasisOpen]))
      edits.append((right.place, right.count, [isStrong ? Mark.strongClose : Mark.emphasisClose]))
    }
    for edit in edits.sorted(by: { $0.place > $1.place }) {
      out.replaceSubrange(edit.place..<edit.place + edit.count, with: edit.with)
    }
  }

  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }

  /// As CommonMark 0.29 sees it: ASCII punctuation and the Unicode P categories.
  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      return (0x21...0x7E).contains(scalar.value) && !scalar.properties.isAlphabetic && !("0"..."9").contains(scalar)
    }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation,
      .otherPunctuation:
      return true
    default: return false
    }
  }
}
