import Foundation
import Testing

@testable import Charts

@Suite struct AxisTests {
  private func labels(_ values: [Double], _ decimals: Int) -> [String] {
    TickLabels.plain(values, decimals: decimals, language: .ko)
  }

  @Test func ladderSteps() {
    #expect(LadderStep.below(1) == LadderStep(digit: 1, exponent: 0))
    #expect(LadderStep.below(0.99) == LadderStep(digit: 5, exponent: -1))
    #expect(LadderStep.below(1000) == LadderStep(digit: 1, exponent: 3))
    #expect(LadderStep.below(7) == LadderStep(digit: 5, exponent: 0))
    #expect(LadderStep.nearest(3.1) == LadderStep(digit: 2, exponent: 0))
    #expect(LadderStep.nearest(3.2) == LadderStep(digit: 5, exponent: 0))
    #expect(LadderStep(digit: 5, exponent: -1).next.previous == LadderStep(digit: 5, exponent: -1))
    #expect(LadderStep(digit: 1, exponent: -1).times(3) == 0.3)
  }

  @Test func linearAxisKeepsTicksApartAndHoldsTheData() {
    var noise = SampleNoise(seed: 1)
    for _ in 0..<300 {
      let low = (noise.next() - 0.5) * pow(10, noise.next() * 12 - 6)
      let high = low + noise.next() * pow(10, noise.next() * 12 - 6)
      let axis = Axis.linear(low: low, high: high, length: 256, label: labels)
      let slack = 1e-6 * (axis.upper - axis.lower)
      #expect(axis.lower <= low + slack && axis.upper >= high)
      #expect(axis.ticks.count >= 1 && axis.ticks.count <= 6)
      for (a, b) in zip(axis.ticks, axis.ticks.dropFirst()) {
        #expect((axis.fraction(b.value) - axis.fraction(a.value)) * 256 > 43.9)
      }
      #expect(abs(axis.ticks[0].value - axis.lower) <= 1e-9 * max(abs(low), high - low))
    }
  }

  @Test func theSmallestFittingStepIsTaken() {
    let axis = Axis.linear(low: 1.05, high: 3, length: 256, label: labels)
    #expect(axis.ticks.map(\.label) == ["1.0", "1.5", "2.0", "2.5", "3.0"])
    #expect(abs(axis.upper - (3 + 0.06 * 1.95)) < 1e-12)
  }

  @Test(arguments: [(2.0, 1.9, 2.1), (0, -1, 1), (-4, -4.2, -3.8)])
  func constantsArePadded(value: Double, low: Double, high: Double) {
    let axis = Axis.linear(low: value, high: value, length: 256, label: labels)
    #expect(axis.lower <= low + 1e-12 && axis.upper >= high - 1e-12)
    #expect(axis.ticks.count >= 2)
  }

  @Test func hugeAndTinyRangesEnd() {
    for (low, high) in [
      (0, 1.7e308), (-1.7e308, 1.7e308), (0, .leastNonzeroMagnitude), (1, 1 + 1e-15), (1e17, 1e17 + 64),
    ] {
      let axis = Axis.linear(low: low, high: high, length: 200, label: labels)
      #expect(axis.upper > axis.lower)
      #expect(!axis.ticks.isEmpty)
      #expect(axis.ticks.allSatisfy { !$0.label.isEmpty })
    }
  }

  @Test func logarithmicAxis() {
    let decades = Axis.logarithmic(low: 0.02, high: 400, length: 256, label: labels)
    #expect(decades.ticks.map(\.label) == ["0.01", "0.1", "1", "10", "100"])
    #expect(decades.minor.contains(0.05) && !decades.minor.contains(10))
    let short = Axis.logarithmic(low: 0.6, high: 9, length: 256, label: labels)
    #expect(short.ticks.map(\.label) == ["0.5", "1.0", "2.0", "5.0", "10.0"])
    let narrow = Axis.logarithmic(low: 2.1, high: 3.3, length: 256, label: labels)
    #expect(narrow.ticks.count >= 2 && narrow.isLog && narrow.lower > 0 && narrow.lower <= 2.1)
    let one = Axis.logarithmic(low: 3, high: 3, length: 256, label: labels)
    #expect(one.upper > one.lower)
    let wide = Axis.logarithmic(low: 1e-200, high: 1e200, length: 256, label: labels)
    #expect((2...6).contains(wide.ticks.count))
  }

  @Test func wholeAxis() {
    let axis = Axis.whole(low: 0, high: 517, length: 512, language: .ko, compact: true)
    #expect(axis.ticks.map(\.label) == ["0", "100", "200", "300", "400", "500"])
    let few = Axis.whole(low: 1, high: 3, length: 300, language: .ko, compact: true)
    #expect(few.ticks.map(\.label) == ["1", "2", "3"])
    #expect(Axis.whole(low: 5, high: 5, length: 300, language: .ko, compact: true).ticks.map(\.label) == ["5"])
    let large = Axis.whole(low: 0, high: 400_000, length: 512, language: .ko, compact: true)
    #expect(large.ticks.map(\.label) == ["0", "10만", "20만", "30만", "40만"])
  }

  @Test func learningRateTicksShareAnExponent() {
    #expect(TickLabels.learningRate([0, 1e-4, 2e-4], decimals: 4) == ["0", "1e-4", "2e-4"])
    #expect(TickLabels.learningRate([0, 5e-5, 1e-4, 1.5e-4], decimals: 5) == ["0", "0.5e-4", "1.0e-4", "1.5e-4"])
    #expect(TickLabels.learningRate([0, 0.5, 1], decimals: 1) == ["0.0", "0.5", "1.0"])
  }
}
