import Korean

/// What a loss chart says in words: alt text, stand-in sentence, table.
struct LossWords {
  let chart: LossChart
  let data: LossData

  private var isKorean: Bool { chart.text.language == .ko }
  private var words: Words { Words(language: chart.text.language) }

  /// For one value or none.
  var sentence: String {
    let only = (data.evaluation.all.map { ($0, true) } + data.train.all.map { ($0, false) })
    guard !only.isEmpty else { return words.noRecord }
    return only.map { datum, isEvaluation in
      let value = NumberFormat.loss(datum.y)
      let step = words.stepName(Int(datum.x))
      if isKorean {
        return "\(isEvaluation ? "검증" : "학습") 손실은 \(step)에서 " + KoreanParticle.copula.attached(to: value) + "(n = 1)."
      }
      return "\(isEvaluation ? "Evaluation" : "Train") loss is \(value) at \(step) (n = 1)."
    }.joined(separator: " ")
  }

  // MARK: Alt text

  /// Kind and measure, then start, best and end with steps, then what the picture leaves out.
  var alt: String {
    let hasTrain = data.train.count > 0
    let hasEvaluation = data.evaluation.count > 0
    guard hasTrain || hasEvaluation else { return words.noRecord + "." }
    var parts: [String] = []
    if isKorean {
      let name = hasTrain && hasEvaluation ? "학습·검증 손실" : hasTrain ? "학습 손실" : "검증 손실"
      parts.append("\(name) 선 그래프.")
    } else {
      let name = hasTrain && hasEvaluation ? "train and evaluation" : hasTrain ? "train" : "evaluation"
      parts.append("Line chart of \(name) loss.")
    }
    if hasEvaluation {
      parts.append(course(data.evaluation.all, best: data.best, koName: "검증 손실", enName: "Evaluation loss"))
    }
    if hasTrain { parts.append(hasEvaluation ? trainEnd : trainCourse) }
    return AltText.joined(parts + caveats, language: chart.text.language)
  }

  private var trainEnd: String {
    guard let end = data.trainLine.last?.last else { return "" }
    let value = NumberFormat.loss(end.y)
    let isSmoothed = data.window != nil
    if isKorean {
      return "학습 손실\(isSmoothed ? "(이동평균)" : "")은 " + KoreanParticle.toward.attached(to: value) + " 끝났다."
    }
    return "Train loss\(isSmoothed ? " (moving average)" : "") ends at \(value)."
  }

  private var trainCourse: String {
    let isSmoothed = data.window != nil
    let line = data.trainLine.flatMap { $0 }
    return course(
      line, best: line.min { $0.y < $1.y }, koName: isSmoothed ? "학습 손실의 이동평균" : "학습 손실",
      enName: isSmoothed ? "The moving average of train loss" : "Train loss")
  }

  /// From the first value over the best to the last.
  private func course(_ line: [Datum], best: Datum?, koName: String, enName: String) -> String {
    guard let first = line.first, let last = line.last, let best else { return "" }
    let topic = KoreanParticle.topic.attached(to: koName)
    func value(_ datum: Datum) -> String { NumberFormat.loss(datum.y) }
    func step(_ datum: Datum) -> String { words.stepName(Int(datum.x)) }
    func toward(_ datum: Datum) -> String { KoreanParticle.toward.attached(to: value(datum)) }
    if line.count == 1 {
      return isKorean
        ? "\(topic) \(step(first))에서 \(KoreanParticle.copula.attached(to: value(first)))."
        : "\(enName) is \(value(first)) (\(step(first)))."
    }
    if line.allSatisfy({ $0.y == first.y }) {
      return isKorean
        ? "\(topic) \(step(first))부터 \(step(last))까지 \(toward(first)) 같다."
        : "\(enName) stays at \(value(first)) from \(step(first)) to \(step(last))."
    }
    let ended = last.y > best.y
    if best == first {
      return isKorean
        ? "\(topic) \(step(first))의 \(value(first))에서 가장 낮고 \(step(last))에 \(toward(last)) 끝났다."
        : "\(enName) is lowest at \(value(first)) (\(step(first))) and ends at \(value(last)) (\(step(last)))."
    }
    if isKorean {
      let fall = "\(topic) \(step(first))의 \(value(first))에서 \(step(best))의 \(value(best))까지"
      return ended ? "\(fall) 내려간 뒤 \(step(last))에 \(toward(last)) 올랐다." : "\(fall) 내려갔다."
    }
    let fall = "\(enName) falls from \(value(first)) (\(step(first))) to \(value(best)) (\(step(best)))"
    return ended ? "\(fall), then rises to \(value(last)) (\(step(last)))." : "\(fall)."
  }

  private var caveats: [String] {
    var result: [String] = []
    let plot = chart.plot(data)
    let axis = plot.yAxis(height: Format.line(isPhone: false).height - 164)
    let clipped = data.window == nil ? 0 : data.train.all.filter { $0.y > axis.upper || $0.y < axis.lower }.count
    if clipped > 0 {
      result.append(isKorean ? "원값 \(clipped)점은 그림의 범위 밖이다." : "\(clipped) raw values are out of range.")
    }
    let missing = data.train.missing + data.evaluation.missing
    if missing > 0 {
      result.append(isKorean ? "값이 없는 \(missing)점에서 선이 끊긴다." : "The line breaks at \(missing) points without a value.")
    }
    if plot.isLog { result.append(isKorean ? "세로축은 로그 눈금이다." : "The vertical axis is logarithmic.") }
    return result
  }

  // MARK: Table

  var table: ChartTable {
    let smoothed = Dictionary(data.trainLine.flatMap { $0 }.map { (Int($0.x), $0.y) }) { _, last in last }
    let train = Dictionary(data.train.all.map { (Int($0.x), $0.y) }) { _, last in last }
    let evaluation = Dictionary(data.evaluation.all.map { (Int($0.x), $0.y) }) { _, last in last }
    let steps = Set(train.keys).union(evaluation.keys).sorted()
    let best = data.best.flatMap { best in steps.firstIndex(of: Int(best.x)) }
    var kept = Set([0, steps.count - 1].filter { steps.indices.contains($0) })
    if let best { kept.insert(best) }
    // Evaluations are what the text speaks of, so they go before train steps, as far as half the rows.
    let evaluated = steps.indices.filter { evaluation[steps[$0]] != nil }
    for place in TableRows.sampled(count: evaluated.count, kept: [], limit: ChartTable.maximumRows / 2) {
      kept.insert(evaluated[place])
    }
    let rows = TableRows.sampled(count: steps.count, kept: kept)
    var columns = [ChartTable.Column(name: "step")]
    var cells = [rows.map { NumberFormat.grouped(steps[$0]) }]
    func add(_ name: String, _ values: [Int: Double]) {
      columns.append(ChartTable.Column(name: name))
      cells.append(TableRows.column(rows.map { values[steps[$0]] }, decimals: 3))
    }
    if !train.isEmpty { add(words.trainLossTitle, train) }
    if data.window != nil { add(words.smoothedColumn, smoothed) }
    if !evaluation.isEmpty { add(words.evaluationLossTitle, evaluation) }
    return ChartTable(
      columns: columns, rows: rows.indices.map { row in cells.map { $0[row] } },
      bestRow: best.flatMap { rows.firstIndex(of: $0) })
  }
}

/// The limits of alt texts.
enum AltText {
  /// At most 160 characters in Korean, 280 in English.
  static func limit(_ language: ChartLanguage) -> Int { language == .ko ? 160 : 280 }

  /// The sentences in order, as many as fit: the last ones are caveats and go first.
  static func joined(_ parts: [String], language: ChartLanguage) -> String {
    var text = ""
    for part in parts where !part.isEmpty {
      let longer = text.isEmpty ? part : text + " " + part
      if longer.count > limit(language) { break }
      text = longer
    }
    return text
  }
}
