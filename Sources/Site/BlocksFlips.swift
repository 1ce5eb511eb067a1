import Charts
import Foundation
import Runs

extension Blocks {
  /// Every question with its scores before and after, and which way it went.
  func flips(caption own: String?) -> Rich {
    guard !run.samples.isEmpty else { return missing(words.pick("답의 변화", "Changes of the answers")) }
    let columns = [
      DataTable.Column(name: words.question, isNumeric: true), DataTable.Column(name: words.pick("구분", "Kind")),
      DataTable.Column(name: "chrF base", isNumeric: true), DataTable.Column(name: "chrF LoRA", isNumeric: true),
      DataTable.Column(name: "ROUGE-L base", isNumeric: true), DataTable.Column(name: "ROUGE-L LoRA", isNumeric: true),
      DataTable.Column(name: words.pick("끝맺음", "Ending")), DataTable.Column(name: words.pick("변화", "Change")),
    ]
    let hasMatches = run.samples.contains { $0.tuned.scores["exact_match"] != nil }
    let rows = run.samples.map { sample -> [Rich] in
      var row: [Rich] = [.text("\(sample.number)"), .text(words.kind(sample.kind))]
      for (metric, decimals) in [("chrf", 1), ("rougeL", 3)] {
        let (base, tuned) = (sample.base.scores[metric], sample.tuned.scores[metric])
        row.append(score(base, over: tuned, decimals: decimals))
        row.append(score(tuned, over: base, decimals: decimals))
      }
      let (base, tuned) = (sample.base.stopReason, sample.tuned.stopReason)
      row.append(.text(base == tuned ? words.ending(base) : "\(words.ending(base)) → \(words.ending(tuned))"))
      let change = AnswerChange(sample)
      let word = Rich.text(words.change(change))
      row.append(change == .better || change == .worse ? .strong(word) : word)
      return row
    }
    return table(
      DataTable(columns: columns, rows: rows),
      caption: caption(own, words.flipsCaption(hasMatches: hasMatches), file: "samples.jsonl"))
  }

  private func score(_ value: Double?, over other: Double?, decimals: Int) -> Rich {
    guard let value else { return .text("—") }
    let text = Rich.text(NumberFormat.fixed(value, decimals: decimals))
    return other.map { value > $0 } ?? false ? .strong(text) : text
  }
}

extension SiteWords {
  func ending(_ reason: String) -> String {
    switch reason {
    case "stop": pick("스스로", "by itself")
    case "length": pick("잘림", "cut")
    default: reason
    }
  }

  func change(_ change: AnswerChange) -> String {
    switch change {
    case .better: pick("올랐다", "up")
    case .worse: pick("내렸다", "down")
    case .mixed: pick("엇갈렸다", "mixed")
    case .same: pick("그대로다", "same")
    }
  }

  /// What the words of the last column mean, thresholds included. `hasMatches`: exact match was measured.
  func flipsCaption(hasMatches: Bool) -> String {
    let chrf = NumberFormat.fixed(AnswerChange.chrfStep, decimals: 1)
    let rouge = NumberFormat.fixed(AnswerChange.rougeStep, decimals: 3)
    return pick(
      "질문마다 학습 전과 학습 후의 답을 견준 표이다. chrF는 \(chrf), ROUGE-L은 \(rouge) 이상의 차이를, "
        + (hasMatches ? "정확히 일치(EM)하는지의 차이를, " : "") + "끝맺음은 잘림과 스스로 끝냄의 차이를 변화로 센다. "
        + "한 방향의 변화만 있으면 올랐다 또는 내렸다, 두 방향이 섞이면 엇갈렸다고 적는다. 굵은 값이 더 높다. 답이 맞는지는 판정하지 않는다.",
      "Each question's answer before and after training. A change of \(chrf) in chrF or \(rouge) in ROUGE-L counts, "
        + (hasMatches ? "an exact match won or lost too, " : "") + "and so does "
        + "whether the answer ended by itself; changes one way only are up or down, both ways mixed. Bold is higher. "
        + "Whether an answer is right is not judged.")
  }
}
