import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

/// Made-up logs whose right reading is known, and what is said about them.
@Suite struct AnalysisTests {
  private typealias Values = [(step: Int, loss: Double?)]

  private static func events(train: Values, eval: Values, resumedAt: Int? = nil) -> [MetricsEvent] {
    func event(_ split: MetricsEvent.Split, _ value: (step: Int, loss: Double?)) -> MetricsEvent {
      MetricsEvent(
        step: value.step, epoch: Double(value.step) / 100, split: split, loss: value.loss, time: Double(value.step))
    }
    let all = train.map { event(.train, $0) } + eval.map { event(.eval, $0) }
    // As the program logs them: by step, an evaluation after the step's own line.
    var sorted = all.enumerated().sorted { ($0.element.step, $0.offset) < ($1.element.step, $1.offset) }.map(\.element)
    if let place = sorted.firstIndex(where: { $0.step == resumedAt && $0.split == .train }) {
      sorted[place].resumed = true
    }
    return sorted
  }

  private static func falling(to end: Double, steps: Int = 200) -> Values {
    (1...steps).map { ($0, 3 + (end - 3) * Double($0) / Double(steps)) }
  }

  static let overfit = events(
    train: falling(to: 0.4), eval: [(0, 3.1), (50, 2.0), (100, 1.455), (150, 1.5), (200, 1.569)])
  static let stillFalling = events(
    train: falling(to: 1), eval: [(0, 3.1), (50, 2.5), (100, 2.1), (150, 1.8), (200, 1.6)])
  static let flat = events(train: falling(to: 2.99), eval: [(0, 2.916), (100, 2.92), (200, 2.91)])
  static let diverged = events(
    train: (1...200).map { ($0, $0 < 180 ? 2 + Double($0) / 20 : nil) },
    eval: [(0, 3.1), (50, 2.9), (100, 4), (150, 9.25)])
  static let resumed = events(train: falling(to: 1), eval: [(0, 3.1), (100, 2), (200, 1.5)], resumedAt: 121)
  static let single = events(train: falling(to: 1), eval: [(200, 1.234)])

  // MARK: What is found

  @Test func overfitting() throws {
    let found = Analysis.training(Self.overfit)
    guard case .lowest(let lowest, let first, 5) = found[0], case .roseAfterLowest(_, let last, let train?) = found[1]
    else {
      Issue.record("\(found)")
      return
    }
    #expect(lowest.step == 100 && first.step == 0 && last.step == 200 && found.count == 2)
    #expect(train.first == 81...100 && train.last == 181...200 && train.lastMean < train.firstMean)
  }

  @Test func stillFallingFlatAndOneEvaluation() {
    let falling = Analysis.training(Self.stillFalling)
    guard case .fellToTheEnd(let before, let last) = falling.last else {
      Issue.record("\(falling)")
      return
    }
    #expect(before.step == 150 && last.step == 200 && falling.count == 2)
    let flat = Analysis.training(Self.flat)
    guard flat.count == 1, case .level(let low, let high, _, _, 3) = flat[0] else {
      Issue.record("\(flat)")
      return
    }
    #expect(low.loss == 2.91 && high.loss == 2.92)
    let single = Analysis.training(Self.single)
    guard single.count == 1, case .oneEvaluation(let point) = single[0] else {
      Issue.record("\(single)")
      return
    }
    #expect(point.step == 200)
    #expect(Analysis.training([]) == [])
    #expect(Analysis.training(Self.events(train: Self.falling(to: 1), eval: [])) == [.noEvaluation])
  }

  @Test func divergedAndResumed() {
    let diverged = Analysis.training(Self.diverged)
    guard case .notFinite(let point, 21) = diverged.first else {
      Issue.record("\(diverged)")
      return
    }
    #expect(point.step == 180 && point.split == .train)
    #expect(diverged.contains { if case .endedAboveStart = $0 { true } else { false } })
    #expect(diverged.contains { if case .trainEndedAboveStart = $0 { true } else { false } })
    let resumed = Analysis.training(Self.resumed)
    guard case .resumed(let points) = resumed.last else {
      Issue.record("\(resumed)")
      return
    }
    #expect(points.map(\.step) == [121])
  }

  /// Steps that a resumed run measured again count once, with the later value.
  @Test func theLaterOfTwoLinesWithTheSameStepCounts() {
    var events = Self.resumed
    events.append(MetricsEvent(step: 100, epoch: 1, split: .eval, loss: 1.2, time: 0))
    guard case .lowest(let lowest, _, 3) = Analysis.training(events)[0] else {
      Issue.record("\(Analysis.training(events))")
      return
    }
    #expect(lowest.step == 100 && lowest.loss == 1.2)
  }

  // MARK: What is said

  /// The block's sentences about the training of a made-up log, as a reader sees them; every number of them is verified.
  private func sentences(_ events: [MetricsEvent], _ language: SiteLanguage) throws -> [String] {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder)
      try RecordFile.writeLines(events, to: folder.appendingPathComponent("runs/fixture-run/log/metrics.jsonl"))
      let words = SiteWords(language: language)
      let ledger = Ledger()
      let blocks = Blocks(
        run: try RunData(output: folder, id: "fixture-run"), words: words, ledger: ledger, charts: RunCharts())
      let block = try blocks.analysis(about: "training")
      #expect(block.html.contains(words.generated) && block.markdown.contains(Escape.markdown(words.generated)))
      var lines: [String] = []
      var bare = ""
      var isData = false
      for item in HTMLScanner(block.html) {
        switch item.token {
        case .start("li", _): lines.append("")
        case .start("data", _): isData = true
        case .end("data"): isData = false
        case .text(let text):
          if !lines.isEmpty { lines[lines.count - 1] += text }
          if !isData { bare += text }
        default: break
        }
      }
      // A cause is never named.
      for word in ["과적합", "수렴", "개선", "over-fit", "overfit", "converge", "improve"] {
        #expect(!block.html.contains(word))
      }
      return lines.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
    }
  }

  @Test func koreanSentences() throws {
    #expect(
      try sentences(Self.overfit, .ko) == [
        "검증 손실은 5번 가운데 step 100(epoch 1.0)에서 1.455로 가장 낮았다. 첫 값은 step 0의 3.1이다.",
        "그 뒤 마지막 검증인 step 200까지 0.114 올라 1.569가 되었다. 같은 동안 학습 손실의 평균은 1.823(step 81~100)에서 0.523(step 181~200)으로 내렸다.",
      ])
    #expect(
      try sentences(Self.stillFalling, .ko) == [
        "검증 손실은 5번 가운데 step 200(epoch 2.0)에서 1.6으로 가장 낮았다. 첫 값은 step 0의 3.1이다.",
        "가장 낮은 값이 마지막 검증이며, 바로 앞의 검증(step 150)보다 0.200 낮다. 그 뒤의 값은 기록에 없다.",
      ])
    #expect(
      try sentences(Self.flat, .ko) == ["검증 손실은 3번 모두 2.91~2.92 사이에 있었다. 첫 값과 마지막 값의 차이는 0.006이다."])
    #expect(
      try sentences(Self.single, .ko) == ["검증은 step 200에서 한 번 했고 손실은 1.234다. 값이 하나이므로 흐름은 적지 않는다."])
    #expect(try sentences(Self.resumed, .ko).last == "학습은 멈췄다가 이어졌다. 이어진 뒤의 첫 기록은 step 121이다.")
    let diverged = try sentences(Self.diverged, .ko)
    #expect(diverged[0] == "step 180의 학습 손실은 유한한 수가 아니다(NaN 또는 무한대). 그런 기록은 모두 21개다.")
    #expect(diverged.contains("마지막 검증 손실 9.25는 step 0의 첫 값보다 6.150 높다."))
    #expect(diverged.contains("학습 손실의 평균은 처음 step 1~20의 2.525에서 마지막 step 160~179의 10.475로 올랐다."))
  }

  @Test func englishSentences() throws {
    #expect(
      try sentences(Self.overfit, .en) == [
        "Evaluation loss was lowest at step 100 (epoch 1.0): 1.455, of 5 evaluations. The first, at step 0, was 3.1.",
        "It then rose by 0.114 to 1.569 at the last evaluation, step 200. Meanwhile the mean train loss fell from 1.823 (steps 81–100) to 0.523 (steps 181–200).",
      ])
    #expect(
      try sentences(Self.stillFalling, .en).last
        == "The lowest value is the last one, 0.200 below the one before (step 150). What would follow is not in the log."
    )
    #expect(
      try sentences(Self.flat, .en) == [
        "All 3 evaluation losses lie within 2.91–2.92; the first and the last differ by 0.006."
      ])
    #expect(
      try sentences(Self.single, .en) == [
        "There is one evaluation, at step 200, with a loss of 1.234; one value shows no course."
      ])
    #expect(try sentences(Self.resumed, .en).last == "Training was resumed; the first line after that is step 121.")
    #expect(
      try sentences(Self.diverged, .en)[0]
        == "The train loss at step 180 is no finite number (NaN or infinite); the log has 21 such lines.")
  }

  @Test func answersAndTime() throws {
    let post = try Made.render("{{ analysis() }}\n\n{{ analysis(\"time\") }}")
    #expect(post.body.contains("가장 오래 걸린 단계는 학습이다.") && post.body.contains("학습 속도의 중앙값은 초당"))
    #expect(post.body.contains("학습 후 chrF를 나누어 보면 배운 사실"))
    #expect(post.markdown.contains("> **자동 분석 · 로그에서 생성함**\n>\n> - "))
    // Every number is bound: what is outside of <data> holds none but steps' ranges, shares of a rule and names.
    #expect(post.body.components(separatedBy: "<aside class=\"generated\"").count == 3)
    #expect(Made.failure("{{ analysis(\"answer\") }}").contains("there are training, time, answers"))
    #expect(Made.failure("글 {{ analysis() }}").contains("paragraph of its own"))
  }

  @Test func repetition() {
    #expect(Repetition.isFound(in: "신라의 건축물에는 " + String(repeating: "남해, ", count: 5)))
    #expect(Repetition.isFound(in: String(repeating: "같은 문장이 또 나온다. ", count: 4)))
    #expect(!Repetition.isFound(in: String(repeating: "같은 문장이 또 나온다. ", count: 3)))
    #expect(!Repetition.isFound(in: "표의 선 " + String(repeating: "-", count: 80)))
    #expect(!Repetition.isFound(in: "대한민국의 수도는 서울이다."))
  }
}
