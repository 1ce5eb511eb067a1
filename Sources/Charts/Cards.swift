/// A picture of text for platforms that take only pictures, and for link previews.
///
/// Cards follow the charts' rules: one font, the same themes, the same bytes for the same input. Where text does not fit, it is cut at
/// a word and the footer counts what went; a number that matters is never cut.
public protocol Card: Sendable {
  /// Goes into the PNG's `Title`.
  var title: String { get }
  var language: ChartLanguage { get }
  /// Logical pixels.
  var size: CardSize { get }
  /// Draws one variant and says what it had to cut, one line each. Throws ``CardRefusal`` where what matters does not fit.
  func draw(on canvas: CardCanvas) throws -> [String]
}

public struct CardSize: Sendable, Equatable {
  public var width: Int
  public var height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

/// Why there is no card.
public struct CardRefusal: Error, CustomStringConvertible, Sendable, Equatable {
  public var reason: String
  public var description: String { reason }
}

/// Which of a card's pictures this is.
public struct CardVariant: Sendable, Hashable {
  /// Pixels of the file a logical pixel.
  public var scale: Int
  public var isDark: Bool

  /// `NAME.png`, `NAME@2x.png`, `NAME@2x.dark.png`.
  public static let all = [
    CardVariant(scale: 1, isDark: false), CardVariant(scale: 2, isDark: false), CardVariant(scale: 2, isDark: true),
  ]
  /// What link previews take.
  public static let single = [CardVariant(scale: 1, isDark: false)]

  public init(scale: Int, isDark: Bool) {
    self.scale = scale
    self.isDark = isDark
  }

  public func fileName(_ name: String) -> String {
    name + (scale == 1 ? "" : "@\(scale)x") + (isDark ? ".dark" : "") + ".png"
  }
}

public struct CardImage: Sendable, Equatable {
  public var variant: CardVariant
  public var pixelWidth: Int
  public var pixelHeight: Int
  public var png: [UInt8]
}

public struct CardPicture: Sendable, Equatable {
  public var images: [CardImage]
  /// What had to be cut or left out, one line each.
  public var warnings: [String]
}

extension Card {
  /// Draws the variants. Throws ``CardRefusal`` where what matters does not fit, ``ChartsError`` as charts do.
  public func render(metadata: [ChartMetadata], variants: [CardVariant] = CardVariant.all) throws -> CardPicture {
    var chunks = metadata
    if !metadata.contains(where: { $0.key == ChartMetadata.titleKey }) {
      chunks.insert(ChartMetadata(key: ChartMetadata.titleKey, value: title), at: 0)
    }
    let type = try Typesetter(language: language)
    var warnings: [String] = []
    var images: [CardImage] = []
    for variant in variants {
      let format = Format(
        width: Double(size.width), height: Double(size.height), isPhone: false, scale: Double(variant.scale))
      let surface = try Surface(format: format, theme: variant.isDark ? .dark : .light, type: type)
      let cuts = try draw(on: CardCanvas(surface: surface, language: language))
      for cut in cuts where !warnings.contains("\(title): \(cut)") { warnings.append("\(title): \(cut)") }
      let png = try surface.png(metadata: chunks)
      images.append(
        CardImage(variant: variant, pixelWidth: surface.pixelWidth, pixelHeight: surface.pixelHeight, png: png))
    }
    return CardPicture(images: images, warnings: warnings)
  }
}

/// Where a card is drawn: text in columns, rules, and the card's own margins.
public struct CardCanvas {
  static let side = 64.0
  static let edge = 56.0

  let surface: Surface
  let language: ChartLanguage

  var theme: Theme { surface.theme }
  var type: Typesetter { surface.type }
  var width: Double { surface.format.width }
  var height: Double { surface.format.height }
  /// Between the side margins.
  var column: Double { width - 2 * Self.side }

  static func style(_ size: Double, bold: Bool = false) -> TypeStyle { TypeStyle(size: size, isBold: bold) }

  func pick(_ ko: String, _ en: String) -> String { language == .ko ? ko : en }

  /// Text in lines of a width, and how many characters were left out.
  struct Fitted {
    var lines: [String]
    var cut: Int
  }

  func fit(_ text: String, _ style: TypeStyle, width: Double, lines: Int) -> Fitted {
    let wrapped = type.wrap(text, style, width: width, lines: lines)
    guard wrapped.isCut else { return Fitted(lines: wrapped.lines, cut: 0) }
    let shown = wrapped.lines.joined(separator: " ").count - 1
    return Fitted(lines: wrapped.lines, cut: max(1, type.clean(text).count - shown))
  }

  /// Draws lines from the first baseline down, and returns the baseline after the last.
  @discardableResult
  func draw(
    _ lines: [String], _ style: TypeStyle, _ colour: Colour, x: Double, y: Double, leading: Double
  ) -> Double {
    var y = y
    for line in lines {
      surface.text(line, style, colour, at: Spot(x: x, y: y))
      y += leading
    }
    return y
  }

  /// The line at the bottom: facts, then what was cut.
  func footer(_ parts: [String], cuts: [String]) {
    let text = (parts + cuts).filter { !$0.isEmpty }.joined(separator: " · ")
    let style = Self.style(22)
    let lines = fit(text, style, width: column, lines: 1).lines
    draw(lines, style, theme.muted, x: Self.side, y: height - Self.edge, leading: 0)
  }

  /// `학습 전 42자 줄임`
  func cutNote(_ name: String, _ cut: Int) -> String? {
    guard cut > 0 else { return nil }
    let count = NumberFormat.grouped(cut)
    return pick("\(name) \(count)자 줄임", "\(name): \(count) characters cut")
  }
}
