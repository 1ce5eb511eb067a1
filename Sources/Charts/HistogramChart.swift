/// The limit on token length that some rows exceed.
public struct HistogramCutOff: Sendable, Equatable {
  public enum Action: Sendable, Equatable {
    /// Rows over the limit were shortened: `잘림`.
    case truncated
    /// Rows over the limit were left out: `제외`.
    case dropped
  }

  /// The setting's name, such as `max_length`.
  public var name: String
  /// Rows with more tokens than this were cut.
  public var limit: Int
  public var action: Action

  public init(name: String, limit: Int, action: Action) {
    self.name = name
    self.limit = limit
    self.action = action
  }
}

/// How many rows have how many tokens; a dot for each row where there are fewer than 20.
public struct HistogramChart: Chart {
  /// Below this many values dots are drawn instead of bars.
  public static let leastValues = 20

  public var text: ChartText
  /// The length of every row in tokens, those over the limit too; negative lengths are left out.
  public var lengths: [Int]
  public var cutOff: HistogramCutOff?

  public init(text: ChartText, lengths: [Int], cutOff: HistogramCutOff? = nil) {
    self.text = text
    // A length over 10^15 is no length, and would overflow the bins.
    self.lengths = lengths.filter { (0...1_000_000_000_000_000).contains($0) }
    self.cutOff = cutOff
  }

  public var title: String { text.title ?? words.histogramTitle }

  private var words: Words { Words(language: text.language) }
  private var isKorean: Bool { text.language == .ko }

  /// How many rows exceed the limit; 0 without one.
  public var cutCount: Int { cutOff.map { cut in lengths.filter { $0 > cut.limit }.count } ?? 0 }

  public var alt: String {
    let sorted = lengths.sorted()
    guard let low = sorted.first, let high = sorted.last else { return words.noRecord + "." }
    let median = NumberFormat.recorded(Statistics.quantile(sorted.map(Double.init), 0.5), decimals: 1)
    let count = NumberFormat.count(sorted.count, language: text.language)
    let isStrip = sorted.count < Self.leastValues
    var parts: [String] = []
    if isKorean {
      parts.append(isStrip ? "토큰 길이 점 그림." : "토큰 길이 히스토그램.")
      parts.append(
        "\(count)행의 중앙값은 \(median)토큰, 가장 짧은 행은 \(NumberFormat.grouped(low)), 가장 긴 행은 \(NumberFormat.grouped(high))토큰이다."
      )
    } else {
      parts.append(isStrip ? "Dot strip of token length." : "Histogram of token length.")
      parts.append(
        "The median of \(words.rowCount(sorted.count)) is \(median) tokens; the shortest row has "
          + "\(NumberFormat.grouped(low)), the longest \(NumberFormat.grouped(high)).")
    }
    if let cutOff {
      let name = words.cutOff(cutOff)
      let cut = words.cutCount(cutCount, of: sorted.count, action: cutOff.action)
      parts.append(isKorean ? "\(name) 기준 \(cut)이다." : "At \(name), \(cut).")
    }
    return AltText.joined(parts, language: text.language)
  }

  /// Bins with their counts, or the values where dots are drawn.
  public var table: ChartTable {
    guard lengths.count >= Self.leastValues else {
      return ChartTable(
        columns: [ChartTable.Column(name: isKorean ? "길이(토큰)" : "Length (tokens)")],
        rows: lengths.sorted().map { [NumberFormat.grouped($0)] })
    }
    let bins = HistogramBins(lengths)
    return ChartTable(
      columns: [
        ChartTable.Column(name: isKorean ? "길이(토큰)" : "Length (tokens)"),
        ChartTable.Column(name: isKorean ? "행 수" : "Rows"),
      ],
      rows: bins.counts.enumerated().map { index, count in
        let first = bins.start + index * bins.width
        let last = first + bins.width - 1
        let range =
          first == last
          ? NumberFormat.grouped(first)
          : NumberFormat.range(NumberFormat.grouped(first), NumberFormat.grouped(last), language: text.language)
        return [range, NumberFormat.grouped(count)]
      })
  }

  public func render(metadata: [ChartMetadata]) throws -> ChartOutcome {
    guard let first = lengths.first else { return .sentence(words.noRecord) }
    guard lengths.count >= 2 else {
      let value = NumberFormat.grouped(first)
      return .sentence(isKorean ? "토큰 길이는 \(value)토큰이다(n = 1)." : "The token length is \(value) (n = 1).")
    }
    let pen = HistogramPen(chart: self)
    return .picture(
      try Rendering.picture(
        text, title: title, metadata: metadata,
        format: lengths.count < Self.leastValues ? Format.strip : Format.histogram, draw: pen.draw))
  }
}
