import Charts
import Formats
import Foundation
import Korean
import Runs

/// Findings as sentences, every number of them traced.
struct AnalysisText {
  let trace: Tracer

  private static let log = "log/metrics.jsonl"
  private static let answers = "evaluation/samples.jsonl"
  private static let scores = "evaluation/metrics.json"

  private var words: SiteWords { trace.words }
  private var isKorean: Bool { words.language == .ko }

  func sentence(_ finding: Finding) throws -> Rich {
    switch finding {
    case .noEvaluation: return text("검증 기록이 없다.", "There is no evaluation in the log.")
    case .oneEvaluation(let point): return try one(point)
    case .lowest(let point, let first, _): return try lowest(point, first)
    case .roseAfterLowest(let lowest, let last, let train): return try rose(lowest, last, train)
    case .endedNearLowest(let lowest, let last):
      return try join(
        "마지막 검증(step {0})의 값은 {1}이고, 가장 낮은 값과의 차이는 {2}이다.",
        "The last evaluation (step {0}) gave {1}, {2} from the lowest.",
        [step(last), loss(last), gap(lowest, last)])
    case .fellToTheEnd(let before, let last):
      return try join(
        "가장 낮은 값이 마지막 검증이며, 바로 앞의 검증(step {0})보다 {1} 낮다. 그 뒤의 값은 기록에 없다.",
        "The lowest value is the last one, {1} below the one before (step {0}). What would follow is not in the log.",
        [step(before), gap(last, before)])
    case .lowestAtTheEnd(let before, let last):
      return try join(
        "가장 낮은 값이 마지막 검증이지만, 바로 앞의 검증(step {0})과의 차이는 {1}이다.",
        "The lowest value is the last one, but {1} from the one before (step {0}).", [step(before), gap(last, before)])
    case .level(let lowest, let highest, let first, let last, _):
      return try join(
        "검증 손실은 {0}번 모두 {1}~{2} 사이에 있었다. 첫 값과 마지막 값의 차이는 {3}이다.",
        "All {0} evaluation losses lie within {1}–{2}; the first and the last differ by {3}.",
        [count("evaluations", Self.log), loss(lowest), loss(highest), gap(first, last)])
    case .endedAboveStart(let first, let last):
      return try join(
        "마지막 검증 손실 {0}은 step {1}의 첫 값보다 {2} 높다.",
        "The last evaluation loss, {0}, is {2} above the first (step {1}).",
        [loss(last), step(first), gap(first, last)])
    case .trainEndedAboveStart(let change):
      return try join(
        "학습 손실의 평균은 처음 step {0}의 {1}에서 마지막 step {2}의 {3}으로 올랐다.",
        "Train loss rose from a mean of {1} over steps {0} to {3} over steps {2}.",
        [range(change.first), mean(change.first), range(change.last), mean(change.last)])
    case .notFinite(let point, _):
      let name = point.split == .train ? ("학습", "train") : ("검증", "evaluation")
      return try join(
        "step {0}의 \(name.0) 손실은 유한한 수가 아니다(NaN 또는 무한대). 그런 기록은 모두 {1}개다.",
        "The \(name.1) loss at step {0} is no finite number (NaN or infinite); the log has {1} such lines.",
        [step(point), count("not finite", Self.log)])
    case .resumed(let points): return try resumed(points)
    case .slowestStage(let name, let others): return try slowest(name, others)
    case .throughput:
      return try join(
        "학습 속도의 중앙값은 초당 {0}토큰이다. step의 80%가 초당 {1}~{2}토큰 사이에 있다.",
        "The median speed is {0} tokens a second; 80% of the steps lie within {1}–{2}.",
        ["median", "p10", "p90"].map { try trace.computed("\($0)(tokens_per_second)", [(Self.log, "")], .score1) })
    case .changes, .cut, .repeating, .weakest, .taughtAndUntaught: return try answer(finding)
    case .delta(let metric, let isClear, let isRise): return try delta(metric, isClear: isClear, isRise: isRise)
    }
  }

  // MARK: Training

  private func one(_ point: EvaluationPoint) throws -> Rich {
    try join(
      "검증은 step {0}에서 한 번 했고 손실은 {1}이다. 값이 하나이므로 흐름은 적지 않는다.",
      "There is one evaluation, at step {0}, with a loss of {1}; one value shows no course.",
      [step(point), loss(point)])
  }

  private func lowest(_ point: EvaluationPoint, _ first: EvaluationPoint) throws -> Rich {
    let count = try count("evaluations", Self.log)
    guard point != first else {
      return try join(
        "검증 손실은 {0}번 가운데 처음인 step {1}에서 {2}로 가장 낮았다.",
        "Evaluation loss was lowest at the first of {0} evaluations: {2} at step {1}.",
        [count, step(point), loss(point)])
    }
    return try join(
      "검증 손실은 {0}번 가운데 step {1}(epoch {2})에서 {3}로 가장 낮았다. 첫 값은 step {4}의 {5}이다.",
      "Evaluation loss was lowest at step {1} (epoch {2}): {3}, of {0} evaluations. The first, at step {4}, was {5}.",
      [count, step(point), value(point, "epoch", .score1), loss(point), step(first), loss(first)])
  }

  private func rose(_ lowest: EvaluationPoint, _ last: EvaluationPoint, _ train: TrainChange?) throws -> Rich {
    let rise = try join(
      "그 뒤 마지막 검증인 step {0}까지 {1} 올라 {2}이 되었다.", "It then rose by {1} to {2} at the last evaluation, step {0}.",
      [step(last), gap(lowest, last), loss(last)])
    guard let train else { return rise }
    let way =
      train.lastMean < train.firstMean
      ? ("내렸다", "fell") : train.lastMean > train.firstMean ? ("올랐다", "rose") : ("그대로였다", "stayed")
    return rise
      + (try join(
        " 같은 동안 학습 손실의 평균은 {1}(step {0})에서 {3}(step {2})로 \(way.0).",
        " Meanwhile the mean train loss \(way.1) from {1} (steps {0}) to {3} (steps {2}).",
        [range(train.first), mean(train.first), range(train.last), mean(train.last)]))
  }

  private func resumed(_ points: [EvaluationPoint]) throws -> Rich {
    let steps = try points.map { point in .text("step ") + (try step(point)) }.joined(", ")
    return try join(
      "학습은 멈췄다가 이어졌다. 이어진 뒤의 첫 기록은 {0}이다.",
      "Training was resumed; the first line after that is {0}.", [steps])
  }

  private func slowest(_ name: String, _ others: [String]) throws -> Rich {
    let places = ([name] + others).map { ("run.json", "/stages/\(Self.token($0))/seconds") }
    return try join(
      "가장 오래 걸린 단계는 \(KoreanParticle.copula.attached(to: words.stage(name), noun: "단계")). {0} 동안 돌았고, 모든 단계의 시간을 더한 것의 {1}를 차지한다.",
      "The longest stage is \(words.stage(name).lowercased()): {0}, {1} of the time of all stages.",
      [
        trace.value("run.json", "/stages/\(Self.token(name))/seconds", .duration),
        trace.computed("share", places, .percent),
      ])
  }

  // MARK: Answers

  private func answer(_ finding: Finding) throws -> Rich {
    switch finding {
    case .changes:
      return try join(
        "답 {0}개의 chrF와 ROUGE-L, 끝맺음을 학습 전과 견주면 {1}개는 오르기만 했고 {2}개는 내리기만 했다. {3}개는 엇갈렸고 {4}개는 그대로다.",
        "Of {0} answers, {1} only went up by the three signs (chrF, ROUGE-L, ending) and {2} only down; {3} are mixed and {4} unchanged.",
        [count("questions", Self.answers)] + AnswerChange.allCases.map { try count($0.rawValue, Self.answers) })
    case .cut(_, let after):
      let names = after.isEmpty ? Rich.text("") : .text(isKorean ? "(" : " (") + (try numbers(after)) + .text(")")
      return try join(
        "길이 제한에서 잘린 답은 학습 전 {0}개, 학습 후 {1}개{2}다.",
        "Answers cut at the length limit: {0} before training, {1} after{2}.",
        [count("cut before", Self.answers), count("cut", Self.answers), names])
    case .repeating(let places):
      return try join(
        "학습 후 같은 구절을 네 번 이상 되풀이한 답은 {0}개({1})다.",
        "After training {0} answers repeat a phrase four times or more ({1}).",
        [count("repeating", Self.answers), numbers(places)])
    case .weakest(let places):
      let items = try places.map { place -> Rich in
        (try number(place)) + .text(isKorean ? "(" : " (")
          + (try trace.value(Self.answers, "/\(place.index)/tuned/scores/chrf", .score1)) + .text(")")
      }
      return try join(
        "학습 후 chrF가 가장 낮은 질문은 {0}이다.", "The lowest chrF after training: {0}.", [items.joined(", ")])
    case .taughtAndUntaught:
      let places = ["taught", "untaught"].map { "/sets/\($0)/tuned" }
      let chrf = places.map { (Self.scores, $0 + "/scores/chrf/value") }
      let values = try places.flatMap { place in
        [
          try trace.value(Self.scores, place + "/scores/chrf/value", .score1),
          try trace.value(Self.scores, place + "/questions", .count),
        ]
      }
      return try join(
        "학습 후 chrF를 나누어 보면 배운 사실 {0}(n = {1}), 배우지 않은 사실 {2}(n = {3}), 차이 {4}이다. 두 묶음은 질문이 서로 다르다.",
        "After training chrF is {0} (n = {1}) on taught and {2} (n = {3}) on untaught facts, {4} apart. The sets have different questions.",
        values + [trace.computed("gap", chrf, .score1)])
    default: return .text("")
    }
  }

  /// What a score of a set changed by, with its interval and p-value: "+3.2 (95% interval [0.4, 6.1], p = 0.012)".
  func difference(_ metric: String, set: String) throws -> Rich {
    guard let delta = trace.run.evaluation?.deltas?[set]?[metric] else {
      throw SiteError(
        "run \(trace.run.id) has no difference of \"\(metric)\" in \"\(set)\"; ask first with {% if metrics.deltas is defined %}"
      )
    }
    let format = ValueFormat.score(metric)
    let place = "/deltas/\(Self.token(set))/\(Self.token(metric))"
    let scores = ["base", "tuned"].map {
      (Self.scores, "/sets/\(Self.token(set))/\($0)/scores/\(Self.token(metric))/value")
    }
    let value = try trace.computed("difference", scores, format)
    guard delta.pValue != nil, let isClear = delta.isClear else { return value }
    let end = isClear ? "" : ", \(words.noDifference)"
    return try join(
      "{0}(95% 신뢰구간 [{1}, {2}], p = {3}\(end))", "{0} (95% interval [{1}, {2}], p = {3}\(end))",
      [
        value, trace.value(Self.scores, place + "/interval/0", format),
        trace.value(Self.scores, place + "/interval/1", format), trace.value(Self.scores, place + "/p_value", .score3),
      ])
  }

  private func delta(_ metric: String, isClear: Bool, isRise: Bool) throws -> Rich {
    let format = ValueFormat.score(metric)
    let place = "/deltas/all/\(Self.token(metric))"
    let scores = ["base", "tuned"].map { (Self.scores, "/sets/all/\($0)/scores/\(Self.token(metric))/value") }
    let values = [
      try trace.computed("gap", scores, format), try trace.value(Self.scores, place + "/interval/0", format),
      try trace.value(Self.scores, place + "/interval/1", format),
      try trace.value(Self.scores, place + "/p_value", .score3),
    ]
    let name = ScoreName.label(metric)
    let topic = KoreanParticle.topic.attached(to: name, noun: "점수")
    guard isClear else {
      return try join(
        "학습 후 \(topic) {0}만큼 달라졌지만, 차이의 95% 신뢰구간 [{1}, {2}]에 0이 들어 있다(p = {3}). 이 질문들만으로는 뚜렷한 차이가 있다고 볼 수 없다.",
        "\(name) changed by {0}, but the 95% interval of the difference, [{1}, {2}], includes 0 (p = {3}): no real difference on these questions.",
        values)
    }
    return try join(
      "학습 후 \(topic) {0}만큼 \(isRise ? "올랐다" : "내렸다"). 차이의 95% 신뢰구간은 [{1}, {2}], p = {3}이다.",
      "\(name) \(isRise ? "rose" : "fell") by {0}; the 95% interval of the difference is [{1}, {2}], p = {3}.", values)
  }

  private func number(_ place: SampleReference) throws -> Rich {
    let number = try trace.value(Self.answers, "/\(place.index)/number", .count)
    return isKorean ? number + .text("번") : .text("no. ") + number
  }

  private func numbers(_ places: [SampleReference]) throws -> Rich {
    // All of a hundred would bury the sentence.
    let shown = try places.prefix(10).map(number).joined(", ")
    return places.count > 10 ? shown + .text(", …") : shown
  }

  // MARK: Numbers

  private func value(_ point: EvaluationPoint, _ field: String, _ format: ValueFormat) throws -> Rich {
    try trace.value(Self.log, "/\(point.index)/\(field)", format)
  }
  private func step(_ point: EvaluationPoint) throws -> Rich { try value(point, "step", .count) }
  private func loss(_ point: EvaluationPoint) throws -> Rich { try value(point, "loss", .loss) }
  private func gap(_ a: EvaluationPoint, _ b: EvaluationPoint) throws -> Rich {
    try trace.computed("gap", [(Self.log, "/\(a.index)/loss"), (Self.log, "/\(b.index)/loss")], .loss)
  }
  private func mean(_ steps: ClosedRange<Int>) throws -> Rich {
    try trace.computed("mean(loss, step \(steps.lowerBound)-\(steps.upperBound))", [(Self.log, "")], .loss)
  }
  private func count(_ what: String, _ file: String) throws -> Rich {
    try trace.computed("count(\(what))", [(file, "")], .count)
  }
  private func range(_ steps: ClosedRange<Int>) -> Rich {
    .text(
      NumberFormat.range(
        NumberFormat.grouped(steps.lowerBound), NumberFormat.grouped(steps.upperBound),
        language: words.language.chart))
  }

  /// A key as a part of a JSON Pointer.
  private static func token(_ key: String) -> String { key.replacing("~", with: "~0").replacing("/", with: "~1") }

  // MARK: Sentences

  private func text(_ ko: String, _ en: String) -> Rich { .text(words.pick(ko, en)) }

  /// A sentence with `{0}`, `{1}` … filled in. The Korean particle after a number follows its sound, whichever form is written.
  func join(_ ko: String, _ en: String, _ values: [Rich]) throws -> Rich {
    var out = Rich.text("")
    var rest = words.pick(ko, en)[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}"),
      let number = Int(rest[rest.index(after: open)..<close]), values.indices.contains(number)
    {
      out = out + .text(String(rest[..<open])) + values[number]
      rest = rest[rest.index(after: close)...]
      guard isKorean else { continue }
      // A particle after a bracket follows the word before it.
      if rest.hasPrefix(")") {
        out = out + .text(")")
        rest = rest.dropFirst()
      }
      // Browsers break a line between % and its particle; an invisible joiner keeps them together.
      let isHangul = rest.unicodeScalars.first.map { (0xAC00...0xD7A3).contains($0.value) } ?? false
      if out.plain.hasSuffix("%"), isHangul { out = out + Rich(html: "\u{2060}", markdown: "", plain: "") }
      rest = Self.withParticle(rest, after: out.plain)[...]
    }
    return out + .text(String(rest))
  }

  private static let particles: [(forms: [String], particle: KoreanParticle)] = [
    (["이다", "다"], .copula), (["이고", "고"], .copula), (["으로", "로"], .toward), (["은", "는"], .topic),
    (["이", "가"], .subject), (["을", "를"], .object),
  ]

  private static func withParticle(_ rest: Substring, after word: String) -> String {
    for (forms, particle) in particles {
      for form in forms where rest.hasPrefix(form) {
        let tail = rest.dropFirst(form.count)
        // "이 되었다", "은 step": a particle ends its word; "이다", "이고" are the copula with its ending.
        guard let next = tail.first, next == " " || next == "." || next == "," else { continue }
        guard var chosen = particle.form(after: word) else { return String(rest) }
        if form.hasSuffix("고") { chosen = String(chosen.dropLast()) + "고" }
        return chosen + tail
      }
    }
    return String(rest)
  }
}
