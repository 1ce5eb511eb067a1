import Charts
import Foundation
import Formats
import Runs

/// Code that a post shows, for its picture.
struct CodeListing: Sendable, Equatable {
  var name: String
  var file: String
  var code: String
  var language: String
  var firstLine: Int
}

/// Pictures of a post's code, samples, questions and scores, for platforms that take only pictures, and its link preview.
struct PostAssets {
  /// At most so many questions become cards.
  static let mostQuestions = 20
  static let mostSamples = 5

  let words: SiteWords
  let cache: PictureCache
  let highlighter: any CodeHighlighter
  private(set) var files: [String: Data] = [:]
  private(set) var warnings: [String] = []

  init(words: SiteWords, cache: PictureCache, highlighter: any CodeHighlighter) {
    self.words = words
    self.cache = cache
    self.highlighter = highlighter
  }

  private var language: ChartLanguage { words.language.chart }

  // MARK: Cards

  mutating func add(code listings: [CodeListing]) throws {
    for listing in listings {
      let html = highlighter.html(code: listing.code, language: listing.language) ?? Escape.html(listing.code)
      let card = CodeCard(
        file: listing.file, lines: CodeRuns.lines(of: html), firstLine: listing.firstLine, language: language)
      try add(
        card, name: "code-\(listing.name)",
        provenance: [ChartMetadata(key: ChartMetadata.sourceKey, value: listing.file)])
    }
  }

  mutating func add(run: RunData) throws {
    try addSamples(run)
    try addQuestions(run)
    try addScores(run)
  }

  private mutating func addSamples(_ run: RunData) throws {
    let source = provenance(run, "dataset/report.json")
    for (index, sample) in (run.report?.samples ?? []).prefix(Self.mostSamples).enumerated() {
      let raw = sample.before.map { "\($0.name): \($0.value)" }.joined(separator: " ")
      let chat = sample.after.map { "\($0.role): \($0.content)" }.joined(separator: " ")
      let question = sample.after.first { $0.role == "user" }?.content ?? ""
      let card = BeforeAfterCard(
        prompt: question, before: raw, after: chat, beforeName: words.pick("원본 행", "raw row"),
        afterName: words.pick("학습용 대화", "training chat"),
        footer: [run.id, words.pick("데이터셋 앞부분에서", "from the data set")],
        language: language)
      try add(card, name: "sample-\(index + 1)", provenance: source)
    }
  }

  private mutating func addQuestions(_ run: RunData) throws {
    let source = provenance(run, "evaluation/samples.jsonl")
    let rank = run.setting("lora.r").map { "LoRA r=\($0.node.written)" } ?? "LoRA"
    for sample in run.samples.prefix(Self.mostQuestions) {
      let footer = [run.record.model?.name ?? run.id, run.evaluation?.decoding ?? "", words.kind(sample.kind)]
      let card = QuestionAnswerCard(
        question: sample.question, reference: sample.reference, referenceName: words.pick("기준 답", "Reference"),
        answers: [
          .init(name: words.pick("학습 전 · base", "Before · base"), text: sample.base.text),
          .init(name: words.pick("학습 후 · \(rank)", "After · \(rank)"), text: sample.tuned.text),
        ], footer: footer, language: language)
      try add(card, name: "qa-\(sample.number)", provenance: source)
      guard sample.number <= Self.mostSamples else { continue }
      let number = sample.number
      let picked = words.pick("시험 문항 \(number)번", "test question \(number)")
      let pair = BeforeAfterCard(
        prompt: sample.question, before: sample.base.text, after: sample.tuned.text,
        beforeName: words.pick("학습 전 · base", "Before · base"),
        afterName: words.pick("학습 후 · \(rank)", "After · \(rank)"),
        footer: [run.record.model?.name ?? run.id, run.evaluation?.decoding ?? "", picked], language: language)
      try add(pair, name: "before-after-\(number)", provenance: source)
    }
  }

  private mutating func addScores(_ run: RunData) throws {
    guard let evaluation = run.evaluation, let all = evaluation.sets["all"] else { return }
    func row(
      _ name: String, _ base: Double, _ tuned: Double, higherIsBetter: Bool, isUnclear: Bool = false,
      _ show: (Double) -> String
    )
      -> MetricsCard.Row
    {
      // What reads the same, or may be chance, is not better.
      let same = isUnclear || show(base) == show(tuned)
      return MetricsCard.Row(
        name: name, before: show(base), after: show(tuned),
        isAfterBetter: same ? nil : (tuned > base) == higherIsBetter)
    }
    var rows = [
      row(
        words.pick("검증 손실", "Validation loss"), evaluation.validationLoss.base, evaluation.validationLoss.tuned,
        higherIsBetter: false, NumberFormat.loss)
    ]
    for (key, name, decimals) in [("chrf", "chrF", 1), ("bleu", "BLEU", 1), ("rougeL", "ROUGE-L", 3)] {
      guard let base = all.base.scores[key]?.value, let tuned = all.tuned.scores[key]?.value else { continue }
      rows.append(
        row(
          name, base, tuned, higherIsBetter: true, isUnclear: evaluation.deltas?["all"]?[key]?.isClear == false
        ) { NumberFormat.fixed($0, decimals: decimals) })
    }
    rows.append(
      row(
        words.pick("스스로 멈춘 답", "Answers that stopped"), Double(all.base.stopped), Double(all.tuned.stopped),
        higherIsBetter: true
      ) { "\(NumberFormat.grouped(Int($0)))/\(NumberFormat.grouped(all.tuned.questions))" })
    let count = NumberFormat.grouped(all.tuned.questions)
    let card = MetricsCard(
      title: run.record.title ?? run.id, beforeName: words.pick("학습 전", "Before"),
      afterName: words.pick("학습 후", "After"), rows: rows,
      footer: [run.id, words.pick("n = \(count)문항, 굵은 값이 더 좋다", "n = \(count) questions, the better value in bold")],
      language: language)
    try add(card, name: "metrics", provenance: provenance(run, "evaluation/metrics.json"))
  }

  // MARK: Link preview

  /// The Open Graph card; nil where a number does not fit.
  mutating func linkPreview(title: String, site: String, author: String?, date: String, run: RunData?) throws -> Data? {
    var metric: OpenGraphCard.Metric?
    var source: [ChartMetadata] = []
    if let run {
      let points = run.events.filter { $0.split == .eval }.map { ChartPoint(step: $0.step, value: $0.loss) }
      let values = points.compactMap(\.value)
      if let first = values.first, let low = values.min(), values.count >= 2 {
        metric = OpenGraphCard.Metric(
          label: words.pick("검증 손실 · 첫 평가 → 최저", "Evaluation loss · first → lowest"),
          change: "\(NumberFormat.loss(first)) → \(NumberFormat.loss(low))", points: points)
        source = provenance(run, "log/metrics.jsonl")
      }
    }
    let card = OpenGraphCard(
      title: title, language: language, site: site, author: author,
      date: date.isEmpty ? nil : words.shortDate(date), metric: metric)
    let entry = try draw(card, provenance: source, variants: CardVariant.single)
    return entry.pictures.first.map { Data($0.png) }
  }

  // MARK: Parts

  private func provenance(_ run: RunData, _ path: String) -> [ChartMetadata] {
    ChartMetadata.provenance(run: run.id, source: path, sha256: run.hashes[path] ?? "")
  }

  private mutating func add(_ card: any Card, name: String, provenance: [ChartMetadata]) throws {
    let entry = try draw(card, provenance: provenance, variants: CardVariant.all)
    for picture in entry.pictures {
      files["assets/" + picture.name.replacing("*", with: name)] = Data(picture.png)
    }
  }

  /// A card that can't be made leaves a warning instead.
  private mutating func draw(_ card: any Card, provenance: [ChartMetadata], variants: [CardVariant]) throws
    -> PictureCache.Entry
  {
    // A card is a plain value, and so is its description.
    let key = ["card", String(reflecting: card), String(reflecting: provenance), String(reflecting: variants)]
    let entry = try cache.entry(key) {
      do {
        let picture = try card.render(metadata: provenance, variants: variants)
        return PictureCache.Entry(
          pictures: picture.images.map { image in
            PictureCache.Entry.Picture(
              name: image.variant.fileName("*"), width: card.size.width, height: card.size.height,
              pixelWidth: image.pixelWidth, pixelHeight: image.pixelHeight, png: image.png)
          }, sentence: nil, warnings: [])
      } catch let refusal as CardRefusal {
        return PictureCache.Entry(warnings: ["no card for \"\(card.title)\": \(refusal.reason)"])
      }
    }
    warnings += entry.warnings
    return entry
  }
}

/// Highlighted HTML as lines of coloured pieces.
enum CodeRuns {
  private static let roles: [String: CodeRole] = [
    "k": .keyword, "t": .type, "f": .function, "s": .string, "n": .number, "c": .comment, "m": .meta,
  ]

  /// `html` has `<span class="X">` and text only, as ``CodeHighlighter`` gives it.
  static func lines(of html: String) -> [[CodeRun]] {
    var lines: [[CodeRun]] = [[]]
    var open: [CodeRole] = []
    var rest = html[...]
    while let first = rest.first {
      if first == "<" {
        guard let end = rest.firstIndex(of: ">") else { break }
        let tag = rest[rest.startIndex..<end]
        if tag.hasPrefix("</") {
          _ = open.popLast()
        } else {
          let name = tag.split(separator: "\"").dropFirst().first.map(String.init) ?? ""
          open.append(roles[name] ?? .plain)
        }
        rest = rest[rest.index(after: end)...]
        continue
      }
      let piece = rest.prefix { $0 != "<" }
      rest = rest[piece.endIndex...]
      let text = HighlightCommand.unescaped(piece)
      for (index, part) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if index > 0 { lines.append([]) }
        if !part.isEmpty { lines[lines.count - 1].append(CodeRun(String(part), open.last ?? .plain)) }
      }
    }
    return lines
  }
}
