import Foundation
import Formats
import Runs
import Site

/// A run's answers as a reviewer sees them.
struct ReviewSheet: Sendable {
  let run: RunFolder
  let title: String
  let samples: [AnswerSample]
  /// Tells these answers from others of the same run.
  let answers: String

  init(_ run: RunFolder) throws {
    guard FileManager.default.fileExists(atPath: run.samples.path) else {
      throw RunsError("\(run.samples.relativePath): the run isn't evaluated yet; run `lorapress evaluate EXPERIMENT`")
    }
    samples = try RecordFile.readLines(AnswerSample.self, from: run.samples)
    guard !samples.isEmpty else {
      throw RunsError("\(run.samples.relativePath): has no answers to read; evaluate the run with test questions")
    }
    title = try RecordFile.read(RunRecord.self, from: run.record).title ?? run.id
    answers = AnswerSample.readingHash(samples)
    self.run = run
  }

  /// The questions with both answers at the sides where this reviewer sees them.
  func questions(for reviewer: String) -> JSONValue {
    .array(
      samples.map { sample in
        let isBaseFirst = side(.base, sample.number, reviewer) == .a
        let (first, second) = isBaseFirst ? (sample.base, sample.tuned) : (sample.tuned, sample.base)
        return question(sample, "answers", ["A": .string(first.text), "B": .string(second.text)])
      })
  }

  /// The questions with both answers, for the page that finds the sides itself: it knows no reviewer yet.
  var openQuestions: JSONValue {
    .array(samples.map { question($0, "texts", [.string($0.base.text), .string($0.tuned.text)]) })
  }

  private func question(_ sample: AnswerSample, _ name: String, _ texts: JSONValue) -> JSONValue {
    .object([
      "number": JSONValue(sample.number), "question": .string(sample.question), "reference": .string(sample.reference),
      name: texts,
    ])
  }

  /// What is judged so far, by sides. Verdicts on questions that are no more are left out.
  func verdicts(of reviewer: String, in record: ReviewRecord) -> JSONValue {
    let numbers = Set(samples.map(\.number))
    return .array(
      record.verdicts(by: reviewer, of: answers).filter { numbers.contains($0.number) }.map { json($0, reviewer) })
  }

  func json(_ verdict: ReviewRecord.Verdict, _ reviewer: String) -> JSONValue {
    [
      "number": JSONValue(verdict.number), "side": .string(side(verdict.answer, verdict.number, reviewer).rawValue),
      "verdict": .string(verdict.verdict.rawValue), "note": .string(verdict.note ?? ""),
    ]
  }

  private func side(_ model: ReviewRecord.Model, _ number: Int, _ reviewer: String) -> BlindOrder.Side {
    BlindOrder.side(model, answers: answers, reviewer: reviewer, number: number)
  }
}

/// The runs that `serve --review` shows for judging, and the steps a page may take.
struct ReviewDesk: Sendable {
  /// The runs with answers, as they are now.
  let runs: @Sendable () -> [RunFolder]
  /// Who judges, where that was given.
  let reviewer: String?
  let language: @Sendable (RunFolder) -> SiteLanguage

  func sheet(_ id: String) throws -> ReviewSheet {
    guard let run = runs().first(where: { $0.id == id }) else {
      throw ReviewFault(404, "there is no run \"\(id)\" to judge here")
    }
    return try ReviewSheet(run)
  }

  /// What a page needs to begin or to go on.
  func state(_ id: String, reviewer: String) throws -> JSONValue {
    let sheet = try sheet(id)
    return [
      "answers_sha256": .string(sheet.answers), "questions": sheet.questions(for: reviewer),
      "verdicts": sheet.verdicts(of: reviewer, in: try ReviewFile(sheet.run).read()),
    ]
  }

  /// Keeps one verdict: `{"number", "side", "verdict", "note"}`. Returns all that the reviewer has judged.
  func judge(_ id: String, answers: String, reviewer: String, _ given: JSONValue) throws -> JSONValue {
    let sheet = try current(id, answers)
    guard let number = given["number"]?.integer, sheet.samples.contains(where: { $0.number == number }) else {
      throw ReviewFault(400, "\"number\" is no question of this run")
    }
    guard let side = given["side"]?.string.flatMap(BlindOrder.Side.init) else {
      throw ReviewFault(400, "\"side\" must be A or B")
    }
    guard let judgement = given["verdict"]?.string.flatMap(ReviewRecord.Judgement.init) else {
      throw ReviewFault(400, "\"verdict\" must be natural, awkward or wrong")
    }
    let note = given["note"] ?? ""
    guard let text = note.string, text.count <= ReviewExport.longestNote else {
      throw ReviewFault(400, "\"note\" must be a text of at most \(ReviewExport.longestNote) characters")
    }
    let verdict = ReviewRecord.Verdict(
      number: number, answer: BlindOrder.model(side, answers: answers, reviewer: reviewer, number: number),
      verdict: judgement, note: text.isEmpty ? nil : text, time: Self.now())
    return try ReviewFile(sheet.run).update { record in
      record.judge(verdict, by: reviewer, of: answers)
      return ["verdicts": sheet.verdicts(of: reviewer, in: record)]
    }
  }

  /// Takes the reviewer's last verdict back. Returns it (null where there was none) and what is left.
  func undo(_ id: String, answers: String, reviewer: String) throws -> JSONValue {
    let sheet = try current(id, answers)
    return try ReviewFile(sheet.run).update { record in
      let removed = record.undo(by: reviewer, of: answers).map { sheet.json($0, reviewer) }
      return ["removed": removed ?? .null, "verdicts": sheet.verdicts(of: reviewer, in: record)]
    }
  }

  private func current(_ id: String, _ answers: String) throws -> ReviewSheet {
    let sheet = try sheet(id)
    guard sheet.answers == answers else {
      throw ReviewFault(409, "the run has new answers since this page was opened; load it again")
    }
    return sheet
  }

  /// "2026-11-23T21:04:05Z".
  private static func now() -> String { Date.now.formatted(.iso8601) }
}

/// Why a request of the review page is refused.
struct ReviewFault: Error {
  let status: UInt32
  let text: String
  var headers: [(String, String)] = []

  init(_ status: UInt32, _ text: String) {
    self.status = status
    self.text = text
  }
}
