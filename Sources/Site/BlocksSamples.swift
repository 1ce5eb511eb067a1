import Charts
import Foundation
import Runs

// Rows before and after conversion, and questions with both models' answers.

extension Blocks {
  /// Raw rows and what became of them, side by side.
  func datasetSamples(_ count: Int, caption own: String?) -> Rich {
    guard let samples = run.report?.samples.prefix(count), !samples.isEmpty else {
      return missing(words.pick("데이터 예시", "Data samples"))
    }
    let items = samples.map { sample -> Rich in
      let place =
        "\(sample.source.file.split(separator: "/").last.map(String.init) ?? sample.source.file) · "
        + words.pick("\(NumberFormat.grouped(sample.source.row))번째 행", "row \(NumberFormat.grouped(sample.source.row))")
      let size = words.pick(
        "\(NumberFormat.grouped(sample.tokens))토큰, 그중 답 \(NumberFormat.grouped(sample.supervisedTokens))토큰",
        "\(NumberFormat.grouped(sample.tokens)) tokens, \(NumberFormat.grouped(sample.supervisedTokens)) of them supervised"
      )
      let before = sample.before.map { ($0.name, $0.value) }
      let after = sample.after.map { (words.role($0.role), $0.content) }
      return pair(before: before, after: after, below: "\(place) · \(size)")
    }
    let count = samples.count
    let text = own ?? words.pick("원본 행과 변환한 대화의 예 \(count)개이다.", "\(count) raw rows and the chats made of them.")
    let intro = Rich.text("\(text) \(words.from("report.json"))")
    return Rich(
      html: "<div class=\"samples\">\n<p class=\"lead\">\(intro.html)</p>\n" + items.map(\.html).joined() + "</div>\n",
      markdown: intro.markdown + "\n\n" + items.map(\.markdown).joined(separator: "\n\n"), plain: text)
  }

  private func pair(before: [(String, String)], after: [(String, String)], below: String) -> Rich {
    func list(_ fields: [(String, String)]) -> String {
      "<dl>\n" + fields.map { "<dt>\(Escape.html($0.0))</dt><dd>\(long($0.1))</dd>\n" }.joined() + "</dl>\n"
    }
    func lines(_ fields: [(String, String)]) -> String {
      fields.map { "- \(Escape.markdown($0.0)): \(Escape.markdown($0.1))\n" }.joined()
    }
    let html =
      "<div class=\"pair\">\n<div class=\"before\">\n<p class=\"label\">\(words.before)</p>\n\(list(before))</div>\n"
      + "<div class=\"after\">\n<p class=\"label\">\(words.after)</p>\n\(list(after))</div>\n"
      + "<p class=\"below\">\(Escape.html(below))</p>\n</div>\n"
    let markdown =
      "**\(words.before)** (\(Escape.markdown(below)))\n\n\(lines(before))\n**\(words.after)**\n\n\(lines(after))"
    return Rich(html: html, markdown: markdown, plain: below)
  }

  /// Held-out questions; `kind` is "taught", "untaught" or nil for all.
  func questions(kind: String?) throws -> Rich {
    if let kind, !["taught", "untaught", "test"].contains(kind) {
      throw SiteError("qa(): no kind \"\(kind)\"; there are taught and untaught")
    }
    let samples = run.samples.filter { kind == nil || $0.kind == kind }
    guard !samples.isEmpty else { return missing(words.question) }
    let items = samples.map(question)
    let note = Rich.text(footer)
    return Rich(
      html: "<div class=\"qa\">\n" + items.map(\.html).joined() + "<p class=\"below\">\(note.html)</p>\n</div>\n",
      markdown: items.map(\.markdown).joined(separator: "\n\n---\n\n") + "\n\n\(note.markdown)", plain: words.question)
  }

  /// Model, decoding and how the questions were picked.
  private var footer: String {
    var parts = [run.record.model?.name ?? run.id]
    if let evaluation = run.evaluation {
      parts.append(decoding(evaluation.decoding))
      parts.append(words.pick("최대 \(evaluation.maxNewTokens)토큰", "at most \(evaluation.maxNewTokens) tokens"))
    }
    parts.append(words.pick("시험 질문은 시드로 뽑아 학습에 쓰지 않았다", "test questions drawn by seed and kept out of training"))
    return parts.joined(separator: " · ") + ". " + words.from("samples.jsonl")
  }

  /// The record's "greedy" or "sampling" in words; the settings after it keep their names.
  private func decoding(_ recorded: String) -> String {
    let ways = [
      ("greedy", words.pick("그리디 디코딩", "greedy decoding")), ("sampling", words.pick("샘플링 디코딩", "sampled decoding")),
    ]
    let parts = recorded.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
    guard let way = ways.first(where: { $0.0 == parts[0] }) else { return recorded }
    return parts.count == 1 ? way.1 : "\(way.1),\(parts[1])"
  }

  private var rank: String? { run.setting("lora.r")?.node.written }

  private func question(_ sample: AnswerSample) -> Rich {
    let name = "\(words.question) \(sample.number) · \(words.kind(sample.kind))"
    let tuned = words.afterTraining(rank)
    let verdict = self.verdict(sample)
    var html = "<article class=\"item\" aria-label=\"\(Escape.html("\(words.question) \(sample.number)"))\">\n"
    html +=
      "<p class=\"label\">\(Escape.html(name))</p>\n<p class=\"question\">\(Escape.htmlLines(sample.question))</p>\n"
    html += "<p class=\"label muted\">\(words.reference)</p>\n<div class=\"text\">\(long(sample.reference))</div>\n"
    for (label, answer, side) in [(words.beforeTraining, sample.base, "base"), (tuned, sample.tuned, "tuned")] {
      html +=
        "<p class=\"label muted \(side)\">\(Escape.html(label))</p>\n<div class=\"text \(side)\">\(long(answer.text))</div>\n"
    }
    html += "<p class=\"verdict\">\(Escape.html(verdict))</p>\n</article>\n"
    let markdown =
      "**\(Escape.markdown(name))** \(Escape.markdown(sample.question))\n\n"
      + "- \(words.reference): \(Escape.markdown(sample.reference))\n"
      + "- \(Escape.markdown(words.beforeTraining)): \(Escape.markdown(sample.base.text))\n"
      + "- \(Escape.markdown(tuned)): \(Escape.markdown(sample.tuned.text))\n\n\(Escape.markdown(verdict))"
    return Rich(html: html, markdown: markdown, plain: name)
  }

  /// Scores in words; whether an answer is right only a person can say.
  private func verdict(_ sample: AnswerSample) -> String {
    var parts: [String] = []
    for metric in ["bleu", "chrf", "rougeL", "exact_match", "f1"] {
      guard let base = sample.base.scores[metric], let tuned = sample.tuned.scores[metric] else { continue }
      let decimals = ScoreName.decimals(metric)
      let values = "\(NumberFormat.fixed(base, decimals: decimals)) → \(NumberFormat.fixed(tuned, decimals: decimals))"
      parts.append("\(ScoreName.label(metric)) \(values)")
    }
    let base = words.stopped(sample.base.stopReason)
    let tuned = words.stopped(sample.tuned.stopReason)
    parts.append(base == tuned ? words.pick("둘 다 \(base)", "both \(base)") : "\(base) → \(tuned)")
    parts += shares(sample)
    parts.append(reading(sample.number))
    return parts.joined(separator: " · ")
  }

  /// What reviewers said to a question's answers.
  private func reading(_ number: Int) -> String {
    let found = ReviewRecord.Model.allCases.map { run.review.verdicts(number, $0) }
    guard found.contains(where: { !$0.isEmpty }) else { return words.noReview }
    return words.pick("사람 평가 ", "Human review ") + found.map(words.judgements).joined(separator: " → ")
  }

  /// What an answer repeats and what of it is not Korean, where there is any of that.
  private func shares(_ sample: AnswerSample) -> [String] {
    func part(_ name: String, _ base: Double?, _ tuned: Double?) -> String? {
      guard max(base ?? 0, tuned ?? 0) > 0 else { return nil }
      func shown(_ share: Double?) -> String { share.map { NumberFormat.percentage(100 * $0) } ?? "—" }
      return "\(name) \(shown(base)) → \(shown(tuned))"
    }
    return [
      part(words.pick("되풀이", "repeated"), sample.base.repetition, sample.tuned.repetition),
      part(words.pick("한글이 아닌 글자", "not Hangul"), sample.base.nonKorean, sample.tuned.nonKorean),
    ].compactMap { $0 }
  }

  /// Text that is folded where it is long: the first 210 (ko) or 340 (en) characters to a word's end, then the rest on demand.
  func long(_ text: String) -> String {
    let (most, shown) = language == .ko ? (320, 210) : (520, 340)
    guard text.count > most else { return text.isEmpty ? "—" : Escape.htmlLines(text) }
    let head = text.prefix(shown)
    let cut = head.lastIndex { $0.isWhitespace } ?? head.endIndex
    let part = text[..<cut].trimmingCharacters(in: .whitespacesAndNewlines)
    return
      "\(Escape.htmlLines(part))…\n<details>\n<summary>\(words.showAll)</summary>\n\(Escape.htmlLines(text))\n</details>"
  }
}
