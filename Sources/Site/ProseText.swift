/// A post's source with all that is not the author's prose blanked out, so that lines and columns stay.
enum ProseText {
  /// The lines as scalars, the front matter's too; blanks stand for what is no prose.
  static func lines(of source: String) -> [[Unicode.Scalar]] {
    let lines = source.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
    var scalars = lines.map { Array($0.unicodeScalars) }
    let end = lines.first == "---" ? lines.dropFirst().firstIndex(of: "---") ?? 0 : 0
    for index in scalars.indices where index <= end && end > 0 {
      let isProse = ["finding:", "description:", "title:"].contains { lines[index].hasPrefix($0) }
      if !isProse { scalars[index] = blank(scalars[index].count) }
    }
    let body = end > 0 ? end + 1 : 0
    var blanker = Blanker()
    for index in scalars.indices where index >= body { scalars[index] = blanker.line(scalars[index]) }
    return scalars
  }

  private static func blank(_ count: Int) -> [Unicode.Scalar] { Array(repeating: " ", count: count) }

  /// Goes through the body; tags, comments and fences may run over several lines.
  private struct Blanker {
    private var fence: (mark: Unicode.Scalar, count: Int)?
    /// What ends the part that is being blanked, and whether texts inside it may be prose.
    private var closing: [Unicode.Scalar]?
    private var isCall = false
    private var quote: Unicode.Scalar?
    private var literal: [Unicode.Scalar] = []

    mutating func line(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
      let bare = line.drop { $0 == " " || $0 == ">" }
      if closing == nil {
        if let open = fence {
          if bare.prefix(while: { $0 == open.mark }).count >= open.count { fence = nil }
          return blank(line.count)
        }
        if let mark = bare.first, mark == "`" || mark == "~", bare.prefix(while: { $0 == mark }).count >= 3 {
          fence = (mark, bare.prefix { $0 == mark }.count)
          return blank(line.count)
        }
      }
      var out: [Unicode.Scalar] = []
      var index = 0
      while index < line.count {
        if closing != nil {
          inside(line, &index, &out)
        } else {
          outside(line, &index, &out)
        }
      }
      return out
    }

    private func has(_ line: [Unicode.Scalar], _ index: Int, _ text: String) -> Bool {
      line[index...].starts(with: text.unicodeScalars)
    }

    private mutating func outside(_ line: [Unicode.Scalar], _ index: inout Int, _ out: inout [Unicode.Scalar]) {
      for (open, close, call) in [("{{", "}}", true), ("{%", "%}", false), ("{#", "#}", false), ("<!--", "-->", false)]
      where has(line, index, open) {
        closing = Array(close.unicodeScalars)
        isCall = call
        quote = nil
        out += blank(open.unicodeScalars.count)
        index += open.unicodeScalars.count
        return
      }
      if line[index] == "`" {
        let count = line[index...].prefix { $0 == "`" }.count
        skip(line, &index, &out, to: codeEnd(line, index + count, count))
      } else if line[index] == "$", let end = line[(index + 1)...].firstIndex(of: "$"), end > index + 1,
        line[index + 1] != " "
      {
        skip(line, &index, &out, to: end + 1)
      } else if line[index] == "<", let end = line[index...].firstIndex(of: ">") {
        skip(line, &index, &out, to: end + 1)
      } else if has(line, index, "]("), let end = line[index...].firstIndex(of: ")") {
        skip(line, &index, &out, to: end + 1)
      } else if has(line, index, "https://") || has(line, index, "http://") {
        skip(line, &index, &out, to: line[index...].firstIndex { $0 == " " || !$0.isASCII } ?? line.count)
      } else {
        out.append(line[index])
        index += 1
      }
    }

    private func codeEnd(_ line: [Unicode.Scalar], _ start: Int, _ count: Int) -> Int {
      var index = start
      while index < line.count {
        let run = line[index...].prefix { $0 == "`" }.count
        if run == count { return index + run }
        index += max(run, 1)
      }
      return start
    }

    private func skip(_ line: [Unicode.Scalar], _ index: inout Int, _ out: inout [Unicode.Scalar], to end: Int) {
      out += blank(end - index)
      index = end
    }

    /// Inside a tag: a text argument that reads like a sentence (`finding="…"`) is the author's, a place or a name is not.
    private mutating func inside(_ line: [Unicode.Scalar], _ index: inout Int, _ out: inout [Unicode.Scalar]) {
      let scalar = line[index]
      if let open = quote {
        if scalar == open {
          let isPlace = literal.contains("#")
          let isSentence = literal.contains(" ") || literal.contains { !$0.isASCII }
          let isProse = isCall && isSentence && !isPlace
          out += isProse ? literal : blank(literal.count)
          out.append(" ")
          quote = nil
          literal = []
        } else {
          literal.append(scalar)
        }
        index += 1
        if index == line.count, !literal.isEmpty {
          out += blank(literal.count)
          literal = []
        }
        return
      }
      if let closing, line[index...].starts(with: closing) {
        out += blank(closing.count)
        index += closing.count
        self.closing = nil
        return
      }
      if closing?.first == "}" || closing?.first == "%", scalar == "\"" || scalar == "'" { quote = scalar }
      out.append(" ")
      index += 1
    }
  }
}
