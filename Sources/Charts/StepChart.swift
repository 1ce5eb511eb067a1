import Korean

/// A measure that a log holds for every step.
public enum StepMeasure: String, Sendable, CaseIterable, Hashable {
  /// The norm of the adapter's gradient before clipping.
  case gradientNorm
  /// Tokens computed in a second.
  case throughput
  /// The process's peak memory so far, in bytes; drawn in GB.
  case memory
}

/// One measure of one run over its steps, with its moving mean where there are many.
public struct StepChart: Chart {
  public var text: ChartText
  public var measure: StepMeasure
  /// In the order of the log, in the log's unit.
  public var points: [ChartPoint]
  /// A setting that bounds the measure, such as `max_grad_norm`, with its value in the log's unit.
  public var limit: ChartLimit?
  public var resumes: [Int]
  public var epochs: [EpochMark]
  public var logScale: Bool

  public init(
    text: ChartText, measure: StepMeasure, points: [ChartPoint], limit: ChartLimit? = nil, resumes: [Int] = [],
    epochs: [EpochMark] = [], logScale: Bool = false
  ) {
    self.text = text
    self.measure = measure
    self.points =
      measure == .memory ? points.map { ChartPoint(step: $0.step, value: $0.value.map { $0 / 1e9 }) } : points
    self.limit = limit
    self.resumes = resumes
    self.epochs = epochs
    self.logScale = logScale
  }

  private var words: MeasureWords { MeasureWords(measure: measure, language: text.language) }
  private var common: Words { Words(language: text.language) }
  private var isKorean: Bool { text.language == .ko }

  public var title: String { text.title ?? words.title }

  /// Memory only grows and is read as it is; noisy measures get their moving mean.
  private func window(_ series: PreparedSeries) -> Int? {
    measure != .memory && series.count >= Smoothing.leastPoints ? Smoothing.window(count: series.count) : nil
  }

  private var series: PreparedSeries { PreparedSeries(points, resumes: resumes, breaksAtGaps: true) }

  public var alt: String {
    let all = series.all
    guard let first = all.first, let last = all.last else { return common.noRecord + "." }
    let sorted = all.map(\.y).sorted()
    let median = words.value(Statistics.quantile(sorted, 0.5))
    let low = words.value(sorted.first ?? first.y)
    let high = words.value(sorted.last ?? last.y)
    let span = "\(common.stepName(Int(first.x)))\(isKorean ? "부터 " : " to ")\(common.stepName(Int(last.x)))"
    var parts: [String] = []
    if isKorean {
      parts.append("\(words.title) 선 그래프.")
      parts.append(
        low == high
          ? "\(span)까지 \(KoreanParticle.toward.attached(to: high)) 같다."
          : "\(span)까지 중앙값은 \(median), 가장 작은 값은 \(low), 가장 큰 값은 \(KoreanParticle.copula.attached(to: high)).")
    } else {
      parts.append("Line chart of \(words.title.lowercased()).")
      parts.append(
        low == high
          ? "It stays at \(high) from \(span)."
          : "From \(span) the median is \(median), the lowest value \(low), the highest \(high).")
    }
    if let limit {
      let over = all.filter { $0.y > limit.value }.count
      let name = "\(limit.name) \(words.value(limit.value))"
      parts.append(
        isKorean
          ? "\(name) 위에 \(over)점이 있다." : over == 1 ? "1 point is above \(name)." : "\(over) points are above \(name).")
    }
    return AltText.joined(parts, language: text.language)
  }

  public var table: ChartTable {
    let series = series
    let line = series.all
    let smoothed = window(series).map { Smoothing.smooth(series.pieces, window: $0).flatMap { $0 } }
    let rows = TableRows.sampled(
      count: line.count, kept: Set([0, line.count - 1].filter { line.indices.contains($0) }))
    var columns = [ChartTable.Column(name: "step"), ChartTable.Column(name: words.column)]
    var cells = [
      rows.map { NumberFormat.grouped(Int(line[$0].x)) },
      TableRows.column(rows.map { line[$0].y }, decimals: words.decimals),
    ]
    if let smoothed {
      columns.append(ChartTable.Column(name: words.smoothed))
      cells.append(
        TableRows.column(
          rows.map { smoothed.indices.contains($0) ? smoothed[$0].y : nil }, decimals: words.decimals))
    }
    return ChartTable(columns: columns, rows: rows.indices.map { row in cells.map { $0[row] } })
  }

  public func render(metadata: [ChartMetadata]) throws -> ChartOutcome {
    let series = series
    guard let first = series.all.first else { return .sentence(common.noRecord) }
    guard series.count >= 2 else {
      let value = words.value(first.y)
      let step = common.stepName(Int(first.x))
      let topic = KoreanParticle.topic.attached(to: words.title)
      return .sentence(
        isKorean
          ? "\(topic) \(step)에서 " + KoreanParticle.copula.attached(to: value) + "(n = 1)."
          : "\(words.title) is \(value) at \(step) (n = 1).")
    }
    let plot = plot(series)
    return .picture(
      try Rendering.picture(text, title: title, metadata: metadata, format: Format.measure, draw: plot.draw))
  }

  private func plot(_ series: PreparedSeries) -> LinePlot {
    let window = window(series)
    let line = window.map { Smoothing.smooth(series.pieces, window: $0) } ?? series.pieces
    var subtitle = [text.subtitle ?? words.measureText]
    if let window { subtitle.append(common.smoothing(window: window)) }
    return LinePlot(
      title: title, subtitle: subtitle, run: text.run,
      source: [text.source, common.pointCount(series.count)].joined(separator: common.separator),
      language: text.language,
      series: [
        LinePlot.Series(
          name: words.title, role: .first, strong: line,
          faint: (window == nil ? [] : series.pieces) + series.superseded,
          hasMarkers: series.count < Smoothing.leastPoints)
      ],
      limit: limit.map { LinePlot.Limit(value: $0.value, label: "\($0.name) \(words.value($0.value))") },
      resumes: resumes, epochs: epochs,
      notes: series.missing > 0 ? [common.withoutValue(series.missing)] : [], wantsLog: logScale,
      valueText: words.value,
      tickLabels: { TickLabels.plain($0, decimals: $1, language: text.language) })
  }
}

/// A bound that was set, by the setting's name.
public struct ChartLimit: Sendable, Equatable, Hashable {
  public var name: String
  public var value: Double

  public init(name: String, value: Double) {
    self.name = name
    self.value = value
  }
}

/// The words of a step's measure in both languages.
struct MeasureWords {
  var measure: StepMeasure
  var language: ChartLanguage

  private func pick(_ ko: String, _ en: String) -> String { language == .ko ? ko : en }

  var title: String {
    switch measure {
    case .gradientNorm: pick("기울기 크기", "Gradient norm")
    case .throughput: pick("학습 속도", "Training speed")
    case .memory: pick("메모리 사용", "Memory use")
    }
  }

  /// Measure and unit.
  var measureText: String {
    switch measure {
    case .gradientNorm: pick("step마다의 기울기 노름(자르기 전)", "Gradient norm of each step, before clipping")
    case .throughput: pick("초당 토큰 수", "Tokens per second")
    case .memory: pick("프로세스의 최대 메모리(GB)", "Peak memory of the process (GB)")
    }
  }

  var column: String {
    switch measure {
    case .gradientNorm: title
    case .throughput: pick("토큰/초", "Tokens/s")
    case .memory: pick("메모리 (GB)", "Memory (GB)")
    }
  }

  var smoothed: String { pick("이동평균", "Moving average") }

  var decimals: Int {
    switch measure {
    case .gradientNorm: 3
    case .throughput: 1
    case .memory: 2
    }
  }

  /// A value with its unit, as labels and sentences name it.
  func value(_ value: Double) -> String {
    switch measure {
    case .gradientNorm: NumberFormat.loss(value)
    case .throughput: NumberFormat.recorded(value, decimals: 1) + pick("토큰/초", " tokens/s")
    case .memory: NumberFormat.fixed(value, decimals: 2) + "\u{A0}GB"
    }
  }
}
