import Foundation

/// What every chart of lines over training steps is drawn from: losses, learning rates, later overlays of runs.
struct LinePlot {
  struct Series {
    var name: String
    var role: SeriesRole
    /// The line that carries the reading.
    var strong: [[Datum]]
    /// Raw values and repeated steps: thin, at 35%, as context.
    var faint: [[Datum]] = []
    /// Repeated points of a series drawn with markers.
    var faintMarks: [Datum] = []
    var hasMarkers = false
    /// At the end of the line; nil for a chart of one nameless series.
    var endValue: String?
    /// Of the line that carries the reading.
    var width = 2.25

    var points: [Datum] { strong.flatMap { $0 } }
    /// Two points make no trend: they get a dotted link, and their values.
    var isPair: Bool { points.count == 2 }
  }

  /// A marked point with its label.
  struct Mark {
    var datum: Datum
    var label: String
    var hasRing: Bool
    var role: SeriesRole
  }

  /// A limit that was set: a dotted horizontal line with its label.
  struct Limit {
    var value: Double
    var label: String
  }

  /// More named lines than this have their names in a key row instead of at their ends, as lines with long names do.
  static let mostEndLabels = 4

  var title: String
  /// The subtitle's parts, then the run, which only wide variants show.
  var subtitle: [String]
  var run: String?
  var source: String
  var language: ChartLanguage
  var series: [Series]
  var marks: [Mark] = []
  var limit: Limit?
  var resumes: [Int] = []
  var epochs: [EpochMark] = []
  var notes: [String] = []
  var wantsLog = false
  /// Text of a value in a label.
  var valueText: (Double) -> String
  var tickLabels: ([Double], Int) -> [String]

  var words: Words { Words(language: language) }

  // MARK: Ranges

  /// Every value drawn, faint ones too.
  private var allValues: [Double] { series.flatMap { $0.points + $0.faint.flatMap { $0 } + $0.faintMarks }.map(\.y) }

  var isLog: Bool { wantsLog && allValues.allSatisfy { $0 > 0 } }

  /// Strong lines in full and the 1st to 99th percentile of faint ones.
  var range: (low: Double, high: Double) {
    var values = series.flatMap { $0.points + $0.faintMarks }.map(\.y)
    for one in series {
      let faint = one.faint.flatMap { $0 }.map(\.y).sorted()
      if !faint.isEmpty { values += [Statistics.quantile(faint, 0.01), Statistics.quantile(faint, 0.99)] }
    }
    if let limit, showsLimit(values) { values.append(limit.value) }
    return (values.min() ?? 0, values.max() ?? 1)
  }

  /// A limit far from all values would squeeze them: it is named in a note instead.
  private func showsLimit(_ values: [Double]) -> Bool {
    guard let limit, let low = values.min(), let high = values.max() else { return false }
    let reach = max(high - low, 0.1 * max(high.magnitude, low.magnitude))
    return limit.value <= high + reach && limit.value >= low - reach
  }

  func yAxis(height: Double) -> Axis {
    let range = range
    return isLog
      ? Axis.logarithmic(low: range.low, high: range.high, length: height, label: tickLabels)
      : Axis.linear(low: range.low, high: range.high, length: height, label: tickLabels)
  }

  func xAxis(width: Double) -> Axis {
    let steps = series.flatMap { $0.points + $0.faint.flatMap { $0 } + $0.faintMarks }.map { Int($0.x) }
    var low = steps.min() ?? 0
    let high = steps.max() ?? 1
    // A log that begins near step 0 is shown from there.
    if low > 0, Double(low) <= 0.1 * Double(high - low) { low = 0 }
    return Axis.whole(low: low, high: high, length: width, language: language, compact: true)
  }

  /// How many faint points lie outside the axis, in words.
  func clippingNotes(_ axis: Axis) -> [String] {
    let faint = series.flatMap { $0.faint.flatMap { $0 } }.map(\.y)
    let above = faint.filter { $0 > axis.upper }
    let below = faint.filter { $0 < axis.lower }
    var notes: [String] = []
    if let extreme = above.max() { notes.append(words.above(above.count, extreme: valueText(extreme))) }
    if let extreme = below.min() { notes.append(words.below(below.count, extreme: valueText(extreme))) }
    return notes
  }

  // MARK: Drawing

  /// Draws one variant and returns its frame, which knows whether the title was cut.
  func draw(on surface: Surface) -> Frame {
    let isPhone = surface.format.isPhone
    let named = series.filter { $0.endValue != nil && !$0.points.isEmpty }
      .sorted { ($0.points.last?.y ?? 0) > ($1.points.last?.y ?? 0) }
    var content = Frame.Content(
      title: title, subtitle: subtitle, source: source, xName: "step")
    if wantsLog { content.subtitle.append(isLog ? words.logScale : words.notLog) }
    if !isPhone, let run { content.subtitle.append(run) }
    let widest = named.map { Frame.labelWidth($0.name, $0.endValue, surface.type) }.max() ?? 0
    let usesKey =
      isPhone
      ? named.count > 1
      : named.count > Self.mostEndLabels || !Frame.holdsEndLabel(widest, surface.format)
    if usesKey {
      content.key = named.map { Frame.KeyItem(name: $0.name, value: $0.endValue, role: $0.role) }
    }
    let frame = Frame(surface: surface, content: content)
    let yAxis = yAxis(height: frame.plotHeight)
    frame.settle(
      widestTick: yAxis.ticks.map { surface.type.width($0.label, .tick) }.max() ?? 0,
      widestEndLabel: isPhone || usesKey ? 0 : widest)
    frame.notes = clippingNotes(yAxis) + notes
    if let limit, limit.value < yAxis.lower || limit.value > yAxis.upper { frame.notes.append(limit.label) }
    let pen = LinePen(frame: frame, xAxis: xAxis(width: frame.plot.width), yAxis: yAxis, plot: self)
    pen.draw(named: isPhone || usesKey ? [] : named)
    return frame
  }
}
