import Foundation

@testable import Charts

/// Step measures, overlays, bars and cards like those of real runs, and the awkward ones.
enum SampleMeasures {
  private static func text(_ language: ChartLanguage = .ko, title: String? = nil) -> ChartText {
    SampleCharts.text(language, title: title)
  }

  static func noisy(steps: Int, around centre: Double, seed: UInt64 = 5) -> [ChartPoint] {
    var noise = SampleNoise(seed: seed)
    return (0..<max(steps, 0)).map { step in
      let value = centre * (1 + 0.15 * noise.normal())
      return ChartPoint(step: step + 1, value: max(centre * 0.1, value))
    }
  }

  static func runs(_ count: Int, points: Int) -> [RunsOverlayChart.Run] {
    (0..<max(count, 0)).map { index in
      var noise = SampleNoise(seed: UInt64(index + 1))
      let floor = 1.2 + 0.12 * Double((index * 5) % 7)
      let values = (0..<max(points, 0)).map { place in
        let progress = Double(place) / Double(max(points - 1, 1))
        return ChartPoint(step: (place + 1) * 20, value: floor + 1.7 * exp(-progress * 5) + 0.02 * noise.normal())
      }
      return RunsOverlayChart.Run(name: "r\(4 << index)-\(index.isMultiple(of: 2) ? "2e-4" : "7e-4")", points: values)
    }
  }

  static func overlay(
    _ count: Int, points: Int = 12, _ metric: RunsOverlayChart.Metric = .evaluationLoss,
    _ language: ChartLanguage = .ko
  ) -> RunsOverlayChart {
    RunsOverlayChart(text: text(language), metric: metric, runs: runs(count, points: points))
  }

  /// Runs named after data and model, alike but for their ends.
  static func longNames(_ names: [String]) -> RunsOverlayChart {
    var chart = overlay(names.count)
    for (index, name) in names.enumerated() { chart.runs[index].name = "korean-textbooks-qwen2.5-0.5b\(name)" }
    return chart
  }

  static func bars(_ language: ChartLanguage = .ko, intervals: Bool = true) -> MetricBarsChart {
    let names = language == .ko ? ["기반", "학습 후"] : ["base", "tuned"]
    let values: [(String, Double, Double)] = [("BLEU", 6.2, 14.8), ("chrF", 17.1, 31.9)]
    let bars = values.flatMap { name, base, tuned in
      [(base, true), (tuned, false)].map { value, isBase in
        MetricBarsChart.Bar(
          name: "\(name) · \(names[isBase ? 0 : 1])", value: value,
          interval: intervals ? (value - 2.3)...(value + 2.6) : nil, isBaseline: isBase)
      }
    }
    return MetricBarsChart(
      text: text(language), bars: bars, decimals: 1,
      method: language == .ko ? "95% 신뢰구간(부트스트랩 1,000회)" : "95% interval (1,000 bootstrap samples)", count: 200)
  }

  static func runBars(_ language: ChartLanguage = .ko, title: String? = nil) -> RunBarsChart {
    let values: [(String, Double?)] = [("f32", 4.93), ("bf16", 3.81), ("int8", nil), ("nf4", 3.2)]
    return RunBarsChart(
      text: text(language, title: title), measure: language == .ko ? "학습 중 최대 메모리" : "Peak memory in training",
      unit: "GB",
      bars: values.map { name, value in
        RunBarsChart.Bar(
          name: "korean-textbooks-weights-\(name)", value: value, shown: value.map { "\($0) GB" } ?? "—")
      })
  }

  static var charts: [(name: String, chart: any Chart)] {
    var gaps = noisy(steps: 200, around: 1.2)
    for index in 60..<75 { gaps[index].value = nil }
    gaps[120].value = 48
    return [
      (
        "norm",
        StepChart(
          text: text(), measure: .gradientNorm, points: gaps, limit: ChartLimit(name: "max_grad_norm", value: 1),
          resumes: [140], epochs: [EpochMark(step: 100, epoch: 1), EpochMark(step: 200, epoch: 2)])
      ),
      (
        "norm-far-en",
        StepChart(
          text: text(.en), measure: .gradientNorm, points: noisy(steps: 80, around: 0.2),
          limit: ChartLimit(name: "max_grad_norm", value: 10))
      ),
      ("speed", StepChart(text: text(), measure: .throughput, points: noisy(steps: 400, around: 155))),
      (
        "speed-log",
        StepChart(text: text(.en), measure: .throughput, points: noisy(steps: 400, around: 155), logScale: true)
      ),
      (
        "memory",
        StepChart(
          text: text(), measure: .memory,
          points: (1...300).map { ChartPoint(step: $0, value: 3.1e9 + 4e8 * min(1, Double($0) / 40)) })
      ),
      ("norm-many", StepChart(text: text(), measure: .gradientNorm, points: noisy(steps: 100_000, around: 1.2))),
      (
        "norm-ten",
        StepChart(text: text(title: "기울기는 🚀 고르다"), measure: .gradientNorm, points: noisy(steps: 10, around: 1))
      ),
      ("norm-two", StepChart(text: text(), measure: .gradientNorm, points: noisy(steps: 2, around: 1))),
      ("overlay-2", overlay(2)), ("overlay-4", overlay(4)), ("overlay-6", overlay(6)),
      ("overlay-long-names", longNames(["", "-r32", "-r4"])),
      ("overlay-longest-name", longNames(["", "-" + String(repeating: "lower-rate-", count: 6) + "2"])),
      ("overlay-8-en", overlay(8, .evaluationLoss, .en)), ("overlay-train-3", overlay(3, points: 400, .trainLoss)),
      ("run-bars", runBars()), ("run-bars-en", runBars(.en, title: "Four-bit weights need a third less memory")),
      ("bars", bars()), ("bars-en", bars(.en)), ("bars-plain", bars(intervals: false)),
      (
        "bars-share",
        MetricBarsChart(
          text: text(title: "배운 사실의 답은 나아졌고 배우지 않은 사실은 그대로다"),
          bars: [("ROUGE-1", 0.223, 0.402), ("ROUGE-2", 0.11, 0.25), ("ROUGE-L", 0.223, 0.136)].flatMap { row in
            [
              MetricBarsChart.Bar(name: "\(row.0) · 기반", value: row.1, isBaseline: true),
              MetricBarsChart.Bar(name: "\(row.0) · 학습 후", value: row.2, isBaseline: false),
            ]
          }, decimals: 3, count: 10)
      ),
    ]
  }

  private static let longAnswer = String(
    repeating: "광개토 대왕릉비는 고구려 장수왕이 아버지 광개토 대왕의 업적을 기리기 위해 414년에 세운 비석입니다. 고구려의 건국 이야기와 정복 활동이 새겨져 있습니다. ", count: 8)

  static var cards: [(name: String, card: any Card)] {
    let evaluations = SampleCharts.evaluationLoss(every: 50, count: 13)
    return [
      (
        "og",
        OpenGraphCard(
          title: "CPU 두 코어로 Qwen2.5 0.5B에 한국사 교과서 사실 300가지를 가르쳐 보았다", language: .ko, site: "교과서 실험실",
          author: "김하늘", date: "2025. 3. 14.",
          metric: .init(label: "검증 손실 · 첫 평가 → 최저", change: "2.043 → 1.455", points: evaluations))
      ),
      (
        "og-plain-en",
        OpenGraphCard(title: "Notes on a small model", language: .en, site: "Textbook lab", date: "14 March 2025")
      ),
      (
        "og-long",
        OpenGraphCard(
          title: String(repeating: "학습률을 바꾸어 가며 세 epoch 동안 학습한 결과를 모두 적어 둔다 ", count: 5), language: .ko,
          site: "교과서 실험실",
          metric: .init(label: "검증 손실 · 첫 평가 → 최저", change: "2.043 → 1.455", points: Array(evaluations.prefix(2))))
      ),
      (
        "before-after",
        BeforeAfterCard(
          prompt: "울릉도에 겨울철 눈이 많이 내리는 까닭은 무엇인가요?", before: "울릉도에 겨울철 눈이 많이 내리는 까닭은 \"울릉도의 눈\"입니다.",
          after: longAnswer, beforeName: "학습 전 · base", afterName: "학습 후 · LoRA r=16",
          footer: ["qwen2.5-coder-0.5b-instruct", "greedy", "시험 문항 5번"], language: .ko)
      ),
      (
        "qa",
        QuestionAnswerCard(
          question: "세계에서 가장 높은 산은 무엇인가요?",
          reference: "세계에서 가장 높은 산은 에베레스트산입니다. 에베레스트산은 네팔과 중국의 국경에 걸쳐 있으며 히말라야산맥에 속합니다.",
          referenceName: "기준 답",
          answers: [
            .init(name: "학습 전 · base", text: "세계에서 가장 높은 산은 한국입니다.", verdict: "× 틀림"),
            .init(name: "학습 후 · LoRA r=16", text: longAnswer, verdict: "△ 일부 맞음"),
          ], footer: ["qwen2.5-coder-0.5b-instruct", "greedy", "배우지 않은 사실"], language: .ko)
      ),
      (
        "metrics",
        MetricsCard(
          title: "기반 모델과 학습한 모델", beforeName: "학습 전", afterName: "학습 후",
          rows: [
            .init(name: "검증 손실", before: "2.916", after: "1.135", isAfterBetter: true),
            .init(name: "chrF", before: "17.1", after: "18.9", isAfterBetter: true),
            .init(name: "ROUGE-L", before: "0.223", after: "0.136", isAfterBetter: false),
            .init(name: "스스로 멈춤", before: "7/10", after: "9/10", isAfterBetter: nil),
          ], footer: ["korean-textbooks-qwen2.5-0.5b", "n = 10문항"], language: .ko)
      ),
      ("code", code),
    ]
  }

  static var code: CodeCard {
    let lines: [[CodeRun]] = [
      [CodeRun("// 한국어 주석도 줄이 맞는다", .comment)],
      [
        CodeRun("func", .keyword), CodeRun(" "), CodeRun("step", .function), CodeRun("() throws -> "),
        CodeRun("Double", .type), CodeRun(" {"),
      ],
      [
        CodeRun("  let rate = "), CodeRun("2e-4", .number), CodeRun(" * plan."), CodeRun("scale", .function),
        CodeRun("("), CodeRun("\"선형\"", .string), CodeRun(")"),
      ],
      [
        CodeRun("  "), CodeRun("return", .keyword),
        CodeRun(" rate  " + String(repeating: "+ veryLongName ", count: 12)),
      ],
      [CodeRun("}")],
    ]
    return CodeCard(
      file: "Sources/Training/Trainer.swift", lines: lines + Array(repeating: [CodeRun("x", .plain)], count: 18),
      firstLine: 97, language: .ko)
  }
}
