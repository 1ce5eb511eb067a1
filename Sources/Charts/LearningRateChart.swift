import Korean

/// The learning rate over the steps of a run, its peak labelled.
public struct LearningRateChart: Chart {
  public var text: ChartText
  /// In the order of the log.
  public var points: [ChartPoint]
  public var resumes: [Int]
  public var epochs: [EpochMark]

  public init(text: ChartText, points: [ChartPoint], resumes: [Int] = [], epochs: [EpochMark] = []) {
    self.text = text
    self.points = points
    self.resumes = resumes
    self.epochs = epochs
  }

  public var title: String { text.title ?? words.learningRateTitle }

  private var words: Words { Words(language: text.language) }
  private var isKorean: Bool { text.language == .ko }
  var series: PreparedSeries { PreparedSeries(points, resumes: resumes, breaksAtGaps: true) }

  public var alt: String {
    let line = series.all
    guard let last = line.last, let peak = line.max(by: { $0.y < $1.y }) else { return words.noRecord + "." }
    let value = NumberFormat.learningRate(peak.y)
    let end = NumberFormat.learningRate(last.y)
    var parts = [isKorean ? "학습률 선 그래프." : "Line chart of the learning rate."]
    if line.allSatisfy({ $0.y == peak.y }) {
      parts.append(
        isKorean ? "학습률은 처음부터 끝까지 \(KoreanParticle.toward.attached(to: value)) 같다." : "It stays at \(value).")
    } else {
      let top = words.stepName(Int(peak.x))
      let bottom = words.stepName(Int(last.x))
      if peak == last {
        parts.append(isKorean ? "\(top)에 최대 \(value)에 이르며 끝났다." : "It ends at its peak of \(value) (\(top)).")
      } else {
        parts.append(
          isKorean
            ? "\(top)에 최대 \(value)에 이른 뒤 \(bottom)에 \(KoreanParticle.toward.attached(to: end)) 끝났다."
            : "It peaks at \(value) (\(top)) and ends at \(end) (\(bottom)).")
      }
    }
    return AltText.joined(parts, language: text.language)
  }

  public var table: ChartTable {
    let line = series.all
    var kept = Set([0, line.count - 1].filter { line.indices.contains($0) })
    let peak = line.indices.max { line[$0].y < line[$1].y }.map { top in
      line.firstIndex { $0.y == line[top].y } ?? top
    }
    if let peak { kept.insert(peak) }
    let rows = TableRows.sampled(count: line.count, kept: kept)
    return ChartTable(
      columns: [ChartTable.Column(name: "step"), ChartTable.Column(name: words.learningRateTitle)],
      rows: rows.map { [NumberFormat.grouped(Int(line[$0].x)), NumberFormat.learningRate(line[$0].y)] })
  }

  public func render(metadata: [ChartMetadata]) throws -> ChartOutcome {
    let series = series
    let all = series.all
    guard let first = all.first else { return .sentence(words.noRecord) }
    guard all.count >= 2 else {
      let value = NumberFormat.learningRate(first.y)
      let step = words.stepName(Int(first.x))
      return .sentence(
        isKorean
          ? "학습률은 \(step)에서 " + KoreanParticle.copula.attached(to: value) + "(n = 1)."
          : "The learning rate is \(value) at \(step) (n = 1).")
    }
    let plot = plot(series)
    return .picture(
      try Rendering.picture(text, title: title, metadata: metadata, format: Format.learningRate, draw: plot.draw))
  }

  func plot(_ series: PreparedSeries) -> LinePlot {
    let all = series.all
    var marks: [LinePlot.Mark] = []
    if let top = all.map(\.y).max(), let peak = all.first(where: { $0.y == top }) {
      marks.append(
        LinePlot.Mark(
          datum: peak, label: words.peak(NumberFormat.learningRate(top)), hasRing: false, role: .first))
    }
    return LinePlot(
      title: title, subtitle: [text.subtitle ?? words.learningRateMeasure], run: text.run,
      source: [text.source, words.pointCount(all.count)].joined(separator: words.separator), language: text.language,
      series: [
        LinePlot.Series(
          name: words.learningRateTitle, role: .first, strong: series.pieces, faint: series.superseded,
          hasMarkers: all.count < Smoothing.leastPoints)
      ],
      marks: marks, resumes: resumes, epochs: epochs,
      notes: series.missing > 0 ? [words.withoutValue(series.missing)] : [],
      valueText: NumberFormat.learningRate, tickLabels: TickLabels.learningRate)
  }
}
