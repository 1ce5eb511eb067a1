import Foundation
import Runs

/// What a run's records say. Findings state values, never causes: whether a loss that rises means over-fitting is for the
/// author to judge.
enum Finding: Sendable, Equatable {
  // Training
  case noEvaluation
  /// One value: no course is claimed.
  case oneEvaluation(EvaluationPoint)
  /// The lowest of several evaluations, the earliest on ties, and the first of them.
  case lowest(EvaluationPoint, first: EvaluationPoint, count: Int)
  /// The last evaluation lies clearly above the lowest; and what the training loss did meanwhile.
  case roseAfterLowest(EvaluationPoint, last: EvaluationPoint, train: TrainChange?)
  /// The last evaluation is not the lowest, but close to it.
  case endedNearLowest(EvaluationPoint, last: EvaluationPoint)
  /// The last evaluation is the lowest, clearly below the one before.
  case fellToTheEnd(before: EvaluationPoint, last: EvaluationPoint)
  /// The last evaluation is the lowest, hardly below the one before.
  case lowestAtTheEnd(before: EvaluationPoint, last: EvaluationPoint)
  /// All evaluations lie within a hundredth of the first.
  case level(
    lowest: EvaluationPoint, highest: EvaluationPoint, first: EvaluationPoint, last: EvaluationPoint, count: Int)
  /// The last evaluation lies far above the first.
  case endedAboveStart(first: EvaluationPoint, last: EvaluationPoint)
  /// The mean training loss of the last steps lies far above that of the first.
  case trainEndedAboveStart(TrainChange)
  /// A loss that is no finite number: the first such line and how many there are.
  case notFinite(EvaluationPoint, count: Int)
  /// The first lines after each resume.
  case resumed([EvaluationPoint])

  // Time
  /// The longest stage of several.
  case slowestStage(String, others: [String])
  /// Steps with a throughput.
  case throughput(steps: Int)

  // Answers
  case changes(questions: Int, counts: [AnswerChange: Int])
  /// Numbers of the questions whose tuned answer was cut, and how many were before.
  case cut(before: Int, after: [SampleReference])
  case repeating([SampleReference])
  /// The questions with the lowest chrF after training, lowest first.
  case weakest([SampleReference])
  case taughtAndUntaught(taught: Int, untaught: Int)
  /// A score of all questions whose change has an interval: whether that leaves out 0, and whether the score rose.
  case delta(String, isClear: Bool, isRise: Bool)
}

/// One line of the log.
struct EvaluationPoint: Sendable, Equatable {
  /// The line, from 0.
  var index: Int
  var step: Int
  /// Nil where an imported log does not tell it.
  var epoch: Double?
  /// Nil where it is no finite number.
  var loss: Double?
  var split = MetricsEvent.Split.eval
}

/// The mean training loss over two stretches of equally many steps.
struct TrainChange: Sendable, Equatable {
  var first: ClosedRange<Int>
  var last: ClosedRange<Int>
  var firstMean: Double
  var lastMean: Double
}

/// One line of `samples.jsonl`.
struct SampleReference: Sendable, Equatable {
  var index: Int
  var number: Int
}

/// Reads findings from a run's records.
enum Analysis {
  /// A change of a loss under this share of it is called none.
  static let small = 0.01
  /// A loss this many times its start has left it.
  static let far = 1.5
  /// Steps averaged for a training loss, which swings from batch to batch; fewer where the log is short.
  static let window = 20

  static func training(_ events: [MetricsEvent]) -> [Finding] {
    let points = events.enumerated().map { index, event in
      EvaluationPoint(
        index: index, step: event.step, epoch: event.epoch, loss: event.loss.flatMap { $0.isFinite ? $0 : nil },
        split: event.split)
    }
    var findings: [Finding] = []
    if let bad = points.first(where: { $0.loss == nil }) {
      findings.append(.notFinite(bad, count: points.filter { $0.loss == nil }.count))
    }
    findings += evaluations(
      latest(points.filter { $0.split == .eval }), train: latest(points.filter { $0.split == .train }))
    let resumes = zip(points, events).filter { $1.resumed == true }.map(\.0)
    if !resumes.isEmpty { findings.append(.resumed(resumes)) }
    return findings
  }

  /// Of lines with the same step the later one: a resumed run measures some steps again.
  private static func latest(_ points: [EvaluationPoint]) -> [EvaluationPoint] {
    var places: [Int: Int] = [:]
    var kept: [EvaluationPoint] = []
    for point in points {
      if let place = places[point.step] {
        kept[place] = point
      } else {
        places[point.step] = kept.count
        kept.append(point)
      }
    }
    return kept.sorted { $0.step < $1.step }
  }

  private static func evaluations(_ all: [EvaluationPoint], train: [EvaluationPoint]) -> [Finding] {
    let points = all.filter { $0.loss != nil }
    guard let first = points.first, let last = points.last, let firstLoss = first.loss, let lastLoss = last.loss else {
      return train.isEmpty ? [] : [.noEvaluation] + trainAboveStart(train)
    }
    guard points.count > 1 else { return [.oneEvaluation(first)] + trainAboveStart(train) }
    var (lowest, highest) = (first, first)
    var (least, most) = (firstLoss, firstLoss)
    for point in points {
      guard let loss = point.loss else { continue }
      if loss < least { (lowest, least) = (point, loss) }
      if loss > most { (highest, most) = (point, loss) }
    }
    if most - least <= small * firstLoss.magnitude {
      return [.level(lowest: lowest, highest: highest, first: first, last: last, count: points.count)]
    }
    var findings: [Finding] = [.lowest(lowest, first: first, count: points.count)]
    if lowest == last {
      let before = points[points.count - 2]
      let drop = (before.loss ?? lastLoss) - lastLoss
      findings.append(
        drop > small * lastLoss.magnitude
          ? .fellToTheEnd(before: before, last: last) : .lowestAtTheEnd(before: before, last: last))
    } else if lastLoss - least > small * least.magnitude {
      findings.append(.roseAfterLowest(lowest, last: last, train: change(train, from: lowest.step)))
    } else {
      findings.append(.endedNearLowest(lowest, last: last))
    }
    if lastLoss > far * firstLoss { findings.append(.endedAboveStart(first: first, last: last)) }
    return findings + trainAboveStart(train)
  }

  private static func trainAboveStart(_ train: [EvaluationPoint]) -> [Finding] {
    guard let change = change(train, from: nil), change.lastMean > far * change.firstMean else { return [] }
    return [.trainEndedAboveStart(change)]
  }

  /// The mean over the steps up to `step` (nil: over the first steps) and over the last ones; nil where they would overlap.
  private static func change(_ train: [EvaluationPoint], from step: Int?) -> TrainChange? {
    let finite = train.filter { $0.loss != nil }
    let count = min(window, finite.count / 4)
    guard count >= 3 else { return nil }
    let head = step.map { end in finite.filter { $0.step <= end }.suffix(count) } ?? finite.prefix(count)
    let tail = finite.suffix(count)
    guard head.count == count, let a = head.first, let b = head.last, let c = tail.first, let d = tail.last,
      b.step < c.step
    else { return nil }
    func mean(_ points: ArraySlice<EvaluationPoint>) -> Double {
      points.compactMap(\.loss).reduce(0, +) / Double(points.count)
    }
    return TrainChange(
      first: a.step...b.step, last: c.step...d.step, firstMean: mean(head), lastMean: mean(tail))
  }

  static func time(_ record: RunRecord, _ events: [MetricsEvent]) -> [Finding] {
    var findings: [Finding] = []
    let stages = record.stages.filter { $0.value.seconds > 0 }
    let ordered = stages.sorted { a, b in
      a.value.seconds != b.value.seconds ? a.value.seconds > b.value.seconds : a.key < b.key
    }
    if let slowest = ordered.first, ordered.count > 1 {
      findings.append(.slowestStage(slowest.key, others: ordered.dropFirst().map(\.key)))
    }
    let steps = events.filter { $0.split == .train && $0.tokensPerSecond != nil }.count
    if steps >= 10 { findings.append(.throughput(steps: steps)) }
    return findings
  }

  static func answers(_ samples: [AnswerSample], _ evaluation: EvaluationRecord?) -> [Finding] {
    var findings: [Finding] = []
    func references(_ isWanted: (AnswerSample) -> Bool) -> [SampleReference] {
      samples.enumerated().filter { isWanted($0.element) }
        .map { SampleReference(index: $0.offset, number: $0.element.number) }
    }
    if !samples.isEmpty {
      var counts: [AnswerChange: Int] = [:]
      for sample in samples { counts[AnswerChange(sample), default: 0] += 1 }
      findings.append(.changes(questions: samples.count, counts: counts))
      let before = samples.filter { $0.base.stopReason != "stop" }.count
      findings.append(.cut(before: before, after: references { $0.tuned.stopReason != "stop" }))
      let repeating = references { Repetition.isFound(in: $0.tuned.text) }
      if !repeating.isEmpty { findings.append(.repeating(repeating)) }
      let scored = samples.enumerated().compactMap { index, sample in
        sample.tuned.scores["chrf"].map { (score: $0, place: SampleReference(index: index, number: sample.number)) }
      }
      if scored.count >= 4 {
        let weakest = scored.sorted { ($0.score, $0.place.index) < ($1.score, $1.place.index) }.prefix(3)
        findings.append(.weakest(weakest.map(\.place)))
      }
    }
    if let taught = evaluation?.sets["taught"]?.tuned, let untaught = evaluation?.sets["untaught"]?.tuned,
      taught.scores["chrf"] != nil, untaught.scores["chrf"] != nil
    {
      findings.append(.taughtAndUntaught(taught: taught.questions, untaught: untaught.questions))
    }
    for metric in ["chrf", "rougeL", "exact_match", "f1"] {
      guard let delta = evaluation?.deltas?["all"]?[metric], delta.pValue != nil, let isClear = delta.isClear else {
        continue
      }
      findings.append(.delta(metric, isClear: isClear, isRise: delta.value > 0))
    }
    return findings
  }
}
