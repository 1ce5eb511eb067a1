/// Draws a `LinePlot` into a settled frame, from the back to the front.
struct LinePen {
  let frame: Frame
  let xAxis: Axis
  let yAxis: Axis
  let plot: LinePlot

  private var surface: Surface { frame.surface }
  private var theme: Theme { frame.theme }

  /// Held near the canvas, as Cairo's coordinates are 24-bit.
  func spot(_ datum: Datum) -> Spot {
    let y = frame.y(datum.y, yAxis)
    return Spot(x: frame.x(datum.x, xAxis), y: min(max(y, -10_000), 10_000))
  }

  /// `named`: the series that get a label at their end, from top to bottom.
  func draw(named: [LinePlot.Series]) {
    frame.drawYAxis(yAxis)
    frame.drawXAxis(xAxis)
    frame.drawWords()
    drawEpochs()
    for step in plot.resumes { drawResumeLine(step) }
    drawLimitLine()
    for series in plot.series { drawFaint(series) }
    for series in plot.series { drawStrong(series) }
    for series in plot.series { drawMarkers(series) }
    let endLabels = endLabelPlaces(named)
    for label in endLabels { frame.labels.append(label.box) }
    for mark in plot.marks { drawMark(mark) }
    for series in plot.series where series.isPair {
      drawPairValues(series, skipsLast: named.contains { $0.name == series.name })
    }
    for step in plot.resumes { drawResumeLabel(step) }
    drawLimitLabel()
    for label in endLabels { drawEndLabel(label) }
  }

  // MARK: Lines

  private func drawFaint(_ series: LinePlot.Series) {
    let plot = frame.plot
    let window = Box(left: plot.left - 1, top: plot.top, width: plot.width + 2, height: plot.height)
    surface.clipped(to: window) {
      for piece in series.faint {
        let stroke = Surface.Stroke(colour: theme.colour(series.role), width: 1, opacity: 0.35)
        if piece.count == 1, let only = piece.first {
          surface.dot(spot(only), radius: 1.2, stroke.colour, opacity: 0.35)
        } else {
          surface.polyline(thinned(piece.map(spot)), stroke)
        }
      }
    }
  }

  private func drawStrong(_ series: LinePlot.Series) {
    let colour = theme.colour(series.role)
    if series.isPair {
      surface.polyline(series.points.map(spot), Surface.Stroke(colour: theme.axis, width: 1, dashes: [1, 3]))
      return
    }
    for piece in series.strong {
      if piece.count == 1, let only = piece.first, !series.hasMarkers {
        surface.dot(spot(only), radius: 1.6, colour)
      } else {
        surface.polyline(
          thinned(piece.map(spot)), Surface.Stroke(colour: colour, width: series.width, dashes: series.role.dashes))
      }
    }
  }

  private func drawMarkers(_ series: LinePlot.Series) {
    guard let marker = series.role.marker else { return }
    let colour = theme.colour(series.role)
    for datum in series.faintMarks { surface.marker(marker, spot(datum), colour, opacity: 0.35) }
    if series.hasMarkers || series.isPair {
      for datum in series.points { surface.marker(marker, spot(datum), colour) }
    } else if series.endValue != nil, let last = series.points.last {
      // The line's own marker at its end ties it to the sample in the label.
      surface.marker(marker, spot(last), colour)
    }
  }

  /// Lines with many points a pixel, reduced to the first, lowest, highest and last of each pixel column.
  private func thinned(_ spots: [Spot]) -> [Spot] {
    let columns = frame.plot.width * surface.format.scale
    guard Double(spots.count) > 4 * columns else { return spots }
    var result: [Spot] = []
    var column: [Spot] = []
    func flush() {
      guard let first = column.first, let last = column.last else { return }
      let low = column.indices.min { column[$0].y < column[$1].y } ?? 0
      let high = column.indices.max { column[$0].y < column[$1].y } ?? 0
      result.append(first)
      for index in [min(low, high), max(low, high)] where index != 0 && index != column.count - 1 {
        result.append(column[index])
      }
      if column.count > 1 { result.append(last) }
      column.removeAll(keepingCapacity: true)
    }
    var current = -Double.infinity
    for spot in spots {
      let place = (spot.x * surface.format.scale).rounded(.down)
      if place != current { flush() }
      current = place
      column.append(spot)
    }
    flush()
    return result
  }

  // MARK: Events

  private func drawEpochs() {
    let stroke = Surface.Stroke(colour: theme.axis, width: 1)
    var lastRight = -Double.infinity
    for mark in plot.epochs {
      guard Double(mark.step) >= xAxis.lower, Double(mark.step) <= xAxis.upper else { continue }
      let x = frame.x(Double(mark.step), xAxis)
      surface.rule(
        from: Spot(x: x, y: frame.plot.bottom - Frame.tickLength), to: Spot(x: x, y: frame.plot.bottom), stroke)
      let place = Spot(x: x, y: frame.plot.bottom + 38)
      let text = plot.words.epochName(mark.epoch)
      let box = surface.textBox(text, .tick, at: place, anchor: .middle)
      let collides = frame.labels.contains { $0.intersects(box.insetBy(-5)) } || box.left < lastRight + 10
      if !collides, box.right < surface.format.width - 2 {
        surface.text(text, .tick, theme.muted, at: place, anchor: .middle)
        lastRight = box.right
      }
    }
  }

  private func drawResumeLine(_ step: Int) {
    guard Double(step) > xAxis.lower, Double(step) <= xAxis.upper else { return }
    let x = frame.x(Double(step), xAxis)
    surface.rule(
      from: Spot(x: x, y: frame.plot.top), to: Spot(x: x, y: frame.plot.bottom),
      Surface.Stroke(colour: theme.axis, width: 1, dashes: [2, 3]))
  }

  private func drawResumeLabel(_ step: Int) {
    guard Double(step) > xAxis.lower, Double(step) <= xAxis.upper else { return }
    let x = frame.x(Double(step), xAxis)
    let rows = [14.0, 32, 50, frame.plot.height - 8]
    let places = rows.flatMap { row in
      [
        (Spot(x: x + 5, y: frame.plot.top + row), Surface.Anchor.start),
        (Spot(x: x - 5, y: frame.plot.top + row), .end),
      ]
    }
    drawLabel(plot.words.resume(step), .tick, theme.muted, places: places)
  }

  // MARK: Limit

  /// The height of the limit's line; nil where there is none or it lies outside the axis.
  private var limitHeight: Double? {
    guard let limit = plot.limit, limit.value >= yAxis.lower, limit.value <= yAxis.upper else { return nil }
    return frame.y(limit.value, yAxis)
  }

  private func drawLimitLine() {
    guard let y = limitHeight else { return }
    surface.rule(
      from: Spot(x: frame.plot.left, y: y), to: Spot(x: frame.plot.right, y: y),
      Surface.Stroke(colour: theme.ink, width: 1.25, dashes: [2, 3]))
  }

  private func drawLimitLabel() {
    guard let limit = plot.limit, let y = limitHeight else { return }
    let places = [y - 5, y + 14].flatMap { height in
      [
        (Spot(x: frame.plot.right - 2, y: height), Surface.Anchor.end),
        (Spot(x: frame.plot.left + 6, y: height), .start),
        (Spot(x: frame.plot.left + frame.plot.width / 2, y: height), .middle),
      ]
    }
    drawLabel(limit.label, .tick, theme.ink, places: places)
  }

  // MARK: Labels

  /// The lines labels keep clear of: those that carry the reading.
  private var lines: [[Spot]] { plot.series.flatMap { $0.strong.map { thinned($0.map(spot)) } } }

  private var labelBounds: Box {
    let plot = frame.plot
    // The room above the plot, up to the subtitle or the key.
    let room = surface.format.isPhone ? 18.0 : 24
    return Box(
      left: plot.left - 6, top: plot.top - room, width: plot.width + (surface.format.isPhone ? 18 : 14),
      height: plot.height + room - 2)
  }

  private func drawLabel(_ text: String, _ style: TypeStyle, _ colour: Colour, places: [(Spot, Surface.Anchor)]) {
    let boxes = places.map { surface.textBox(text, style, at: $0.0, anchor: $0.1) }
    let chosen = places[Placement.best(boxes, bounds: labelBounds, labels: frame.labels, lines: lines)]
    frame.labels.append(surface.text(text, style, colour, at: chosen.0, anchor: chosen.1, halo: true))
  }

  /// Above the spot, below it, then to its sides; each also shifted to stay inside the plot.
  private func places(around spot: Spot, text: String, style: TypeStyle, distance: Double) -> [(Spot, Surface.Anchor)] {
    let half = surface.type.width(text, style) / 2
    let bounds = labelBounds
    let centred = min(max(spot.x, bounds.left + half + 0.5), max(bounds.right - half - 0.5, bounds.left + half + 0.5))
    let above = spot.y - distance - 2
    let below = spot.y + distance + 0.9 * style.size
    return [
      (Spot(x: centred, y: above), .middle), (Spot(x: centred, y: below), .middle),
      (Spot(x: spot.x + distance + 3, y: spot.y + 4), .start), (Spot(x: spot.x - distance - 3, y: spot.y + 4), .end),
      (Spot(x: spot.x + 2, y: above), .start), (Spot(x: spot.x - 2, y: above), .end),
      (Spot(x: spot.x + 2, y: below), .start), (Spot(x: spot.x - 2, y: below), .end),
      (Spot(x: centred, y: above - 14), .middle), (Spot(x: centred, y: below + 14), .middle),
    ]
  }

  private func drawMark(_ mark: LinePlot.Mark) {
    let spot = spot(mark.datum)
    if mark.hasRing {
      surface.ring(spot, radius: 7.5, width: 1.75, theme.ink)
    } else if let marker = mark.role.marker {
      surface.marker(marker, spot, theme.colour(mark.role))
    }
    let radius = mark.hasRing ? 7.0 : 3.5
    frame.labels.append(Box(left: spot.x - radius, top: spot.y - radius, width: 2 * radius, height: 2 * radius))
    let places = places(around: spot, text: mark.label, style: .best, distance: mark.hasRing ? 10 : 7)
    drawLabel(mark.label, .best, theme.ink, places: places)
  }

  private func drawPairValues(_ series: LinePlot.Series, skipsLast: Bool) {
    for datum in series.points.dropLast(skipsLast ? 1 : 0) where !plot.marks.contains(where: { $0.datum == datum }) {
      let text = plot.valueText(datum.y)
      drawLabel(text, .tick, theme.ink, places: places(around: spot(datum), text: text, style: .tick, distance: 6))
    }
  }

  // MARK: End labels

  private struct EndLabel {
    var series: LinePlot.Series
    var end: Spot
    var y: Double
    var box: Box
  }

  private func endLabelPlaces(_ named: [LinePlot.Series]) -> [EndLabel] {
    let ends = named.compactMap { series in series.points.last.map { (series, spot($0)) } }
    let ys = Placement.spread(
      ends.map(\.1.y), gap: 18, range: (frame.plot.top + 4)...max(frame.plot.top + 5, frame.plot.bottom - 6))
    return zip(ends, ys).map { end, y in
      let width = Frame.sampleWidth + 4 + Frame.labelWidth(end.0.name, end.0.endValue, surface.type)
      return EndLabel(
        series: end.0, end: end.1, y: y,
        box: Box(left: frame.plot.right + 12, top: y - 9, width: width, height: 18))
    }
  }

  private func drawEndLabel(_ label: EndLabel) {
    let start = Spot(x: label.end.x + 6, y: label.end.y)
    let isFar = label.end.x < frame.plot.right - 8
    if isFar || abs(label.y - label.end.y) > 2 {
      surface.polyline(
        [start, Spot(x: frame.plot.right + 11, y: label.y)], Surface.Stroke(colour: theme.axis, width: 0.75))
    }
    frame.drawSample(label.series.role, x: label.box.left, y: label.y)
    frame.drawLabel(
      label.series.name, label.series.endValue, x: label.box.left + Frame.sampleWidth + 4, y: label.y + 4.6)
  }
}
