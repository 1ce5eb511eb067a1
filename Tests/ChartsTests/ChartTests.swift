import Foundation
import Testing

@testable import Charts

@Suite struct ChartTests {
  private func points(_ values: [Double?]) -> [ChartPoint] {
    values.enumerated().map { ChartPoint(step: $0.offset + 1, value: $0.element) }
  }

  // MARK: Pictures

  @Test func sameInputSameBytesWhateverTheEnvironment() throws {
    let chart = SampleCharts.loss()
    let first = try picture(chart)
    let old = ["LC_ALL", "LANG", "TZ"].map { ($0, ProcessInfo.processInfo.environment[$0]) }
    defer { for (name, value) in old { value.map { _ = setenv(name, $0, 1) } ?? { _ = unsetenv(name) }() } }
    setenv("LC_ALL", "ja_JP.UTF-8", 1)
    setenv("LANG", "de_DE.UTF-8", 1)
    setenv("TZ", "Asia/Seoul", 1)
    setlocale(LC_ALL, "")
    defer { setlocale(LC_ALL, "C") }
    // A new thread has a font map of its own, so nothing cached hides a difference.
    let box = PictureBox()
    let thread = Thread { box.finish(Result { try picture(chart) }) }
    thread.start()
    #expect(try box.wait() == first)
  }

  @Test func variantsHaveTheirSizesAndDiffer() throws {
    let images = try picture(SampleCharts.loss()).images
    #expect(
      images.map { [$0.width, $0.height, $0.pixelWidth, $0.pixelHeight] } == [
        [680, 420, 1360, 840], [680, 420, 1360, 840], [360, 360, 1080, 1080], [360, 360, 1080, 1080],
      ])
    #expect(
      images.map { $0.variant.fileName("loss") } == [
        "loss.png", "loss.dark.png", "loss.phone.png", "loss.phone.dark.png",
      ])
    #expect(Set(images.map(\.png)).count == 4)
    let corners = try images.map { try Array(PNGFile.decode($0.png).rgba.prefix(4)) }
    #expect(
      corners == [[255, 255, 255, 255], [0x14, 0x17, 0x1B, 255], [255, 255, 255, 255], [0x14, 0x17, 0x1B, 255]])
    #expect(try picture(SampleCharts.cosine()).images.map(\.height) == [260, 260, 240, 240])
    let lengths = HistogramChart(text: SampleCharts.text(), lengths: SampleCharts.lengths(count: 100))
    #expect(try picture(lengths).images.map(\.height) == [340, 340, 300, 300])
  }

  @Test func seriesColoursAreExactInThePicture() throws {
    let image = try picture(SampleCharts.loss()).images[0]
    let rgba = try PNGFile.decode(image.png).rgba
    var found: Set<UInt32> = []
    for index in stride(from: 0, to: rgba.count, by: 4) {
      found.insert(rgba[index..<index + 3].reduce(0) { $0 << 8 | UInt32($1) })
    }
    for colour in [Theme.light.page, Theme.light.ink, Theme.light.grid, Theme.light.axis] + Theme.light.series.prefix(2)
    {
      #expect(found.contains(colour.hex))
    }
    #expect(found.count <= 256)
  }

  @Test func titleRunAndHashAreInThePNG() throws {
    let hash = String(repeating: "0f", count: 32)
    let metadata = ChartMetadata.provenance(run: "r16", source: "log/metrics.jsonl", sha256: hash)
    for image in try picture(SampleCharts.loss(title: "손실이 내렸다"), metadata: metadata).images {
      let file = try PNGFile.readTexts(image.png)
      #expect(file.texts == [ChartMetadata(key: "Title", value: "손실이 내렸다")] + metadata)
    }
  }

  @Test func missingFontNamesTheRemedy() {
    let error = #expect(throws: ChartsError.self) { try Typesetter(language: .ko, family: "No Such Font KR") }
    #expect(error?.description.contains("apt-get install fonts-noto-cjk") == true)
    #expect(error?.description.contains("\n") == false)
  }

  @Test func emojiAndUnknownCharactersAreLeftOutAndReported() throws {
    let plain = try picture(SampleCharts.loss(title: "손실이 내렸다"), metadata: [ChartMetadata(key: "Title", value: "-")])
    let emoji = try picture(
      SampleCharts.loss(title: "손실이 🎉 내렸다👨‍👩‍👧\u{10FFFD}"), metadata: [ChartMetadata(key: "Title", value: "-")])
    #expect(plain.warnings.isEmpty)
    #expect(emoji.images == plain.images)
    #expect(emoji.warnings.count == 1)
    #expect(emoji.warnings[0].contains("🎉"))
  }

  @Test func longTitlesAreCutAtAWordAndReported() throws {
    let title = String(repeating: "아주 긴 제목이 이어진다 ", count: 20)
    let picture = try picture(SampleCharts.loss(title: title))
    #expect(picture.warnings.count == 2)
    let type = try Typesetter(language: .ko)
    let lines = type.wrap(title, .title(isPhone: true), width: 336, lines: 2)
    #expect(lines.isCut && lines.lines.count == 2)
    #expect(lines.lines[1].hasSuffix("…"))
    #expect(lines.lines.allSatisfy { type.width($0, .title(isPhone: true)) <= 336 })
    for line in lines.lines {
      for word in line.replacingOccurrences(of: "…", with: "").split(separator: " ") {
        #expect(["아주", "긴", "제목이", "이어진다"].contains(word))
      }
    }
  }

  @Test func everyWordOfTheRoomHasGlyphs() throws {
    let type = try Typesetter(language: .ko)
    for text in ["▲▼", "…", "−1.5e-4", "~–", "○×△", "°", "·", "—", "최저 1.455 · step 1,400"] {
      #expect(type.clean(text) == text)
      #expect(!type.hasUnknownGlyphs(text))
    }
    #expect(type.hasUnknownGlyphs("\u{10FFFD}"))
    #expect(type.omitted.isEmpty)
  }

  @Test func thePeakOfALearningRateIsNamedAboveTheLine() throws {
    let chart = SampleCharts.cosine()
    let surface = try Surface(
      format: .learningRate(isPhone: false), theme: .light, type: Typesetter(language: .ko))
    let frame = chart.plot(chart.series).draw(on: surface)
    let label = try #require(frame.labels.last)
    #expect(label.bottom < frame.plot.top + 6 && label.left > frame.plot.left - 7)
  }

  // MARK: Small and awkward data

  @Test func noneOrOneValueIsASentence() throws {
    func sentence(_ chart: any Chart) throws -> String? {
      if case .sentence(let text) = try chart.render(metadata: []) { return text }
      return nil
    }
    let text = SampleCharts.text()
    #expect(try sentence(LossChart(text: text, train: [], evaluation: [])) == "기록 없음")
    #expect(try sentence(LossChart(text: text, train: points([nil, .nan, .infinity]), evaluation: [])) == "기록 없음")
    #expect(
      try sentence(LossChart(text: text, train: [], evaluation: [ChartPoint(step: 20, value: 1.4556)]))
        == "검증 손실은 step 20에서 1.456이다(n = 1).")
    #expect(
      try sentence(LossChart(text: SampleCharts.text(.en), train: points([2.5]), evaluation: []))
        == "Train loss is 2.5 at step 1 (n = 1).")
    #expect(try sentence(LearningRateChart(text: text, points: [])) == "기록 없음")
    #expect(try sentence(LearningRateChart(text: text, points: points([2e-4]))) == "학습률은 step 1에서 2e-4다(n = 1).")
    #expect(try sentence(HistogramChart(text: text, lengths: [])) == "기록 없음")
    #expect(try sentence(HistogramChart(text: text, lengths: [64])) == "토큰 길이는 64토큰이다(n = 1).")
  }

  @Test(arguments: [2, 3, 29, 30])
  func smoothingStartsAtThirtyPoints(count: Int) throws {
    let chart = LossChart(text: SampleCharts.text(), train: SampleCharts.trainLoss(steps: count), evaluation: [])
    let plot = chart.plot(LossData(chart))
    #expect(plot.series[0].hasMarkers == (count < 30))
    #expect(plot.series[0].faint.isEmpty == (count < 30))
    #expect(plot.series[0].isPair == (count == 2))
    #expect(plot.subtitle.contains { $0.contains("이동평균") } == (count >= 30))
    #expect(try picture(chart).warnings.isEmpty)
  }

  @Test func outliersAreClippedAndCounted() throws {
    var train = (1...400).map { ChartPoint(step: $0, value: 2 + 0.1 * Double($0 % 7)) }
    train[100].value = 8.41
    train[101].value = 5
    train[300].value = 0.25
    let chart = LossChart(text: SampleCharts.text(), train: train, evaluation: [])
    let plot = chart.plot(LossData(chart))
    let axis = plot.yAxis(height: 256)
    #expect(axis.upper < 4)
    #expect(plot.clippingNotes(axis) == ["▲ 범위 밖 2점, 최대 8.41", "▼ 범위 밖 1점, 최소 0.25"])
    #expect(chart.alt.contains("원값 3점은 그림의 범위 밖이다."))
  }

  @Test func unsmoothedValuesAndEvaluationsAreNeverClipped() {
    let train = points([2, 2.1, 900, 2.2])
    let chart = LossChart(
      text: SampleCharts.text(), train: train,
      evaluation: [ChartPoint(step: 2, value: 4), ChartPoint(step: 4, value: 3)])
    let plot = chart.plot(LossData(chart))
    #expect(plot.yAxis(height: 256).upper >= 900)
    #expect(plot.clippingNotes(plot.yAxis(height: 256)).isEmpty)
  }

  @Test func bestIsTheEarliestOfEqualEvaluations() {
    let chart = LossChart(text: SampleCharts.text(), train: [], evaluation: points([3, 1.5, 2, 1.5, 2]))
    let data = LossData(chart)
    #expect(data.best == Datum(x: 2, y: 1.5))
    #expect(chart.plot(data).marks.map(\.label) == ["최저 1.5 · step 2"])
    #expect(chart.table.bestRow == 1)
  }

  @Test func logScaleOnlyForPositiveValues() {
    let positive = LossChart(text: SampleCharts.text(), train: points([3, 2, 1]), evaluation: [], logScale: true)
    #expect(positive.plot(LossData(positive)).isLog)
    let zero = LossChart(text: SampleCharts.text(), train: points([3, 0, 1]), evaluation: [], logScale: true)
    #expect(!zero.plot(LossData(zero)).isLog)
    #expect(Words(language: .ko).notLog == "0 이하 값이 있어 선형 눈금")
  }

  @Test func awkwardDataStillDraws() throws {
    let text = SampleCharts.text()
    let charts: [any Chart] = [
      LossChart(text: text, train: points([nil, 1, nil, 2, nil]), evaluation: [], resumes: [0, 3, 99], epochs: []),
      LossChart(text: text, train: points([1e308, -1e308, 1e300]), evaluation: []),
      LossChart(text: text, train: points([.leastNonzeroMagnitude, 0]), evaluation: [], logScale: true),
      LossChart(
        text: text,
        train: [ChartPoint(step: .max, value: 1), ChartPoint(step: .min, value: 2), ChartPoint(step: 0, value: 1)],
        evaluation: []),
      LossChart(text: text, train: (1...5000).map { ChartPoint(step: $0, value: sin(Double($0))) }, evaluation: []),
      LearningRateChart(text: text, points: points([0, 0, 0])),
      HistogramChart(text: text, lengths: [0, .max, -5, 3]),
      HistogramChart(text: text, lengths: [Int](repeating: 0, count: 30)),
      HistogramChart(
        text: text, lengths: [5, 6], cutOff: HistogramCutOff(name: "max_length", limit: .max, action: .dropped)),
    ]
    for chart in charts {
      #expect(try picture(chart).images.count == 4)
      #expect(!chart.alt.isEmpty)
      #expect(!chart.table.rows.isEmpty)
    }
  }

  // MARK: Words

  @Test func altTextsNameStartBestAndEnd() {
    let evaluation = [(200, 2.043), (800, 1.6), (1400, 1.455), (2000, 1.569)].map {
      ChartPoint(step: $0.0, value: $0.1)
    }
    let train = [(1, 3.0), (2000, 1.142)].map { ChartPoint(step: $0.0, value: $0.1) }
    #expect(
      LossChart(text: SampleCharts.text(), train: train, evaluation: evaluation).alt
        == "학습·검증 손실 선 그래프. 검증 손실은 step 200의 2.043에서 step 1,400의 1.455까지 내려간 뒤 step 2,000에 1.569로 올랐다. "
        + "학습 손실은 1.142로 끝났다.")
    #expect(
      LossChart(text: SampleCharts.text(.en), train: [], evaluation: evaluation).alt
        == "Line chart of evaluation loss. Evaluation loss falls from 2.043 (step 200) to 1.455 (step 1,400), "
        + "then rises to 1.569 (step 2,000).")
    #expect(
      SampleCharts.cosine().alt == "학습률 선 그래프. step 15에 최대 2e-4에 이른 뒤 step 500에 0으로 끝났다.")
    let lengths = [Int](1...300) + [400, 500]
    let cut = HistogramCutOff(name: "max_length", limit: 300, action: .truncated)
    #expect(
      HistogramChart(text: SampleCharts.text(), lengths: lengths, cutOff: cut).alt
        == "토큰 길이 히스토그램. 302행의 중앙값은 151.5토큰, 가장 짧은 행은 1, 가장 긴 행은 500토큰이다. max_length 300 기준 잘림 2건(0.7%)이다.")
  }

  @Test func altTextsStayWithinTheirLimits() {
    for (name, chart) in SampleCharts.all {
      #expect(chart.alt.count <= AltText.limit(chart.text.language), "\(name)")
      #expect(chart.alt.hasSuffix("."))
      #expect(!chart.alt.contains("\n") && !chart.alt.contains("  "))
    }
    let long = AltText.joined(["문장 하나.", String(repeating: "가", count: 200)], language: .ko)
    #expect(long == "문장 하나.")
  }

  @Test func tablesHoldTheBestAndAtMostFiftyRows() throws {
    for (_, chart) in SampleCharts.all {
      let table = chart.table
      #expect((1...ChartTable.maximumRows).contains(table.rows.count))
      #expect(table.rows.allSatisfy { $0.count == table.columns.count })
    }
    let table = SampleCharts.loss().table
    #expect(table.columns.map(\.name) == ["step", "학습 손실", "학습 손실 이동평균", "검증 손실"])
    #expect(table.rows.first?[0] == "1" && table.rows.last?[0] == "517")
    let best = try #require(table.bestRow)
    #expect(table.rows[best][3] == "1.445")
    #expect(table.rows[0][3] == "—")
    #expect(table.rows.filter { $0[3] != "—" }.count == 13)
  }
}

/// Hands a result from one thread to another.
private final class PictureBox: @unchecked Sendable {
  private let done = DispatchSemaphore(value: 0)
  private var result: Result<ChartPicture, any Error>?

  func finish(_ result: Result<ChartPicture, any Error>) {
    self.result = result
    done.signal()
  }

  func wait() throws -> ChartPicture? {
    done.wait()
    return try result?.get()
  }
}
