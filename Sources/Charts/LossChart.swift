/// The loss of one run: train loss per step with its moving mean, evaluation loss as measured, the best evaluation.
public struct LossChart: Chart {
  public var text: ChartText
  /// In the order of the log. A step that goes back means that a later run repeated it.
  public var train: [ChartPoint]
  /// Never smoothed. The lowest gets the ring, the earliest of equals.
  public var evaluation: [ChartPoint]
  /// The first step after each resume.
  public var resumes: [Int]
  public var epochs: [EpochMark]
  /// Drawn on a logarithmic axis where all values are above 0.
  public var logScale: Bool

  public init(
    text: ChartText, train: [ChartPoint], evaluation: [ChartPoint], resumes: [Int] = [], epochs: [EpochMark] = [],
    logScale: Bool = false
  ) {
    self.text = text
    self.train = train
    self.evaluation = evaluation
    self.resumes = resumes
    self.epochs = epochs
    self.logScale = logScale
  }

  public var title: String {
    if let title = text.title { return title }
    let words = Words(language: text.language)
    let data = LossData(self)
    if data.evaluation.count == 0 { return words.trainLossTitle }
    return data.train.count == 0 ? words.evaluationLossTitle : words.lossTitle
  }

  public var alt: String { LossWords(chart: self, data: LossData(self)).alt }

  public var table: ChartTable { LossWords(chart: self, data: LossData(self)).table }

  public func render(metadata: [ChartMetadata]) throws -> ChartOutcome {
    let data = LossData(self)
    let words = LossWords(chart: self, data: data)
    guard max(data.train.count, data.evaluation.count) >= 2 else { return .sentence(words.sentence) }
    let plot = plot(data)
    return .picture(
      try Rendering.picture(text, title: title, metadata: metadata, format: Format.line, draw: plot.draw))
  }

  /// One light picture of the wide form with that many pixels, for other places than posts; nil for fewer than two values.
  public func png(pixelWidth: Int, pixelHeight: Int, metadata: [ChartMetadata] = []) throws -> [UInt8]? {
    let data = LossData(self)
    guard max(data.train.count, data.evaluation.count) >= 2 else { return nil }
    let format = Format(width: Double(pixelWidth) / 2, height: Double(pixelHeight) / 2, isPhone: false)
    let surface = try Surface(format: format, theme: .light, type: Typesetter(language: text.language))
    _ = plot(data).draw(on: surface)
    return try surface.png(metadata: [ChartMetadata(key: ChartMetadata.titleKey, value: title)] + metadata)
  }

  func plot(_ data: LossData) -> LinePlot {
    let words = Words(language: text.language)
    var subtitle = [text.subtitle ?? words.lossMeasure]
    if let window = data.window { subtitle.append(words.smoothing(window: window)) }
    var counts: [String] = []
    var series: [LinePlot.Series] = []
    if data.train.count > 0 {
      counts.append(words.points(words.train, data.train.count))
      series.append(
        LinePlot.Series(
          name: words.train, role: .first, strong: data.trainLine,
          faint: (data.window == nil ? [] : data.train.pieces) + data.train.superseded,
          hasMarkers: data.window == nil,
          endValue: data.trainLine.last?.last.map { NumberFormat.loss($0.y) }))
    }
    if data.evaluation.count > 0 {
      counts.append(words.points(words.evaluationRecord, data.evaluation.count))
      series.append(
        LinePlot.Series(
          name: words.evaluation, role: .second, strong: data.evaluation.pieces,
          faintMarks: data.evaluation.superseded.flatMap { $0 }, hasMarkers: true,
          endValue: data.evaluation.pieces.last?.last.map { NumberFormat.loss($0.y) }))
    }
    var marks: [LinePlot.Mark] = []
    if data.evaluation.count >= 2, let best = data.best {
      let label = words.best(NumberFormat.loss(best.y), step: Int(best.x))
      marks.append(LinePlot.Mark(datum: best, label: label, hasRing: true, role: .second))
    }
    let missing = data.train.missing + data.evaluation.missing
    return LinePlot(
      title: title, subtitle: subtitle, run: text.run,
      source: ([text.source] + counts).joined(separator: words.separator), language: text.language, series: series,
      marks: marks, resumes: resumes, epochs: epochs, notes: missing > 0 ? [words.withoutValue(missing)] : [],
      wantsLog: logScale, valueText: NumberFormat.loss,
      tickLabels: { TickLabels.plain($0, decimals: $1, language: text.language) })
  }
}

/// The two curves of a loss chart, prepared once.
struct LossData {
  var train: PreparedSeries
  var evaluation: PreparedSeries
  /// The window of the moving mean; nil where the points are too few for one.
  var window: Int?
  /// The curve that carries the reading: smoothed where there is a window.
  var trainLine: [[Datum]]
  /// The lowest evaluation, the earliest of equals.
  var best: Datum?

  init(_ chart: LossChart) {
    train = PreparedSeries(chart.train, resumes: chart.resumes, breaksAtGaps: true)
    evaluation = PreparedSeries(chart.evaluation, breaksAtGaps: false)
    window = train.count >= Smoothing.leastPoints ? Smoothing.window(count: train.count) : nil
    trainLine = window.map { [pieces = train.pieces] in Smoothing.smooth(pieces, window: $0) } ?? train.pieces
    best = evaluation.all.min { $0.y < $1.y }
  }
}
