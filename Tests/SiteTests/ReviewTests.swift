import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

/// What posts and `verify` make of a review.
@Suite struct ReviewTests {
  private static func samples(_ folder: URL) throws -> [AnswerSample] {
    try RecordFile.readLines(AnswerSample.self, from: RunFolder(output: folder, id: Made.runId).samples)
  }

  /// Verdicts as "1bn": number, base or tuned, natural, awkward or wrong.
  private static func review(_ reviewer: String, _ answers: String, _ verdicts: [String]) -> ReviewRecord.Review {
    ReviewRecord.Review(
      reviewer: reviewer, answersSha256: answers,
      verdicts: verdicts.map { text in
        ReviewRecord.Verdict(
          number: Int(text.dropLast(2)) ?? 0, answer: text.dropLast().hasSuffix("b") ? .base : .tuned,
          verdict: text.hasSuffix("n") ? .natural : text.hasSuffix("a") ? .awkward : .wrong, note: "적지 않을 메모",
          time: "2026-01-02T03:04:05Z")
      })
  }

  private static let one = ["1bw", "1tn", "2ba", "2ta", "3bn"]
  private static let two = ["1bw", "1ta", "2ba", "2tn"]

  /// Renders a post about the fixture run with this review beside it.
  private func render(
    _ body: String, language: String = "ko", _ reviews: (String) -> [ReviewRecord.Review]
  ) throws -> RenderedPost {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder)
      let answers = AnswerSample.readingHash(try Self.samples(folder))
      try RecordFile.write(
        ReviewRecord(reviews: reviews(answers)), to: RunFolder(output: folder, id: Made.runId).review)
      let text = "---\ntitle: T\nlang: \(language)\nrun: \(Made.runId)\n---\n\(body)"
      return try PostPage(
        post: Post(text, file: "content/posts/t.md", folder: folder), runs: RunLibrary(output: folder),
        charts: RunCharts(), regions: CodeRegions(root: Made.project), highlighter: HighlightCommand()
      ).render()
    }
  }

  private func plain(_ html: String) -> String {
    var text = ""
    for item in HTMLScanner(html) { if case .text(let part) = item.token { text += part } }
    return text
  }

  @Test func withoutAReviewThePostSaysSo() throws {
    let limits = "{% if reviewed %}읽음{% else %}안 읽음{% endif %}"
    let post = try Made.render("{{ review() }}\n\n\(limits)")
    #expect(post.body.contains("답을 눈으로 읽고 판정한 사람은 없다.") && post.body.contains("안 읽음"))
    #expect(!post.body.contains("<table>") && post.markdown.contains("판정한 사람은 없다"))
    let english = try Made.render("{{ review() }}", front: "title: T\nlang: en\nrun: fixture-run")
    #expect(english.body.contains("Nobody has judged these answers by eye."))
    // Undone to the last, it is as if nobody had come.
    let empty = try render("{{ review() }}\n\n\(limits)") { [Self.review("a", $0, [])] }
    #expect(empty.body.contains("판정한 사람은 없다") && empty.body.contains("안 읽음"))
    #expect(try Made.render("{{ qa() }}").body.contains("사람 평가 없음"))
  }

  @Test func oneReviewersVerdictsAreCounted() throws {
    let post = try render("{{ review() }}\n\n{{ qa() }}") { [Self.review("비밀 이름", $0, Self.one)] }
    let text = plain(post.body)
    #expect(text.contains("1명이 시험 질문 10개 가운데 3개의 답을 읽고 모두 5번 판정했다."))
    #expect(text.contains("더 나은 것은 1번, 학습 전의 답이 더 나은 것은 0번, 판정이 같은 것은 1번이다."))
    #expect(!text.contains("두 사람 이상"))
    #expect(post.markdown.contains("| 학습 전 · base | 1 | 1 | 1 | 3 |"))
    #expect(post.markdown.contains("| 학습 후 · LoRA r=16 | 1 | 1 | 0 | 2 |"))
    #expect(post.markdown.contains("| 1 | 배운 사실 | × 틀림 | ○ 자연스러움 | 학습 후 |"))
    #expect(post.markdown.contains("| △ 어색함 | △ 어색함 | 같다 |") && post.markdown.contains("| ○ 자연스러움 | — | — |"))
    // Each answer's verdict beside the answer; whom nobody judged stays unjudged.
    #expect(text.contains("사람 평가 × 틀림 → ○ 자연스러움") && text.contains("사람 평가 ○ 자연스러움 → —"))
    #expect(text.ranges(of: "사람 평가 없음").count == 7)
    #expect(!post.body.contains("비밀 이름") && !post.body.contains("적지 않을 메모"))
    #expect(post.body.contains("data-operation=\"review(preferred tuned)\""))
  }

  @Test func severalReviewersAgreeOrNot() throws {
    let post = try render("{{ review() }}\n\n{{ qa() }}", language: "en") {
      [Self.review("a", $0, Self.one), Self.review("b", $0, Self.two)]
    }
    let text = plain(post.body)
    #expect(text.contains("2 reviewers, not told which model an answer came from, read answers to 3 of 10"))
    #expect(text.contains("Of 4 answers judged by more than one reviewer, all verdicts agree on 2."))
    #expect(text.contains("after training better 3, before training better 0, same verdict 1."))
    #expect(post.markdown.contains("| 1 | taught fact | Wrong 2 | Natural 1, Awkward 1 | after |"))
    #expect(post.markdown.contains("| Awkward 2 | Natural 1, Awkward 1 | divided |"))
    #expect(text.contains("Human review Wrong 2 → Natural 1, Awkward 1"))
  }

  @Test func verdictsOnOtherAnswersAreNotMixedIn() throws {
    let both = try render("{{ review() }}") {
      [Self.review("a", "0000", Self.two), Self.review("a", $0, Self.one)]
    }
    #expect(plain(both.body).contains("모두 5번 판정했다.") && plain(both.body).contains("다른 답에 대한 판정 4개는 세지 않았다."))
    let old = try render("{{ review() }}\n\n{% if reviewed %}읽음{% endif %}\n\n{{ qa() }}") { _ in
      [Self.review("a", "0000", Self.two)]
    }
    let text = plain(old.body)
    #expect(text.contains("판정한 사람은 없다.") && text.contains("판정 4개는 세지 않았다.") && !text.contains("읽음"))
    #expect(text.ranges(of: "사람 평가 없음").count == 10)
  }

  @Test func verifyCountsTheVerdictsAgain() throws {
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      let run = RunFolder(output: folder, id: Made.runId)
      let answers = AnswerSample.readingHash(try Self.samples(folder))
      func write(_ verdicts: [String]) throws {
        try RecordFile.write(ReviewRecord(reviews: [Self.review("a", answers, verdicts)]), to: run.review)
      }
      try write(Self.one)
      _ = try builder.render()
      let check = { try Verification(output: folder, content: nil).check() }
      #expect(try check().faults == [])
      // One more verdict, and every number that it changes is named.
      try write(Self.one + ["3tw"])
      let page = "site/runs/\(Made.runId)/index.html"
      let report = try check()
      let source = try #require(report.faults.first { $0.kind == .sourceChanged })
      #expect(source.file == "runs/\(Made.runId)/evaluation/review.json" && source.pages.contains(page))
      let changed = report.faults.filter { $0.file == page && $0.kind == .textDiffers }
      #expect(changed.contains { $0.says == "5" && $0.expected == "6" } && changed.count >= 3)
      // A review of a rendered run that is gone leaves its numbers without a place.
      try FileManager.default.removeItem(at: run.review)
      #expect(try check().faults.contains { $0.file == page && $0.kind == .placeMissing })
    }
  }

  @Test func aBrokenReviewIsNamed() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder)
      try Data("{\"version\": 1}".utf8).write(to: RunFolder(output: folder, id: Made.runId).review)
      #expect(throws: RunsError.self) { try RunLibrary(output: folder).run(Made.runId) }
    }
    #expect(Made.failure("{{ review(\"x\") }}").contains("content/posts/t.md:5"))
  }

  @Test(arguments: SiteLanguage.allCases)
  func newPostsHaveIt(_ language: SiteLanguage) throws {
    let text = Scaffold.post(name: Made.runId, language: language)
    let body = text.components(separatedBy: "---\n").dropFirst(2).joined(separator: "---\n")
    let none = language == .ko ? "답이 맞는지 사람이 판정하지 않았다." : "No person has judged the answers."
    let front = "title: T\nlang: \(language.rawValue)\nrun: \(Made.runId)"
    #expect(try Made.render(body, front: front).body.contains(none))
    let judged = try render(body, language: language.rawValue) { [Self.review("a", $0, Self.one)] }
    #expect(!judged.body.contains(none) && judged.body.contains("data-operation=\"review(verdicts)\""))
  }
}
