import Foundation

/// Draws horizontal bars from 0.
struct BarsPen {
  struct Bar {
    var name: String
    /// What is written for the value.
    var text: String
    var value: Double?
    var interval: ClosedRange<Double>?
    /// Drawn in grey.
    var isBaseline = false
  }

  let title: String
  let subtitle: [String]
  let source: String
  /// Named on wide charts.
  let run: String?
  let language: ChartLanguage
  let bars: [Bar]
  /// Where the axis ends; nil fits it to the values.
  let fullScale: Double?

  private static let barHeight = 20.0

  func draw(on surface: Surface) -> Frame {
    let isPhone = surface.format.isPhone
    let subtitle = self.subtitle + (isPhone ? [] : run.map { [$0] } ?? [])
    let frame = Frame(
      surface: surface,
      content: Frame.Content(
        title: title, subtitle: subtitle, source: source, xName: "", bottomMargin: 52))
    let names = bars.map { surface.type.width($0.name, .subtitle) }.max() ?? 0
    let values = bars.map { surface.type.width($0.text, .endValue) }.max() ?? 0
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
    let pitch = plot.height / Double(max(bars.count, 1))
    for (index, bar) in bars.enumerated() {
      let slot = plot.top + pitch * Double(index)
      drawBar(bar, frame, axis, top: isPhone ? slot + pitch - Self.barHeight - 6 : slot + (pitch - Self.barHeight) / 2)
    }
    return frame
  }

  private func axis(width: Double) -> Axis {
    let highest = bars.flatMap { [$0.value ?? 0, $0.interval?.upperBound ?? 0] }.max() ?? 0
    let top = fullScale ?? max(highest, 0)
    var axis = Axis.linear(low: 0, high: top > 0 ? top : 1, length: width, gap: 72) { values, decimals in
      TickLabels.plain(values, decimals: decimals, language: language)
    }
    if let full = fullScale {
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

  private func drawBar(_ bar: Bar, _ frame: Frame, _ axis: Axis, top: Double) {
    let surface = frame.surface
    let theme = frame.theme
    let text = bar.text
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
