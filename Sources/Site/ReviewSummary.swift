import Formats
import Foundation
import Runs

/// What reviewers thought of a run's answers as they are now. Verdicts on other answers are counted apart.
struct ReviewSummary: Sendable, Equatable {
  typealias Verdict = ReviewRecord.Verdict

  /// How a question's two answers compare by one reviewer's verdicts.
  enum Preference: String, Sendable, CaseIterable { case tuned, base, equal }

  /// Each reviewer's verdicts on the present answers, none of them empty.
  private let reviews: [[Verdict]]
  /// Verdicts on answers that the run has no more.
  let outdated: Int

  init(_ record: ReviewRecord, _ samples: [AnswerSample]) {
    let answers = record.reviews.isEmpty ? "" : AnswerSample.readingHash(samples)
    let numbers = Set(samples.map(\.number))
    let current = record.reviews.filter { $0.answersSha256 == answers }
    reviews = current.map { $0.verdicts.filter { numbers.contains($0.number) } }.filter { !$0.isEmpty }
    outdated = record.reviews.reduce(0) { $0 + ($1.answersSha256 == answers ? 0 : $1.verdicts.count) }
  }

  /// Whether nobody has judged the present answers.
  var isEmpty: Bool { reviews.isEmpty }
  var reviewers: Int { reviews.count }
  var verdicts: [Verdict] { reviews.flatMap { $0 } }
  /// Questions with a verdict on one of their answers at least, in order.
  var questions: [Int] { Set(verdicts.map(\.number)).sorted() }

  /// Verdicts on one answer, one of each reviewer who judged it.
  func verdicts(_ number: Int, _ model: ReviewRecord.Model) -> [ReviewRecord.Judgement] {
    verdicts.filter { $0.number == number && $0.answer == model }.map(\.verdict)
  }

  func count(_ model: ReviewRecord.Model, _ judgement: ReviewRecord.Judgement) -> Int {
    verdicts.filter { $0.answer == model && $0.verdict == judgement }.count
  }

  /// One a reviewer who judged both answers.
  func preferences(_ number: Int) -> [Preference] {
    reviews.compactMap { review in
      func rank(_ model: ReviewRecord.Model) -> Int? {
        review.first { $0.number == number && $0.answer == model }
          .flatMap { ReviewRecord.Judgement.allCases.firstIndex(of: $0.verdict) }
      }
      guard let base = rank(.base), let tuned = rank(.tuned) else { return nil }
      return tuned < base ? .tuned : base < tuned ? .base : .equal
    }
  }

  /// Answers that several reviewers judged.
  var shared: [[ReviewRecord.Judgement]] {
    questions.flatMap { number in ReviewRecord.Model.allCases.map { verdicts(number, $0) } }.filter { $0.count > 1 }
  }

  /// A count by its name in a ``ReviewOperation``.
  func count(_ what: String) -> Int? {
    switch what {
    case "reviewers": return reviewers
    case "verdicts": return verdicts.count
    case "questions": return questions.count
    case "outdated": return outdated
    case "shared": return shared.count
    case "agreed": return shared.filter { Set($0).count == 1 }.count
    default: break
    }
    let parts = what.split(separator: " ").map(String.init)
    guard parts.count == 2 else { return nil }
    if parts[1] == "verdicts", let model = ReviewRecord.Model(rawValue: parts[0]) {
      return verdicts.filter { $0.answer == model }.count
    }
    if parts[0] == "preferred", let wanted = Preference(rawValue: parts[1]) {
      return questions.reduce(0) { sum, number in sum + preferences(number).filter { $0 == wanted }.count }
    }
    guard let model = ReviewRecord.Model(rawValue: parts[0]), let judgement = ReviewRecord.Judgement(rawValue: parts[1])
    else { return nil }
    return count(model, judgement)
  }
}

/// What is counted over a run's review and the answers it is about, one file each: `review(tuned natural)`.
struct ReviewOperation: Sendable {
  let what: String

  init(_ what: String) { self.what = what }

  init?(operation: String) {
    guard operation.hasPrefix("review("), operation.hasSuffix(")") else { return nil }
    what = String(operation.dropFirst(7).dropLast())
  }

  var name: String { "review(\(what))" }

  func value(_ files: [JSONValue]) throws -> Double {
    guard files.count == 2, let lines = files[1].array else {
      throw SiteError("\(name) needs a review and its answers")
    }
    let record = try ReviewRecord(parsing: Data(files[0].text().utf8), file: "review.json")
    let samples = try lines.map { try RecordFile.decode(AnswerSample.self, line: Data($0.text().utf8)) }
    guard let count = ReviewSummary(record, samples).count(what) else {
      throw SiteError("nothing is counted as \"\(what)\" in a review")
    }
    return Double(count)
  }
}
