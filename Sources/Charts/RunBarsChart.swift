/// One measured value of several runs as horizontal bars from 0.
public struct RunBarsChart: Chart {
  /// One run.
  public struct Bar: Sendable, Equatable {
    public var name: String
    /// In the chart's unit; below 0 or nil draws no bar.
    public var value: Double?
    /// The value as the page has it: "3.2 GB".
    public var shown: String

    public init(name: String, value: Double?, shown: String) {
      self.name = name
      self.value = value.flatMap { $0.isFinite ? $0 : nil }
      self.shown = shown
    }
  }

  public var text: ChartText
  /// What was measured, with its unit: "학습 속도 (토큰/초)".
  public var measure: String
  /// The unit of the axis where the measure doesn't name it: "GB".
  public var unit: String?
  /// In the author's order.
  public var bars: [Bar]

  public init(text: ChartText, measure: String, unit: String? = nil, bars: [Bar]) {
    self.text = text
    self.measure = measure
    self.unit = unit
    self.bars = bars
  }

  private var isKorean: Bool { text.language == .ko }
  private var common: Words { Words(language: text.language) }
  private var known: [Bar] { bars.filter { $0.value != nil } }

  public var title: String { text.title ?? measure }

  public var alt: String {
    guard !known.isEmpty else { return common.noRecord + "." }
    let opening =
      isKorean ? "실행 \(bars.count)개의 막대그래프, \(measure)." : "Bar chart of \(bars.count) runs, \(measure.lowercased())."
    return AltText.joined([opening] + known.map { "\($0.name) \($0.shown)." }, language: text.language)
  }

  public var table: ChartTable {
    ChartTable(
      columns: [
        ChartTable.Column(name: isKorean ? "실행" : "Run", isNumeric: false), ChartTable.Column(name: measure),
      ],
      rows: bars.prefix(ChartTable.maximumRows).map { [$0.name, $0.value == nil ? "—" : $0.shown] })
  }

  public func render(metadata: [ChartMetadata]) throws -> ChartOutcome {
    guard let first = known.first else { return .sentence(common.noRecord) }
    guard known.count > 1 else { return .sentence("\(first.name): \(first.shown).") }
    let subtitle = [text.subtitle, text.title == nil ? nil : measure, unit].compactMap { $0 }
    let pen = BarsPen(
      title: title, subtitle: subtitle, source: text.source, run: text.run, language: text.language,
      bars: bars.map { BarsPen.Bar(name: $0.name, text: $0.value == nil ? "—" : $0.shown, value: $0.value) },
      fullScale: nil)
    return .picture(
      try Rendering.picture(
        text, title: title, metadata: metadata, format: { Format.bars(bars.count, isPhone: $0) }, draw: pen.draw))
  }
}
