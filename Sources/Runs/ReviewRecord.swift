import Foundation
import Formats

/// `evaluation/review.json`: what people who read the answers thought of them.
public struct ReviewRecord: Codable, Sendable, Equatable {
  public enum Judgement: String, Codable, Sendable, CaseIterable { case natural, awkward, wrong }

  /// Whose answer was judged.
  public enum Model: String, Codable, Sendable, CaseIterable { case base, tuned }

  public struct Verdict: Codable, Sendable, Equatable {
    /// Of the question, as in `samples.jsonl`.
    public var number: Int
    public var answer: Model
    public var verdict: Judgement
    public var note: String?
    /// UTC, to the second: "2026-11-23T21:04:05Z".
    public var time: String

    public init(number: Int, answer: Model, verdict: Judgement, note: String? = nil, time: String) {
      self.number = number
      self.answer = answer
      self.verdict = verdict
      self.note = note
      self.time = time
    }

    func isAbout(_ other: Verdict) -> Bool { number == other.number && answer == other.answer }
  }

  /// One reviewer's verdicts on one set of answers, at most one an answer, in the order they were given.
  public struct Review: Codable, Sendable, Equatable {
    public var reviewer: String
    /// ``AnswerSample/readingHash(_:)`` of the answers.
    public var answersSha256: String
    public var verdicts: [Verdict]

    public init(reviewer: String, answersSha256: String, verdicts: [Verdict]) {
      self.reviewer = reviewer
      self.answersSha256 = answersSha256
      self.verdicts = verdicts
    }
  }

  static let currentVersion = 1

  public var version: Int
  public var reviews: [Review]

  public init(reviews: [Review] = []) {
    version = Self.currentVersion
    self.reviews = reviews
  }

  /// Reads a record; `file` names it in errors.
  public init(parsing data: Data, file: String) throws {
    let record = try RecordFile.decode(
      Self.self, from: data, file: file, remedy: "mend it, or move it away and judge anew")
    guard record.version == Self.currentVersion else {
      throw RunsError(
        "\(file): has version \(record.version), this program knows \(Self.currentVersion); use the program that wrote it"
      )
    }
    self = record
  }

  // MARK: Single steps

  public func verdicts(by reviewer: String, of answers: String) -> [Verdict] {
    place(reviewer, answers).map { reviews[$0].verdicts } ?? []
  }

  /// Adds a verdict, in place of an earlier one on the same answer. Where only the note is another, it keeps its turn.
  public mutating func judge(_ verdict: Verdict, by reviewer: String, of answers: String) {
    let index = place(reviewer, answers) ?? reviews.endIndex
    if index == reviews.endIndex {
      reviews.append(Review(reviewer: reviewer, answersSha256: answers, verdicts: []))
    }
    let old = reviews[index].verdicts.firstIndex { $0.isAbout(verdict) }
    if let old, reviews[index].verdicts[old].verdict == verdict.verdict {
      reviews[index].verdicts[old] = verdict
    } else {
      if let old { reviews[index].verdicts.remove(at: old) }
      reviews[index].verdicts.append(verdict)
    }
  }

  /// Takes the reviewer's last verdict back; nil where there is none.
  public mutating func undo(by reviewer: String, of answers: String) -> Verdict? {
    place(reviewer, answers).flatMap { reviews[$0].verdicts.popLast() }
  }

  /// Adds another record's review: of two verdicts on one answer the later one stays. Returns how many were new or later.
  public mutating func merge(_ review: Review) -> Int {
    var taken = 0
    for verdict in review.verdicts {
      let known = verdicts(by: review.reviewer, of: review.answersSha256).first { $0.isAbout(verdict) }
      if let known, known == verdict || known.time >= verdict.time { continue }
      judge(verdict, by: review.reviewer, of: review.answersSha256)
      taken += 1
    }
    return taken
  }

  private func place(_ reviewer: String, _ answers: String) -> Int? {
    reviews.firstIndex { $0.reviewer == reviewer && $0.answersSha256 == answers }
  }
}

extension AnswerSample {
  /// SHA-256 of what a reader judges: numbers, questions, references and both answers. The same answers scored anew have the same.
  public static func readingHash(_ samples: [AnswerSample]) -> String {
    let hash = SHA256()
    for sample in samples {
      let parts = [sample.question, sample.reference, sample.base.text, sample.tuned.text]
      hash.update(JSONValue.array([JSONValue(sample.number)] + parts.map(JSONValue.string)).text() + "\n")
    }
    return hash.finish()
  }
}

/// What a reviewer goes by.
public enum ReviewerName {
  /// Where nobody gives another.
  public static let standard = "reader"
  public static let longest = 40

  /// The name as it is kept (NFC, no space around it), or why it can't be one.
  public static func checked(_ text: String) throws(RunsError) -> String {
    let name = text.precomposedStringWithCanonicalMapping.trimmingCharacters(in: .whitespacesAndNewlines)
    let isClean = name.unicodeScalars.allSatisfy { scalar in
      scalar != "/" && ![.control, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
    }
    guard isClean, (1...longest).contains(name.unicodeScalars.count), name != ".", name != ".." else {
      throw RunsError(
        "reviewer \"\(text)\": can't be a name; use 1 to \(longest) characters, no slash and no control characters")
    }
    return name
  }
}

/// Which answer a reviewer sees as A and which as B: by chance, but the same each time. The review page opened from disk computes
/// the same (`turn` in its script).
public enum BlindOrder {
  public enum Side: String, Sendable, CaseIterable { case a = "A", b = "B" }

  /// The model whose answer stands at a side.
  public static func model(_ side: Side, answers: String, reviewer: String, number: Int) -> ReviewRecord.Model {
    let isTurned = turn(answers: answers, reviewer: reviewer, number: number) == 1
    return (side == .a) == isTurned ? .tuned : .base
  }

  public static func side(_ model: ReviewRecord.Model, answers: String, reviewer: String, number: Int) -> Side {
    self.model(.a, answers: answers, reviewer: reviewer, number: number) == model ? .a : .b
  }

  /// 0: the base model's answer is A; 1: the tuned one's. The top bit of a 32-bit FNV-1a hash, mixed as MurmurHash3 ends.
  static func turn(answers: String, reviewer: String, number: Int) -> Int {
    var hash: UInt32 = 0x811C_9DC5
    for byte in "\(answers)\n\(reviewer)\n\(number)".utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
    hash = (hash ^ hash >> 16) &* 0x85EB_CA6B
    hash = (hash ^ hash >> 13) &* 0xC2B2_AE35
    return Int((hash ^ hash >> 16) >> 31)
  }
}
