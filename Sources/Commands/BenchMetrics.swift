import Evaluation
import Foundation
import Formats
import Runs

/// `lorapress bench metrics`: the scores of a file of answers, and how long they took.
enum BenchMetrics {
  /// Corpus BLEU, chrF and ROUGE-1, -2 and -L without their intervals, as sacreBLEU and rouge-score tell them; reading the file is not counted.
  static func measure(_ arguments: Arguments) throws -> [(String, JSONValue)] {
    let path = try arguments.required("--data", "bench")
    let pairs = try pairs(path)
    let clock = ContinuousClock()
    let start = clock.now
    let scorer = Scorer(metrics: EvaluationSettings().metrics, references: pairs.map(\.reference))
    let scores = scorer.corpusValues(pairs)
    let seconds = (clock.now - start) / .seconds(1)
    let told = ScoreName.all.compactMap { name in
      scores[name].map { JSONObject.Entry(key: name, value: JSONValue($0)) }
    }
    return [
      ("pairs_per_second", JSONValue(Double(pairs.count) / seconds)), ("pairs", JSONValue(pairs.count)),
      ("seconds", JSONValue(seconds)), ("scores", .object(JSONObject(told))),
      ("bleu_tokenize", .string(scorer.bleu.tokenizer.rawValue)),
      ("rouge_tokenize", .string(scorer.rouge.tokenizer.rawValue)),
    ]
  }

  private static func pairs(_ path: String) throws -> [AnswerPair] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw RunsError("\(path): can't be read; check that the file exists")
    }
    let pairs = try JSONValue.lines(of: data, file: path).map { line, value in
      guard let hypothesis = value["hypothesis"]?.string, let reference = value["reference"]?.string else {
        throw FormatError(file: path, line: line, message: "has no \"hypothesis\" and \"reference\"; add them")
      }
      return AnswerPair(hypothesis: hypothesis, reference: reference)
    }
    guard !pairs.isEmpty else { throw RunsError("\(path): holds no pairs; give a file with at least one line") }
    return pairs
  }
}
