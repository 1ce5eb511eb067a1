import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Datasets

/// Answers longer than `dataset.max_tokens`. One character is a token here, and each message has some for the template (Support.swift).
@Suite struct OverLongTests {
  private func row(_ question: String, _ answer: String) -> String {
    JSONValue.object(["question": .init(question), "answer": .init(answer)]).text()
  }

  private func prepare(
    _ rows: [String], _ rule: CleaningSettings.OverLong, most: Int,
    _ configure: @escaping (inout DatasetSettings) -> Void = { _ in }
  ) throws -> Prepared {
    let dataset = try DatasetsTests.prepare(["a.jsonl": rows.joined(separator: "\n")]) {
      $0.maxTokens = most
      $0.cleaning.overLong = rule
      configure(&$0)
    }
    let counts = dataset.report.counts
    #expect(counts.read + (counts.added ?? 0) == counts.kept + counts.rejected)
    #expect(dataset.rejected.count == counts.rejected)
    #expect(dataset.report.tokenLengths.allSatisfy { $0.tokens <= most })
    return dataset
  }

  /// What stands in the file, as others read it.
  private func lines(_ dataset: Prepared) throws -> [JSONValue] {
    try Fixtures.withTemporaryFolder { folder in
      let run = RunFolder(folder.appendingPathComponent("run"))
      try dataset.write(to: run)
      return try JSONValue.lines(of: Data(contentsOf: run.dataset(.train)), file: "train").map(\.value)
    }
  }

  // MARK: - Truncate

  @Test func truncateKeepsTheWordsThatFit() throws {
    let rows = [row("왜?", "하나 둘 셋 넷"), row("짧은가?", "네.")]
    // Question: 2 + 2 tokens; answer: its characters + 1.
    for (most, answer) in [(4 + 1 + 4, "하나 둘"), (4 + 1 + 5, "하나 둘"), (4 + 1 + 6, "하나 둘 셋"), (4 + 1 + 8, "하나 둘 셋 넷")] {
      let dataset = try prepare(rows, .truncate, most: most)
      #expect(dataset.train.map(\.messages.last?.content) == [answer, "네."])
      let isCut = answer != "하나 둘 셋 넷"
      #expect(dataset.train.map(\.overLong) == [isCut ? "truncate" : nil, nil])
      #expect(dataset.report.cleaning?.overLong == (isCut ? ["truncate": 1] : nil))
    }
    #expect(try lines(try prepare(rows, .truncate, most: 10)).map { $0["over_long"]?.string } == ["truncate", nil])
  }

  @Test func truncateCutsAWordThatDoesNotFit() throws {
    let dataset = try prepare([row("왜?", "가나다라마바사아자차 카")], .truncate, most: 4 + 1 + 3)
    #expect(dataset.train.map(\.messages.last?.content) == ["가나다"])
  }

  @Test func truncateRejectsAQuestionThatLeavesNoRoom() throws {
    let dataset = try prepare([row("왜?", "네."), row("아주 긴 질문입니다 아주 긴", "네.")], .truncate, most: 10)
    #expect(dataset.report.rejects == ["too_long": 1])
    #expect(
      dataset.rejected[0].detail
        == "20 tokens, more than dataset.max_tokens, 10, and what comes before the answer leaves no room")
  }

  @Test func cutAnswersThatSayTheSameAreDuplicates() throws {
    let dataset = try prepare([row("왜?", "하나 둘 셋"), row("왜?", "하나 둘 넷 다섯")], .truncate, most: 9)
    #expect(dataset.train.count == 1 && dataset.report.rejects == ["duplicate": 1])
  }

  @Test func onlyTheLastAnswerOfAConversationIsCut() throws {
    func message(_ role: String, _ content: String) -> JSONValue { ["role": .init(role), "content": .init(content)] }
    let chat: JSONValue = [
      "messages": [
        message("user", "하나?"), message("assistant", "둘 셋."), message("user", "넷?"), message("assistant", "다섯 여섯 일곱"),
      ]
    ]
    let dataset = try prepare([chat.text()], .truncate, most: 3 + 4 + 2 + 6 + 5 + 1)
    #expect(dataset.train.first?.messages.map(\.content) == ["하나?", "둘 셋.", "넷?", "다섯 여섯"])
  }

  /// Whatever the lengths: what is kept fits, begins the answer, and one word more would not fit.
  @Test func truncateKeepsAsMuchAsFits() throws {
    var random = SplitMix(seed: 5)
    for _ in 0..<300 {
      let words = (0..<(1 + random.below(60))).map { _ in String(repeating: "가", count: 1 + random.below(9)) }
      let answer = words.joined(separator: " ")
      let limit = 1 + random.below(120)
      // A measure that grows unevenly.
      let shortening = Shortening(limit: limit) { $0.unicodeScalars.count + $0.split(separator: " ").count }
      var expected: String?
      for count in words.indices.dropLast() {
        let text = words[...count].joined(separator: " ")
        if try shortening.tokens(text) <= limit { expected = text }
      }
      let found = try shortening.beginning(of: answer)
      if let expected { #expect(found == expected) } else { #expect(found?.count ?? 0 < words[0].count) }
    }
  }

  // MARK: - Split

  private let text = """
    물은 0도에서 언다. 얼음은 물에 뜬다!

    "왜 뜰까?" 가볍기 때문이다. 1. 부피가 는다.
    2. 질량은 같다.
    """

  @Test func splitSharesParagraphsThenSentences() throws {
    let question = "물을 설명해 줘."
    func parts(_ most: Int) throws -> Prepared {
      try prepare([row(question, text)], .split, most: question.unicodeScalars.count + 2 + 1 + most)
    }
    let whole = try parts(200)
    #expect(whole.train.count == 1 && whole.train[0].overLong == nil && whole.report.counts.added == nil)

    let two = try parts(50)
    #expect(
      two.train.map(\.messages.last?.content) == [
        "물은 0도에서 언다. 얼음은 물에 뜬다!", "\"왜 뜰까?\" 가볍기 때문이다. 1. 부피가 는다.\n2. 질량은 같다.",
      ])
    let many = try parts(23)
    #expect(
      many.train.map(\.messages.last?.content) == [
        "물은 0도에서 언다. 얼음은 물에 뜬다!", "\"왜 뜰까?\" 가볍기 때문이다.", "1. 부피가 는다.\n2. 질량은 같다.",
      ])
    #expect(
      many.train.allSatisfy { $0.messages[0].content == question && $0.overLong == "split" && $0.source.row == 1 })
    #expect(many.report.counts.added == 2 && many.report.cleaning?.overLong == ["split": 3])
    #expect(many.report.counts.read == 1 && many.report.counts.kept == 3)

    let none = failure { try parts(9) }
    #expect(none.contains("and so is a sentence of the answer with its question"))
  }

  @Test func splitKeepsCodeTogether() throws {
    let code = "```swift\nlet a = 1\n\nlet b = 2\n```"
    let answer = "먼저 씁니다.\n\n\(code)\n\n그다음 읽습니다."
    let dataset = try prepare([row("왜?", answer)], .split, most: 4 + 1 + code.unicodeScalars.count)
    #expect(dataset.train.map(\.messages.last?.content) == ["먼저 씁니다.", code, "그다음 읽습니다."])
  }

  @Test func splitLosesNothing() throws {
    let lectures = try TableReader.read(
      Fixtures.root.appendingPathComponent("content/data/korean-lectures.jsonl"), name: "lectures.jsonl")
    for row in lectures.rows {
      let text = row.columns?["text"]?.string ?? ""
      for limit in [60, 150, 400] {
        let parts = try Shortening(limit: limit) { $0.unicodeScalars.count }.parts(of: text)
        if parts.isEmpty { continue }
        #expect(parts.allSatisfy { $0.unicodeScalars.count <= limit })
        #expect(parts.joined().filter { !$0.isWhitespace } == text.filter { !$0.isWhitespace })
      }
    }
  }

  @Test func partsOfOneAnswerNeverTest() throws {
    let long = row("긴 질문?", "첫 문장이다. 둘째 문장이다. 셋째 문장이다.")
    let rows = [long] + (0..<20).map { row("질문 \($0)?", "답 \($0).") }
    let dataset = try prepare(rows, .split, most: 20) {
      var split = SplitSettings()
      split.test = 20
      split.validation = 0
      $0.split = split
    }
    #expect(dataset.test.allSatisfy { $0.overLong == nil } && dataset.train.count == 3)
  }

  @Test func theCardKnowsTheColumn() throws {
    try Fixtures.withTemporaryFolder { folder in
      let run = RunFolder(folder.appendingPathComponent("run"))
      try prepare([row("왜?", "하나 둘 셋"), row("뭐?", "네.")], .truncate, most: 9).write(to: run)
      #expect(try String(contentsOf: run.datasetCard, encoding: .utf8).contains("over_long"))
    }
  }

  // MARK: - Sentences

  @Test(arguments: [
    ("하나다. 둘이다.", ["하나다.", "둘이다."]), ("3.14이다. 끝", ["3.14이다.", "끝"]), ("1. 첫째 2. 둘째", ["1. 첫째 2. 둘째"]),
    ("그는 “간다.” 했다. 끝", ["그는 “간다.” 했다.", "끝"]), ("(참고할 것.) 다음", ["(참고할 것.)", "다음"]),
    ("왜?! 정말… 그래", ["왜?!", "정말…", "그래"]),
    ("한 줄\n두 줄", ["한 줄", "두 줄"]), ("끝.", ["끝."]), ("lorapress.yaml 파일", ["lorapress.yaml 파일"]), ("", []),
    ("**굵게.** 다음", ["**굵게.**", "다음"]),
  ])
  func sentencesEnd(_ text: String, _ expected: [String]) {
    var start = text.startIndex
    var found: [String] = []
    for end in Sentences.ends(in: text) + [text.endIndex] {
      let part = String(text[start..<end]).trimmingWhitespace()
      if !part.isEmpty { found.append(part) }
      start = end
    }
    #expect(found == expected)
  }
}
