/// What a piece of code is, which sets its colour.
public enum CodeRole: Int, Sendable, CaseIterable {
  case plain, comment, keyword, string, number, function, type, meta, lineNumber
}

/// A piece of one line of code in one colour.
public struct CodeRun: Sendable, Equatable {
  public var text: String
  public var role: CodeRole

  public init(_ text: String, _ role: CodeRole = .plain) {
    self.text = text
    self.role = role
  }
}

/// Code as a picture: file name, line numbers, colours. 1200 wide, 40 a line, never wrapped.
public struct CodeCard: Card {
  public static let mostLines = 20
  /// Code gets this much width at most, the line numbers included.
  static let mostWidth = 1072.0

  public var file: String
  public var lines: [[CodeRun]]
  /// The number of the first line in its file.
  public var firstLine: Int
  public var language: ChartLanguage

  public init(file: String, lines: [[CodeRun]], firstLine: Int, language: ChartLanguage) {
    self.file = file
    self.lines = lines
    self.firstLine = firstLine
    self.language = language
  }

  public var title: String { file }

  private var shown: ArraySlice<[CodeRun]> { lines.prefix(Self.mostLines) }

  public var size: CardSize { CardSize(width: 1200, height: max(630, 180 + 40 * shown.count)) }

  public func draw(on canvas: CardCanvas) throws -> [String] {
    let theme = canvas.theme
    let left = CardCanvas.side
    canvas.surface.fill(Box(left: 0, top: 0, width: canvas.width, height: canvas.height), theme.panel)
    let small = CardCanvas.style(24)
    canvas.draw(
      canvas.fit(file, small, width: canvas.column, lines: 1).lines, small, theme.muted, x: left,
      y: CardCanvas.edge + 22, leading: 0)
    let code = TypeStyle(size: 26, isBold: false, isMono: true)
    let widest = String(firstLine + max(shown.count - 1, 0))
    let numbers = canvas.type.width(widest, code)
    let start = left + numbers + 24
    let end = left + Self.mostWidth
    var y = CardCanvas.edge + 22 + 44
    var cutLines = 0
    for (index, line) in shown.enumerated() {
      canvas.surface.text(
        String(firstLine + index), code, theme.colour(CodeRole.lineNumber), at: Spot(x: left + numbers, y: y),
        anchor: .end)
      if draw(line, on: canvas, from: start, to: end, y: y, style: code) { cutLines += 1 }
      y += 40
    }
    var cuts: [String] = []
    if lines.count > shown.count {
      cuts.append(canvas.pick("\(lines.count)행 중 \(shown.count)행", "\(shown.count) of \(lines.count) lines"))
    }
    if cutLines > 0 {
      cuts.append(canvas.pick("긴 줄 \(cutLines)개는 끝을 줄임", "\(cutLines) long lines cut at their end"))
    }
    if !cuts.isEmpty { canvas.footer([], cuts: cuts) }
    return cuts
  }

  /// One line up to the last whole token that fits. Whether something was cut.
  private func draw(
    _ line: [CodeRun], on canvas: CardCanvas, from start: Double, to end: Double, y: Double, style: TypeStyle
  ) -> Bool {
    let pieces = line.flatMap(Self.tokens)
    // Spaces have a width of their own that a line of text alone would lose at its ends: columns are measured, not laid out.
    let column = canvas.type.width("0", style)
    let dots = canvas.type.width("…", style)
    var x = start
    var ends: [Double] = []
    for piece in pieces {
      x += width(piece.text, canvas, style, column: column)
      ends.append(x)
    }
    let isCut = (ends.last ?? start) > end
    x = start
    for (index, piece) in pieces.enumerated() {
      if isCut, ends[index] > end - dots { break }
      if !piece.text.allSatisfy({ $0 == " " }) {
        let bold = TypeStyle(size: style.size, isBold: piece.role == .keyword, isMono: true)
        canvas.surface.text(piece.text, bold, canvas.theme.colour(piece.role), at: Spot(x: x, y: y))
      }
      x = ends[index]
    }
    if isCut { canvas.surface.text("…", style, canvas.theme.muted, at: Spot(x: x, y: y)) }
    return isCut
  }

  private func width(_ text: String, _ canvas: CardCanvas, _ style: TypeStyle, column: Double) -> Double {
    text.allSatisfy { $0 == " " } ? Double(text.count) * column : canvas.type.width(text, style)
  }

  /// A run as words and the spaces between them, tabs as four spaces.
  private static func tokens(_ run: CodeRun) -> [CodeRun] {
    var pieces: [CodeRun] = []
    var current = ""
    for character in run.text.replacing("\t", with: "    ") where !character.isNewline {
      if let last = current.last, (last == " ") != (character == " ") {
        pieces.append(CodeRun(current, run.role))
        current = ""
      }
      current.append(character)
    }
    if !current.isEmpty { pieces.append(CodeRun(current, run.role)) }
    return pieces
  }
}
