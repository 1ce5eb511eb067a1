/// The fixed words of charts in both languages. Labels and notes end in a noun; they state values, never causes.
struct Words {
  var language: ChartLanguage

  private func pick(_ ko: String, _ en: String) -> String { language == .ko ? ko : en }

  var separator: String { " · " }
  var noRecord: String { pick("기록 없음", "No records") }
  var lossTitle: String { pick("손실", "Loss") }
  var trainLossTitle: String { pick("학습 손실", "Train loss") }
  var evaluationLossTitle: String { pick("검증 손실", "Evaluation loss") }
  var train: String { pick("학습", "Train") }
  var evaluation: String { pick("검증", "Eval") }
  /// As in "평가 13점": how often was evaluated, where `evaluation` names the data.
  var evaluationRecord: String { pick("평가", "Eval") }
  var lossMeasure: String { pick("토큰당 손실(nat)", "Loss per token (nat)") }
  var learningRateTitle: String { pick("학습률", "Learning rate") }
  var learningRateMeasure: String { pick("step마다의 학습률", "Learning rate at each step") }
  var histogramTitle: String { pick("토큰 길이", "Token length") }
  var logScale: String { pick("로그 눈금", "log scale") }
  var notLog: String { pick("0 이하 값이 있어 선형 눈금", "linear scale, as some values are 0 or less") }
  var tokens: String { pick("토큰", "tokens") }
  var smoothedColumn: String { pick("학습 손실 이동평균", "Train loss, moving average") }

  func smoothing(window: Int) -> String {
    pick("이동평균(창 \(window)), 옅은 선은 원값", "moving average (window \(window)), faint line raw")
  }
  func best(_ value: String, step: Int) -> String {
    pick("최저", "Lowest") + " \(value)\(separator)\(stepName(step))"
  }
  func peak(_ value: String) -> String { pick("최대", "Peak") + " \(value)" }
  func resume(_ step: Int) -> String { pick("재개", "Resumed") + "\(separator)\(stepName(step))" }
  func stepName(_ step: Int) -> String { "step \(NumberFormat.grouped(step))" }
  func epochName(_ epoch: Int) -> String { "epoch \(NumberFormat.grouped(epoch))" }
  func points(_ name: String, _ count: Int) -> String {
    let count = NumberFormat.count(count, language: language)
    return pick("\(name) \(count)점", "\(name.lowercased()) \(count)")
  }
  func pointCount(_ count: Int) -> String {
    let number = NumberFormat.count(count, language: language)
    return pick("\(number)점", count == 1 ? "1 point" : "\(number) points")
  }
  func rowCount(_ count: Int) -> String {
    let number = NumberFormat.count(count, language: language)
    return pick("\(number)행", count == 1 ? "1 row" : "\(number) rows")
  }
  func above(_ count: Int, extreme: String) -> String {
    pick("▲ 범위 밖 \(count)점, 최대 \(extreme)", "▲ \(count) out of range, highest \(extreme)")
  }
  func below(_ count: Int, extreme: String) -> String {
    pick("▼ 범위 밖 \(count)점, 최소 \(extreme)", "▼ \(count) out of range, lowest \(extreme)")
  }
  func cutOff(_ cutOff: HistogramCutOff) -> String { "\(cutOff.name) \(NumberFormat.grouped(cutOff.limit))" }
  /// `잘림 41건(3.2%)`; without the share where rows are few.
  func cutCount(_ count: Int, of total: Int, action: HistogramCutOff.Action) -> String {
    let number = NumberFormat.count(count, language: language)
    let share = 100 * Double(count) / Double(max(total, 1))
    let percent = total < 30 || count == 0 ? "" : "(\(NumberFormat.fixed(share, decimals: total < 200 ? 0 : 1))%)"
    let name = action == .truncated ? pick("잘림", "truncated") : pick("제외", "dropped")
    return pick("\(name) \(number)건\(percent)", "\(number) \(name)\(percent.isEmpty ? "" : " ")\(percent)")
  }
  func bins(width: Int) -> String {
    pick("구간 폭 \(NumberFormat.grouped(width))", "bin width \(NumberFormat.grouped(width))")
  }
  var histogramMeasure: String { pick("길이(토큰)별 행 수", "Rows by length in tokens") }
  var stripMeasure: String { pick("행마다의 토큰 수, 점 하나가 한 행", "Tokens in each row, one dot a row") }
  func withoutValue(_ count: Int) -> String { pick("값 없음 \(count)점", "\(count) without a value") }
}
