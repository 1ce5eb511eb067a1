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
    let pen = BarsPen(
      title: title, subtitle: subtitle, source: text.source, run: text.run, language: text.language,
      bars: bars.map {
        BarsPen.Bar(
          name: $0.name, text: valueText($0), value: $0.value, interval: $0.interval, isBaseline: $0.isBaseline)
      }, fullScale: fullScale)
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
