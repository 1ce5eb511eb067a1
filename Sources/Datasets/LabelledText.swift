import Runs

/// A text that writes its questions and answers out, by labels at the beginning of a line: `질문: … 답변: …`, `**문제** … **정답** …`.
enum LabelledText {
  private static let questions: Set<String> = [
    "질문", "문제", "물음", "지시", "지시문", "지시사항", "명령", "명령어", "과제", "요청", "q", "question", "instruction", "task", "problem",
  ]
  private static let answers: Set<String> = [
    "답변", "답", "정답", "해답", "모범 답안", "응답", "풀이", "해설", "a", "answer", "response", "solution",
  ]
  private static let longestLabel = 20

  /// One conversation for each question; nil unless the text begins with one and each has an answer.
  static func conversations(in text: String) -> [[ChatRow.Message]]? {
    var pairs: [(question: [Substring], answer: [Substring]?)] = []
    for line in text.lines {
      if let (label, rest) = label(line) {
        if questions.contains(label) {
          guard pairs.last.map({ $0.answer != nil }) ?? true else { return nil }
          pairs.append(([rest], nil))
          continue
        }
        guard let last = pairs.indices.last else { return nil }
        // An explanation after an answer is part of it, and keeps its label.
        if pairs[last].answer == nil { pairs[last].answer = [rest] } else { pairs[last].answer?.append(line) }
        continue
      }
      guard let last = pairs.indices.last else {
        if line.allSatisfy(\.isWhitespace) { continue }
        return nil
      }
      if pairs[last].answer == nil { pairs[last].question.append(line) } else { pairs[last].answer?.append(line) }
    }
    var conversations: [[ChatRow.Message]] = []
    for (question, answer) in pairs {
      let question = question.joined(separator: "\n").trimmingWhitespace()
      let answer = (answer ?? []).joined(separator: "\n").trimmingWhitespace()
      if question.isEmpty || answer.isEmpty { return nil }
      conversations.append([.init(role: "user", content: question), .init(role: "assistant", content: answer)])
    }
    return conversations.isEmpty ? nil : conversations
  }

  /// A line's label, lower case, and what follows it: `**질문 1:** …`, `## 정답`, `A. …`. A label without a colon stands alone, marked as
  /// a heading or in bold.
  private static func label(_ line: Substring) -> (label: String, rest: Substring)? {
    var rest = line.drop { $0 == " " }
    let isHeading = rest.hasPrefix("#")
    rest = rest.drop { $0 == "#" || $0 == " " }
    let isBold = rest.hasPrefix("**")
    rest = rest.drop { $0 == "*" }
    let name = rest.prefix { $0 != ":" && $0 != "：" && $0 != "*" && $0 != "\n" && $0 != "." }
    guard name.count <= longestLabel else { return nil }
    // A number counts the questions.
    let label = String(name).trimmingWhitespace().lowercased()
      .trimmingSuffix(while: { $0.isNumber || $0 == " " || $0 == ")" || $0 == "(" || $0 == "#" })
    guard questions.contains(label) || answers.contains(label) else { return nil }
    var after = rest.dropFirst(name.count)
    after = after.drop { $0 == "*" }
    if let mark = after.first, mark == ":" || mark == "：" || (mark == "." && label.count == 1) {
      return (label, after.dropFirst().drop { $0 == "*" || $0 == " " })
    }
    return after.allSatisfy(\.isWhitespace) && (isHeading || isBold) ? (label, "") : nil
  }
}

extension String {
  /// Its lines, without their ends: "\n", "\r\n" (one Character) or "\r".
  var lines: [Substring] {
    split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
  }

  /// Without the characters at its end for which `isUnwanted` holds.
  func trimmingSuffix(while isUnwanted: (Character) -> Bool) -> String {
    var text = self[...]
    while let last = text.last, isUnwanted(last) { text.removeLast() }
    return String(text)
  }
}
