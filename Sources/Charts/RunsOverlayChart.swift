/// One metric of several runs in one picture.
public struct RunsOverlayChart: Chart {
  public enum Metric: String, Sendable, CaseIterable, Hashable {
    case evaluationLoss = "eval_loss"
    case trainLoss = "train_loss"
    case learningRate = "learning_rate"
    case gradientNorm = "grad_norm"
  }

  public struct Run: Sendable, Equatable {
    public var name: String
    /// In the order of the log.
    public var points: [ChartPoint]

    public init(name: String, points: [ChartPoint]) {
      self.name = name
      self.points = points
    }
  }

  /// From more runs than this only two keep a colour of their own; the table names the rest.
  public static let mostColours = 6

  public var text: ChartText
  public var metric: Metric
  /// In the author's order, which sets their colours.
  public var runs: [Run]
  public var logScale: Bool

  public init(text: ChartText, metric: Metric, runs: [Run], logScale: Bool = false) {
    self.text = text
    self.metric = metric
    self.runs = runs
    self.logScale = logScale
  }

  private var common: Words { Words(language: text.language) }
  private var isKorean: Bool { text.language == .ko }

  public var title: String { text.title ?? (isKorean ? "\(name) 비교" : "\(name), compared") }

  private var name: String {
    switch metric {
    case .evaluationLoss: common.evaluationLossTitle
    case .trainLoss: common.trainLossTitle
    case .learningRate: common.learningRateTitle
    case .gradientNorm: MeasureWords(measure: .gradientNorm, language: text.language).title
    }
  }

  private func value(_ value: Double) -> String {
    metric == .learningRate ? NumberFormat.learningRate(value) : NumberFormat.loss(value)
  }

  /// A run with its curve prepared.
  private struct Curve {
    var name: String
    var line: [[Datum]]
    var window: Int?
    var count: Int

    var points: [Datum] { line.flatMap { $0 } }
    var last: Datum? { points.last }
    var lowest: Datum? { points.min { $0.y < $1.y } }
  }

  /// The runs that have points.
  private var curves: [Curve] {
    runs.compactMap { run in
      let smooths = metric == .trainLoss || metric == .gradientNorm
      let series = PreparedSeries(run.points, breaksAtGaps: metric != .evaluationLoss)
      guard series.count > 0 else { return nil }
      let window = smooths && series.count >= Smoothing.leastPoints ? Smoothing.window(count: series.count) : nil
      let line = window.map { Smoothing.smooth(series.pieces, window: $0) } ?? series.pieces
      return Curve(name: run.name, line: line, window: window, count: series.count)
    }
  }

  /// The colours: in the author's order up to six; beyond, the two that end lowest keep one.
  private func roles(_ curves: [Curve]) -> [SeriesRole] {
    guard curves.count > Self.mostColours else { return curves.indices.map { SeriesRole(rawValue: $0) ?? .rest } }
    let order = curves.indices.sorted { (curves[$0].last?.y ?? .infinity, $0) < (curves[$1].last?.y ?? .infinity, $1) }
    let highlighted = Array(order.prefix(2))
    return curves.indices.map { index in
      highlighted.firstIndex(of: index).flatMap { SeriesRole(rawValue: $0) } ?? .rest
    }
  }

  public var alt: String {
    let curves = curves
    guard !curves.isEmpty else { return common.noRecord + "." }
    var parts = [
      isKorean
        ? "실행 \(curves.count)개의 \(name) 선 그래프."
        : "Line chart of \(name.lowercased()) of \(curves.count) run\(curves.count == 1 ? "" : "s")."
    ]
    let ordered = curves.sorted { ($0.last?.y ?? 0, $0.name) < ($1.last?.y ?? 0, $1.name) }
    for curve in ordered {
      guard let last = curve.last else { continue }
      let step = common.stepName(Int(last.x))
      let end = value(last.y)
      parts.append(
        isKorean
          ? "\(curve.name): \(step)에서 \(end)." : "\(curve.name) ends at \(end) (\(step)).")
    }
    return AltText.joined(parts, language: text.language)
  }

  /// First, lowest and last value of each run, the lowest end in bold: what a table of six curves can be read for.
  public var table: ChartTable {
    let curves = curves
    let names =
      isKorean
      ? ["실행", "점 수", "처음", "최저", "최저 step", "마지막", "마지막 step"]
      : ["Run", "Points", "First", "Lowest", "Lowest at step", "Last", "Last step"]
    let rows = curves.prefix(ChartTable.maximumRows).map { curve -> [String] in
      let points = curve.points
      guard let first = points.first, let low = curve.lowest, let last = curve.last else {
        return [curve.name] + Array(repeating: "—", count: 6)
      }
      return [
        curve.name, NumberFormat.grouped(curve.count), value(first.y), value(low.y), NumberFormat.grouped(Int(low.x)),
        value(last.y), NumberFormat.grouped(Int(last.x)),
      ]
    }
    let best = rows.indices.min { (curves[$0].last?.y ?? .infinity, $0) < (curves[$1].last?.y ?? .infinity, $1) }
    return ChartTable(
      columns: names.enumerated().map { ChartTable.Column(name: $1, isNumeric: $0 > 0) }, rows: rows,
      bestRow: metric == .learningRate || rows.count < 2 ? nil : best)
  }

  public func render(metadata: [ChartMetadata]) throws -> ChartOutcome {
    let curves = curves
    guard !curves.isEmpty else { return .sentence(common.noRecord) }
    guard curves.contains(where: { $0.count >= 2 }) else {
      let parts = curves.compactMap { curve -> String? in
        curve.last.map { "\(curve.name): \(common.stepName(Int($0.x)))\(isKorean ? "에서" : ",") \(value($0.y))" }
      }
      return .sentence("\(name)(n = 1). " + parts.joined(separator: ", ") + ".")
    }
    let plot = plot(curves)
    return .picture(
      try Rendering.picture(text, title: title, metadata: metadata, format: Format.line, draw: plot.draw))
  }

  private func plot(_ curves: [Curve]) -> LinePlot {
    let roles = roles(curves)
    let isCrowded = curves.count > Self.mostColours
    var subtitle = [text.subtitle ?? measure]
    let windows = curves.compactMap(\.window)
    if let low = windows.min(), let high = windows.max() {
      let window = low == high ? "\(low)" : NumberFormat.range("\(low)", "\(high)", language: text.language)
      subtitle.append(isKorean ? "이동평균(창 \(window))" : "moving average (window \(window))")
    }
    if isCrowded { subtitle.append(isKorean ? "회색은 나머지 실행" : "slate: the other runs") }
    let lines = zip(curves, roles).map { curve, role -> LinePlot.Series in
      let isNamed = !isCrowded || role != .rest
      let width = !isCrowded ? 2.25 : role == .rest ? 1.25 : 2.75
      return LinePlot.Series(
        name: curve.name, role: role, strong: curve.line, hasMarkers: curve.count < Smoothing.leastPoints && isNamed,
        endValue: isNamed ? curve.last.map { value($0.y) } : nil,
        width: width)
    }
    // The highlighted runs lie above the rest.
    let ordered = lines.filter { $0.role == .rest } + lines.filter { $0.role != .rest }
    let total = curves.reduce(0) { $0 + $1.count }
    let count = isKorean ? "실행 \(curves.count)개" : "\(curves.count) runs"
    return LinePlot(
      title: title, subtitle: subtitle, run: nil,
      source: [text.source, count, common.pointCount(total)].joined(separator: common.separator),
      language: text.language, series: ordered, wantsLog: logScale, valueText: { value($0) },
      tickLabels: { values, decimals in
        metric == .learningRate
          ? TickLabels.learningRate(values, decimals: decimals)
          : TickLabels.plain(values, decimals: decimals, language: text.language)
      })
  }

  private var measure: String {
    switch metric {
    case .evaluationLoss, .trainLoss: common.lossMeasure
    case .learningRate: common.learningRateMeasure
    case .gradientNorm: MeasureWords(measure: .gradientNorm, language: text.language).measureText
    }
  }
}
