import Charts
import Foundation
import Formats
import Runs

/// The blocks that set runs side by side.
struct ComparisonBlocks: Sendable {
  let comparison: Comparison
  let words: SiteWords
  let ledger: Ledger

  private var runs: [RunData] { comparison.runs }
  private var short: (prefix: String, names: [String]) { Comparison.shortNames(comparison.ids) }
  private var language: SiteLanguage { words.language }

  // MARK: Which runs, and whether they can be compared

  /// The runs with their model and date, each linked to its page two folders up.
  func list() -> Rich {
    let rows = runs.map { run -> (html: String, markdown: String) in
      let facts = [run.record.model?.name, run.record.created.flatMap(words.date)].compactMap { $0 }.joined(
        separator: " · ")
      let address = Escape.html(PageRenderer.percentEncoded("../../runs/\(run.id)/index.html"))
      let tail = facts.isEmpty ? "" : " <span class=\"meta\">\(Escape.html(facts))</span>"
      return (
        "<li><a href=\"\(address)\">\(Escape.html(run.id))</a>\(tail)</li>\n",
        "- \(Escape.markdown(run.id))" + (facts.isEmpty ? "" : " (\(Escape.markdown(facts)))") + "\n"
      )
    }
    return Rich(
      html: "<ul class=\"compared-runs\">\n\(rows.map(\.html).joined())</ul>\n",
      markdown: rows.map(\.markdown).joined(),
      plain: "")
  }

  /// What stands in the way of a fair comparison, or that nothing known does.
  func note() -> Rich {
    var doubts: [String] = []
    if comparison.hasSameValidation == false {
      doubts.append(
        words.pick(
          "검증 데이터가 실행마다 다르므로 검증 손실의 차이를 설정의 차이로 읽을 수 없다.",
          "The validation rows differ between the runs, so a difference in loss can't be laid to the settings."))
    }
    if comparison.hasSameTest == false {
      doubts.append(
        words.pick(
          "시험 질문이 실행마다 다르므로 점수를 그대로 비교할 수 없다.",
          "The test questions differ between the runs, so the scores can't be compared."))
    }
    if comparison.hasSameVocabulary == false {
      doubts.append(
        words.pick(
          "어휘의 크기가 다른 모델이므로 토큰마다 평균한 손실을 비교할 수 없다.",
          "The models' vocabularies differ in size, so losses per token can't be compared."))
    }
    if !doubts.isEmpty {
      return Blocks.note(.caution, doubts.joined(separator: " "), words: words)
    }
    guard comparison.hasSameValidation == true, comparison.hasSameTest == true else {
      return .paragraph(
        .text(
          words.pick(
            "검증 데이터와 시험 질문이 같은지는 기록에 남아 있지 않다.",
            "Whether the runs share their validation rows and test questions is not recorded.")))
    }
    return .paragraph(
      .text(
        words.pick(
          "검증 데이터와 시험 질문은 모든 실행에서 같다(해시 일치).", "All runs share their validation rows and test questions (equal hashes)."
        )
      ))
  }

  // MARK: Tables

  func metrics(caption own: String?) -> Rich {
    guard !comparison.metrics.isEmpty else { return empty(words.pick("지표", "Metrics")) }
    let rows = comparison.metrics.map { metric -> [Rich] in
      let best = metric.best
      return [.text(metric.label(language))]
        + runs.enumerated().map { index, run -> Rich in
          let cell = cell(run, metric.path, metric.pointer, metric.format)
          return best.contains(index) ? .strong(cell) : cell
        }
    }
    let text =
      words.pick("실행마다 잰 값이다. ", "What each run measured. ") + words.best + " "
      + (runs.contains { $0.evaluation?.bootstrap != nil }
        ? words.pick("점수의 구간은 실행마다의 페이지에 있다.", "Intervals of the scores are on each run's page.") : words.noInterval)
    let files = comparison.metrics.map { $0.path.split(separator: "/").last.map(String.init) ?? $0.path }
    return table(words.pick("지표", "Metric"), rows, own ?? text, files: files, areNumbers: true)
  }

  func settings(caption own: String?) -> Rich {
    guard !comparison.settings.isEmpty else {
      return .paragraph(.text(words.pick("기록된 설정은 모두 같다.", "All recorded settings are the same.")))
    }
    let rows = comparison.settings.map { difference -> [Rich] in
      [.code(difference.path)]
        + runs.enumerated().map { index, run -> Rich in
          guard let value = difference.values[index], !value.isEmpty, let setting = run.setting(difference.path) else {
            return .text("—")
          }
          let reference = Reference(run: run.id, path: "config.yaml", pointer: setting.pointer)
          let isNumber = setting.node.double != nil
          let format = difference.path == "training.learning_rate" && isNumber ? ValueFormat.lr : nil
          let trace = try? Derivation.setting(
            Trace.Source(reference: reference, raw: value, step: nil), setting.node.json, isNumber: isNumber, format,
            language: language)
          return trace?.rich(words) ?? .text("—")
        }
    }
    let text = words.pick("서로 다른 설정만 적었다.", "Only the settings that differ.")
    return table(words.pick("설정", "Setting"), rows, own ?? text, files: ["config.yaml"], areNumbers: false)
  }

  func environment(caption own: String?) -> Rich {
    guard !comparison.environment.isEmpty else {
      return .paragraph(.text(words.pick("기록된 환경은 모두 같다.", "All runs were made in the same recorded environment.")))
    }
    let rows = comparison.environment.map { difference -> [Rich] in
      [.text(Comparison.label(difference.path, language: language))]
        + comparison.shown(difference, language: language).map { .text($0) }
    }
    let text = words.pick("서로 다른 환경만 적었다.", "Only what differs in the environment.")
    return table(words.pick("항목", "Item"), rows, own ?? text, files: ["run.json"], areNumbers: false)
  }

  /// Evaluation loss of all runs by step, at most fifty steps, with the first, the last and each run's lowest kept.
  func curves(caption own: String?) -> Rich {
    let logs = runs.map { run in
      run.events.enumerated().compactMap { line, event -> (line: Int, step: Int, loss: Double)? in
        guard event.split == .eval, let loss = event.loss else { return nil }
        return (line, event.step, loss)
      }
    }
    let steps = Set(logs.flatMap { $0.map(\.step) }).sorted()
    guard !steps.isEmpty else { return empty(words.pick("검증 기록", "Evaluations")) }
    let lowest = logs.map { log in log.min { ($0.loss, $0.step) < ($1.loss, $1.step) }?.step }
    let rows = Self.sampled(steps, keeping: lowest.compactMap { $0 }).map { step -> [Rich] in
      [.text(NumberFormat.grouped(step))]
        + runs.indices.map { index -> Rich in
          // After a resume a step may stand twice; the later one counts.
          guard let entry = logs[index].last(where: { $0.step == step }) else { return .text("—") }
          let cell = cell(runs[index], "log/metrics.jsonl", "/\(entry.line)/loss", .loss)
          return lowest[index] == step ? .strong(cell) : cell
        }
    }
    let text = words.pick(
      "학습 중의 검증 손실이다. 굵은 값이 그 실행에서 가장 낮다.", "Evaluation loss during training. Bold is the run's lowest.")
    return table("step", rows, own ?? text, files: ["metrics.jsonl"], areNumbers: true)
  }

  static func sampled(_ steps: [Int], keeping kept: [Int], limit: Int = 50) -> [Int] {
    guard steps.count > limit, limit > 1 else { return steps }
    let room = max(2, limit - kept.count)
    let even = (0..<room).map { steps[$0 * (steps.count - 1) / (room - 1)] }
    return Set(even + kept.filter(steps.contains)).sorted()
  }

  // MARK: Answers

  func answers() -> Rich {
    guard let answers = comparison.answers else {
      return empty(words.pick("시험 질문의 답", "Answers to the test questions"))
    }
    guard answers.common > 0 else {
      return .paragraph(.text(words.pick("모든 실행이 답한 질문이 없다.", "No question was answered by all runs.")))
    }
    let common = count(answers.common, .common, runs)
    let different = count(answers.different, .differing, runs)
    var text =
      language == .ko
      ? .text("모든 실행이 답한 질문 ") + common + .text("개 가운데 ") + different + .text("개에서 학습 후의 답이 서로 다르다.")
      : .text("Of the ") + common + .text(" questions that all runs answered, the tuned answers differ in ") + different
        + .text(".")
    if let best = answers.best {
      let names = short.names
      let parts = runs.indices.map { index -> Rich in
        let others = runs.indices.filter { $0 != index }.map { runs[$0] }
        return .code(names[index]) + .text(" ") + count(best[index], .best, [runs[index]] + others)
          + .text(words.pick("개", ""))
      }
      text =
        text + .text(words.pick(" chrF가 홀로 가장 높은 질문은 ", " Questions where one run alone has the highest chrF: "))
        + parts.joined(", ") + .text(words.pick("이다.", "."))
    }
    return .paragraph(text)
  }

  /// A count over the answers of several runs; the run it is about comes first.
  private func count(_ value: Int, _ operation: AnswerOperation, _ runs: [RunData]) -> Rich {
    let sources = runs.map { run in
      Trace.Source(
        reference: Reference(run: run.id, path: "evaluation/samples.jsonl", pointer: ""), raw: "", step: nil)
    }
    // A count is a finite number, which is all that could be wrong with it.
    guard
      let trace = try? Derivation.trace(
        operation.rawValue, Double(value), .count, sources: sources, language: language)
    else { return .text("—") }
    ledger.add(trace)
    return trace.rich(words)
  }

  // MARK: Helpers

  /// A table's cell: bound to its place, but not listed again at the end of the page: the caption names the file. `—` where the
  /// run has no such value.
  private func cell(_ run: RunData, _ path: String, _ pointer: String, _ format: ValueFormat) -> Rich {
    guard let document = try? run.document(path), let value = document.value(at: pointer), !value.isNull else {
      return .text("—")
    }
    let reference = Reference(run: run.id, path: path, pointer: pointer)
    let source = Derivation.source(reference, value: value, in: document)
    guard let trace = try? Derivation.measured(source, value, format, language: language) else { return .text("—") }
    return trace.rich(words)
  }

  private func table(_ first: String, _ rows: [[Rich]], _ caption: String, files: [String], areNumbers: Bool) -> Rich {
    var names: [String] = []
    for file in files where !names.contains(file) { names.append(file) }
    let columns =
      [DataTable.Column(name: first, isNumeric: first == "step")]
      + short.names.map { DataTable.Column(name: $0, isNumeric: areNumbers, isProse: !areNumbers) }
    var text = Rich.text(caption + " ")
    if !short.prefix.isEmpty {
      text =
        text
        + (language == .ko
          ? .text("실행 이름은 ") + .code(short.prefix) + .text(" 다음부터 적었다. ")
          : .text("Runs are named by what follows ") + .code(short.prefix) + .text(". "))
    }
    text = text + .text(words.from(names.joined(separator: ", ")))
    let table = DataTable(columns: columns, rows: rows).captioned(text, number: ledger.nextTable(), words: words)
    let isNarrow = short.names.allSatisfy { $0.count <= 8 }
    return Rich(
      html: "<div class=\"compared\(isNarrow ? " narrow" : "")\">\n\(table.html)</div>\n", markdown: table.markdown,
      plain: table.plain)
  }

  private func empty(_ what: String) -> Rich {
    let text = "\(what): \(words.noRecord)."
    return Rich(html: "<p class=\"empty\">\(Escape.html(text))</p>\n", markdown: Escape.markdown(text), plain: text)
  }
}
