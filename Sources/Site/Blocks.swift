import Charts
import Foundation
import Formats
import Runs

/// The blocks of a post, made from one run.
struct Blocks: Sendable {
  let run: RunData
  let words: SiteWords
  let ledger: Ledger
  let charts: RunCharts

  var language: SiteLanguage { words.language }

  func caption(_ own: String?, _ generated: String, file: String?) -> Rich {
    let text = own ?? generated
    return .text([text, file.map(words.from)].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " "))
  }

  func table(_ table: DataTable, caption: Rich) -> Rich {
    table.captioned(caption, number: ledger.nextTable(), words: words)
  }

  /// What stands where a stage has left nothing.
  func missing(_ what: String) -> Rich {
    let text = "\(what): \(words.noRecord)."
    return Rich(html: "<p class=\"empty\">\(Escape.html(text))</p>\n", markdown: Escape.markdown(text), plain: text)
  }

  // MARK: Charts

  func chart(_ kind: ChartKind, finding: String?, caption own: String?, logScale: Bool) throws -> Rich {
    let chart = try charts.draw(kind, run: run, finding: finding, logScale: logScale, language: language)
    for warning in chart.warnings { ledger.warn("chart \(kind.rawValue) of run \(run.id): \(warning)") }
    return figure(chart, base: kind.base, caption: own, reading: reading(kind, chart))
  }

  /// One metric of several runs in one picture.
  func overlay(
    _ metric: RunsOverlayChart.Metric, runs: [RunData], finding: String?, caption own: String?, logScale: Bool
  ) throws -> Rich {
    let chart = try charts.overlay(metric, runs: runs, finding: finding, logScale: logScale, language: language)
    for warning in chart.warnings { ledger.warn("overlay of \(metric.rawValue): \(warning)") }
    let reading = words.pick(
      "실행마다 색과 무늬, 표식이 다르다.", "Each run has its own colour, dash and marker.")
    return figure(
      chart, base: "runs-" + metric.rawValue.replacing("_", with: "-"), caption: own, reading: reading)
  }

  /// One measured value of several runs as bars.
  func bars(_ metric: ComparedMetric, runs: [RunData], finding: String?, caption own: String?) throws -> Rich {
    let chart = try charts.bars(metric, runs: runs, finding: finding, language: language)
    for warning in chart.warnings { ledger.warn("compare_bars of \(metric.name): \(warning)") }
    let reading =
      switch metric.better {
      case .lower: words.pick("막대가 짧을수록 좋다.", "Shorter is better.")
      case .higher: words.pick("막대가 길수록 좋다.", "Longer is better.")
      case .neither: ""
      }
    let base = "runs-" + String(metric.name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    return figure(chart, base: base, caption: own, reading: reading)
  }

  /// A drawn chart with its caption and its values as a table.
  private func figure(_ chart: DrawnChart, base name: String, caption own: String?, reading: String) -> Rich {
    guard let wide = image(chart, isPhone: false, isDark: false) else {
      let text = chart.sentence ?? words.noRecord
      return Rich(html: "<p class=\"empty\">\(Escape.html(text))</p>\n", markdown: Escape.markdown(text), plain: text)
    }
    let number = ledger.nextFigure()
    let base = ledger.addImages(base: name) { base in
      chart.images.map { (name: $0.variant.fileName(base), data: Data($0.png)) }
    }
    let caption = self.caption(own, reading, file: chart.file)
    let name = words.figure(number)
    var html = "<figure class=\"chart\">\n"
    html += picture(chart, base: base, isDark: false) + picture(chart, base: base, isDark: true)
    html += "<figcaption>\n<p><b>\(name)</b> \(caption.html)</p>\n<details>\n<summary>\(words.showTable)</summary>\n"
    html += chart.table.html(label: words.chartData(number)) + "</details>\n</figcaption>\n</figure>\n"
    let markdown = "![\(Escape.markdown(chart.alt))](\(wide.variant.fileName(base)))\n\n**\(name)** \(caption.markdown)"
    return Rich(html: html, markdown: markdown, plain: name)
  }

  private func image(_ chart: DrawnChart, isPhone: Bool, isDark: Bool) -> ChartImage? {
    chart.images.first { $0.variant == ChartVariant(isPhone: isPhone, isDark: isDark) }
  }

  private func picture(_ chart: DrawnChart, base: String, isDark: Bool) -> String {
    guard let wide = image(chart, isPhone: false, isDark: isDark),
      let phone = image(chart, isPhone: true, isDark: isDark)
    else { return "" }
    func size(_ image: ChartImage) -> String { "width=\"\(image.width)\" height=\"\(image.height)\"" }
    let name = isDark ? "class=\"on-dark\" hidden" : "class=\"on-light\""
    return "<picture \(name)><source media=\"(max-width:35rem)\" srcset=\"\(phone.variant.fileName(base))\">"
      + "<img src=\"\(wide.variant.fileName(base))\" \(size(wide)) alt=\"\(Escape.html(chart.alt))\"></picture>\n"
  }

  /// One or two sentences on how to read the picture.
  private func reading(_ kind: ChartKind, _ chart: DrawnChart) -> String {
    switch kind {
    case .loss:
      let line =
        chart.isSmoothed
        ? words.pick(
          "진한 선은 학습 손실의 이동평균, 옅은 선은 원값이다.",
          "The strong line is the moving average of train loss, the faint one its raw values.")
        : words.pick("선은 학습 손실의 원값이다.", "The line is train loss as measured.")
      return line
        + words.pick(
          " 네모는 검증 손실이고 고리는 그중 가장 낮은 값이다.", " Squares are evaluation loss; the ring marks its lowest value.")
    case .learningRate:
      return words.pick("step마다 실제로 쓴 학습률이다.", "The learning rate each step was taken with.")
    case .tokenLengths:
      return words.pick(
        "막대는 그 길이(토큰)의 행 수이다. 길이는 질문과 답, 채팅 템플릿의 기호를 모두 센다.",
        "Bars count rows of that length in tokens: prompt, answer and the chat template's marks together.")
    case .gradientNorm:
      return words.pick(
        "어댑터 기울기의 크기를 자르기 전에 잰 값이다. 점선이 있으면 그 위에서는 점선 높이로 줄여 썼다.",
        "The norm of the adapter's gradient before clipping; above a dotted line it was scaled down to that line.")
    case .throughput:
      return words.pick("한 step에서 계산한 토큰 수를 걸린 시간으로 나눈 값이다.", "Tokens computed in a step over the time it took.")
    case .memory:
      return words.pick(
        "그때까지 프로세스가 쓴 가장 큰 메모리이므로 줄어들지 않는다.",
        "The most memory the process had used up to that step, so it never falls.")
    case .metricBars, .rougeBars:
      return words.pick(
        "회색은 기반 모델, 파란색은 학습한 모델이고 값이 클수록 좋다.", "Slate is the base model, blue the tuned one; higher is better.")
    }
  }

  // MARK: Code

  static func code(
    _ code: String, language: String, file: String, lines: String?, words: SiteWords,
    highlight: (String, String) -> String
  ) -> Rich {
    let label = lines.map { "\(file) \($0)" } ?? file
    let pre = "<pre tabindex=\"0\" role=\"group\" aria-label=\"\(Escape.html("\(words.code): \(label)"))\">"
    let name = "<code>\(Escape.html(file))</code>" + (lines.map { " \(Escape.html($0))" } ?? "")
    let html =
      "<figure class=\"code\">\n<figcaption>\(name)</figcaption>\n\(pre)<code>\(highlight(code, language))</code></pre>\n</figure>\n"
    let heading = Escape.markdownCode(file) + (lines.map { " \(Escape.markdown($0))" } ?? "")
    return Rich(html: html, markdown: "\(heading)\n\n\(Escape.markdownBlock(code, language: language))", plain: file)
  }

  static func note(_ callout: Callout, _ text: String, words: SiteWords) -> Rich {
    let word = callout.word(words.language)
    let html = callout.html("<p><strong>\(word)</strong> \(Escape.htmlLines(text))</p>\n")
    return Rich(html: html, markdown: "> **\(word)** \(Escape.markdown(text))", plain: text)
  }
}
