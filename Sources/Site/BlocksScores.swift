import Charts
import Foundation
import Runs

// Scores of base and tuned model, and what lies between them.

extension Blocks {
  /// Corpus scores: a row a set and model, a column a metric.
  func metricsTable(caption own: String?) -> Rich {
    guard let evaluation = run.evaluation, !evaluation.sets.isEmpty else {
      return missing(words.pick("평가", "Evaluation"))
    }
    let metrics = ScoreName.all.filter { name in
      evaluation.sets.values.contains { $0.base.scores[name] != nil || $0.tuned.scores[name] != nil }
    }
    var columns = [
      DataTable.Column(name: words.pick("시험 질문", "Questions")), DataTable.Column(name: words.pick("모델", "Model")),
    ]
    columns += metrics.map { DataTable.Column(name: ScoreName.label($0), isNumeric: true) }
    columns.append(DataTable.Column(name: words.pick("스스로 끝냄", "Ended by itself"), isNumeric: true))
    var rows: [[Rich]] = []
    for set in evaluation.setNames {
      guard let pair = evaluation.sets[set] else { continue }
      for (name, corpus, other) in [("base", pair.base, pair.tuned), ("LoRA", pair.tuned, pair.base)] {
        var row: [Rich] = [.text(words.kind(set)), .text(name)]
        for metric in metrics { row.append(score(metric, corpus.scores[metric], other.scores[metric]?.value)) }
        row.append(.text("\(corpus.stopped)/\(corpus.questions)"))
        rows.append(row)
      }
      guard let deltas = evaluation.deltas?[set] else { continue }
      let cells = metrics.map { name in deltas[name].map { delta($0, decimals: ScoreName.decimals(name)) } ?? .text("—")
      }
      rows.append([.text(words.kind(set)), .text(words.difference)] + cells + [.text("")])
    }
    let hasMatches = metrics.contains("f1") || metrics.contains("exact_match")
    let hundred =
      hasMatches ? (ko: "BLEU, chrF, EM, F1은", en: "BLEU, chrF, EM and F1") : (ko: "BLEU와 chrF는", en: "BLEU and chrF")
    let text =
      words.pick(
        "시험 질문에 대한 점수이다. \(hundred.ko) 0~100, ROUGE는 0~1이다. ",
        "Scores on the test questions: \(hundred.en) from 0 to 100, ROUGE from 0 to 1. ")
      + words.best + " " + words.intervals(evaluation.bootstrap)
      + (evaluation.deltas == nil ? "" : " " + words.deltasNote)
    let body = table(DataTable(columns: columns, rows: rows), caption: caption(own, text, file: "metrics.json"))
    return body + signatures(evaluation, metrics)
  }

  /// A score with its interval below.
  private func score(_ metric: String, _ score: EvaluationRecord.Score?, _ other: Double?) -> Rich {
    guard let score else { return .text("—") }
    let decimals = ScoreName.decimals(metric)
    let text = Rich.text(NumberFormat.fixed(score.value, decimals: decimals))
    let value = other.map { score.value > $0 } ?? false ? Rich.strong(text) : text
    guard let ends = score.interval, ends.count == 2 else { return value }
    // One decimal less where there are three: five columns have to fit a page.
    return noted(value, [NumberFormat.interval(ends[0], ends[1], decimals: min(decimals, 2))])
  }

  /// A difference with its interval and p-value below, and what they come to where the interval includes 0.
  private func delta(_ delta: EvaluationRecord.Delta, decimals: Int) -> Rich {
    let number = NumberFormat.signed(delta.value, decimals: decimals)
    let value = delta.isClear == true ? Rich.strong(.text(number)) : .text(number)
    var notes: [String] = []
    if let ends = delta.interval, ends.count == 2 {
      notes.append(NumberFormat.interval(ends[0], ends[1], decimals: min(decimals, 2)))
    }
    if let p = delta.pValue { notes.append("p\u{A0}=\u{A0}\(NumberFormat.fixed(p, decimals: 3))") }
    return noted(value, notes, remark: delta.isClear == false ? words.noDifference : nil)
  }

  /// A value with notes below it, each on a line of its own, and a remark that may wrap; on one line in Markdown.
  private func noted(_ value: Rich, _ notes: [String], remark: String? = nil) -> Rich {
    let all = notes + (remark.map { [$0] } ?? [])
    guard !all.isEmpty else { return value }
    var html = ""
    if !notes.isEmpty {
      html += "<br><span class=\"interval\">\(notes.map(Escape.html).joined(separator: "<br>"))</span>"
    }
    if let remark { html += "<br><span class=\"interval remark\">\(Escape.html(remark))</span>" }
    let line = all.joined(separator: ", ")
    return value + Rich(html: html, markdown: " \(Escape.markdown(line))", plain: " \(line)")
  }

  private func signatures(_ evaluation: EvaluationRecord, _ metrics: [String]) -> Rich {
    guard let scores = (evaluation.sets["all"] ?? evaluation.sets.values.first)?.tuned.scores else { return .text("") }
    let lines = metrics.compactMap { name in scores[name].map { (ScoreName.label(name), $0.signature) } }.filter {
      !$0.1.isEmpty
    }
    guard !lines.isEmpty else { return .text("") }
    let title = words.pick("점수의 서명", "Signatures of the scores")
    let html =
      "<details class=\"signatures\">\n<summary>\(title)</summary>\n<ul>\n"
      + lines.map { "<li>\(Escape.html($0.0)): <code>\(Escape.html($0.1))</code></li>\n" }.joined()
      + "</ul>\n</details>\n"
    let markdown =
      "\n\(title):\n\n" + lines.map { "- \(Escape.markdown($0.0)): \(Escape.markdownCode($0.1))\n" }.joined()
    return Rich(html: html, markdown: markdown, plain: "")
  }
}

extension SiteWords {
  var difference: String { pick("차이", "difference") }
  /// Where the interval of a difference includes 0.
  var noDifference: String { pick("뚜렷한 차이 없음", "no real difference") }
  /// How the rows of differences came about.
  var deltasNote: String {
    pick(
      "차이는 LoRA에서 base를 뺀 값이고, 구간과 p는 두 모델의 답을 같은 질문끼리 묶어 다시 뽑은 것이다(paired bootstrap). 구간에 0이 들면 뚜렷한 차이가 없다고 적는다.",
      "A difference is LoRA less base; its interval and p are of a paired bootstrap, both models on the same drawn questions. Where the interval includes 0, there is no real difference."
    )
  }
}
