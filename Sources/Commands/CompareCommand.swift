import Foundation
import Formats
import Runs
import Site

enum CompareCommand {
  static let compare = Command(
    name: "compare", summary: Words("sets runs side by side", ko: "실행 여러 개를 나란히 비교합니다"),
    usage: "RUN RUN... [--json] [options]",
    options: [
      Option("--json", Words("prints one JSON object", ko: "JSON 객체 하나로 출력합니다")),
      runsOption,
    ], example: "lorapress compare korean-textbooks-qwen2.5-0.5b korean-textbooks-qwen2.5-1.5b"
  ) { arguments, console in
    let output = outputFolder(arguments)
    let folders = try arguments.positional.flatMap { try Self.folders($0, output: output) }
    guard folders.count >= 2 else {
      throw UsageError("two runs or more are expected; see `lorapress compare --help`")
    }
    for (index, folder) in folders.enumerated() where folders[..<index].contains(folder) {
      throw UsageError("the run \(folder.id) is named twice; name different runs")
    }
    let comparison = try Comparison(folders: folders)
    if arguments.flag("--json") { return console.print(comparison.json.text(pretty: true)) }
    for line in lines(comparison, console) { console.print(line) }
  }

  static func printTable(_ folders: [RunFolder], _ console: Console) throws {
    for line in lines(try Comparison(folders: folders), console) { console.print(line) }
  }

  /// A run by its id, its folder, or the experiment that made it; of a sweep, all its runs.
  private static func folders(_ argument: String, output: URL) throws -> [RunFolder] {
    guard argument.hasSuffix(".yaml") else { return [try runFolder(argument, output: output)] }
    let experiment = try Experiment(file: URL(fileURLWithPath: argument))
    let runs = try experiment.sweepRuns().map(\.experiment.settings.name)
    return try (runs.isEmpty ? [experiment.settings.name] : runs).map { try runFolder($0, output: output) }
  }

  private static func lines(_ comparison: Comparison, _ console: Console) -> [String] {
    let language: SiteLanguage = console.isKorean ? .ko : .en
    func head(_ first: Words) -> [String] { [console.text(first)] + comparison.ids }
    var lines: [String] = []
    func section(_ title: Words, _ rows: [[String]], none: Words, right: Bool) {
      if !lines.isEmpty { lines.append("") }
      guard rows.count > 1 else { return lines.append(console.text(none)) }
      lines.append(console.text(title))
      lines += TerminalTable.lines(rows, right: right).map { "  " + $0 }
    }
    section(
      Words("Measured (* is best)", ko: "측정값 (*가 가장 좋음)"),
      [head(Words("measure", ko: "지표"))]
        + comparison.metrics.map { metric in
          let best = metric.best
          return [metric.label(language)]
            + metric.shown(language).enumerated().map { best.contains($0.offset) ? $0.element + "*" : $0.element + " " }
        }, none: Words("Nothing is measured yet.", ko: "아직 측정값이 없어요."), right: true)
    section(
      Words("Settings that differ", ko: "다른 설정"),
      [head(Words("setting", ko: "설정"))]
        + comparison.settings.map { [$0.path] + comparison.shown($0, language: language) },
      none: Words("All recorded settings are the same.", ko: "기록된 설정은 모두 같아요."), right: false)
    section(
      Words("Environment that differs", ko: "다른 환경"),
      [head(Words("item", ko: "항목"))]
        + comparison.environment.map {
          [Comparison.label($0.path, language: language)] + comparison.shown($0, language: language)
        }, none: Words("The recorded environment is the same.", ko: "기록된 환경은 모두 같아요."), right: false)
    lines += [""] + remarks(comparison, console)
    return lines
  }

  private static func remarks(_ comparison: Comparison, _ console: Console) -> [String] {
    var lines: [Words] = []
    if let answers = comparison.answers {
      let best = answers.best.map { counts in
        zip(comparison.ids, counts).map { "\($0) \($1)" }.joined(separator: ", ")
      }
      lines.append(
        Words(
          "Of \(answers.common) questions that all runs answered, \(answers.different) have different tuned answers."
            + (best.map { " Highest chrF alone: \($0)." } ?? ""),
          ko: "모든 실행이 답한 질문 \(answers.common)개 가운데 \(answers.different)개에서 학습 후의 답이 서로 달라요."
            + (best.map { " chrF가 홀로 가장 높은 질문 수: \($0)." } ?? "")))
    }
    if comparison.hasSameValidation == false {
      lines.append(
        Words(
          "Caution: the validation rows differ, and so do the losses' grounds.",
          ko: "주의: 검증 데이터가 서로 달라 손실을 그대로 비교할 수 없어요."))
    }
    if comparison.hasSameTest == false {
      lines.append(
        Words(
          "Caution: the test questions differ, and so do the scores' grounds.",
          ko: "주의: 시험 질문이 서로 달라 점수를 그대로 비교할 수 없어요."))
    }
    if comparison.hasSameVocabulary == false {
      lines.append(
        Words(
          "Caution: the vocabularies differ in size; losses per token can't be compared.",
          ko: "주의: 어휘의 크기가 달라 토큰마다의 손실을 비교할 수 없어요."))
    }
    return lines.map(console.text)
  }
}
