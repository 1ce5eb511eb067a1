import Testing

@testable import Charts

@Suite struct SeriesTests {
  @Test(arguments: [
    (30, 5), (75, 5), (89, 5), (91, 7), (200, 13), (500, 33), (510, 33), (517, 35), (1515, 101), (100_000, 101),
  ])
  func window(count: Int, expected: Int) {
    #expect(Smoothing.window(count: count) == expected)
  }

  @Test func movingMeanIsCentredAndShrinksAtTheEnds() {
    #expect(Smoothing.movingMean([1, 2, 3, 4, 10], window: 3) == [1.5, 2, 3, 17.0 / 3, 7])
    #expect(Smoothing.movingMean([4], window: 5) == [4])
    #expect(Smoothing.movingMean([1e308, 1e308, 1e308], window: 3).allSatisfy { $0.isFinite })
  }

  @Test func linesBreakAtMissingValuesResumesAndGaps() {
    let points = [1, 2, 3, 4, 5, 6, 20, 21].map { ChartPoint(step: $0, value: $0 == 3 ? .nan : Double($0)) }
    let series = PreparedSeries(points, resumes: [6], breaksAtGaps: true)
    #expect(series.pieces.map { $0.map(\.x) } == [[1, 2], [4, 5], [6], [20, 21]])
    #expect(series.missing == 1)
    #expect(series.count == 7)
    let joined = PreparedSeries(points, breaksAtGaps: false)
    #expect(joined.pieces.map { $0.map(\.x) } == [[1, 2], [4, 5, 6, 20, 21]])
  }

  @Test func smoothingRestartsAtAResume() {
    let pieces = [[Datum(x: 1, y: 0), Datum(x: 2, y: 0)], [Datum(x: 3, y: 9), Datum(x: 4, y: 9)]]
    #expect(Smoothing.smooth(pieces, window: 5) == pieces)
  }

  @Test func laterRunsReplaceRepeatedSteps() {
    let points = [(1, 1.0), (2, 2), (3, 3), (2, 20), (3, 30), (4, 40)].map { ChartPoint(step: $0.0, value: $0.1) }
    let series = PreparedSeries(points, resumes: [2], breaksAtGaps: true)
    #expect(series.all.map(\.y) == [1, 20, 30, 40])
    #expect(series.superseded.map { $0.map(\.y) } == [[2, 3]])
    #expect(series.missing == 0)
  }

  @Test func quantiles() {
    #expect(Statistics.quantile([1, 2, 3, 4], 0.5) == 2.5)
    #expect(Statistics.quantile([1], 0.99) == 1)
    #expect(Statistics.quantile([], 0.5).isNaN)
  }

  @Test func labelsAreSpreadInOrderAndStayInRange() {
    #expect(Placement.spread([100, 105], gap: 18, range: 0...200) == [93.5, 111.5])
    #expect(Placement.spread([105, 100], gap: 18, range: 0...200) == [111.5, 93.5])
    #expect(Placement.spread([198, 199, 200], gap: 18, range: 0...200) == [164, 182, 200])
    #expect(Placement.spread([10, 90], gap: 18, range: 0...200) == [10, 90])
    #expect(Placement.spread([], gap: 18, range: 0...200).isEmpty)
  }

  @Test func labelsAvoidLinesAndOtherLabels() {
    let boxes = [Box(left: 0, top: 0, width: 10, height: 10), Box(left: 0, top: 40, width: 10, height: 10)]
    let bounds = Box(left: -5, top: -5, width: 100, height: 100)
    let line = [Spot(x: -20, y: 5), Spot(x: 50, y: 5)]
    #expect(Placement.best(boxes, bounds: bounds, labels: [], lines: [line]) == 1)
    #expect(Placement.best(boxes, bounds: bounds, labels: [boxes[1]], lines: [line]) == 0)
    #expect(Placement.best(boxes, bounds: bounds, labels: [], lines: []) == 0)
  }

  @Test func tableRowsAreSampledEvenlyWithTheKept() {
    #expect(TableRows.sampled(count: 7, kept: [3]) == Array(0..<7))
    let rows = TableRows.sampled(count: 1000, kept: [0, 777, 999])
    #expect(rows.count == 50)
    #expect(rows.contains(777) && rows.first == 0 && rows.last == 999)
    #expect(zip(rows, rows.dropFirst()).allSatisfy { $1 > $0 && $1 - $0 < 30 })
    #expect(TableRows.sampled(count: 0, kept: []).isEmpty)
  }

  @Test(arguments: [([Int](0..<700), 8...40), ([Int](repeating: 64, count: 40), 1...1), ([3, 4, 5, 5, 6], 4...4)])
  func histogramBins(values: [Int], count: ClosedRange<Int>) {
    let bins = HistogramBins(values)
    #expect(count.contains(bins.counts.count))
    #expect(bins.counts.reduce(0, +) == values.count)
    #expect(bins.start <= values.min() ?? 0 && bins.end > values.max() ?? 0)
    #expect(LadderStep.nearest(Double(bins.width)).value == Double(bins.width))
  }

  @Test func histogramWidthIsFreedmanDiaconisOnTheLadder() {
    // 2 × IQR 349.5 / 700^(1/3) = 78.7, nearest to 100 by ratio: 7 bins, too few, so 50.
    #expect(HistogramBins([Int](0..<700)).width == 50)
    // 2 × 499.5 / 10 = 99.9.
    #expect(HistogramBins([Int](0..<1000)).width == 100)
    // Half the values equal: the IQR is 0, but the range still gives bins.
    #expect(HistogramBins([Int](repeating: 10, count: 90) + [Int](0..<10) + [1000]).counts.count >= 8)
  }
}
