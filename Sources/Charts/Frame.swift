/// The parts all charts share: title, subtitle, key, plot area, axes, grid, source line, and the labels set so far.
final class Frame {
  struct KeyItem {
    var name: String
    var value: String?
    var role: SeriesRole
  }

  /// What stands around the plot.
  struct Content {
    var title: String
    /// Joined with ` · `, wrapped where too long.
    var subtitle: [String]
    var source: String
    var xName: String
    /// Key items of the phone variant, and of wide ones with too many lines for labels at their ends.
    var key: [KeyItem] = []
    /// Bars need less room below than lines with an axis name.
    var bottomMargin: Double?
  }

  static let tickLength = 5.0
  static let sampleWidth = 16.0
  /// What labels at the ends of lines may take from the plot, with the margin there.
  private static let widestRight = 160.0

  let surface: Surface
  let content: Content
  private(set) var plot = Box(left: 0, top: 0, width: 0, height: 0)
  /// Notes above the plot's top right corner, such as how many points are out of range.
  var notes: [String] = []
  /// Boxes of the labels drawn so far, which later ones avoid.
  var labels: [Box] = []
  private(set) var isTitleCut = false
  private var titleLines: [String] = []
  private var subtitleLines: [String] = []
  private var keyRows: [[KeyItem]] = []
  private var top = 0.0

  var format: Format { surface.format }
  var theme: Theme { surface.theme }

  init(surface: Surface, content: Content) {
    self.surface = surface
    self.content = content
    let width = surface.format.width - 2 * surface.format.pad
    let style = TypeStyle.title(isPhone: surface.format.isPhone)
    let title = surface.type.wrap(content.title, style, width: width, lines: 2)
    titleLines = title.lines
    isTitleCut = title.isCut
    subtitleLines = Frame.joined(content.subtitle, width: width, type: surface.type)
    keyRows = arrangedKey(width: width)
    top =
      surface.format.topMargin(hasKey: !keyRows.isEmpty) + 22 * Double(max(titleLines.count - 1, 0))
      + 18 * Double(max(subtitleLines.count - 1, 0)) + 18 * Double(max(keyRows.count - 1, 0))
  }

  /// The height the plot will have, which axes need before the widths of their labels are known.
  var plotHeight: Double { max(format.height - top - (content.bottomMargin ?? format.bottomMargin), 20) }

  /// Fixes the plot area, given the widest label of the y axis and the widest label at the ends of lines (0 for none).
  func settle(widestTick: Double, widestEndLabel: Double = 0) {
    let left = format.isPhone ? max(50, 20 + widestTick) : max(60, 24 + widestTick)
    let right = format.isPhone ? format.rightMargin : min(Frame.widestRight, format.rightMargin + widestEndLabel)
    plot = Box(left: left, top: top, width: max(format.width - left - right, 40), height: plotHeight)
  }

  /// Whether labels of this width fit at the ends of lines; wider ones would be cut off by the picture's edge.
  static func holdsEndLabel(_ width: Double, _ format: Format) -> Bool { format.rightMargin + width <= widestRight }

  /// Where the plot begins, under title, subtitle and key.
  var plotTop: Double { top }

  /// Fixes the plot area as it is.
  func settle(_ area: Box) { plot = area }

  /// Parts with ` · ` between them, in lines that break between parts where they can.
  static func joined(_ parts: [String], width: Double, type: Typesetter) -> [String] {
    var lines: [String] = []
    for part in parts where !part.isEmpty {
      if let last = lines.last, type.width(last + " · " + part, .subtitle) <= width {
        lines[lines.count - 1] = last + " · " + part
      } else {
        lines += type.wrap(part, .subtitle, width: width, lines: 3).lines
      }
    }
    return lines
  }

  // MARK: Drawing

  /// Title, subtitle, key, source line and notes.
  func drawWords() {
    let style = TypeStyle.title(isPhone: format.isPhone)
    var y = 32.0
    for line in titleLines {
      surface.text(line, style, theme.ink, at: Spot(x: format.pad, y: y))
      y += 22
    }
    y = 55 + 22 * Double(max(titleLines.count - 1, 0))
    for line in subtitleLines {
      surface.text(line, .subtitle, theme.muted, at: Spot(x: format.pad, y: y))
      y += 18
    }
    y += 9
    for row in keyRows {
      drawKey(row, y: y)
      y += 18
    }
    let source = surface.type.wrap(content.source, .source, width: format.width - 2 * format.pad, lines: 1)
    surface.text(
      source.lines.first ?? "", .source, theme.muted, at: Spot(x: format.pad, y: format.height - 14))
    let notes = self.notes.joined(separator: " · ")
    guard !notes.isEmpty else { return }
    let right = format.width - format.pad
    let lines = surface.type.wrap(notes, .tick, width: right - format.pad, lines: 1).lines
    labels.append(
      surface.text(
        lines.first ?? "", .tick, theme.muted, at: Spot(x: min(plot.right, right), y: plot.top - 7), anchor: .end))
  }

  /// Horizontal grid lines with the labels of the y axis.
  func drawYAxis(_ axis: Axis) {
    for tick in axis.ticks {
      let y = self.y(tick.value, axis)
      surface.rule(
        from: Spot(x: plot.left, y: y), to: Spot(x: plot.right, y: y),
        Surface.Stroke(colour: theme.grid, width: 1))
      surface.text(tick.label, .tick, theme.muted, at: Spot(x: plot.left - 8, y: y + 4.3), anchor: .end)
    }
    for value in axis.minor {
      let y = self.y(value, axis)
      surface.rule(
        from: Spot(x: plot.left - 3, y: y), to: Spot(x: plot.left, y: y),
        Surface.Stroke(colour: theme.axis, width: 1))
    }
  }

  /// The line of the x axis, its ticks with labels, and its name at the right end.
  func drawXAxis(_ axis: Axis) {
    let stroke = Surface.Stroke(colour: theme.axis, width: 1)
    surface.rule(from: Spot(x: plot.left, y: plot.bottom), to: Spot(x: plot.right, y: plot.bottom), stroke)
    for tick in axis.ticks {
      let x = self.x(tick.value, axis)
      surface.rule(from: Spot(x: x, y: plot.bottom), to: Spot(x: x, y: plot.bottom + Frame.tickLength), stroke)
      let half = surface.type.width(tick.label, .tick) / 2
      let centre = min(x, format.width - 4 - half)
      surface.text(tick.label, .tick, theme.muted, at: Spot(x: centre, y: plot.bottom + 20), anchor: .middle)
    }
    guard !content.xName.isEmpty else { return }
    labels.append(
      surface.text(
        content.xName, .tick, theme.muted, at: Spot(x: plot.right, y: plot.bottom + 38), anchor: .end))
  }

  func x(_ value: Double, _ axis: Axis) -> Double { plot.left + axis.fraction(value) * plot.width }
  func y(_ value: Double, _ axis: Axis) -> Double { plot.bottom - axis.fraction(value) * plot.height }

  // MARK: Key

  /// As few rows as names need, with values where these take no more rows.
  private func arrangedKey(width: Double) -> [[KeyItem]] {
    let short = keyRows(
      content.key.map { item in
        let name = surface.type.wrap(item.name, .endName, width: width - Frame.sampleWidth - 4, lines: 1).lines.first
        return KeyItem(name: name ?? item.name, value: nil, role: item.role)
      }, width: width)
    let full = keyRows(content.key, width: width)
    return full.count <= short.count && full.allSatisfy { keyWidth($0) <= width } ? full : short
  }

  private func keyRows(_ items: [KeyItem], width: Double) -> [[KeyItem]] {
    var rows: [[KeyItem]] = []
    for item in items {
      if let last = rows.last, keyWidth(last + [item]) <= width {
        rows[rows.count - 1].append(item)
      } else {
        rows.append([item])
      }
    }
    return rows
  }

  private func keyWidth(_ items: [KeyItem]) -> Double {
    items.reduce(-16) { $0 + 16 + Frame.sampleWidth + 4 + Frame.labelWidth($1.name, $1.value, surface.type) }
  }

  /// The width of a name with its value, as in an end label.
  static func labelWidth(_ name: String, _ value: String?, _ type: Typesetter) -> Double {
    type.width(name, .endName) + (value.map { 5 + type.width($0, .endValue) } ?? 0)
  }

  private func drawKey(_ items: [KeyItem], y: Double) {
    var x = format.pad
    for item in items {
      drawSample(item.role, x: x, y: y - 4.5)
      x += Frame.sampleWidth + 4
      x += drawLabel(item.name, item.value, x: x, y: y) + 16
    }
  }

  /// A sample of a series' line and marker, 16 px wide from x.
  func drawSample(_ role: SeriesRole, x: Double, y: Double) {
    surface.polyline(
      [Spot(x: x + 1, y: y), Spot(x: x + Frame.sampleWidth - 1, y: y)],
      Surface.Stroke(colour: theme.colour(role), width: 2.25, dashes: role.dashes))
    if let marker = role.marker {
      surface.marker(marker, Spot(x: x + Frame.sampleWidth / 2, y: y), theme.colour(role), halo: false)
    }
  }

  /// Draws a bold name and its value in ink, and returns the width taken.
  @discardableResult
  func drawLabel(_ name: String, _ value: String?, x: Double, y: Double) -> Double {
    let box = surface.text(name, .endName, theme.ink, at: Spot(x: x, y: y), halo: true)
    guard let value else { return box.width }
    let second = surface.text(value, .endValue, theme.ink, at: Spot(x: box.right + 5, y: y), halo: true)
    return second.right - x
  }
}
