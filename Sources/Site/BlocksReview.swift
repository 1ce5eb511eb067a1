import Charts
import Foundation
import Runs

extension Blocks {
  private static let files = [("evaluation/review.json", ""), ("evaluation/samples.jsonl", "")]

  /// What people who read the answers thought of them, or that nobody did.
  func review(caption own: String?) throws -> Rich {
    guard !run.samples.isEmpty else { return missing(words.review) }
    let text = try Rich.paragraph(sentences().joined(" "))
    guard !run.review.isEmpty else { return text }
    let tables = try [
      table(counts(), caption: caption(own, words.reviewCaption, file: "review.json")),
      table(byQuestion(), caption: caption(nil, words.reviewQuestionsCaption, file: "review.json")),
    ]
    return Rich(
      html: text.html + tables.map(\.html).joined(),
      markdown: ([text] + tables).map(\.markdown).joined(separator: "\n\n"), plain: text.plain)
  }

  // MARK: Sentences

  private func sentences() throws -> [Rich] {
    let review = run.review
    var lines: [Rich] = []
    if review.isEmpty {
      lines.append(.text(words.notReviewed))
    } else {
      lines.append(try whoRead())
      lines.append(
        try join(
          "두 답을 모두 판정한 경우 가운데 학습 후의 답이 더 나은 것은 {0}번, 학습 전의 답이 더 나은 것은 {1}번, 판정이 같은 것은 {2}번이다.",
          "Where both answers were judged: after training better {0}, before training better {1}, same verdict {2}.",
          [counted("preferred tuned"), counted("preferred base"), counted("preferred equal")]))
      if !review.shared.isEmpty {
        lines.append(
          try join(
            "두 사람 이상이 판정한 답 {0}개 가운데 {1}개에서 판정이 모두 같다.",
            "Of {0} answers judged by more than one reviewer, all verdicts agree on {1}.",
            [counted("shared"), counted("agreed")]))
      }
    }
    if review.outdated > 0 {
      lines.append(
        try join(
          "지금과 다른 답에 대한 판정 {0}개는 세지 않았다.", "Verdicts on other answers than the present ones are not counted: {0}.",
          [counted("outdated")]))
    }
    return lines
  }

  private func whoRead() throws -> Rich {
    let all = try tracer.computed("count(questions)", [("evaluation/samples.jsonl", "")], .count)
    let readers = run.review.reviewers == 1 ? "reviewer" : "reviewers"
    return try join(
      "어느 모델의 답인지 모르는 채 {0}명이 시험 질문 {1}개 가운데 {2}개의 답을 읽고 모두 {3}번 판정했다.",
      "{0} \(readers), not told which model an answer came from, read answers to {2} of {1} test questions (verdicts: {3}).",
      [counted("reviewers"), all, counted("questions"), counted("verdicts")])
  }

  /// A count that stands in the table of sources.
  private func counted(_ what: String) throws -> Rich {
    try tracer.computed(ReviewOperation(what).name, Self.files, .count)
  }

  private func join(_ korean: String, _ english: String, _ parts: [Rich]) throws -> Rich {
    try AnalysisText(trace: tracer).join(korean, english, parts)
  }

  private var tracer: Tracer { Tracer(run: run, words: words, ledger: ledger) }

  // MARK: Tables

  private func counts() throws -> DataTable {
    let judgements = ReviewRecord.Judgement.allCases
    let columns =
      [DataTable.Column(name: words.pick("모델", "Model"))]
      + judgements.map { DataTable.Column(name: words.judgement($0), isNumeric: true) }
      + [DataTable.Column(name: words.pick("판정 수", "Verdicts"), isNumeric: true)]
    let rows = try ReviewRecord.Model.allCases.map { model -> [Rich] in
      let name = model == .base ? words.beforeTraining : words.afterTraining(run.setting("lora.r")?.node.written)
      let whats = judgements.map { "\(model.rawValue) \($0.rawValue)" } + ["\(model.rawValue) verdicts"]
      return [.text(name)] + (try whats.map(cell))
    }
    return DataTable(columns: columns, rows: rows)
  }

  /// A count of a table: bound to its files, but not listed again at the end of the page.
  private func cell(_ what: String) throws -> Rich {
    let sources = Self.files.map {
      Trace.Source(reference: Reference(run: run.id, path: $0.0, pointer: $0.1), raw: "", step: nil)
    }
    let count = Double(run.review.count(what) ?? 0)
    return try Derivation.trace(ReviewOperation(what).name, count, .count, sources: sources, language: language)
      .rich(words)
  }

  private func byQuestion() -> DataTable {
    let columns = [
      DataTable.Column(name: words.question, isNumeric: true), DataTable.Column(name: words.pick("구분", "Kind")),
      DataTable.Column(name: words.pick("학습 전", "Before")), DataTable.Column(name: words.pick("학습 후", "After")),
      DataTable.Column(name: words.pick("더 나은 답", "Better")),
    ]
    let judged = Set(run.review.questions)
    let rows = run.samples.filter { judged.contains($0.number) }.map { sample -> [Rich] in
      let texts = ReviewRecord.Model.allCases.map { words.judgements(run.review.verdicts(sample.number, $0)) }
      return [.text("\(sample.number)"), .text(words.kind(sample.kind))] + texts.map { .text($0) }
        + [.text(words.preference(run.review.preferences(sample.number)))]
    }
    return DataTable(columns: columns, rows: rows)
  }
}

extension SiteWords {
  var review: String { pick("사람의 판정", "Review by people") }
  var notReviewed: String { pick("답을 눈으로 읽고 판정한 사람은 없다.", "Nobody has judged these answers by eye.") }
  var reviewCaption: String {
    pick(
      "답을 읽은 사람이 모델마다 자연스러움, 어색함, 틀림으로 판정한 수이다.",
      "How many answers of each model reviewers found natural, awkward or wrong.")
  }
  var reviewQuestionsCaption: String {
    pick(
      "질문마다의 판정이다. 자연스러움이 어색함보다, 어색함이 틀림보다 낫다고 본다.",
      "The verdicts on each question. Natural counts as better than awkward, awkward as better than wrong.")
  }

  /// With the sign that marked tests have in Korea.
  func judgement(_ judgement: ReviewRecord.Judgement) -> String {
    switch judgement {
    case .natural: pick("○ 자연스러움", "Natural")
    case .awkward: pick("△ 어색함", "Awkward")
    case .wrong: pick("× 틀림", "Wrong")
    }
  }

  /// The verdicts on one answer: a word, or how many of each; `—` where nobody judged it.
  func judgements(_ verdicts: [ReviewRecord.Judgement]) -> String {
    guard let first = verdicts.first else { return "—" }
    guard verdicts.count > 1 else { return judgement(first) }
    return ReviewRecord.Judgement.allCases.compactMap { one in
      let count = verdicts.filter { $0 == one }.count
      return count == 0 ? nil : "\(judgement(one)) \(NumberFormat.grouped(count))"
    }.joined(separator: ", ")
  }

  /// Which of a question's answers is better, where all who judged both say the same.
  func preference(_ found: [ReviewSummary.Preference]) -> String {
    guard let first = found.first else { return "—" }
    guard found.allSatisfy({ $0 == first }) else { return pick("갈렸다", "divided") }
    switch first {
    case .tuned: return pick("학습 후", "after")
    case .base: return pick("학습 전", "before")
    case .equal: return pick("같다", "same")
    }
  }

  /// What is counted over a review, for the table of sources.
  func reviewed(_ what: String) -> String {
    switch what {
    case "reviewers": return pick("판정한 사람 수", "reviewers")
    case "verdicts": return pick("사람의 판정 수", "verdicts of reviewers")
    case "questions": return pick("사람이 판정한 질문 수", "questions judged by reviewers")
    case "outdated": return pick("지금과 다른 답에 대한 판정 수", "verdicts on other answers")
    case "shared": return pick("두 사람 이상이 판정한 답의 수", "answers judged by several reviewers")
    case "agreed": return pick("판정이 모두 같은 답의 수", "answers on which all verdicts agree")
    case "preferred tuned": return pick("학습 후의 답이 낫다는 판정 수", "answer after training judged better")
    case "preferred base": return pick("학습 전의 답이 낫다는 판정 수", "answer before training judged better")
    case "preferred equal": return pick("두 답의 판정이 같은 수", "both answers judged the same")
    default: return pick("판정 수: \(what)", "verdicts: \(what)")
    }
  }
}
