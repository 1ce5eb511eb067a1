/// An opaque sRGB colour.
struct Colour: Equatable, Hashable {
  var hex: UInt32

  init(_ hex: UInt32) { self.hex = hex }

  var red: Double { Double((hex >> 16) & 255) / 255 }
  var green: Double { Double((hex >> 8) & 255) / 255 }
  var blue: Double { Double(hex & 255) / 255 }
}

/// The colours of one theme. Series colours are never used for text.
struct Theme: Equatable {
  var page: Colour
  var ink: Colour
  var muted: Colour
  var grid: Colour
  var axis: Colour
  /// Behind code.
  var panel: Colour
  /// By `CodeRole`, in its order.
  var code: [Colour]
  /// By `SeriesRole`, in its order.
  var series: [Colour]

  static let light = Theme(
    page: Colour(0xFFFFFF), ink: Colour(0x1A1E23), muted: Colour(0x59636E), grid: Colour(0xE3E7EC),
    axis: Colour(0x838D9D), panel: Colour(0xF5F6F8),
    code: [0x1A1E23, 0x5B6570, 0x8F2B86, 0x146C43, 0x8A4B00, 0x1450C4, 0x006B75, 0x6B3FA0, 0x626C77].map(Colour.init),
    series: [0x1555CF, 0xDB5606, 0x169A6B, 0x84335C, 0x443D06, 0x838D9D].map(Colour.init))

  static let dark = Theme(
    page: Colour(0x14171B), ink: Colour(0xE3E7EC), muted: Colour(0xA2ACB8), grid: Colour(0x2B3138),
    axis: Colour(0x737981), panel: Colour(0x1D2127),
    code: [0xE3E7EC, 0x9AA4B0, 0xF0A6E4, 0x8AD6A6, 0xF2B872, 0x8AB4FF, 0x79D3DE, 0xC6A8F5, 0x8A94A0].map(Colour.init),
    series: [0x5B90FA, 0xEA7742, 0x6FD9AA, 0xF0AEDA, 0xF5E663, 0x737981].map(Colour.init))

  func colour(_ role: CodeRole) -> Colour { code[min(role.rawValue, code.count - 1)] }
  func colour(_ role: SeriesRole) -> Colour { series[min(role.rawValue, series.count - 1)] }
}

/// What a series is, which fixes its colour, dash and marker throughout a post.
enum SeriesRole: Int, CaseIterable {
  case first, second, third, fourth, fifth, rest

  var dashes: [Double] {
    switch self {
    case .first, .second, .rest: []
    case .third: [6, 3]
    case .fourth: [2, 3]
    case .fifth: [8, 3, 2, 3]
    }
  }

  var marker: Marker? {
    switch self {
    case .first: .circle
    case .second: .square
    case .third: .triangle
    case .fourth: .diamond
    case .fifth: .triangleDown
    case .rest: nil
    }
  }
}

enum Marker {
  case circle, square, triangle, diamond, triangleDown
}

/// Sizes and weights of text, in logical pixels.
struct TypeStyle: Hashable {
  var size: Double
  var isBold: Bool
  /// Code: every Latin character and every Hangul syllable has its own fixed width.
  var isMono = false

  static func title(isPhone: Bool) -> TypeStyle { TypeStyle(size: isPhone ? 15 : 16, isBold: true) }
  static let subtitle = TypeStyle(size: 13, isBold: false)
  static let endName = TypeStyle(size: 13, isBold: true)
  static let endValue = TypeStyle(size: 13, isBold: false)
  static let tick = TypeStyle(size: 12, isBold: false)
  static let best = TypeStyle(size: 12, isBold: true)
  static let source = TypeStyle(size: 11, isBold: false)
}

/// The canvas of a kind of chart in one variant, in logical pixels.
struct Format: Equatable {
  var width: Double
  var height: Double
  var isPhone: Bool
  /// Pixels of the file a logical pixel.
  var scale: Double

  /// A chart's canvas: the phone variant is drawn at 3×, the wide one at 2×, unless `scale` says otherwise.
  init(width: Double, height: Double, isPhone: Bool, scale: Double? = nil) {
    self.width = width
    self.height = height
    self.isPhone = isPhone
    self.scale = scale ?? (isPhone ? 3 : 2)
  }

  /// Where title, subtitle, key and source begin.
  var pad: Double { isPhone ? 12 : 16 }
  /// Right of the plot, before any end label.
  var rightMargin: Double { isPhone ? 18 : 48 }
  /// Top of the plot under a title and a subtitle of one line each.
  func topMargin(hasKey: Bool) -> Double { hasKey ? 106 : isPhone ? 84 : 88 }
  var bottomMargin: Double { isPhone ? 72 : 76 }

  static func line(isPhone: Bool) -> Format {
    Format(width: isPhone ? 360 : 680, height: isPhone ? 360 : 420, isPhone: isPhone)
  }
  static func learningRate(isPhone: Bool) -> Format {
    Format(width: isPhone ? 360 : 680, height: isPhone ? 240 : 260, isPhone: isPhone)
  }
  static func measure(isPhone: Bool) -> Format {
    Format(width: isPhone ? 360 : 680, height: isPhone ? 300 : 320, isPhone: isPhone)
  }
  /// Dots on a line need less height than bars.
  static func strip(isPhone: Bool) -> Format {
    Format(width: isPhone ? 360 : 680, height: isPhone ? 230 : 240, isPhone: isPhone)
  }
  /// Horizontal bars: their number sets the height.
  static func bars(_ count: Int, isPhone: Bool) -> Format {
    let rows = Double(count)
    return Format(
      width: isPhone ? 360 : 680, height: isPhone ? 136 + 52 * rows : 140 + 36 * rows, isPhone: isPhone)
  }
  static func histogram(isPhone: Bool) -> Format {
    Format(width: isPhone ? 360 : 680, height: isPhone ? 300 : 340, isPhone: isPhone)
  }
}
