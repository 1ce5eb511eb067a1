/// Where sentences and paragraphs of Korean prose end.
enum Sentences {
  private static let marks: Set<Unicode.Scalar> = [".", "!", "?", "。", "！", "？", "…"]
  /// What may stand between a mark and the white space after it. Not a quotation mark: “간다.” 하고 goes on.
  private static let closing: Set<Unicode.Scalar> = [")", "]", "*", "_", "`"]

  /// Behind each sentence: at a line end, or after a mark, and brackets or emphasis that it closes, before white space. A full stop after a
  /// digit ("1. ") numbers a list. The text's own end is none.
  static func ends(in text: String) -> [String.Index] {
    let scalars = text.unicodeScalars
    var ends: [String.Index] = []
    var previous: Unicode.Scalar?
    /// Whether a mark and nothing but closing signs stand before here.
    var isBehindMark = false
    for at in scalars.indices {
      let scalar = scalars[at]
      if scalar == "\n" {
        let next = scalars.index(after: at)
        if next < scalars.endIndex { ends.append(next) }
        isBehindMark = false
      } else if isBehindMark, scalar.properties.isWhitespace {
        ends.append(at)
        isBehindMark = false
      } else if marks.contains(scalar) {
        isBehindMark = !(scalar == "." && previous.map { ("0"..."9").contains($0) } ?? false)
      } else if !closing.contains(scalar) {
        isBehindMark = false
      }
      previous = scalar
    }
    return ends
  }

  /// Behind each paragraph: where an empty line ends. Code between ``` fences is none of several, whatever is in it.
  static func paragraphEnds(in text: String) -> [String.Index] {
    var ends: [String.Index] = []
    var isCode = false
    var isBehindText = false
    var start = text.startIndex
    while start < text.endIndex {
      let end = text[start...].firstIndex(where: \.isNewline).map(text.index(after:)) ?? text.endIndex
      let line = text[start..<end].drop { $0 == " " }
      if line.allSatisfy(\.isWhitespace) {
        if !isCode, isBehindText, end < text.endIndex { ends.append(end) }
        isBehindText = false
      } else {
        isBehindText = true
        if line.hasPrefix("```") { isCode.toggle() }
      }
      start = end
    }
    return ends
  }
}
