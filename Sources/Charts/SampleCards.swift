/// A prompt with the base and the tuned model's answers side by side. 1200 × 675.
public struct BeforeAfterCard: Card {
  public var prompt: String
  public var before: String
  public var after: String
  /// Names of the two columns: `학습 전 · base`.
  public var beforeName: String
  public var afterName: String
  /// Model, decoding, how the sample was picked.
  public var footer: [String]
  public var language: ChartLanguage

  public init(
    prompt: String, before: String, after: String, beforeName: String, afterName: String, footer: [String],
    language: ChartLanguage
  ) {
    self.prompt = prompt
    self.before = before
    self.after = after
    self.beforeName = beforeName
    self.afterName = afterName
    self.footer = footer
    self.language = language
  }

  public var title: String { prompt }
  public var size: CardSize { CardSize(width: 1200, height: 675) }

  public func draw(on canvas: CardCanvas) throws -> [String] {
    let theme = canvas.theme
    let heading = CardCanvas.style(32, bold: true)
    let asked = canvas.fit(prompt, heading, width: canvas.column, lines: 2)
    var y = canvas.draw(
      asked.lines, heading, theme.ink, x: CardCanvas.side, y: CardCanvas.edge + 30, leading: 42)
    y += 2
    let width = 512.0
    var cuts = [canvas.cutNote(canvas.pick("질문", "prompt"), asked.cut)]
    let columns = [
      (beforeName, before, CardCanvas.side, SeriesRole.rest), (afterName, after, CardCanvas.side + width + 48, .first),
    ]
    let label = CardCanvas.style(24)
    let body = CardCanvas.style(26)
    // At most eight lines, fewer where a long prompt took their room.
    let leading = 26 * 1.6
    let room = canvas.height - CardCanvas.edge - 40 - (y + 52)
    let lines = max(1, min(8, Int(room / leading)))
    for (name, text, x, role) in columns {
      canvas.surface.fill(Box(left: x, top: y - 12, width: width, height: 4), theme.colour(role))
      canvas.draw(
        canvas.fit(name, label, width: width, lines: 1).lines, label, theme.muted, x: x, y: y + 26, leading: 0)
      let fitted = canvas.fit(text, body, width: width, lines: lines)
      canvas.draw(fitted.lines, body, theme.ink, x: x, y: y + 70, leading: leading)
      cuts.append(canvas.cutNote(name, fitted.cut))
    }
    let notes = cuts.compactMap { $0 }
    canvas.footer(footer, cuts: notes)
    return notes
  }
}

/// A question with the reference and both models' answers. 1200 × 675.
public struct QuestionAnswerCard: Card {
  public struct Answer: Sendable, Equatable {
    public var name: String
    public var text: String
    /// A person's verdict in words with its sign, `○ 맞음`; nil where nobody gave one. Never cut.
    public var verdict: String?

    public init(name: String, text: String, verdict: String? = nil) {
      self.name = name
      self.text = text
      self.verdict = verdict
    }
  }

  public var question: String
  public var reference: String
  public var referenceName: String
  public var answers: [Answer]
  public var footer: [String]
  public var language: ChartLanguage

  public init(
    question: String, reference: String, referenceName: String, answers: [Answer], footer: [String],
    language: ChartLanguage
  ) {
    self.question = question
    self.reference = reference
    self.referenceName = referenceName
    self.answers = answers
    self.footer = footer
    self.language = language
  }

  public var title: String { question }
  public var size: CardSize { CardSize(width: 1200, height: 675) }

  public func draw(on canvas: CardCanvas) throws -> [String] {
    let theme = canvas.theme
    let left = CardCanvas.side
    let heading = CardCanvas.style(36, bold: true)
    let asked = canvas.fit(question, heading, width: canvas.column, lines: 2)
    var y = canvas.draw(asked.lines, heading, theme.ink, x: left, y: CardCanvas.edge + 32, leading: 46) + 2
    var cuts = [canvas.cutNote(canvas.pick("질문", "question"), asked.cut)]
    let label = CardCanvas.style(24)
    let body = CardCanvas.style(28)
    let strong = CardCanvas.style(28, bold: true)
    let leading = 28 * 1.55
    // What is left after the labels is shared out; the last answer, the tuned model's, gets what remains.
    let sections = [(referenceName, reference, nil as String?)] + answers.map { ($0.name, $0.text, $0.verdict) }
    let bottom = canvas.height - CardCanvas.edge - 44
    for (index, section) in sections.enumerated() {
      let (name, text, verdict) = section
      let after = sections.count - 1 - index
      let reserved = Double(after) * (46 + 1 * leading)
      let room = bottom - reserved - (y + 38)
      let most = index == sections.count - 1 ? 4 : 2
      let lines = max(1, min(most, Int(room / leading) + 1))
      var nameWidth = canvas.column
      if let verdict {
        let width = canvas.type.width(verdict, strong)
        nameWidth -= width + 24
        guard nameWidth > 120 else { throw CardRefusal(reason: "the verdict \"\(verdict)\" is too wide for a card") }
        canvas.surface.text(
          verdict, strong, theme.ink, at: Spot(x: canvas.width - CardCanvas.side, y: y), anchor: .end)
      }
      canvas.draw(
        canvas.fit(name, label, width: nameWidth, lines: 1).lines, label, theme.muted, x: left, y: y, leading: 0)
      let fitted = canvas.fit(text, body, width: canvas.column, lines: lines)
      y = canvas.draw(fitted.lines, body, theme.ink, x: left, y: y + 38, leading: leading) + 8
      cuts.append(canvas.cutNote(name, fitted.cut))
    }
    let notes = cuts.compactMap { $0 }
    canvas.footer(footer, cuts: notes)
    return notes
  }
}

/// A few scores, base against tuned. 1200 × 675. Numbers are never cut.
public struct MetricsCard: Card {
  public struct Row: Sendable, Equatable {
    public var name: String
    public var before: String
    public var after: String
    /// Which of the two is the better value and stands in bold; nil where neither is.
    public var isAfterBetter: Bool?

    public init(name: String, before: String, after: String, isAfterBetter: Bool?) {
      self.name = name
      self.before = before
      self.after = after
      self.isAfterBetter = isAfterBetter
    }
  }

  public static let mostRows = 6

  public var title: String
  public var beforeName: String
  public var afterName: String
  public var rows: [Row]
  public var footer: [String]
  public var language: ChartLanguage

  public init(
    title: String, beforeName: String, afterName: String, rows: [Row], footer: [String], language: ChartLanguage
  ) {
    self.title = title
    self.beforeName = beforeName
    self.afterName = afterName
    self.rows = rows
    self.footer = footer
    self.language = language
  }

  public var size: CardSize { CardSize(width: 1200, height: 675) }

  public func draw(on canvas: CardCanvas) throws -> [String] {
    let theme = canvas.theme
    let left = CardCanvas.side
    let right = canvas.width - CardCanvas.side
    let heading = CardCanvas.style(36, bold: true)
    let named = canvas.fit(title, heading, width: canvas.column, lines: 2)
    var y = canvas.draw(named.lines, heading, theme.ink, x: left, y: CardCanvas.edge + 32, leading: 46) + 6
    var cuts = [canvas.cutNote(canvas.pick("제목", "title"), named.cut)].compactMap { $0 }
    let shown = rows.prefix(Self.mostRows)
    if rows.count > shown.count {
      cuts.append(canvas.pick("\(rows.count)행 중 \(shown.count)행", "\(shown.count) of \(rows.count) rows"))
    }
    let label = CardCanvas.style(24)
    let value = CardCanvas.style(34)
    let strong = CardCanvas.style(34, bold: true)
    let columns = [right - 300, right]
    canvas.surface.text(beforeName, label, theme.muted, at: Spot(x: columns[0], y: y), anchor: .end)
    canvas.surface.text(afterName, label, theme.muted, at: Spot(x: columns[1], y: y), anchor: .end)
    y += 14
    let pitch = min(64, (canvas.height - CardCanvas.edge - 36 - y) / Double(max(shown.count, 1)))
    for row in shown {
      canvas.surface.rule(
        from: Spot(x: left, y: y), to: Spot(x: right, y: y), Surface.Stroke(colour: theme.grid, width: 1))
      let base = y + pitch / 2 + 12
      for text in [row.before, row.after] where canvas.type.width(text, strong) > 280 {
        throw CardRefusal(reason: "the value \"\(text)\" is too wide for a card")
      }
      let name = canvas.fit(row.name, value, width: columns[0] - 290 - left, lines: 1)
      canvas.draw(name.lines, value, theme.ink, x: left, y: base, leading: 0)
      let styles = [row.isAfterBetter == false ? strong : value, row.isAfterBetter == true ? strong : value]
      for (text, (style, x)) in zip([row.before, row.after], zip(styles, columns)) {
        canvas.surface.text(text, style, theme.ink, at: Spot(x: x, y: base), anchor: .end)
      }
      if let note = canvas.cutNote(row.name, name.cut) { cuts.append(note) }
      y += pitch
    }
    canvas.footer(footer, cuts: cuts)
    return cuts
  }
}
