import Foundation

@testable import Charts

/// A fixed generator of pseudo-random numbers, so that samples are the same everywhere.
struct SampleNoise {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// Uniform in 0..<1.
  mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 33) / Double(1 << 31)
  }

  /// About normal: the sum of twelve uniform numbers less six.
  mutating func normal() -> Double { (0..<12).reduce(-6.0) { sum, _ in sum + next() } }
}

/// Logs like those of real runs, and the awkward ones.
enum SampleCharts {
  static func text(_ language: ChartLanguage = .ko, title: String? = nil) -> ChartText {
    ChartText(title: title, source: "metrics.jsonl", run: "korean-textbooks-qwen2.5-0.5b", language: language)
  }

  static func trainLoss(steps: Int, seed: UInt64 = 7) -> [ChartPoint] {
    var noise = SampleNoise(seed: seed)
    return (1...steps).map { step in
      let trend = 1.1 + 2.3 * exp(-Double(step) / Double(steps) * 6)
      return ChartPoint(step: step, value: max(0.05, trend + 0.22 * noise.normal()))
    }
  }

  static func evaluationLoss(every: Int, count: Int, turn: Double = 0.7) -> [ChartPoint] {
    (1...count).map { index in
      let place = Double(index) / Double(count)
      let value = 1.42 + 1.6 * exp(-place * 6) + 0.5 * max(0, place - turn)
      return ChartPoint(step: index * every, value: (value * 1e4).rounded() / 1e4)
    }
  }

  static func loss(
    _ language: ChartLanguage = .ko, title: String? = "검증 손실은 3.02에서 1.45로 내렸고, 360 step 뒤로는 다시 올랐다"
  ) -> LossChart {
    LossChart(
      text: text(language, title: title), train: trainLoss(steps: 517),
      evaluation: evaluationLoss(every: 39, count: 13), resumes: [300],
      epochs: [1, 2, 3].map { EpochMark(step: 172 * $0, epoch: $0) })
  }

  static func cosine(_ language: ChartLanguage = .ko, steps: Int = 500, warmup: Int = 15) -> LearningRateChart {
    LearningRateChart(
      text: text(language),
      points: (1...steps).map { step in
        let rate =
          step <= warmup
          ? Double(step) / Double(warmup)
          : 0.5 * (1 + cos(Double.pi * Double(step - warmup) / Double(steps - warmup)))
        return ChartPoint(step: step, value: 2e-4 * rate)
      })
  }

  static func lengths(count: Int, seed: UInt64 = 3) -> [Int] {
    var noise = SampleNoise(seed: seed)
    return (0..<count).map { _ in Int(exp(4.4 + 0.45 * noise.normal())) }
  }

  /// Every sample by the name of its picture.
  static var all: [(name: String, chart: any Chart)] {
    var charts: [(String, any Chart)] = [
      ("loss", loss()),
      ("loss-en", loss(.en, title: "Evaluation loss fell from 3.02 to 1.45, then rose after step 360")),
      ("rate", cosine()), ("rate-en", cosine(.en)),
      ("lengths", HistogramChart(text: text(), lengths: lengths(count: 700))),
      (
        "lengths-cut",
        HistogramChart(
          text: text(), lengths: lengths(count: 700),
          cutOff: HistogramCutOff(name: "max_seq_length", limit: 256, action: .dropped))
      ),
      (
        "lengths-far-en",
        HistogramChart(
          text: text(.en), lengths: lengths(count: 700),
          cutOff: HistogramCutOff(name: "max_seq_length", limit: 4096, action: .truncated))
      ),
    ]
    charts += edgeCases
    return charts
  }

  private static var edgeCases: [(String, any Chart)] {
    var gaps = trainLoss(steps: 200)
    for index in 80..<90 { gaps[index].value = nil }
    gaps[40].value = 40
    gaps[150].value = nil
    var repeated = trainLoss(steps: 120)
    repeated += trainLoss(steps: 200, seed: 9).filter { $0.step >= 100 }
    let few = trainLoss(steps: 12)
    let twins = [ChartPoint(step: 10, value: 2.043), ChartPoint(step: 20, value: 1.455)]
    return [
      ("loss-gaps", LossChart(text: text(), train: gaps, evaluation: evaluationLoss(every: 20, count: 10))),
      (
        "loss-repeated",
        LossChart(
          text: text(), train: repeated, evaluation: evaluationLoss(every: 25, count: 8, turn: 2), resumes: [100])
      ),
      ("loss-few", LossChart(text: text(), train: few, evaluation: evaluationLoss(every: 4, count: 3, turn: 2))),
      ("loss-two", LossChart(text: text(), train: [], evaluation: twins)),
      (
        "loss-two-evals",
        LossChart(text: text(), train: trainLoss(steps: 60), evaluation: evaluationLoss(every: 30, count: 2))
      ),
      (
        "loss-log",
        LossChart(
          text: text(), train: trainLoss(steps: 300), evaluation: evaluationLoss(every: 30, count: 10), logScale: true)
      ),
      (
        "loss-log-decades",
        LossChart(
          text: text(.en),
          train: (1...300).map { ChartPoint(step: $0, value: 400 * exp(-Double($0) / 30) + 0.02) }, evaluation: [],
          logScale: true)
      ),
      (
        "loss-constant",
        LossChart(text: text(), train: (1...40).map { ChartPoint(step: $0, value: 2) }, evaluation: [])
      ),
      (
        "loss-huge",
        LossChart(
          text: text(),
          train: (1...400).map { ChartPoint(step: $0 * 1000, value: 1e7 * exp(-Double($0) / 80) + 3e5) },
          evaluation: (1...8).map { ChartPoint(step: $0 * 50_000, value: 5e6 / Double($0)) })
      ),
      (
        "loss-long-title",
        LossChart(
          text: text(title: "학습률을 2e-4로 두고 세 epoch 동안 학습했더니 검증 손실이 꾸준히 내려가다가 마지막에 조금 올랐다 그래서 중간 체크포인트를 골랐다"),
          train: trainLoss(steps: 100), evaluation: evaluationLoss(every: 10, count: 10, turn: 2))
      ),
      ("rate-constant", LearningRateChart(text: text(), points: (1...50).map { ChartPoint(step: $0, value: 1e-5) })),
      ("lengths-strip", HistogramChart(text: text(), lengths: [12, 15, 15, 15, 16, 22, 30, 31, 58, 90])),
      ("lengths-two", HistogramChart(text: text(), lengths: [12, 90])),
      ("lengths-constant", HistogramChart(text: text(), lengths: [Int](repeating: 64, count: 40))),
      ("lengths-huge", HistogramChart(text: text(.en), lengths: lengths(count: 900).map { $0 * 30_000 })),
    ]
  }
}

/// A chart's pictures; an error where a sentence stands for them.
func picture(_ chart: any Chart, metadata: [ChartMetadata] = []) throws -> ChartPicture {
  guard case .picture(let picture) = try chart.render(metadata: metadata) else {
    throw ChartsError.drawing("a sentence came instead of a picture")
  }
  return picture
}
