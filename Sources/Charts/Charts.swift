/// The Charts room: plain values in, PNG pictures with their words out.
///
/// A chart is a value that knows its numbers and its words: it draws itself in four variants (wide and phone, light and
/// dark), says in one or two sentences what it shows (`alt`) and lists what it plotted (`table`). Looks follow one set
/// of rules, kept in `Theme`, `Format` and `Frame`, which every kind of chart shares. The same input gives the same
/// bytes, whatever the locale or the time zone.
public protocol Chart: Sendable {
  var text: ChartText { get }

  /// The title drawn: the author's finding, or the metric's name.
  var title: String { get }

  /// What the picture shows in words, at most 160 Korean or 280 English characters.
  var alt: String { get }

  /// The plotted values, at most 50 rows.
  var table: ChartTable { get }

  /// The four pictures, or the sentence that stands in for them where there are fewer than two values.
  ///
  /// `metadata` goes into each PNG as text chunks, in order; a `Title` is put first unless given. Throws `ChartsError`
  /// where the font is missing or a keyword cannot be written.
  func render(metadata: [ChartMetadata]) throws -> ChartOutcome
}

/// The language of labels and sentences.
public enum ChartLanguage: String, Sendable, CaseIterable {
  case ko, en
}

/// The words a chart cannot know by itself.
public struct ChartText: Sendable, Equatable {
  /// The author's finding, at most 50 Korean or 80 English characters; the metric's name stands in where it is nil.
  /// Two lines are drawn at most, cut at a word with `…`; emoji are left out of the picture.
  public var title: String?
  /// Measure and unit; each kind has its own where it is nil. Smoothing, scale and run are added by the chart.
  public var subtitle: String?
  /// The bare name of the file that was read. The chart adds the counts of points.
  public var source: String
  /// Named at the end of the subtitle of the wide variant.
  public var run: String?
  public var language: ChartLanguage

  public init(
    title: String? = nil, subtitle: String? = nil, source: String, run: String? = nil, language: ChartLanguage
  ) {
    self.title = title
    self.subtitle = subtitle
    self.source = source
    self.run = run
    self.language = language
  }
}

/// A value at a training step; nil where the log has none (NaN and infinity count as none).
public struct ChartPoint: Sendable, Equatable {
  /// Held within ±10^15, where steps are exact as Double.
  public let step: Int
  public var value: Double?

  public init(step: Int, value: Double?) {
    self.step = min(max(step, -1_000_000_000_000_000), 1_000_000_000_000_000)
    self.value = value.flatMap { $0.isFinite ? $0 : nil }
  }
}

/// The step at which `epoch` passes over the data were done.
public struct EpochMark: Sendable, Equatable {
  public var step: Int
  public var epoch: Int

  public init(step: Int, epoch: Int) {
    self.step = step
    self.epoch = epoch
  }
}

/// One text chunk of a PNG.
public struct ChartMetadata: Sendable, Equatable {
  public static let titleKey = "Title"
  public static let runKey = "Run"
  public static let sourceKey = "Source"
  public static let sourceHashKey = "Source-SHA256"

  public var key: String
  public var value: String

  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }

  /// The chunks a chart of a run carries: run id, path of the log inside the run folder, SHA-256 of the log in hex.
  public static func provenance(run: String, source: String, sha256: String) -> [ChartMetadata] {
    [
      ChartMetadata(key: runKey, value: run), ChartMetadata(key: sourceKey, value: source),
      ChartMetadata(key: sourceHashKey, value: sha256),
    ]
  }
}

/// What came of drawing a chart.
public enum ChartOutcome: Sendable, Equatable {
  case picture(ChartPicture)
  /// No values, or a single one: this text stands where the picture would.
  case sentence(String)
}

/// The four variants of one chart.
public struct ChartPicture: Sendable, Equatable {
  /// In the order of `ChartVariant.all`.
  public var images: [ChartImage]
  /// What had to be left out of the drawing, one line each: characters without a glyph, a cut title.
  public var warnings: [String]

  public init(images: [ChartImage], warnings: [String]) {
    self.images = images
    self.warnings = warnings
  }
}

/// Which of a chart's four pictures this is.
public struct ChartVariant: Sendable, Hashable {
  public var isPhone: Bool
  public var isDark: Bool

  /// `NAME.png`, `NAME.dark.png`, `NAME.phone.png`, `NAME.phone.dark.png`.
  public static let all = [
    ChartVariant(isPhone: false, isDark: false), ChartVariant(isPhone: false, isDark: true),
    ChartVariant(isPhone: true, isDark: false), ChartVariant(isPhone: true, isDark: true),
  ]

  public init(isPhone: Bool, isDark: Bool) {
    self.isPhone = isPhone
    self.isDark = isDark
  }

  /// The name of this variant's file.
  public func fileName(_ name: String) -> String {
    name + (isPhone ? ".phone" : "") + (isDark ? ".dark" : "") + ".png"
  }
}

/// One picture, ready to be written.
public struct ChartImage: Sendable, Equatable {
  public var variant: ChartVariant
  /// CSS pixels: what belongs into `<img width height>`.
  public var width: Int
  public var height: Int
  /// Pixels of the file: twice the logical size for wide, three times for phone.
  public var pixelWidth: Int
  public var pixelHeight: Int
  public var png: [UInt8]

  public init(
    variant: ChartVariant, width: Int, height: Int, pixelWidth: Int, pixelHeight: Int, png: [UInt8]
  ) {
    self.variant = variant
    self.width = width
    self.height = height
    self.pixelWidth = pixelWidth
    self.pixelHeight = pixelHeight
    self.png = png
  }
}

/// The plotted values as text, for a table under the figure.
public struct ChartTable: Sendable, Equatable {
  public struct Column: Sendable, Equatable {
    public var name: String
    public var isNumeric: Bool

    public init(name: String, isNumeric: Bool = true) {
      self.name = name
      self.isNumeric = isNumeric
    }
  }

  public static let maximumRows = 50

  public var columns: [Column]
  /// As many cells a row as columns; `—` where there is no value.
  public var rows: [[String]]
  /// The row of the best value, where there is one.
  public var bestRow: Int?

  public init(columns: [Column], rows: [[String]], bestRow: Int? = nil) {
    self.columns = columns
    self.rows = rows
    self.bestRow = bestRow
  }
}
