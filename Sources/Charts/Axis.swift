import Foundation

/// A step of the ladder {1, 2, 5} × 10^k.
struct LadderStep: Equatable {
  /// 1, 2 or 5.
  var digit: Int
  var exponent: Int

  var value: Double { LadderStep.scaled(digit, exponent) }
  /// Decimals a multiple of this step needs.
  var decimals: Int { max(0, -exponent) }

  var next: LadderStep {
    switch digit {
    case 1: LadderStep(digit: 2, exponent: exponent)
    case 2: LadderStep(digit: 5, exponent: exponent)
    default: LadderStep(digit: 1, exponent: exponent + 1)
    }
  }

  var previous: LadderStep {
    switch digit {
    case 5: LadderStep(digit: 2, exponent: exponent)
    case 2: LadderStep(digit: 1, exponent: exponent)
    default: LadderStep(digit: 5, exponent: exponent - 1)
    }
  }

  /// The largest step not above `value`; 1 × 10^-300 for values not above that.
  static func below(_ value: Double) -> LadderStep {
    guard value.isFinite, value > 1e-300 else { return LadderStep(digit: 1, exponent: -300) }
    let exponent = Int(log10(value).rounded(.down))
    var step = LadderStep(digit: 5, exponent: exponent)
    // log10 may be off by one at powers of ten.
    while step.value > value * (1 + 1e-12) { step = step.previous }
    while step.next.value <= value * (1 + 1e-12) { step = step.next }
    return step
  }

  /// The step nearest to `value` by ratio.
  static func nearest(_ value: Double) -> LadderStep {
    let lower = below(value)
    let upper = lower.next
    return value / lower.value <= upper.value / value ? lower : upper
  }

  /// digit × 10^exponent, exact where the result is a short decimal.
  static func scaled(_ digit: Int, _ exponent: Int) -> Double {
    exponent < 0 ? Double(digit) / pow(10, Double(-exponent)) : Double(digit) * pow(10, Double(exponent))
  }

  /// multiple × this step, without the error of repeated addition.
  func times(_ multiple: Int) -> Double {
    exponent < 0
      ? Double(multiple * digit) / pow(10, Double(-exponent)) : Double(multiple * digit) * value / Double(digit)
  }
}

/// A value axis: its range, its labelled ticks, and where a value lies on it.
struct Axis: Equatable {
  struct Tick: Equatable {
    var value: Double
    var label: String
  }

  var lower: Double
  var upper: Double
  var ticks: [Tick]
  /// Unlabelled ticks of a logarithmic axis.
  var minor: [Double] = []
  var isLog = false

  /// 0 at the lower end, 1 at the upper end.
  func fraction(_ value: Double) -> Double {
    guard upper > lower else { return 0.5 }
    if isLog { return (log(value) - log(lower)) / (log(upper) - log(lower)) }
    // Halves, so that a range near the largest Double does not overflow.
    return (value / 2 - lower / 2) / (upper / 2 - lower / 2)
  }

  /// A linear value axis over data from `low` to `high`: down to the next tick, 6% up, with the smallest step of the
  /// ladder that keeps ticks `gap` pixels apart on `length` pixels. Equal ends are padded by 5% of the value, or by 1 at 0.
  static func linear(
    low: Double, high: Double, length: Double, gap: Double = 44, smallest: LadderStep? = nil,
    label: ([Double], Int) -> [String]
  ) -> Axis {
    // Far beyond any data, but keeps the padding below from overflowing.
    var low = max(low, -1e300)
    var high = min(high, 1e300)
    if high - low <= 1e-9 * max(low.magnitude, high.magnitude) {
      let pad = low == 0 ? 1 : abs(low) * 0.05
      low -= pad
      high += pad
    }
    let top = high + 0.06 * (high - low)
    var step = LadderStep.below(max((top - low) * gap / max(length, 1) / 10, smallest?.value ?? 0))
    while true {
      let bottom = floorMultiple(low, step)
      let lower = step.times(bottom)
      if (step.value / (top - lower)) * length >= gap {
        let last = floorMultiple(top, step)
        let values = (bottom...max(bottom, last)).map { step.times($0) }
        let labels = label(values, step.decimals)
        return Axis(lower: lower, upper: top, ticks: zip(values, labels).map { Tick(value: $0, label: $1) })
      }
      step = step.next
    }
  }

  /// A logarithmic axis: powers of ten from two decades up, 1-2-5 below; where fewer than two of those fit, linear ticks
  /// on the logarithmic scale. Both ends must be above 0.
  static func logarithmic(
    low: Double, high: Double, length: Double, gap: Double = 44, label: ([Double], Int) -> [String]
  ) -> Axis {
    let low = max(low, 1e-300)
    let high = min(high, 1e300)
    let top = low == high ? high * 1.05 : exp(log(high) + 0.06 * (log(high) - log(low)))
    let bottom = low == high ? low * 0.95 : low
    let isWide = top / bottom >= 100
    var ladder = LadderStep.below(bottom)
    if isWide { ladder = LadderStep(digit: 1, exponent: ladder.exponent) }
    var marks: [LadderStep] = [ladder]
    while let last = marks.last, last.value <= top {
      marks.append(isWide ? LadderStep(digit: 1, exponent: last.exponent + 1) : last.next)
    }
    marks.removeLast()
    guard marks.count >= 2 else {
      var axis = linear(low: bottom, high: high, length: length, gap: gap, label: label)
      guard axis.lower > 0 else {
        axis.ticks.removeAll { $0.value <= 0 }
        axis.lower = bottom
        axis.isLog = true
        return axis
      }
      axis.isLog = true
      return axis
    }
    let lower = marks[0].value
    let pixelsADecade = length / (log10(top) - log10(lower))
    let kept = thinned(marks, pixelsADecade: pixelsADecade, gap: gap)
    let values = kept.map(\.value)
    // Powers of ten each with their own decimals: 0.01, 0.1, 1, 10.
    let decimals = kept.map(\.decimals).max() ?? 0
    let labels = isWide ? kept.flatMap { label([$0.value], $0.decimals) } : label(values, decimals)
    var axis = Axis(lower: lower, upper: top, ticks: zip(values, labels).map { Tick(value: $0, label: $1) })
    axis.isLog = true
    axis.minor = minorValues(from: lower, to: top).filter { value in !values.contains(value) }
    return axis
  }

  /// Every k-th of the marks, k the smallest that keeps them `gap` apart.
  private static func thinned(_ marks: [LadderStep], pixelsADecade: Double, gap: Double) -> [LadderStep] {
    for every in 1...max(marks.count, 1) {
      let kept = stride(from: 0, to: marks.count, by: every).map { marks[$0] }
      let fits = zip(kept, kept.dropFirst()).allSatisfy {
        (log10($1.value) - log10($0.value)) * pixelsADecade >= gap
      }
      if fits { return kept }
    }
    return Array(marks.prefix(1))
  }

  private static func minorValues(from lower: Double, to upper: Double) -> [Double] {
    let first = Int(log10(lower).rounded(.down))
    let last = Int(log10(upper).rounded(.up))
    guard last - first <= 12 else { return [] }
    return (first...last).flatMap { exponent in (1...9).map { LadderStep.scaled($0, exponent) } }
      .filter { $0 >= lower && $0 <= upper }
  }

  /// A whole-number axis over `low ... high` exactly, with ticks at multiples of a whole step, `gap` pixels apart.
  static func whole(low: Int, high: Int, length: Double, gap: Double = 96, language: ChartLanguage, compact: Bool)
    -> Axis
  {
    let span = Double(high) - Double(low)
    guard span > 0 else {
      let value = Double(low)
      return Axis(
        lower: value - 1, upper: value + 1,
        ticks: [Tick(value: value, label: TickLabels.whole([value], language: language, compact: compact)[0])])
    }
    var step = LadderStep(digit: 1, exponent: 0)
    while step.value / span * length < gap { step = step.next }
    let first = floorMultiple(Double(low) - 0.5, step) + 1
    let last = floorMultiple(Double(high), step)
    let values = first <= last ? (first...last).map { step.times($0) } : []
    let labels = TickLabels.whole(values, language: language, compact: compact)
    return Axis(
      lower: Double(low), upper: Double(high), ticks: zip(values, labels).map { Tick(value: $0, label: $1) })
  }

  /// The largest multiple of the step not above the value, as a count of steps, kept where integers are exact.
  static func floorMultiple(_ value: Double, _ step: LadderStep) -> Int {
    let multiple = (value / step.value + 1e-9).rounded(.down)
    return Int(min(max(multiple, -9e15), 9e15))
  }
}

/// Labels of an axis, all in one form with the same decimals.
enum TickLabels {
  /// Plain decimals; powers of ten where the numbers are very large or very small.
  static func plain(_ values: [Double], decimals: Int, language: ChartLanguage) -> [String] {
    let largest = values.map(\.magnitude).max() ?? 0
    if decimals > 6 || largest >= 1e16 { return values.map(NumberFormat.learningRate) }
    if largest >= 100_000 { return whole(values, language: language, compact: true) }
    return values.map { NumberFormat.fixed($0, decimals: decimals) }
  }

  /// `0`, `0.5e-4`, `1.0e-4`: one exponent along the axis, that of the largest tick.
  static func learningRate(_ values: [Double], decimals: Int) -> [String] {
    let largest = values.map(\.magnitude).max() ?? 0
    guard largest > 0 else { return values.map { NumberFormat.fixed($0, decimals: 0) } }
    let exponent = LadderStep.below(largest).exponent
    guard exponent < -1 else { return values.map { NumberFormat.fixed($0, decimals: decimals) } }
    let places = max(0, decimals + exponent)
    return values.map {
      $0 == 0 ? "0" : NumberFormat.fixed($0 / LadderStep.scaled(1, exponent), decimals: places) + "e\(exponent)"
    }
  }

  /// Whole numbers; with `compact`, axes that reach 100,000 count in 만, 억 or K, M throughout.
  static func whole(_ values: [Double], language: ChartLanguage, compact: Bool) -> [String] {
    let largest = values.map(\.magnitude).max() ?? 0
    guard compact, largest >= 100_000 else { return values.map { NumberFormat.fixed($0, decimals: 0) } }
    let (unit, name) = NumberFormat.compactUnit(largest, language: language)
    let decimals = values.map { NumberFormat.recordedDecimals(($0 / unit * 1e6).rounded() / 1e6) }.max() ?? 0
    return values.map { $0 == 0 ? "0" : NumberFormat.fixed($0 / unit, decimals: decimals) + name }
  }
}
