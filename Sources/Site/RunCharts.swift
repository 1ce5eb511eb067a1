import Charts
import Foundation
import Runs
import Synchronization

/// The charts a post can ask for.
enum ChartKind: String, CaseIterable, Sendable {
  case loss
  case learningRate = "learning_rate"
  case tokenLengths = "token_lengths"

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

  private let drawn = Mutex<[Key: DrawnChart]>([:])
  private let cache: ChartCache

  init(cache: ChartCache = ChartCache(store: nil)) { self.cache = cache }

  func draw(_ kind: ChartKind, run: RunData, finding: String?, logScale: Bool, language: SiteLanguage) throws
    -> DrawnChart
  {
    let key = Key(run: run.id, kind: kind, finding: finding, logScale: logScale, language: language)
    if let chart = drawn.withLock({ $0[key] }) { return chart }
    let path = kind == .tokenLengths ? "dataset/report.json" : "log/metrics.jsonl"
    let file = path.split(separator: "/").last.map(String.init) ?? path
    let text = ChartText(title: finding, source: file, run: run.id, language: language.chart)
    let chart: any Chart =
      switch kind {
      case .loss: Self.loss(run, text: text, logScale: logScale)
      case .learningRate: Self.learningRate(run, text: text)
      case .tokenLengths: Self.tokenLengths(run, text: text)
      }
    var result = DrawnChart(
      title: chart.title, alt: chart.alt, table: DataTable(chart.table), images: [], sentence: nil, warnings: [],
      file: file,
      isSmoothed: run.events.filter { $0.split == .train && $0.loss != nil }.count >= 30)
    let provenance = ChartMetadata.provenance(run: run.id, source: path, sha256: run.hashes[path] ?? "")
    switch try cache.outcome(
      of: chart, name: kind.rawValue, runs: [run], options: logScale ? ["log"] : [], metadata: provenance)
    {
    case .picture(let picture):
      result.images = picture.images
      result.warnings = picture.warnings
    case .sentence(let sentence): result.sentence = sentence
    }
    let finished = result
    drawn.withLock { $0[key] = finished }
    return finished
  }

  private static func points(_ events: [MetricsEvent], _ split: MetricsEvent.Split, _ value: (MetricsEvent) -> Double?)
    -> [ChartPoint]
  {
    events.filter { $0.split == split }.map { ChartPoint(step: $0.step, value: value($0)) }
  }

  private static func loss(_ run: RunData, text: ChartText, logScale: Bool) -> LossChart {
    LossChart(
      text: text, train: points(run.events, .train, \.loss), evaluation: points(run.events, .eval, \.loss),
      resumes: resumes(run.events), epochs: epochs(run.events), logScale: logScale)
  }

  private static func learningRate(_ run: RunData, text: ChartText) -> LearningRateChart {
    LearningRateChart(
      text: text, points: points(run.events, .train, \.learningRate), resumes: resumes(run.events),
      epochs: epochs(run.events))
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

  private static func resumes(_ events: [MetricsEvent]) -> [Int] { events.filter { $0.resumed == true }.map(\.step) }

  /// The first step at which a whole number of passes was done.
  private static func epochs(_ events: [MetricsEvent]) -> [EpochMark] {
    var marks: [EpochMark] = []
    for event in events where event.split == .train {
      let done = Int(event.epoch + 1e-9)
      if done >= 1, done > (marks.last?.epoch ?? 0) { marks.append(EpochMark(step: event.step, epoch: done)) }
    }
    return marks
  }
}
