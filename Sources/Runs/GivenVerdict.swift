import Formats

/// A verdict as the review page gives it, on an answer known by its side: `{"number", "side", "verdict", "note"}`.
public struct GivenVerdict: Sendable, Equatable {
  /// In characters.
  public static let longestNote = 2000

  /// What of it is wrong: under which key, and how.
  public struct Fault: Error {
    public let key: String
    public let what: String
  }

  public let number: Int
  public let side: BlindOrder.Side
  public let judgement: ReviewRecord.Judgement
  public let note: String?

  /// - Parameter questions: the numbers of the run's questions.
  public init(_ value: JSONValue, questions: Set<Int>) throws(Fault) {
    guard let number = value["number"]?.integer, questions.contains(number) else {
      throw Fault(
        key: "number", what: "is no question of the run; its questions have the numbers of samples.jsonl")
    }
    self.number = number
    side = try Self.word(value, "side")
    judgement = try Self.word(value, "verdict")
    let given = value["note"] ?? .null
    guard let text = given.isNull ? "" : given.string else { throw Fault(key: "note", what: "must be a text") }
    guard text.count <= Self.longestNote else {
      throw Fault(key: "note", what: "is longer than \(Self.longestNote) characters; shorten it")
    }
    note = text.isEmpty ? nil : text
  }

  private static func word<Word: RawRepresentable & CaseIterable>(
    _ value: JSONValue, _ key: String
  ) throws(Fault) -> Word where Word.RawValue == String {
    guard let word = value[key]?.string.flatMap(Word.init) else {
      throw Fault(key: key, what: "must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return word
  }

  /// The verdict on the model's answer that this reviewer was shown at that side.
  public func verdict(answers: String, reviewer: String, time: String) -> ReviewRecord.Verdict {
    ReviewRecord.Verdict(
      number: number, answer: BlindOrder.model(side, answers: answers, reviewer: reviewer, number: number),
      verdict: judgement, note: note, time: time)
  }
}
