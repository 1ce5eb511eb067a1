import Foundation
import Formats
import Runs

enum ResultsCommand {
  static let results = Command(
    name: "results", summary: Words("shows a run's results, base against tuned", ko: "실행 결과를 표로 보여 줍니다"),
    usage: "RUN [--json] [options]",
    options: [
      Option("--json", Words("prints evaluation/metrics.json as it is", ko: "evaluation/metrics.json을 그대로 출력합니다")),
      runsOption,
    ], example: "lorapress results korean-textbooks-qwen2.5-0.5b"
  ) { arguments, console in
    let folder = try runFolder(arguments.single("RUN", "results"), output: outputFolder(arguments))
    guard FileManager.default.fileExists(atPath: folder.evaluationMetrics.path) else {
      throw RunsError(
        "\(folder.evaluationMetrics.path): the run isn't evaluated yet; run `lorapress evaluate EXPERIMENT`")
    }
    let metrics = try RecordFile.read(EvaluationRecord.self, from: folder.evaluationMetrics)
    if arguments.flag("--json") {
      let data = try Data(contentsOf: folder.evaluationMetrics)
      return console.print(String(decoding: data, as: UTF8.self), terminator: "")
    }
    for line in ResultsTable(metrics, console).lines { console.print(line) }
  }
}

/// An evaluation as a table for a terminal.
struct ResultsTable {
  let record: EvaluationRecord
  let console: Console

  init(_ record: EvaluationRecord, _ console: Console) {
    self.record = record
    self.console = console
  }

  var lines: [String] {
    let loss = record.validationLoss
    var rows = [
      [
        console.text(Words("measure", ko: "지표")), "n", "base", "tuned", console.text(Words("difference", ko: "차이")),
        "p",
      ]
    ]
    rows.append([
      lossName, "\(record.validationSupervisedTokens) tokens", shown(loss.base, 3), shown(loss.tuned, 3),
      signed(loss.tuned - loss.base, 3), "",
    ])
    if let perplexity = record.perplexity {
      rows.append([
        "perplexity", "\(record.validationSupervisedTokens) tokens", shown(perplexity.base, 2),
        shown(perplexity.tuned, 2), signed(perplexity.tuned - perplexity.base, 2), "",
      ])
    }
    rows += record.setNames.flatMap { set -> [[String]] in
      guard let pair = record.sets[set] else { return [] }
      return scores(set, pair.base, pair.tuned, record.deltas?[set])
    }
    return TerminalTable.lines(rows, right: true) + trained
  }

  private var lossName: String {
    record.data == nil
      ? console.text(Words("validation loss", ko: "검증 손실")) : console.text(Words("loss of the rows", ko: "이 행들의 손실"))
  }

  /// The adapter on the weights it was trained with against the others.
  private var trained: [String] {
    guard let trained = record.trained else { return [] }
    var rows = [
      [
        console.text(Words("adapter on", ko: "어댑터를 둔 가중치")), "n", trained.weights,
        (record.weights ?? "") + (record.merged == true ? console.text(Words(", merged", ko: ", 합침")) : ""),
        console.text(Words("difference", ko: "차이")), "p",
      ]
    ]
    let loss = record.validationLoss.tuned
    rows.append([
      lossName, "\(record.validationSupervisedTokens) tokens", shown(trained.validationLoss, 3), shown(loss, 3),
      signed(loss - trained.validationLoss, 3), "",
    ])
    rows += record.setNames.flatMap { set -> [[String]] in
      guard let first = trained.sets[set], let second = record.sets[set]?.tuned else { return [] }
      return scores(set, first, second, trained.deltas[set])
    }
    return [""] + TerminalTable.lines(rows, right: true)
  }

  private func scores(
    _ set: String, _ first: EvaluationRecord.Corpus, _ second: EvaluationRecord.Corpus,
    _ deltas: [String: EvaluationRecord.Delta]?
  ) -> [[String]] {
    let names = [
      "all": Words("all", ko: "전체"), "taught": Words("taught", ko: "배운 사실"),
      "untaught": Words("untaught", ko: "배우지 않은 사실"),
    ]
    let name = names[set].map(console.text) ?? set
    var rows = ScoreName.all.compactMap { metric -> [String]? in
      guard let before = first.scores[metric]?.value, let after = second.scores[metric]?.value else { return nil }
      let decimals = ScoreName.decimals(metric)
      let delta = deltas?[metric]
      return [
        "\(ScoreName.label(metric)) · \(name)", "\(second.questions)", shown(before, decimals), shown(after, decimals),
        delta.map { difference($0, decimals) } ?? "", delta?.pValue.map { shown($0, 3) } ?? "",
      ]
    }
    rows.append([
      console.text(Words("stopped by itself · \(name)", ko: "스스로 끝맺음 · \(name)")), "\(second.questions)",
      "\(first.stopped)/\(first.questions)", "\(second.stopped)/\(second.questions)", "", "",
    ])
    return rows
  }

  private func shown(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

  private func signed(_ value: Double, _ decimals: Int) -> String { String(format: "%+.\(decimals)f", value) }

  /// "+3.2 [0.4, 6.1]"; "~" before it where the interval includes 0.
  private func difference(_ delta: EvaluationRecord.Delta, _ decimals: Int) -> String {
    guard let interval = delta.interval, interval.count == 2 else { return signed(delta.value, decimals) }
    let mark = delta.isClear == false ? "~ " : ""
    return "\(mark)\(signed(delta.value, decimals)) [\(shown(interval[0], decimals)), \(shown(interval[1], decimals))]"
  }
}
