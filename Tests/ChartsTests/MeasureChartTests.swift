import Foundation
import Testing

@testable import Charts

@Suite struct MeasureChartTests {
  /// How many pixels have exactly this colour.
  private func count(_ colour: Colour, in png: [UInt8]) throws -> Int {
    let rgba = try PNGFile.decode(png).rgba
    return stride(from: 0, to: rgba.count, by: 4).count {
      UInt32(rgba[$0]) << 16 | UInt32(rgba[$0 + 1]) << 8 | UInt32(rgba[$0 + 2]) == colour.hex
    }
  }

  /// The picture's edge is the page's colour all around: a name that is too long for its place would run into it.
  @Test func noSampleIsCutByTheEdge() throws {
    for (name, chart) in SampleMeasures.charts {
      for image in try picture(chart).images {
        let file = try PNGFile.decode(image.png)
        let page = Array(file.rgba.prefix(4))
        let edge = (0..<file.height).flatMap { y in [0, file.width - 1].map { (y * file.width + $0) * 4 } }
        let inked = edge.count { Array(file.rgba[$0..<$0 + 4]) != page }
        #expect(inked == 0, "\(name) \(image.variant)")
      }
    }
  }

  @Test func everySampleIsDrawnInFourVariantsTwiceAlike() throws {
    for (name, chart) in SampleMeasures.charts {
      let first = try picture(chart)
      #expect(first.images.count == 4, "\(name)")
      #expect(try picture(chart) == first, "\(name)")
      #expect(!chart.alt.isEmpty && chart.alt.count <= AltText.limit(chart.text.language), "\(name)")
      #expect(chart.table.rows.count <= ChartTable.maximumRows, "\(name)")
      #expect(chart.table.rows.allSatisfy { $0.count == chart.table.columns.count }, "\(name)")
      if let place = ProcessInfo.processInfo.environment["LORAPRESS_LOOK"] {
        let folder = URL(fileURLWithPath: place)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for image in first.images {
          try Data(image.png).write(to: folder.appendingPathComponent(image.variant.fileName(name)))
        }
      }
    }
  }

  @Test func noneOneAndTwoPoints() throws {
    for measure in StepMeasure.allCases {
      let text = SampleCharts.text()
      func chart(_ points: [ChartPoint]) -> StepChart { StepChart(text: text, measure: measure, points: points) }
      #expect(try chart([]).render(metadata: []) == .sentence("기록 없음"))
      #expect(try chart([ChartPoint(step: 3, value: .nan)]).render(metadata: []) == .sentence("기록 없음"))
      guard case .sentence(let sentence) = try chart([ChartPoint(step: 3, value: 2e9)]).render(metadata: []) else {
        Issue.record("one point is drawn")
        return
      }
      #expect(sentence.contains("step 3") && sentence.hasSuffix("(n = 1)."))
      #expect(try picture(chart([ChartPoint(step: 3, value: 2), ChartPoint(step: 4, value: 3)])).images.count == 4)
    }
    #expect(try SampleMeasures.overlay(0).render(metadata: []) == .sentence("기록 없음"))
    guard case .sentence(let sentence) = try SampleMeasures.overlay(2, points: 1).render(metadata: []) else {
      Issue.record("two runs of one point are drawn")
      return
    }
    #expect(sentence.contains("n = 1"))
    let nothing = MetricBarsChart(text: SampleCharts.text(), bars: [], decimals: 1, count: 0)
    #expect(try nothing.render(metadata: []) == .sentence("기록 없음"))
  }

  @Test func memoryIsInGigabytes() throws {
    let points = [ChartPoint(step: 1, value: 3_100_000_000), ChartPoint(step: 2, value: 3_250_000_000)]
    let chart = StepChart(text: SampleCharts.text(), measure: .memory, points: points)
    #expect(chart.table.rows == [["1", "3.10"], ["2", "3.25"]])
    #expect(
      chart.alt == "메모리 사용 선 그래프. step 1부터 step 2까지 중앙값은 3.17\u{A0}GB, 가장 작은 값은 3.10\u{A0}GB, 가장 큰 값은 3.25\u{A0}GB다.")
  }

  /// A limit near the data is a dotted line in ink across the plot; far away it is only named.
  @Test func theLimitIsDrawnWhereItIsNear() throws {
    func ink(_ limit: ChartLimit?) throws -> Int {
      let chart = StepChart(
        text: SampleCharts.text(), measure: .gradientNorm, points: SampleMeasures.noisy(steps: 60, around: 1),
        limit: limit)
      return try count(Theme.light.ink, in: picture(chart).images[0].png)
    }
    let without = try ink(nil)
    let near = try ink(ChartLimit(name: "max_grad_norm", value: 1))
    let far = try ink(ChartLimit(name: "max_grad_norm", value: 100))
    // Two of five pixels of a line 600 px wide and 2.5 px high at 2×, less antialiased edges, and its label.
    #expect(near - without > 600)
    #expect(near - far > 600)
  }

  /// Up to six runs have colours of their own; of more, two do, and the rest are slate.
  @Test(arguments: [2, 4, 6, 8]) func runsKeepTheirColours(count runs: Int) throws {
    let image = try picture(SampleMeasures.overlay(runs)).images[0]
    // Slate is the colour of the axis too.
    for (index, colour) in Theme.light.series.enumerated() where index < 5 {
      let isUsed = runs > 6 ? index < 2 : index < runs
      #expect(try (count(colour, in: image.png) > 50) == isUsed, "\(runs) runs, colour \(index)")
    }
  }

  @Test func theTableNamesEveryRun() {
    let chart = SampleMeasures.overlay(8)
    #expect(chart.table.rows.map { $0[0] } == chart.runs.map(\.name))
    let lowest = chart.runs.indices.min {
      (chart.runs[$0].points.last?.value ?? 9) < (chart.runs[$1].points.last?.value ?? 9)
    }
    #expect(chart.table.bestRow == lowest)
  }

  /// A bar's length is its value: from the axis line at 0, in the bar's colour.
  @Test func barsBeginAtZeroAndAreAsLongAsTheirValues() throws {
    func lengths(_ values: [Double]) throws -> [Int] {
      let chart = MetricBarsChart(
        text: SampleCharts.text(),
        bars: values.map { MetricBarsChart.Bar(name: "x", value: $0, isBaseline: false) }, decimals: 1, fullScale: 100,
        count: 10)
      let file = try PNGFile.decode(picture(chart).images[0].png)
      let blue = Theme.light.colour(SeriesRole.first).hex
      var runs: [Int] = []
      var before = 0
      for y in 0..<file.height {
        let row = (0..<file.width).count { x in
          let at = (y * file.width + x) * 4
          return UInt32(file.rgba[at]) << 16 | UInt32(file.rgba[at + 1]) << 8 | UInt32(file.rgba[at + 2]) == blue
        }
        if row > 0, before == 0 { runs.append(row) }
        before = row
      }
      return runs
    }
    let found = try lengths([20, 40, 80])
    #expect(found.count == 3)
    #expect(abs(found[1] - 2 * found[0]) <= 3 && abs(found[2] - 4 * found[0]) <= 5)
  }

  /// A run without the value keeps its row; one value alone needs no picture.
  @Test func barsOfRunsNameEachOfThem() throws {
    var chart = SampleMeasures.runBars()
    #expect(chart.title == "학습 중 최대 메모리")
    #expect(
      chart.alt.hasPrefix("실행 4개의 막대그래프, 학습 중 최대 메모리. korean-textbooks-weights-f32 4.93 GB.")
        && !chart.alt.contains("int8"))
    #expect(chart.table.rows.map { $0[1] } == ["4.93 GB", "3.81 GB", "—", "3.2 GB"])
    chart.bars = [chart.bars[2], chart.bars[3]]
    #expect(try chart.render(metadata: []) == .sentence("korean-textbooks-weights-nf4: 3.2 GB."))
    chart.bars = [chart.bars[0]]
    guard case .sentence = try chart.render(metadata: []) else {
      Issue.record("a chart without values was drawn")
      return
    }
  }

  @Test func intervalsAreShownOrTheirAbsenceIsSaid() throws {
    #expect(SampleMeasures.bars().valueText(SampleMeasures.bars().bars[0]) == "6.2 [3.9, 8.8]")
    #expect(SampleMeasures.bars().subtitle == ["95% 신뢰구간(부트스트랩 1,000회)", "n = 200"])
    #expect(SampleMeasures.bars(intervals: false).subtitle == ["구간 없음", "n = 200"])
    #expect(SampleMeasures.bars(.en, intervals: false).subtitle == ["no interval", "n = 200"])
  }

  @Test func aHundredThousandPointsAreDrawnInAReadablePicture() throws {
    let chart = StepChart(
      text: SampleCharts.text(), measure: .throughput, points: SampleMeasures.noisy(steps: 100_000, around: 150))
    let image = try picture(chart).images[0]
    #expect(image.png.count < 200_000)
    #expect(chart.table.rows.count == ChartTable.maximumRows)
  }
}

@Suite struct CardTests {
  @Test func everyCardIsDrawnTwiceAlikeInItsSizes() throws {
    for (name, card) in SampleMeasures.cards {
      let first = try card.render(metadata: [])
      #expect(try card.render(metadata: []) == first, "\(name)")
      #expect(
        first.images.map { [$0.pixelWidth, $0.pixelHeight] }
          == [1, 2, 2].map { [card.size.width * $0, card.size.height * $0] }, "\(name)")
      #expect(first.images.map { $0.variant.fileName("x") } == ["x.png", "x@2x.png", "x@2x.dark.png"])
      let read = try PNGFile.readTexts(first.images[0].png)
      #expect(read.text("Title") == card.title, "\(name)")
      if let place = ProcessInfo.processInfo.environment["LORAPRESS_LOOK"] {
        let folder = URL(fileURLWithPath: place).appendingPathComponent("cards")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for image in first.images {
          try Data(image.png).write(to: folder.appendingPathComponent(image.variant.fileName(name)))
        }
      }
    }
  }

  @Test func whatIsCutIsCounted() throws {
    let cards = Dictionary(uniqueKeysWithValues: SampleMeasures.cards.map { ($0.name, $0.card) })
    let long = try #require(cards["before-after"]).render(metadata: [])
    #expect(
      long.warnings.count == 1 && long.warnings[0].contains("학습 후 · LoRA r=16 ") && long.warnings[0].hasSuffix("자 줄임"))
    let code = try #require(cards["code"]).render(metadata: [])
    #expect(
      code.warnings.contains { $0.hasSuffix("23행 중 20행") } && code.warnings.contains { $0.hasSuffix("긴 줄 1개는 끝을 줄임") })
    #expect(try #require(cards["og"]).render(metadata: []).warnings.isEmpty)
    #expect(try #require(cards["og-long"]).render(metadata: []).warnings.count == 1)
  }

  @Test func aVerdictOrANumberIsNeverCut() {
    let wide = String(repeating: "아주 긴 판정 ", count: 20)
    let card = QuestionAnswerCard(
      question: "질문", reference: "답", referenceName: "기준 답", answers: [.init(name: "학습 후", text: "답", verdict: wide)],
      footer: [], language: .ko)
    #expect(throws: CardRefusal.self) { try card.render(metadata: []) }
    let numbers = MetricsCard(
      title: "점수", beforeName: "전", afterName: "후",
      rows: [.init(name: "손실", before: String(repeating: "1", count: 40), after: "2", isAfterBetter: nil)], footer: [],
      language: .ko)
    #expect(throws: CardRefusal.self) { try numbers.render(metadata: []) }
  }
}
