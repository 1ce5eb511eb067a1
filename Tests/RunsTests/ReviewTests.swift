import Foundation
import Formats
import TestSupport
import Testing

@testable import Runs

@Suite struct ReviewTests {
  private static let samples = (1...10).map { sample($0) }

  private static func sample(_ number: Int, tuned: String = "나중 답", score: Double = 1) -> AnswerSample {
    func answer(_ text: String) -> AnswerSample.Answer {
      AnswerSample.Answer(text: text, stopReason: "stop", tokens: 3, scores: ["chrf": score])
    }
    return AnswerSample(
      number: number, kind: "test", group: nil, question: "질문 \(number)", reference: "기준", base: answer("처음 답"),
      tuned: answer(tuned))
  }

  private func verdict(
    _ number: Int, _ answer: ReviewRecord.Model = .base, _ verdict: ReviewRecord.Judgement = .natural,
    note: String? = nil, second: Int = 0
  ) -> ReviewRecord.Verdict {
    ReviewRecord.Verdict(
      number: number, answer: answer, verdict: verdict, note: note,
      time: "2026-01-02T03:04:\(second < 10 ? "0" : "")\(second)Z")
  }

  private func withRun(_ body: (RunFolder) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let run = RunFolder(folder.appendingPathComponent("run"))
      try RecordFile.writeLines(Self.samples, to: run.samples)
      try body(run)
    }
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch { return "\(error)" }
  }

  // MARK: Record

  @Test func verdictsReplaceEachOtherAndComeBackOneByOne() throws {
    var record = ReviewRecord()
    record.judge(verdict(1), by: "a", of: "x")
    record.judge(verdict(1, .tuned, .wrong), by: "a", of: "x")
    record.judge(verdict(1, .base, .awkward), by: "a", of: "x")
    record.judge(verdict(1), by: "b", of: "x")
    record.judge(verdict(1, .tuned), by: "a", of: "y")
    #expect(record.reviews.map(\.reviewer) == ["a", "b", "a"])
    #expect(record.verdicts(by: "a", of: "x") == [verdict(1, .tuned, .wrong), verdict(1, .base, .awkward)])
    // Another note alone doesn't change whose turn it is to be taken back.
    record.judge(verdict(1, .tuned, .wrong, note: "연도"), by: "a", of: "x")
    #expect(record.undo(by: "a", of: "x") == verdict(1, .base, .awkward))
    #expect(record.undo(by: "a", of: "x") == verdict(1, .tuned, .wrong, note: "연도"))
    #expect(record.undo(by: "a", of: "x") == nil && record.undo(by: "c", of: "x") == nil)
    #expect(record.verdicts(by: "b", of: "x").count == 1 && record.verdicts(by: "a", of: "y").count == 1)
  }

  @Test func theLaterOfTwoVerdictsStays() {
    var record = ReviewRecord()
    record.judge(verdict(1, second: 10), by: "a", of: "x")
    func review(_ verdicts: [ReviewRecord.Verdict]) -> ReviewRecord.Review {
      ReviewRecord.Review(reviewer: "a", answersSha256: "x", verdicts: verdicts)
    }
    #expect(record.merge(review([verdict(1, .base, .wrong, second: 9), verdict(2, second: 9)])) == 1)
    #expect(record.merge(review([verdict(1, .base, .wrong, second: 11)])) == 1)
    #expect(record.merge(review([verdict(1, .base, .wrong, second: 11), verdict(2, second: 9)])) == 0)
    #expect(
      record.verdicts(by: "a", of: "x") == [verdict(2, second: 9), verdict(1, .base, .wrong, second: 11)])
  }

  @Test func theFileKeepsAllThatManyWriteAtOnce() throws {
    try withRun { run in
      #expect(try ReviewFile(run).read() == ReviewRecord())
      DispatchQueue.concurrentPerform(iterations: 80) { index in
        // Each with a file of its own, as tabs and programs have.
        try? ReviewFile(run).update { record in
          record.judge(verdict(index % 20 + 1), by: "reviewer \(index / 20)", of: "x")
        }
      }
      let record = try ReviewFile(run).read()
      #expect(record.reviews.count == 4 && record.reviews.allSatisfy { $0.verdicts.count == 20 })
      // Nothing but the record is left behind.
      let names = try FileManager.default.contentsOfDirectory(atPath: run.at("evaluation").path).sorted()
      #expect(names == ["review.json", "samples.jsonl"])
      struct Stop: Error {}
      let before = try Data(contentsOf: run.review)
      #expect(throws: Stop.self) {
        try ReviewFile(run).update { record in
          record.reviews = []
          throw Stop()
        }
      }
      #expect(try Data(contentsOf: run.review) == before)
    }
  }

  @Test func aRecordThatCanNotBeReadIsOneLine() throws {
    try withRun { run in
      for (text, wanted) in [
        ("{", "not valid JSON"), ("{}", "'version' is missing"), ("{\"version\": 2, \"reviews\": []}", "has version 2"),
        (
          "{\"version\": 1, \"reviews\": [{\"reviewer\": \"a\", \"answers_sha256\": \"x\", \"verdicts\": [{\"number\": 1, \"answer\": \"base\", \"verdict\": \"fine\", \"time\": \"\"}]}]}",
          "holds a value that is not known"
        ),
      ] {
        try Data(text.utf8).write(to: run.review)
        let message = message { _ = try ReviewFile(run).read() }
        #expect(message.contains("review.json: ") && message.contains(wanted), "\(message)")
        #expect(!message.contains("run the stage"))
      }
    }
  }

  @Test func newScoresAreTheSameAnswers() {
    let hash = AnswerSample.readingHash(Self.samples)
    #expect(AnswerSample.readingHash((1...10).map { Self.sample($0, score: 2) }) == hash)
    #expect(AnswerSample.readingHash((1...10).map { Self.sample($0, tuned: $0 == 10 ? "다른 답" : "나중 답") }) != hash)
    #expect(AnswerSample.readingHash((1...9).map { Self.sample($0) }) != hash)
  }

  // MARK: Order

  @Test func theOrderIsHiddenButAlwaysTheSame() {
    let answers = AnswerSample.readingHash(Self.samples)
    func turns(_ reviewer: String, _ answers: String) -> [Int] {
      (1...400).map { BlindOrder.turn(answers: answers, reviewer: reviewer, number: $0) }
    }
    let first = turns("reader", answers)
    #expect(first == turns("reader", answers))
    // Six standard deviations around the half, for each; and two reviewers or sets of answers have nothing to do with each other.
    for other in [first, turns("읽는 이", answers), turns("reader", "other")] {
      #expect((140...260).contains(other.reduce(0, +)))
    }
    for other in [turns("읽는 이", answers), turns("reader", "other"), Array(first.dropFirst()) + [0]] {
      #expect((140...260).contains(zip(first, other).filter { $0 == $1 }.count))
    }
    for number in 1...20 {
      func model(_ side: BlindOrder.Side) -> ReviewRecord.Model {
        BlindOrder.model(side, answers: answers, reviewer: "a", number: number)
      }
      #expect(model(.a) != model(.b))
      for one in ReviewRecord.Model.allCases {
        #expect(model(BlindOrder.side(one, answers: answers, reviewer: "a", number: number)) == one)
      }
    }
  }

  @Test func namesAreKeptClean() throws {
    #expect(try ReviewerName.checked("  김 철수 ") == "김 철수")
    // Decomposed Hangul is the same name.
    let composed = try ReviewerName.checked("\u{1100}\u{1161}")
    #expect(Array(composed.utf8) == Array("가".utf8))
    for name in ["", "   ", "a/b", ".", "..", "a\u{7}b", "a\nb", String(repeating: "가", count: 41)] {
      #expect(throws: RunsError.self, "\(name)") { try ReviewerName.checked(name) }
    }
  }

  // MARK: Import

  private func export(_ change: (inout JSONObject) -> Void = { _ in }) -> Data {
    var object: JSONObject = [
      "format": .string(ReviewExport.format), "version": 1, "run": "run",
      "answers_sha256": .string(AnswerSample.readingHash(Self.samples)), "reviewer": " 읽는 이",
      "verdicts": [
        ["number": 3, "side": "A", "verdict": "natural", "note": "", "time": "2026-01-02T03:04:05Z"],
        ["number": 3, "side": "B", "verdict": "wrong", "note": "연도가 틀렸다", "time": "2026-01-02T03:04:06Z"],
      ],
    ]
    change(&object)
    return Data(JSONValue.object(object).text(pretty: true).utf8)
  }

  @Test func sidesBecomeModels() throws {
    let review = try ReviewExport(parsing: export(), file: "r.json", run: "run", samples: Self.samples).review
    let answers = AnswerSample.readingHash(Self.samples)
    let a = BlindOrder.model(.a, answers: answers, reviewer: "읽는 이", number: 3)
    #expect(review.reviewer == "읽는 이" && review.answersSha256 == answers)
    #expect(review.verdicts.map(\.answer) == [a, a == .base ? .tuned : .base])
    #expect(review.verdicts.map(\.verdict) == [.natural, .wrong])
    #expect(review.verdicts.map(\.note) == [nil, "연도가 틀렸다"])
  }

  @Test func aFileThatIsNoReviewOfTheseAnswersIsOneLine() {
    func verdict(_ key: String, _ value: JSONValue) -> (inout JSONObject) -> Void {
      { object in
        guard var list = object["verdicts"]?.array, var last = list.last?.object else { return }
        last[key] = value
        list[1] = .object(last)
        object["verdicts"] = .array(list)
      }
    }
    let cases: [(wanted: String, data: Data)] = [
      ("r.json:2:1: ", Data("{\n".utf8)), ("r.json: is no exported review", export { $0["format"] = "other" }),
      ("r.json#/version: must be 1", export { $0["version"] = 2 }),
      ("r.json#/run: is a review of \"other\", not of \"run\"", export { $0["run"] = "other" }),
      ("r.json#/answers_sha256: judges other answers", export { $0["answers_sha256"] = "00" }),
      ("r.json#/reviewer: must be a text", export { $0["reviewer"] = 1 }),
      ("r.json#/reviewer: reviewer \"a/b\": can't be a name", export { $0["reviewer"] = "a/b" }),
      ("r.json#/verdicts: must be a list", export { $0["verdicts"] = 1 }),
      ("r.json#/verdicts/1/number: is no question", export(verdict("number", 11))),
      ("r.json#/verdicts/1/side: must be one of A, B", export(verdict("side", "base"))),
      ("r.json#/verdicts/1/verdict: must be one of natural, awkward, wrong", export(verdict("verdict", "good"))),
      ("r.json#/verdicts/1/note: must be a text", export(verdict("note", 1))),
      (
        "r.json#/verdicts/1/note: is longer than 2000",
        export(verdict("note", .string(String(repeating: "가", count: 2001))))
      ),
      ("r.json#/verdicts/1/time: must be like", export(verdict("time", "yesterday"))),
      ("r.json#/verdicts/1: judges an answer for the second time", export(verdict("side", "A"))),
    ]
    for (wanted, data) in cases {
      let found = message { _ = try ReviewExport(parsing: data, file: "r.json", run: "run", samples: Self.samples) }
      #expect(found.hasPrefix(wanted) && !found.contains("\n"), "\(found)")
    }
  }
}
