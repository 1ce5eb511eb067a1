import Charts
import Foundation
import Runs
import Synchronization

/// The charts a post can ask for.
enum ChartKind: String, CaseIterable, Sendable {
  case loss
  case learningRate = "learning_rate"
  case tokenLengths = "token_lengths"
  case gradientNorm = "gradient_norm"
  case throughput
  case memory
  /// BLEU and chrF, 0 to 100.
  case metricBars = "metric_bars"
  /// ROUGE, 0 to 1: another unit, so another axis.
  case rougeBars = "rouge_bars"

  /// The file of the run it is drawn from.
  var path: String {
    switch self {
    case .loss, .learningRate, .gradientNorm, .throughput, .memory: "log/metrics.jsonl"
    case .tokenLengths: "dataset/report.json"
    case .metricBars, .rougeBars: "evaluation/metrics.json"
    }
  }

  var base: String { rawValue.replacing("_", with: "-") }
}

/// A chart with its pictures drawn.
struct DrawnChart: Sendable {
  var title: String
  var alt: String
  var table: DataTable
  /// Empty where a sentence stands for the picture.
  var images: [ChartImage]
  var sentence: String?
  var warnings: [String]
  /// The file drawn from, bare.
  var file: String
  /// Points that were smoothed.
  var isSmoothed: Bool
}

/// Draws charts from run folders, each once for all pages that show it.
final class RunCharts: Sendable {
  private struct Key: Hashable {
    var run: String
    var kind: ChartKind
    var finding: String?
    var logScale: Bool
    var language: SiteLanguage
  }

  private struct OverlayKey: Hashable {
    var runs: [String]
    var metric: RunsOverlayChart.Metric
    var finding: String?
    var logScale: Bool
    var language: SiteLanguage
  }

  private let cache: PictureCache
  private let drawn = Mutex<[Key: DrawnChart]>([:])
  private let overlays = Mutex<[OverlayKey: DrawnChart]>([:])

  init(cache: PictureCache = PictureCache(store: nil)) { self.cache = cache }

  func draw(_ kind: ChartKind, run: RunData, finding: String?, logScale: Bool, language: SiteLanguage) throws
    -> DrawnChart
  {
    let key = Key(run: run.id, kind: kind, finding: finding, logScale: logScale, language: language)
    if let chart = drawn.withLock({ $0[key] }) { return chart }
    let text = ChartText(title: finding, source: Self.bare(kind.path), run: run.id, language: language.chart)
    let chart: any Chart =
      switch kind {
      case .loss: Self.loss(run, text: text, logScale: logScale)
      case .learningRate: Self.learningRate(run, text: text)
      case .tokenLengths: Self.tokenLengths(run, text: text)
      case .gradientNorm, .throughput, .memory: Self.measure(kind, run, text: text, logScale: logScale)
      case .metricBars: Self.bars(run, text: text, metrics: [("bleu", "BLEU"), ("chrf", "chrF")], decimals: 1)
      case .rougeBars:
        Self.bars(
          run, text: text, metrics: [("rouge1", "ROUGE-1"), ("rouge2", "ROUGE-2"), ("rougeL", "ROUGE-L")], decimals: 3)
      }
    let finished = try render(
      chart, sources: [(run, kind.path)], key: ["chart", kind.rawValue, finding.map { "=\($0)" } ?? "", "\(logScale)"])
    drawn.withLock { $0[key] = finished }
    return finished
  }

  /// One metric of several runs, in the order given.
  func overlay(
    _ metric: RunsOverlayChart.Metric, runs: [RunData], finding: String?, logScale: Bool, language: SiteLanguage
  ) throws -> DrawnChart {
    let key = OverlayKey(
      runs: runs.map(\.id), metric: metric, finding: finding, logScale: logScale, language: language)
    if let chart = overlays.withLock({ $0[key] }) { return chart }
    let path = "log/metrics.jsonl"
    let names = Comparison.shortNames(runs.map(\.id))
    let chart = RunsOverlayChart(
      text: Self.text(finding, path, names.prefix, language), metric: metric,
      runs: runs.indices.map {
        RunsOverlayChart.Run(name: names.names[$0], points: Self.overlayPoints(metric, runs[$0]))
      },
      logScale: logScale)
    let finished = try render(
      chart, sources: runs.map { ($0, path) },
      key: ["overlay", metric.rawValue, finding.map { "=\($0)" } ?? "", "\(logScale)"])
    overlays.withLock { $0[key] = finished }
    return finished
  }

  /// One measured value of several runs, in the order given.
  func bars(_ metric: ComparedMetric, runs: [RunData], finding: String?, language: SiteLanguage) throws -> DrawnChart {
    let shown = metric.shown(language)
    let numbers = metric.values.map { $0?.double }
    let unit = metric.format.axisUnit(numbers.compactMap { $0 }.max() ?? 0, language: language)
    let names = Comparison.shortNames(runs.map(\.id))
    let chart = RunBarsChart(
      text: Self.text(finding, metric.path, names.prefix, language), measure: metric.label(language), unit: unit.name,
      bars: runs.indices.map { index in
        RunBarsChart.Bar(name: names.names[index], value: numbers[index].map { $0 / unit.size }, shown: shown[index])
      })
    return try render(
      chart, sources: runs.map { ($0, metric.path) }, key: ["bars", metric.name, finding.map { "=\($0)" } ?? ""])
  }

  /// The words of a chart of several runs, whose names lack `prefix`.
  private static func text(_ finding: String?, _ path: String, _ prefix: String, _ language: SiteLanguage) -> ChartText
  {
    ChartText(
      title: finding, source: bare(path), run: prefix.isEmpty ? nil : prefix + "…", language: language.chart)
  }

  private static func bare(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Draws a chart; each run and file it comes from is named in the PNGs, in order.
  ///
  /// A chart is made from its kind, its words, the run's log and settings: `key` and the sources' hashes stand for all of it.
  private func render(_ chart: any Chart, sources: [(run: RunData, path: String)], key: [String]) throws -> DrawnChart {
    var result = DrawnChart(
      title: chart.title, alt: chart.alt, table: DataTable(chart.table), images: [], sentence: nil, warnings: [],
      file: Self.bare(sources.first?.path ?? ""),
      isSmoothed: sources.contains { source in
        source.run.events.filter { $0.split == .train && $0.loss != nil }.count >= 30
      })
    let provenance = sources.flatMap { source in
      ChartMetadata.provenance(
        run: source.run.id, source: source.path, sha256: source.run.hashes[source.path] ?? "")
    }
    let whole =
      key + [chart.text.language.rawValue]
      + sources.flatMap { [$0.run.id, $0.path, $0.run.hashes[$0.path] ?? "", $0.run.hashes["config.yaml"] ?? ""] }
    let entry = try cache.entry(whole) { try Self.entry(chart.render(metadata: provenance)) }
    result.warnings = entry.warnings
    result.sentence = entry.sentence
    result.images = entry.pictures.compactMap { picture in
      guard let variant = ChartVariant.all.first(where: { $0.fileName("*") == picture.name }) else { return nil }
      return ChartImage(
        variant: variant, width: picture.width, height: picture.height, pixelWidth: picture.pixelWidth,
        pixelHeight: picture.pixelHeight, png: picture.png)
    }
    return result
  }

  private static func entry(_ outcome: ChartOutcome) -> PictureCache.Entry {
    switch outcome {
    case .sentence(let sentence): return PictureCache.Entry(sentence: sentence)
    case .picture(let picture):
      let pictures = picture.images.map { image in
        PictureCache.Entry.Picture(
          name: image.variant.fileName("*"), width: image.width, height: image.height, pixelWidth: image.pixelWidth,
          pixelHeight: image.pixelHeight, png: image.png)
      }
      return PictureCache.Entry(pictures: pictures, warnings: picture.warnings)
    }
  }

  private static func points(_ run: RunData, _ split: MetricsEvent.Split, _ value: (MetricsEvent) -> Double?)
    -> [ChartPoint]
  {
    points(run.events, isImported: run.record.origin != nil, split, value)
  }

  /// A line without the value breaks the curve where the value was NaN; where an imported log has only other values there, it is no point.
  fileprivate static func points(
    _ events: [MetricsEvent], isImported: Bool, _ split: MetricsEvent.Split, _ value: (MetricsEvent) -> Double?
  ) -> [ChartPoint] {
    events.filter { event in
      event.split == split && (!isImported || value(event) != nil || event.lossNotANumber == true)
    }.map { ChartPoint(step: $0.step, value: value($0)) }
  }

  private static func loss(_ run: RunData, text: ChartText, logScale: Bool) -> LossChart {
    LossChart(log: run.events, isImported: run.record.origin != nil, text: text, logScale: logScale)
  }

  private static func learningRate(_ run: RunData, text: ChartText) -> LearningRateChart {
    LearningRateChart(
      text: text, points: points(run, .train, \.learningRate), resumes: resumes(run.events),
      epochs: epochs(run.events))
  }

  private static func measure(_ kind: ChartKind, _ run: RunData, text: ChartText, logScale: Bool) -> StepChart {
    let (measure, value): (StepMeasure, (MetricsEvent) -> Double?) =
      switch kind {
      case .throughput: (.throughput, { $0.tokensPerSecond })
      case .memory: (.memory, { $0.peakMemoryBytes.map(Double.init) })
      default: (.gradientNorm, { $0.gradNorm })
      }
    let clip = run.setting("training.max_grad_norm")?.node.double
    let limit =
      kind == .gradientNorm ? clip.flatMap { $0 > 0 ? ChartLimit(name: "max_grad_norm", value: $0) : nil } : nil
    return StepChart(
      text: text, measure: measure, points: points(run, .train, value), limit: limit,
      resumes: resumes(run.events), epochs: epochs(run.events), logScale: logScale)
  }

  private static func bars(_ run: RunData, text: ChartText, metrics: [(key: String, name: String)], decimals: Int)
    -> MetricBarsChart
  {
    let all = run.evaluation?.sets["all"]
    let names = text.language == .ko ? ("기반", "학습 후") : ("base", "tuned")
    var bars: [MetricBarsChart.Bar] = []
    for (key, name) in metrics {
      guard let base = all?.base.scores[key], let tuned = all?.tuned.scores[key] else { continue }
      for (model, score) in [(names.0, base), (names.1, tuned)] {
        let ends = (score.interval ?? []).filter(\.isFinite)
        bars.append(
          MetricBarsChart.Bar(
            name: "\(name) · \(model)", value: score.value,
            interval: ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil, isBaseline: model == names.0))
      }
    }
    let words = SiteWords(language: text.language == .ko ? .ko : .en)
    return MetricBarsChart(
      text: text, bars: bars, decimals: decimals, method: run.evaluation?.bootstrap.map { words.intervalMethod($0) },
      count: all?.tuned.questions ?? 0)
  }

  private static func overlayPoints(_ metric: RunsOverlayChart.Metric, _ run: RunData) -> [ChartPoint] {
    switch metric {
    case .evaluationLoss: points(run, .eval, \.loss)
    case .trainLoss: points(run, .train, \.loss)
    case .learningRate: points(run, .train, \.learningRate)
    case .gradientNorm: points(run, .train, \.gradNorm)
    }
  }

  private static func tokenLengths(_ run: RunData, text: ChartText) -> HistogramChart {
    let lengths = (run.report?.tokenLengths ?? []).flatMap { Array(repeating: $0.tokens, count: max(0, $0.rows)) }
    let limit = run.setting("training.max_seq_length")?.node.integer
    let action: HistogramCutOff.Action =
      run.setting("training.overflow")?.node.string == "truncate" ? .truncated : .dropped
    return HistogramChart(
      text: text, lengths: lengths,
      cutOff: limit.map { HistogramCutOff(name: "max_seq_length", limit: $0, action: action) })
  }

  fileprivate static func resumes(_ events: [MetricsEvent]) -> [Int] {
    events.filter { $0.resumed == true }.map(\.step)
  }

  /// The first step at which a whole number of passes was done.
  fileprivate static func epochs(_ events: [MetricsEvent]) -> [EpochMark] {
    var marks: [EpochMark] = []
    for event in events where event.split == .train {
      let done = Int(exactly: ((event.epoch ?? 0) + 1e-9).rounded(.down)) ?? 0
      if done >= 1, done > (marks.last?.epoch ?? 0) { marks.append(EpochMark(step: event.step, epoch: done)) }
    }
    return marks
  }
}

extension LossChart {
  /// The loss chart of a run's log.
  public init(log events: [MetricsEvent], isImported: Bool = false, text: ChartText, logScale: Bool = false) {
    self.init(
      text: text, train: RunCharts.points(events, isImported: isImported, .train, \.loss),
      evaluation: RunCharts.points(events, isImported: isImported, .eval, \.loss),
      resumes: RunCharts.resumes(events), epochs: RunCharts.epochs(events), logScale: logScale)
  }
}
