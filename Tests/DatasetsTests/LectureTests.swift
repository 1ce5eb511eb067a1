import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Datasets

/// Rows of one text: lecture prose as maywell/korean_textbooks has it, and questions written out.
@Suite struct LectureTests {
  private func pairs(_ conversations: [[ChatRow.Message]]?) -> [[String]]? {
    conversations.map { $0.map { $0.map(\.content) } }
  }

  @Test func headingsAskAndTheirSectionsAnswer() {
    let text = """
      # 광합성

      양분을 만드는 일이다.

      ## 1. 명반응

      빛이 든다.

      둘째 문단.

      ## 의의와 활용 ##

      산소가 나온다.

      ### **세포 호흡이란 무엇인가?**

      거꾸로 된 일이다.

      ## 광합성의 재료

      물이다.
      """
    #expect(
      pairs(LectureText(text).conversations) == [
        ["광합성을 설명해 줘.", "양분을 만드는 일이다."], ["광합성에서 명반응을 설명해 줘.", "빛이 든다.\n\n둘째 문단."],
        ["광합성의 의의와 활용을 설명해 줘.", "산소가 나온다."], ["세포 호흡이란 무엇인가?", "거꾸로 된 일이다."],
        ["광합성의 재료를 설명해 줘.", "물이다."],
      ])
  }

  @Test(arguments: [
    ("지도", "지도를 설명해 줘."), ("전압", "전압을 설명해 줘."), ("HTML", "HTML을 설명해 줘."), ("CSS", "CSS를 설명해 줘."),
    ("3·1", "3·1을 설명해 줘."), ("훈요 10조", "훈요 10조를 설명해 줘."), ("Photosynthesis", "Photosynthesis에 대해 설명해 줘."),
    ("제2장: 빛과 그림자", "빛과 그림자를 설명해 줘."), ("3강. 힘", "힘을 설명해 줘."), ("(2) 확률의 곱셈", "확률의 곱셈을 설명해 줘."),
    ("1.2. 소수", "소수를 설명해 줘."), ("IV. 결론", "결론을 설명해 줘."), ("가. 뜻", "뜻을 설명해 줘."), ("① 물", "물을 설명해 줘."),
    ("1919년의 봄", "1919년의 봄을 설명해 줘."), ("3.14의 날", "3.14의 날을 설명해 줘."), ("3과 4", "3과 4를 설명해 줘."),
    ("**굵은 제목**:", "굵은 제목을 설명해 줘."), ("`print` 함수", "print 함수를 설명해 줘."), ("왜 그럴까?", "왜 그럴까?"),
  ])
  func headingsBecomeQuestions(_ heading: String, _ question: String) {
    #expect(pairs(LectureText("## \(heading)\n본문이다.").conversations) == [[question, "본문이다."]])
  }

  @Test func titlesWithoutMarksCount() {
    #expect(pairs(LectureText("\n**세포**\n\n본문.").conversations) == [["세포를 설명해 줘.", "본문."]])
    #expect(pairs(LectureText("제목: 달\n본문.").conversations) == [["달을 설명해 줘.", "본문."]])
    #expect(LectureText("**굵게** 시작하는 문장이다.\n본문.").conversations == nil)
    #expect(LectureText("본문뿐이다. 제목이 없다.").conversations == nil)
    #expect(LectureText("# 제목뿐\n\n").conversations == nil)
    #expect(LectureText("#해시태그 하나\n#둘").conversations == nil)
  }

  @Test func aGreetingGoesWithTheFirstSection() {
    #expect(
      pairs(LectureText("안녕하세요.\n\n## 힘\n밀고 당긴다.\n## 일\n힘 곱하기 거리.").conversations)
        == [["힘을 설명해 줘.", "안녕하세요.\n\n밀고 당긴다."], ["일을 설명해 줘.", "힘 곱하기 거리."]])
  }

  @Test func aNumberSignInCodeIsNoHeading() {
    let text = "# 주석\n\n```python\n# 이것은 주석이다\nprint(1)\n```\n끝."
    #expect(pairs(LectureText(text).conversations)?.count == 1)
    #expect(pairs(LectureText(text).conversations)?.first?.last?.contains("# 이것은 주석이다") == true)
  }

  @Test func labelsAskAndAnswer() {
    #expect(
      pairs(LabelledText.conversations(in: "문제: 하나 더하기 하나는?\n보기는 없다.\n\n풀이: 센다.\n정답: 둘"))
        == [["하나 더하기 하나는?\n보기는 없다.", "센다.\n정답: 둘"]])
    #expect(
      pairs(LabelledText.conversations(in: "**질문 1:** 가?\n**답변:** 나.\n\nQ2. 다?\nA. 라.\n")) == [
        ["가?", "나."], ["다?", "라."],
      ])
    #expect(pairs(LabelledText.conversations(in: "## 문제\n셋은?\n## 해답\n넷의 앞.")) == [["셋은?", "넷의 앞."]])
  }

  /// Windows ends lines with "\r\n", which is one Character.
  @Test(arguments: ["\r\n", "\r"])
  func linesMayEndOtherwise(_ end: String) {
    let lecture = "# 힘\n\n밀고 당긴다.\n\n## 단위\n\n뉴턴이다.".replacing("\n", with: end)
    #expect(
      pairs(LectureText(lecture).conversations) == [["힘을 설명해 줘.", "밀고 당긴다."], ["힘에서 단위를 설명해 줘.", "뉴턴이다."]])
    let labelled = "질문: 가?\n둘째 줄\n답변: 나.".replacing("\n", with: end)
    #expect(pairs(LabelledText.conversations(in: labelled)) == [["가?\n둘째 줄", "나."]])
  }

  @Test(arguments: [
    "머리말이 있다.\n질문: 가?\n답변: 나.", "질문: 가?\n질문: 나?\n답변: 다.", "답변: 나.", "질문: 가?", "질문: 가?\n답변:", "문제는 이것이다.\n답은 저것이다.", "",
  ])
  func otherTextsHaveNoLabels(_ text: String) {
    #expect(LabelledText.conversations(in: text) == nil)
  }

  // MARK: - The file of the demo

  private let file = "content/data/korean-lectures.jsonl"

  private func prepare(_ configure: (inout DatasetSettings) -> Void = { _ in }) throws -> Prepared {
    var settings = DatasetSettings()
    settings.files = [file]
    settings.split = nil
    configure(&settings)
    return try Prepared(Preparation(settings: settings, base: Fixtures.root, encode: measure).run())
  }

  @Test func theLecturesBecomeRowsThatTellTheirRule() throws {
    let dataset = try prepare()
    let report = dataset.report
    #expect(report.schema == "jsonl, text")
    #expect((20...40).contains(report.counts.read))
    #expect(report.counts.rejected == 0)
    #expect(report.counts.read + (report.counts.added ?? 0) == report.counts.kept + report.counts.rejected)
    #expect(Set(try #require(report.rules).keys) == Set(TextRule.allCases.map(\.rawValue)))
    #expect(report.rules?.values.reduce(0, +) == report.counts.kept)
    #expect(dataset.train.allSatisfy { $0.rule != nil && $0.messages.map(\.role) == ["user", "assistant"] })
    let questions = dataset.train.map { $0.messages[0].content }
    #expect(questions.contains("광합성에서 명반응을 설명해 줘."))
    #expect(questions.contains("3·1 운동의 의의를 설명해 줘."))
    #expect(!questions.contains { $0.contains("을(를)") })
    // The rows of one text name it.
    #expect(Dictionary(grouping: dataset.train, by: \.source.row).count == report.counts.read)
  }

  @Test func aSplitOfTextsAddsUp() throws {
    let dataset = try prepare {
      var split = SplitSettings()
      split.test = 5
      $0.split = split
    }
    let counts = dataset.report.counts
    #expect(counts.kept == counts.train + counts.validation + counts.test)
    #expect(dataset.test.count == 5 && dataset.test.allSatisfy { $0.rule != nil })
  }

  @Test func theLecturesAreCleanText() throws {
    let table = try TableReader.read(Fixtures.root.appendingPathComponent(file), name: file)
    for row in table.rows {
      #expect(row.columns?.keys == ["text"])
      let text = row.columns?["text"]?.string ?? ""
      #expect(text == text.trimmingWhitespace() && !text.isEmpty)
      #expect(TextCleaning.isSame(text, text.precomposedStringWithCanonicalMapping))
    }
  }
}
