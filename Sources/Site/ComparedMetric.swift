import Charts
import Foundation
import Formats
import Runs

/// One measured value of each run, with the place it stands at.
public struct ComparedMetric: Sendable {
  public enum Better: String, Sendable {
    case lower, higher
    /// Neither is better: a size, a count.
    case neither
  }

  /// "best_eval_loss", "chrf/taught".
  public var name: String
  /// The file inside the run folder and the JSON Pointer in it.
  public var path: String
  public var pointer: String
  public var better: Better
  /// As the files have them; nil where a run has none.
  public var values: [JSONValue?]
  /// How many questions or tokens each run was measured on; nil where that is no matter.
  public var counts: [Int?]
  /// False where the runs were measured on different rows: then none is best.
  public internal(set) var isComparable = true
  let format: ValueFormat
  private let korean: String
  private let english: String

  /// The runs with the best value as a reader sees it, so that 1.7 GB is not better than 1.7 GB; none where only one has a value or all
  /// look the same.
  public var best: [Int] {
    let numbers = values.map { $0?.double }
    let known = numbers.compactMap { $0 }
    guard isComparable, better != .neither, known.count > 1, let low = known.min(), let high = known.max(), low < high
    else {
      return []
    }
    let top = better == .lower ? low : high
    let shown = shown(.en)
    guard let best = numbers.firstIndex(of: top).map({ shown[$0] }) else { return [] }
    let found = numbers.indices.filter { numbers[$0] != nil && shown[$0] == best }
    return found.count == known.count ? [] : found
  }

  /// With n where all runs share it: "chrF · 배운 사실 (n = 5)".
  public func label(_ language: SiteLanguage) -> String {
    let words = SiteWords(language: language)
    let name = words.pick(korean, english)
    let known = counts.compactMap { $0 }
    guard !known.isEmpty else { return name }
    let texts = known.allSatisfy { $0 == known.first } ? [known[0]] : known
    return "\(name) (n\u{A0}=\u{A0}\(texts.map(NumberFormat.grouped).joined(separator: "\u{A0}/\u{A0}")))"
  }

  public func shown(_ language: SiteLanguage) -> [String] {
    values.map { value in
      guard let value, let text = try? format.shown(value, language: language) else { return "—" }
      return text
    }
  }

  /// Every metric that at least one of the runs has.
  static func all(_ runs: [RunData]) -> [ComparedMetric] {
    var found: [ComparedMetric] = []
    func add(
      _ name: String, _ path: String, _ pointer: String, _ format: ValueFormat, _ better: Better, _ ko: String,
      _ en: String, counts: (RunData) -> Int? = { _ in nil }
    ) {
      let values = runs.map { run -> JSONValue? in
        guard let value = try? run.document(path).value(at: pointer), value.double != nil else { return nil }
        return value
      }
      guard values.contains(where: { $0 != nil }) else { return }
      found.append(
        ComparedMetric(
          name: name, path: path, pointer: pointer, better: better, values: values, counts: runs.map(counts),
          format: format, korean: ko, english: en))
    }
    let scores = "evaluation/metrics.json"
    add(
      "best_eval_loss", "run.json", "/training/best_eval_loss", .loss, .lower, "학습 중 최저 검증 손실",
      "Lowest evaluation loss in training")
    add("best_step", "run.json", "/training/best_step", .count, .neither, "그때의 step", "Its step")
    add("base_loss", scores, "/validation_loss/base", .loss, .neither, "검증 손실 · 학습 전", "Validation loss · base") {
      $0.evaluation?.validationSupervisedTokens
    }
    add("tuned_loss", scores, "/validation_loss/tuned", .loss, .lower, "검증 손실 · 학습 후", "Validation loss · tuned") {
      $0.evaluation?.validationSupervisedTokens
    }
    let order = ["all", "taught", "untaught"]
    let others = Set(runs.flatMap { Array(($0.evaluation?.sets ?? [:]).keys) }).subtracting(order).sorted()
    for set in order + others {
      for metric in ["bleu", "chrf", "rougeL", "exact_match", "f1"] {
        let label = ScoreName.label(metric)
        add(
          "\(metric)/\(set)", scores, "/sets/\(pointerPart(set))/tuned/scores/\(metric)/value",
          .score(metric), .higher,
          "\(label) · \(SiteWords(language: .ko).kind(set))", "\(label) · \(SiteWords(language: .en).kind(set))"
        ) { $0.evaluation?.sets[set]?.tuned.questions }
      }
    }
    add(
      "tokens_per_second", "run.json", "/training/tokens_per_second", .count, .higher, "학습 속도 (토큰/초)",
      "Training speed (tokens/s)")
    add("seconds", "run.json", "/stages/train/seconds", .duration, .lower, "학습 시간", "Training time")
    add(
      "peak_memory_bytes", "run.json", "/training/peak_memory_bytes", .bytes, .lower, "학습 중 최대 메모리",
      "Peak memory in training")
    add("steps", "run.json", "/training/steps", .count, .neither, "학습한 step 수", "Steps trained")
    add(
      "trainable_parameters", "run.json", "/training/trainable_parameters", .params, .neither, "학습한 매개변수",
      "Trained parameters")
    return found
  }

  private static func pointerPart(_ name: String) -> String {
    name.replacing("~", with: "~0").replacing("/", with: "~1")
  }
}
