/// The picture a link preview shows: title, the change of one metric, author and date. 1200 × 630.
public struct OpenGraphCard: Card {
  /// The metric at the bottom.
  public struct Metric: Sendable, Equatable {
    /// "검증 손실 · 첫 평가 → 최저"
    public var label: String
    /// "2.043 → 1.455", never cut.
    public var change: String
    /// Drawn from three values up.
    public var points: [ChartPoint]
    public var lowerIsBetter: Bool

    public init(label: String, change: String, points: [ChartPoint], lowerIsBetter: Bool = true) {
      self.label = label
      self.change = change
      self.points = points
      self.lowerIsBetter = lowerIsBetter
    }
  }

  public var title: String
  public var language: ChartLanguage
  public var site: String
  public var author: String?
  /// As it is to be read: `2025. 3. 14.`
  public var date: String?
  public var metric: Metric?

  public init(
    title: String, language: ChartLanguage, site: String, author: String? = nil, date: String? = nil,
    metric: Metric? = nil
  ) {
    self.title = title
    self.language = language
    self.site = site
    self.author = author
    self.date = date
    self.metric = metric
  }

  public var size: CardSize { CardSize(width: 1200, height: 630) }

  public func draw(on canvas: CardCanvas) throws -> [String] {
    let theme = canvas.theme
    let left = CardCanvas.side
    canvas.surface.fill(Box(left: 0, top: 0, width: canvas.width, height: 8), theme.colour(.first))
    let small = CardCanvas.style(26)
    let name = canvas.fit(site, small, width: canvas.column, lines: 1)
    canvas.draw(name.lines, small, theme.muted, x: left, y: 88, leading: 0)

    // The largest size at which the title fits in three lines; only the smallest may cut it.
    var cuts: [String] = []
    for size in [60.0, 52, 46] {
      let style = CardCanvas.style(size, bold: true)
      let fitted = canvas.fit(title, style, width: canvas.column, lines: 3)
      if fitted.cut > 0, size > 46 { continue }
      canvas.draw(fitted.lines, style, theme.ink, x: left, y: 124 + size, leading: size * 1.28)
      if let note = canvas.cutNote(canvas.pick("제목", "title"), fitted.cut) { cuts.append(note) }
      break
    }

    let bottom = canvas.height - CardCanvas.edge
    let byline = [author, date].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " · ")
    let hasLine = drawLine(canvas)
    let room = canvas.column - (hasLine ? 400 + 48 : 0)
    canvas.draw(
      canvas.fit(byline, small, width: room, lines: 1).lines, small, theme.muted, x: left, y: bottom, leading: 0)
    guard let metric else { return cuts }
    let value = CardCanvas.style(48, bold: true)
    guard canvas.type.width(metric.change, value) <= room else {
      throw CardRefusal(reason: "the metric \"\(metric.change)\" is too wide for a card")
    }
    let base = byline.isEmpty ? bottom : bottom - 50
    canvas.draw([metric.change], value, theme.ink, x: left, y: base, leading: 0)
    let label = canvas.fit(metric.label, small, width: room, lines: 1)
    canvas.draw(label.lines, small, theme.muted, x: left, y: base - 60, leading: 0)
    return cuts
  }

  /// The metric's curve with a ring on its best value, 400 × 120 at the lower right. Whether there was one to draw.
  private func drawLine(_ canvas: CardCanvas) -> Bool {
    let all = PreparedSeries(metric?.points ?? [], breaksAtGaps: false).all
    guard let metric, all.count >= 3, let first = all.first, let last = all.last, last.x > first.x else { return false }
    let box = Box(
      left: canvas.width - CardCanvas.side - 400, top: canvas.height - CardCanvas.edge - 124, width: 400, height: 120)
    let low = all.map(\.y).min() ?? 0
    let high = all.map(\.y).max() ?? 1
    func spot(_ datum: Datum) -> Spot {
      let x = (datum.x - first.x) / (last.x - first.x)
      let y = high > low ? (datum.y - low) / (high - low) : 0.5
      // Room for the ring at every side.
      return Spot(x: box.left + 12 + x * (box.width - 24), y: box.bottom - 12 - y * (box.height - 24))
    }
    canvas.surface.polyline(
      all.map(spot), Surface.Stroke(colour: canvas.theme.colour(.first), width: 4))
    let best = all.min { metric.lowerIsBetter ? $0.y < $1.y : $0.y > $1.y }
    if let best { canvas.surface.ring(spot(best), radius: 11, width: 3, canvas.theme.ink) }
    return true
  }
}
