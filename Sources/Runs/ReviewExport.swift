import Foundation
import Formats

/// The verdicts that the review page, opened from disk, saves as a file: sides as the reviewer saw them, not yet models.
public struct ReviewExport: Sendable, Equatable {
  public static let format = "lorapress-review"
  public static let version = 1
  /// In characters.
  public static let longestNote = 2000

  public let review: ReviewRecord.Review

  /// Reads an exported file and finds the models behind its sides. Throws one line with file and place where it is not a review of
  /// this run's answers.
  public init(parsing data: Data, file: String, run: String, samples: [AnswerSample]) throws {
    let reader = ExportReader(file: file, document: try JSONValue(parsing: data, file: file))
    guard reader.document["format"]?.string == Self.format else {
      throw RunsError(
        "\(file): is no exported review (no \"format\": \"\(Self.format)\"); export one on the review page")
    }
    guard reader.document["version"]?.integer == Self.version else {
      throw reader.wrong("/version", "must be \(Self.version)")
    }
    guard let name = reader.document["run"]?.string, name == run else {
      throw reader.wrong(
        "/run", "is a review of \(reader.document["run"]?.text() ?? "no run"), not of \"\(run)\"; name its own run")
    }
    let answers = AnswerSample.readingHash(samples)
    guard reader.document["answers_sha256"]?.string == answers else {
      throw reader.wrong(
        "/answers_sha256", "judges other answers than the run has now; make the page anew with `lorapress review page`")
    }
    let given = try reader.text("/reviewer", longest: 4 * ReviewerName.longest)
    let reviewer: String
    do { reviewer = try ReviewerName.checked(given) } catch { throw reader.wrong("/reviewer", "\(error)") }
    guard let list = reader.document["verdicts"]?.array else { throw reader.wrong("/verdicts", "must be a list") }
    let numbers = Set(samples.map(\.number))
    var verdicts: [ReviewRecord.Verdict] = []
    for index in list.indices {
      let verdict = try reader.verdict(index, numbers, answers: answers, reviewer: reviewer)
      guard !verdicts.contains(where: { $0.isAbout(verdict) }) else {
        throw reader.wrong("/verdicts/\(index)", "judges an answer for the second time; keep one of the two")
      }
      verdicts.append(verdict)
    }
    review = ReviewRecord.Review(reviewer: reviewer, answersSha256: answers, verdicts: verdicts)
  }

  /// Whether this is how the record has times: "2026-11-23T21:04:05Z".
  static func isTime(_ text: String) -> Bool {
    let pattern = Array("dddd-dd-ddTdd:dd:ddZ".utf8)
    let bytes = Array(text.utf8)
    return bytes.count == pattern.count
      && zip(bytes, pattern).allSatisfy { byte, wanted in
        wanted == UInt8(ascii: "d") ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == wanted
      }
  }
}

/// An exported file and the places in it.
private struct ExportReader {
  let file: String
  let document: JSONValue

  func wrong(_ pointer: String, _ what: String) -> RunsError { RunsError("\(file)#\(pointer): \(what)") }

  func text(_ pointer: String, longest: Int) throws(RunsError) -> String {
    guard let text = document.value(at: pointer)?.string else { throw wrong(pointer, "must be a text") }
    guard text.count <= longest else { throw wrong(pointer, "is longer than \(longest) characters; shorten it") }
    return text
  }

  private func word<Word: RawRepresentable & CaseIterable>(
    _ type: Word.Type, _ pointer: String
  ) throws(RunsError) -> Word where Word.RawValue == String {
    guard let text = document.value(at: pointer)?.string, let word = Word(rawValue: text) else {
      throw wrong(pointer, "must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return word
  }

  func verdict(_ index: Int, _ numbers: Set<Int>, answers: String, reviewer: String) throws(RunsError)
    -> ReviewRecord.Verdict
  {
    let place = "/verdicts/\(index)"
    guard let number = document.value(at: "\(place)/number")?.integer, numbers.contains(number) else {
      throw wrong("\(place)/number", "is no question of the run; its questions have the numbers of samples.jsonl")
    }
    let side = try word(BlindOrder.Side.self, "\(place)/side")
    let judgement = try word(ReviewRecord.Judgement.self, "\(place)/verdict")
    let hasNote = document.value(at: "\(place)/note").map { !$0.isNull } ?? false
    let note = hasNote ? try text("\(place)/note", longest: ReviewExport.longestNote) : ""
    let time = try text("\(place)/time", longest: 40)
    guard ReviewExport.isTime(time) else { throw wrong("\(place)/time", "must be like 2026-11-23T21:04:05Z") }
    return ReviewRecord.Verdict(
      number: number, answer: BlindOrder.model(side, answers: answers, reviewer: reviewer, number: number),
      verdict: judgement, note: note.isEmpty ? nil : note, time: time)
  }
}
