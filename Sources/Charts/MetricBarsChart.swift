import Foundation

/// Scores of the base and the tuned model as horizontal bars from 0, all of one unit.
public struct MetricBarsChart: Chart {
  /// One bar.
  public struct Bar: Sendable, Equatable {
    /// "chrF · 학습 후"
    public var name: String
    public var value: Double?
    /// Lower and upper end.
    public var interval: ClosedRange<Double>?
    public var isBaseline: Bool

    public init(name: String, value: Double?, interval: ClosedRange<Double>? = nil, isBaseline: Bool) {
      self.name = name
      self.value = value.flatMap { $0.isFinite ? $0 : nil }
      self.interval = interval
      self.isBaseline = isBaseline
    }
  }

  public var text: ChartText
  /// Baseline and tuned bar of each metric, one after the other.
  public var bars: [Bar]
  public var decimals: Int
  /// The largest value the unit has (1 or 100): bars of shares would mislead on a shorter axis; nil fits the axis to the values.
  public var fullScale: Double?
  /// How the intervals came about, such as `95% 신뢰구간(부트스트랩 1,000회)`; nil where there are none.
  public var method: String?
  /// The number of questions.
  public var count: Int

  public init(
    text: ChartText, bars: [Bar], decimals: Int, fullScale: Double? = nil, method: String? = nil, count: Int
  ) {
    self.text = text
    self.bars = bars
    self.decimals = decimals
    self.fullScale = fullScale
    self.method = method
    self.count = count
  }

  private var isKorean: Bool { text.language == .ko }
  private var common: Words { Words(language: text.language) }

  public var title: String { text.title ?? (isKorean ? "기반 모델과 학습한 모델의 점수" : "Scores of the base and the tuned model") }

  private func shown(_ value: Double) -> String { NumberFormat.fixed(value, decimals: decimals) }

  /// `71.0 [64.6, 77.4]`
  func valueText(_ bar: Bar) -> String {
    guard let value = bar.value else { return "—" }
    guard let interval = bar.interval else { return shown(value) }
    return shown(value) + " "
      + NumberFormat.interval(interval.lowerBound, interval.upperBound, decimals: decimals)
  }

  public var alt: String {
    guard !bars.isEmpty else { return common.noRecord + "." }
    let number = NumberFormat.grouped(count)
    var parts = [isKorean ? "점수 막대그래프, n = \(number)문항." : "Bar chart of scores, n = \(number) questions."]
    parts.append(bars.map { "\($0.name) \(valueText($0))" }.joined(separator: ", ") + ".")
    return AltText.joined(parts, language: text.language)
  }

  public var table: ChartTable {
    var columns = [
      ChartTable.Column(name: isKorean ? "지표" : "Metric", isNumeric: false),
      ChartTable.Column(name: isKorean ? "점수" : "Score"),
    ]
    let hasIntervals = bars.contains { $0.interval != nil }
    if hasIntervals { columns.append(ChartTable.Column(name: isKorean ? "구간" : "Interval")) }
    return ChartTable(
      columns: columns,
      rows: bars.prefix(ChartTable.maximumRows).map { bar in
        var row = [bar.name, bar.value.map(shown) ?? "—"]
        if hasIntervals {
          row.append(
            bar.interval.map { NumberFormat.interval($0.lowerBound, $0.upperBound, decimals: decimals) } ?? "—")
        }
        return row
      })
  }

  public func render(metadata: [ChartMetadata]) throws -> ChartOutcome {
    let known = bars.filter { $0.value != nil }
    guard !known.isEmpty else { return .sentence(common.noRecord) }
    guard bars.count >= 2 else {
      let value = valueText(known[0])
      return .sentence("\(known[0].name): \(value)(n = \(NumberFormat.grouped(count))).")
    }
    let pen = BarsPen(chart: self)
    return .picture(
      try Rendering.picture(
        text, title: title, metadata: metadata, format: { Format.bars(bars.count, isPhone: $0) }, draw: pen.draw))
  }

  /// Method and n, or that no interval was computed.
  var subtitle: [String] {
    let number = isKorean ? "n = \(NumberFormat.grouped(count))" : "n = \(NumberFormat.grouped(count))"
    let interval = bars.contains { $0.interval != nil } ? method ?? (isKorean ? "구간" : "interval") : noInterval
    return (text.subtitle.map { [$0] } ?? []) + [interval, number]
  }

  private var noInterval: String { isKorean ? "구간 없음" : "no interval" }
}

/// Draws a `MetricBarsChart`.
struct BarsPen {
  let chart: MetricBarsChart

  private static let barHeight = 20.0

  func draw(on surface: Surface) -> Frame {
    let isPhone = surface.format.isPhone
    var subtitle = chart.subtitle
    if !isPhone, let run = chart.text.run { subtitle.append(run) }
    let frame = Frame(
      surface: surface,
      content: Frame.Content(
        title: chart.title, subtitle: subtitle, source: chart.text.source, xName: "", bottomMargin: 52))
    let names = chart.bars.map { surface.type.width($0.name, .subtitle) }.max() ?? 0
    let values = chart.bars.map { surface.type.width(chart.valueText($0), .endValue) }.max() ?? 0
    let pad = surface.format.pad
    // Names stand left of the bars on wide charts, above them on phones; values in a column at the right.
    let left = isPhone ? pad : min(pad + names + 12, surface.format.width * 0.4)
    let right = isPhone ? pad : min(pad + values + 12, surface.format.width * 0.35)
    let top = frame.plotTop
    let plot = Box(
      left: left, top: top, width: max(surface.format.width - left - right, 60),
      height: max(surface.format.height - top - 52, 20))
    frame.settle(plot)
    let axis = axis(width: plot.width)
    drawAxis(frame, axis)
    frame.drawWords()
    let pitch = plot.height / Double(max(chart.bars.count, 1))
    for (index, bar) in chart.bars.enumerated() {
      let slot = plot.top + pitch * Double(index)
      drawBar(bar, frame, axis, top: isPhone ? slot + pitch - Self.barHeight - 6 : slot + (pitch - Self.barHeight) / 2)
    }
    return frame
  }

  private func axis(width: Double) -> Axis {
    let highest = chart.bars.flatMap { [$0.value ?? 0, $0.interval?.upperBound ?? 0] }.max() ?? 0
    let top = chart.fullScale ?? max(highest, 0)
    var axis = Axis.linear(low: 0, high: top > 0 ? top : 1, length: width, gap: 72) { values, decimals in
      TickLabels.plain(values, decimals: decimals, language: chart.text.language)
    }
    if let full = chart.fullScale {
      axis.upper = full
      axis.ticks.removeAll { $0.value > full * (1 + 1e-9) }
    }
    return axis
  }

  /// Vertical grid lines with their labels below, and the line the bars stand on.
  private func drawAxis(_ frame: Frame, _ axis: Axis) {
    let surface = frame.surface
    for tick in axis.ticks {
      let x = frame.x(tick.value, axis)
      let colour = tick.value == 0 ? frame.theme.axis : frame.theme.grid
      surface.rule(
        from: Spot(x: x, y: frame.plot.top), to: Spot(x: x, y: frame.plot.bottom),
        Surface.Stroke(colour: colour, width: 1))
      let half = surface.type.width(tick.label, .tick) / 2
      let centre = min(max(x, half + 2), surface.format.width - 2 - half)
      surface.text(
        tick.label, .tick, frame.theme.muted, at: Spot(x: centre, y: frame.plot.bottom + 16), anchor: .middle)
    }
  }

  private func drawBar(_ bar: MetricBarsChart.Bar, _ frame: Frame, _ axis: Axis, top: Double) {
    let surface = frame.surface
    let theme = frame.theme
    let text = chart.valueText(bar)
    let middle = top + Self.barHeight / 2
    if surface.format.isPhone {
      surface.text(bar.name, .subtitle, theme.ink, at: Spot(x: frame.plot.left, y: top - 6), halo: true)
      surface.text(text, .endValue, theme.ink, at: Spot(x: frame.plot.right, y: top - 6), anchor: .end, halo: true)
    } else {
      surface.text(bar.name, .subtitle, theme.ink, at: Spot(x: frame.plot.left - 10, y: middle + 4.6), anchor: .end)
      surface.text(
        text, .endValue, theme.ink, at: Spot(x: surface.format.width - surface.format.pad, y: middle + 4.6),
        anchor: .end)
    }
    guard let value = bar.value else { return }
    let zero = frame.x(0, axis)
    let end = frame.x(min(max(value, 0), axis.upper), axis)
    surface.fill(
      Box(left: zero, top: top, width: max(end - zero, 1), height: Self.barHeight),
      theme.colour(bar.isBaseline ? .rest : .first))
    if let interval = bar.interval { drawWhisker(interval, frame, axis, y: middle) }
  }

  private func drawWhisker(_ interval: ClosedRange<Double>, _ frame: Frame, _ axis: Axis, y: Double) {
    let low = frame.x(max(interval.lowerBound, axis.lower), axis)
    let high = frame.x(min(interval.upperBound, axis.upper), axis)
    for (colour, width) in [(frame.theme.page, 5.5), (frame.theme.ink, 1.5)] {
      let stroke = Surface.Stroke(colour: colour, width: width)
      frame.surface.polyline([Spot(x: low, y: y), Spot(x: high, y: y)], stroke)
      for x in [low, high] { frame.surface.polyline([Spot(x: x, y: y - 4), Spot(x: x, y: y + 4)], stroke) }
    }
  }
}
