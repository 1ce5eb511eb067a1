/// Equations of a post, `$…$` and `$$…$$`: they come out as they were written, and no Markdown is seen inside.
///
/// A single `$` opens before something other than a space and closes after such, and not before a digit, so that prices stay
/// text. A value inside an equation stays a value.
struct MathText {
  private var out = ""
  private let keep: (String) -> String

  /// - Parameter keep: takes a piece of an equation and returns the mark that stands for it.
  static func protect(_ text: String, keep: (String) -> String) -> String {
    withoutActuallyEscaping(keep) { keep in
      guard text.contains("$") else { return text }
      var math = MathText(keep: keep)
      math.read(text)
      return math.out
    }
  }

  private init(keep: @escaping (String) -> String) { self.keep = keep }

  private mutating func read(_ text: String) {
    var fence: (mark: Character, count: Int)?
    /// Lines of an equation between two lines that hold `$$`.
    var block: [Substring]?
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let end = index + 1 < lines.count ? "\n" : ""
      let bare = line.drop { $0 == " " || $0 == ">" }
      if let open = fence {
        if bare.prefix(while: { $0 == open.mark }).count >= open.count { fence = nil }
        out += line + end
      } else if let collected = block {
        if bare.trimmingSuffix(while: \.isWhitespace) == "$$" {
          add((collected + [line]).joined(separator: "\n"))
          out += end
          block = nil
        } else {
          block = collected + [line]
        }
      } else if let mark = bare.first, mark == "`" || mark == "~", bare.prefix(while: { $0 == mark }).count >= 3 {
        fence = (mark, bare.prefix { $0 == mark }.count)
        out += line + end
      } else if bare.trimmingSuffix(while: \.isWhitespace) == "$$", !line.contains(">"),
        lines[(index + 1)...].contains(where: { $0.trimmingSuffix(while: \.isWhitespace).hasSuffix("$$") })
      {
        out += line.prefix(line.count - bare.count)
        block = [bare]
      } else {
        readLine(Array(line.unicodeScalars))
        out += end
      }
    }
    if let block { out += block.joined(separator: "\n") }
  }

  private mutating func readLine(_ scalars: [Unicode.Scalar]) {
    var index = 0
    while index < scalars.count {
      switch scalars[index] {
      case "\\" where index + 1 < scalars.count:
        append(scalars[index...index + 1])
        index += 2
      case "`":
        let end = codeSpan(scalars, index)
        append(scalars[index..<end])
        index = end
      case "$":
        if let end = equation(scalars, index) {
          add(String(String.UnicodeScalarView(scalars[index..<end])))
          index = end
        } else {
          out += "$"
          index += 1
        }
      default:
        out.unicodeScalars.append(scalars[index])
        index += 1
      }
    }
  }

  private mutating func append(_ scalars: ArraySlice<Unicode.Scalar>) {
    out.unicodeScalars.append(contentsOf: scalars)
  }

  private func codeSpan(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
    let count = scalars[start...].prefix { $0 == "`" }.count
    var index = start + count
    while index < scalars.count {
      let run = scalars[index...].prefix { $0 == "`" }.count
      if run == count { return index + run }
      index += max(run, 1)
    }
    return start + count
  }

  /// The end of an equation that begins here; nil where the sign is a plain dollar.
  private func equation(_ scalars: [Unicode.Scalar], _ start: Int) -> Int? {
    let isDouble = start + 1 < scalars.count && scalars[start + 1] == "$"
    let width = isDouble ? 2 : 1
    let first = start + width
    guard first < scalars.count, isDouble || !scalars[first].properties.isWhitespace else { return nil }
    var index = first
    while index < scalars.count {
      if scalars[index] == "\\" {
        index += 2
        continue
      }
      guard scalars[index] == "$" else {
        index += 1
        continue
      }
      if isDouble {
        if index > first, index + 1 < scalars.count, scalars[index + 1] == "$" { return index + 2 }
      } else {
        let next: Unicode.Scalar = index + 1 < scalars.count ? scalars[index + 1] : " "
        let isClosing = index > first && !scalars[index - 1].properties.isWhitespace && !("0"..."9").contains(next)
        return isClosing && next != "$" ? index + 1 : nil
      }
      index += 1
    }
    return nil
  }

  /// An equation; the marks of values in it stay outside of what is kept.
  private mutating func add(_ equation: String) {
    for part in Mark.parts(of: equation) {
      switch part {
      case .text(let text): out += keep(text)
      case .fragment(let number, _): out += Mark.placeholder(number)
      case .mark(let mark): out.unicodeScalars.append(mark)
      }
    }
  }
}

extension Substring {
  fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> Substring {
    var rest = self
    while let last = rest.last, isDropped(last) { rest = rest.dropLast() }
    return rest
  }
}
