import Foundation
import Formats
import Runs

enum ResultsCommand {
  static let results = Command(
    name: "results", summary: Words("shows a run's results, base against tuned", ko: "실행 결과를 표로 보여 줍니다"),
    usage: "RUN [--json] [options]",
    options: [
      Option("--json", Words("prints evaluation/metrics.json as it is", ko: "evaluation/metrics.json을 그대로 출력합니다")),
      Option("--output", "DIR", Words("where the runs are (default: output)", ko: "실행 기록이 있는 폴더 (기본: output)")),
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
    for line in table(metrics, console) { console.print(line) }
  }

  private static func table(_ metrics: EvaluationRecord, _ console: Console) -> [String] {
    var rows: [[String]] = [[console.text(Words("measure", ko: "지표")), "n", "base", "tuned"]]
    rows.append([
      console.text(Words("validation loss", ko: "검증 손실")), "\(metrics.validationSupervisedTokens) tokens",
      String(format: "%.3f", metrics.validationLoss.base), String(format: "%.3f", metrics.validationLoss.tuned),
    ])
    let names = [
      "all": Words("all", ko: "전체"), "taught": Words("taught", ko: "배운 사실"),
      "untaught": Words("untaught", ko: "배우지 않은 사실"),
    ]
    for set in ["all", "taught", "untaught", "test"] {
      guard let pair = metrics.sets[set] else { continue }
      let name = names[set].map(console.text) ?? set
      for (key, decimals) in [("bleu", 1), ("chrf", 1), ("rougeL", 3)] {
        guard let base = pair.base.scores[key], let tuned = pair.tuned.scores[key] else { continue }
        let label = ["bleu": "BLEU", "chrf": "chrF", "rougeL": "ROUGE-L"][key] ?? key
        rows.append([
          "\(label) · \(name)", "\(pair.tuned.questions)", String(format: "%.\(decimals)f", base.value),
          String(format: "%.\(decimals)f", tuned.value),
        ])
      }
      rows.append([
        console.text(Words("stopped by itself · \(name)", ko: "스스로 끝맺음 · \(name)")), "\(pair.tuned.questions)",
        "\(pair.base.stopped)/\(pair.base.questions)", "\(pair.tuned.stopped)/\(pair.tuned.questions)",
      ])
    }
    let widths = (0..<4).map { column in rows.map { width($0[column]) }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - width(text))
        return column == 0 ? text + space : space + text
      }.joined(separator: "  ")
    }
  }

  /// Columns on a terminal: Hangul takes two.
  private static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) {
      $0 + ((0x1100...0x115F).contains($1.value) || (0x2E80...0xD7A3).contains($1.value) ? 2 : 1)
    }
  }
}
