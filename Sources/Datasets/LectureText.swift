import Korean
import Runs

/// Lecture prose in Markdown, as maywell/korean_textbooks has it: its title and headings ask to be explained, and what stands under each is
/// the answer.
struct LectureText {
  private struct Section {
    /// 1 to 6, as in Markdown; a title without "#" has 0.
    var level: Int
    var heading: String
    var lines: [Substring] = []

    var body: String { lines.joined(separator: "\n").trimmingWhitespace() }
  }

  private static let longestTitle = 60

  private var sections: [Section] = []
  /// What stands before the first heading.
  private var opening: [Substring] = []

  init(_ text: String) {
    var fence: Substring?
    for line in text.lines {
      let trimmed = line.drop { $0 == " " }
      if let mark = fence {
        if trimmed.hasPrefix(mark) { fence = nil }
      } else if trimmed.hasPrefix("```") || trimmed.hasPrefix("~~~") {
        fence = trimmed.prefix(3)
      } else if let (level, heading) = Self.heading(line) {
        sections.append(Section(level: level, heading: heading))
        continue
      } else if sections.isEmpty, opening.allSatisfy({ $0.allSatisfy(\.isWhitespace) }), let title = Self.title(line) {
        sections.append(Section(level: 0, heading: title))
        continue
      }
      if sections.isEmpty { opening.append(line) } else { sections[sections.count - 1].lines.append(line) }
    }
  }

  /// One conversation for each heading with something under it; nil where no heading has.
  var conversations: [[ChatRow.Message]]? {
    var opening = opening.joined(separator: "\n").trimmingWhitespace()
    var above: [Section] = []
    var made: [[ChatRow.Message]] = []
    for section in sections {
      above.removeAll { $0.level >= section.level }
      defer { above.append(section) }
      guard !section.body.isEmpty, !section.heading.isEmpty else { continue }
      // A greeting before the first heading belongs to what it leads to.
      let answer = opening.isEmpty ? section.body : "\(opening)\n\n\(section.body)"
      opening = ""
      let question = Self.question(section.heading, under: above.last?.heading)
      made.append([.init(role: "user", content: question), .init(role: "assistant", content: answer)])
    }
    return made.isEmpty ? nil : made
  }

  // MARK: - Questions

  /// "광합성을 설명해 줘.", "광합성에서 명반응을 설명해 줘.", "광합성의 의의를 설명해 줘."; a heading that is a question is asked as it stands.
  private static func question(_ heading: String, under above: String?) -> String {
    if heading.hasSuffix("?") || heading.hasSuffix("？") { return heading }
    var topic = heading
    if let above, !above.isEmpty, !heading.contains(above), !above.hasSuffix("?") {
      topic = above + (isAspect(heading) ? "의 " : "에서 ") + heading
    }
    guard let particle = KoreanParticle.object.form(after: topic) else { return "\(topic)에 대해 설명해 줘." }
    return "\(topic)\(particle) 설명해 줘."
  }

  /// Headings that say nothing without the one above them.
  private static let aspects: Set<String> = [
    "개념", "개요", "결과", "결론", "과정", "구조", "기능", "단점", "뜻", "목적", "방법", "배경", "서론", "성질", "역사", "역할", "영향", "예", "예시",
    "요약", "원리", "원인", "의미", "의의", "장점", "전개", "정의", "종류", "중요성", "특징", "필요성", "한계", "활용",
  ]

  /// Whether a heading is nothing but such words: "배경과 전개".
  private static func isAspect(_ heading: String) -> Bool {
    heading.split { $0 == " " || $0 == "," || $0 == "·" }.allSatisfy { word in
      let word = String(word)
      return word == "및" || aspects.contains(word)
        || ((word.hasSuffix("과") || word.hasSuffix("와")) && aspects.contains(String(word.dropLast())))
    }
  }

  // MARK: - Headings

  /// `## 2. 명반응 ##` is level 2, "명반응".
  private static func heading(_ line: Substring) -> (level: Int, heading: String)? {
    let indent = line.prefix { $0 == " " }.count
    let marks = line.dropFirst(indent).prefix { $0 == "#" }.count
    let rest = line.dropFirst(indent + marks)
    guard indent < 4, (1...6).contains(marks), rest.first == " " || rest.first == "\t" || rest.isEmpty else {
      return nil
    }
    return (marks, plain(rest.trimmingWhitespace().trimmingSuffix(while: { $0 == "#" || $0 == " " })))
  }

  /// A first line that is a title: all in bold, or `제목: …`.
  private static func title(_ line: Substring) -> String? {
    let text = line.trimmingWhitespace()
    guard text.count <= longestTitle else { return nil }
    for label in ["제목:", "주제:", "Title:"] where text.hasPrefix(label) {
      let title = plain(text.dropFirst(label.count).trimmingWhitespace())
      return title.isEmpty ? nil : title
    }
    guard text.hasPrefix("**"), text.hasSuffix("**"), text.count > 4, !text.dropFirst(2).dropLast(2).contains("**")
    else {
      return nil
    }
    return plain(String(text.dropFirst(2).dropLast(2)))
  }

  /// A heading without its number, its emphasis and a colon at its end: "**제2장: 빛과 그림자**" is "빛과 그림자".
  private static func plain(_ text: String) -> String {
    var text = text.replacing("**", with: "").replacing("__", with: "").replacing("`", with: "").trimmingWhitespace()
    text = withoutNumber(text)
    return text.trimmingSuffix(while: { $0 == ":" || $0 == "：" || $0 == " " || $0 == "." })
  }

  /// Without "1.", "2-1)", "(3)", "IV.", "가.", "①", "제2장", "3강:" before it; a year or a quantity stays.
  private static func withoutNumber(_ text: String) -> String {
    let number =
      #/^(?:제 ?\d+ ?[장강과절부편]|\d+[장강절](?=[:. ])|\(\d+\)|\d+(?:[.-]\d+)*[.)](?= )|[IVX]+\.(?= )|[가나다라마바사아자차카타파하]\.(?= )|[①-⑳])[:. -]*/#
    let rest = text.replacing(number, with: "", maxReplacements: 1)
    return rest.isEmpty ? text : rest
  }
}
