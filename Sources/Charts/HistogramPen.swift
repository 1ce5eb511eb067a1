/// Draws a `HistogramChart`.
struct HistogramPen {
  let chart: HistogramChart

  private var words: Words { Words(language: chart.text.language) }
  private var isStrip: Bool { chart.lengths.count < HistogramChart.leastValues }

  func draw(on surface: Surface) -> Frame {
    let bins = HistogramBins(chart.lengths)
    var subtitle = [chart.text.subtitle ?? (isStrip ? words.stripMeasure : words.histogramMeasure)]
    if !isStrip { subtitle.append(words.bins(width: bins.width)) }
    if !surface.format.isPhone, let run = chart.text.run { subtitle.append(run) }
    let source = [chart.text.source, words.rowCount(chart.lengths.count)].joined(separator: words.separator)
    let frame = Frame(
      surface: surface,
      content: Frame.Content(title: chart.title, subtitle: subtitle, source: source, xName: words.tokens))
    let range = xRange(bins)
    if let cutOff = chart.cutOff, !isShown(cutOff, in: range) {
      frame.notes = [cutLabel(cutOff)]
    }
    if isStrip {
      drawStrip(frame, range: range)
    } else {
      drawBars(frame, bins: bins, range: range)
    }
    return frame
  }

  // MARK: Range

  /// The data's range, widened to the limit where that leaves the data at least two thirds of the width.
  private func xRange(_ bins: HistogramBins) -> (low: Int, high: Int) {
    var low = bins.start
    var high = bins.end
    if isStrip {
      let least = chart.lengths.min() ?? 0
      let most = chart.lengths.max() ?? 1
      let pad = max((most - least) / 20, 1)
      (low, high) = (max(0, least - pad), most + pad)
    } else if bins.counts.count < HistogramBins.count.lowerBound {
      // A few bins stay narrow, with empty places on both sides.
      let missing = HistogramBins.count.lowerBound - bins.counts.count
      low = max(0, low - missing / 2 * bins.width)
      high += (missing - missing / 2) * bins.width
    }
    if let limit = chart.cutOff?.limit, limit >= high, Double(limit - low) <= 1.5 * Double(high - low) {
      high = limit + max((high - low) / 50, 1)
    }
    return (low, high)
  }

  private func isShown(_ cutOff: HistogramCutOff, in range: (low: Int, high: Int)) -> Bool {
    cutOff.limit >= range.low && cutOff.limit <= range.high
  }

  private func cutLabel(_ cutOff: HistogramCutOff) -> String {
    words.cutOff(cutOff) + words.separator
      + words.cutCount(chart.cutCount, of: chart.lengths.count, action: cutOff.action)
  }

  // MARK: Bars

  private func drawBars(_ frame: Frame, bins: HistogramBins, range: (low: Int, high: Int)) {
    let surface = frame.surface
    let highest = Double(bins.counts.max() ?? 1)
    let yAxis = Axis.linear(
      low: 0, high: highest, length: frame.plotHeight, smallest: LadderStep(digit: 1, exponent: 0)
    ) { values, _ in TickLabels.whole(values, language: chart.text.language, compact: true) }
    frame.settle(widestTick: yAxis.ticks.map { surface.type.width($0.label, .tick) }.max() ?? 0)
    let xAxis = Axis.whole(
      low: range.low, high: range.high, length: frame.plot.width, language: chart.text.language, compact: true)
    frame.drawYAxis(yAxis)
    var tops: [[Spot]] = []
    for (index, count) in bins.counts.enumerated() where count > 0 {
      let left = frame.x(Double(bins.start + index * bins.width), xAxis)
      let right = frame.x(Double(bins.start + (index + 1) * bins.width), xAxis)
      // A single row among thousands stays visible.
      let top = min(frame.y(Double(count), yAxis), frame.plot.bottom - 1)
      surface.fill(
        Box(left: left + 0.5, top: top, width: max(right - left - 1, 0.5), height: frame.plot.bottom - top),
        frame.theme.colour(.first))
      tops.append([
        Spot(x: left, y: frame.plot.bottom), Spot(x: left, y: top), Spot(x: right, y: top),
        Spot(x: right, y: frame.plot.bottom),
      ])
    }
    frame.drawXAxis(xAxis)
    frame.drawWords()
    drawCutOff(frame, xAxis: xAxis, range: range, lines: tops)
  }

  // MARK: Dots

  /// A dot for each value on the axis, equal and near values stacked.
  private func drawStrip(_ frame: Frame, range: (low: Int, high: Int)) {
    let surface = frame.surface
    frame.settle(widestTick: 0)
    let xAxis = Axis.whole(
      low: range.low, high: range.high, length: frame.plot.width, language: chart.text.language, compact: true)
    frame.drawXAxis(xAxis)
    frame.drawWords()
    let xs = chart.lengths.sorted().map { frame.x(Double($0), xAxis) }
    // High stacks are drawn closer, so that they stay in the plot.
    var pitch = 9.0
    var placed = stacked(xs, pitch: pitch, bottom: frame.plot.bottom - 12)
    while pitch > 2, let top = placed.map(\.y).min(), top < frame.plot.top + 4 {
      pitch -= 1
      placed = stacked(xs, pitch: pitch, bottom: frame.plot.bottom - 12)
    }
    drawCutOff(frame, xAxis: xAxis, range: range, lines: placed.map { [$0] })
    for spot in placed { surface.marker(.circle, spot, frame.theme.colour(.first)) }
    guard chart.lengths.count == 2 else { return }
    for (length, spot) in zip(chart.lengths.sorted(), placed) {
      surface.text(
        NumberFormat.grouped(length), .tick, frame.theme.ink, at: Spot(x: spot.x, y: spot.y - 10), anchor: .middle,
        halo: true)
    }
  }

  /// Each x on the lowest free place, `pitch` apart upwards.
  private func stacked(_ xs: [Double], pitch: Double, bottom: Double) -> [Spot] {
    var placed: [Spot] = []
    for x in xs {
      var spot = Spot(x: x, y: bottom)
      while placed.contains(where: { abs($0.x - spot.x) < 9 && abs($0.y - spot.y) < pitch - 0.01 }) { spot.y -= pitch }
      placed.append(spot)
    }
    return placed
  }

  // MARK: The limit

  private func drawCutOff(_ frame: Frame, xAxis: Axis, range: (low: Int, high: Int), lines: [[Spot]]) {
    guard let cutOff = chart.cutOff, isShown(cutOff, in: range) else { return }
    let surface = frame.surface
    let x = frame.x(Double(cutOff.limit), xAxis)
    surface.rule(
      from: Spot(x: x, y: frame.plot.top), to: Spot(x: x, y: frame.plot.bottom),
      Surface.Stroke(colour: frame.theme.ink, width: 1.25, dashes: [2, 3]))
    let text = cutLabel(cutOff)
    let rows = stride(from: 14.0, through: 86, by: 18)
    let places = rows.flatMap { row in
      [
        (Spot(x: x - 6, y: frame.plot.top + row), Surface.Anchor.end),
        (Spot(x: x + 6, y: frame.plot.top + row), Surface.Anchor.start),
      ]
    }
    let bounds = Box(
      left: frame.plot.left - 4, top: frame.plot.top - 4,
      width: surface.format.width - 8 - frame.plot.left, height: frame.plot.height)
    // Where it fits on neither side of the line, above the plot, moved to stay on the canvas.
    let half = surface.type.width(text, .tick) / 2
    let pad = surface.format.pad
    let above = Spot(x: max(min(x, surface.format.width - pad - half), pad + half), y: frame.plot.top - 7)
    let inside = places.filter { bounds.contains(surface.textBox(text, .tick, at: $0.0, anchor: $0.1)) }
    let candidates = inside + [(above, Surface.Anchor.middle)]
    let boxes = candidates.map { surface.textBox(text, .tick, at: $0.0, anchor: $0.1) }
    let canvas = Box(left: 0, top: 0, width: surface.format.width, height: surface.format.height)
    let chosen = candidates[Placement.best(boxes, bounds: canvas, labels: frame.labels, lines: lines)]
    frame.labels.append(
      surface.text(text, .tick, frame.theme.ink, at: chosen.0, anchor: chosen.1, halo: true))
  }
}
