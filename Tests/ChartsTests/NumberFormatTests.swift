import Testing

@testable import Charts

@Suite struct NumberFormatTests {
  @Test func lossesKeepThreeDecimalsAndNoMoreThanRecorded() {
    #expect(NumberFormat.loss(1.45512) == "1.455")
    #expect(NumberFormat.loss(8.41) == "8.41")
    #expect(NumberFormat.loss(2) == "2")
    #expect(NumberFormat.loss(-0.12345) == "−0.123")
    #expect(NumberFormat.loss(-0.0001234) == "0.000")
    #expect(NumberFormat.loss(12_345.678) == "12,345.7")
    #expect(NumberFormat.loss(373_175.42) == "373,175")
    #expect(NumberFormat.loss(.nan) == "—")
    #expect(NumberFormat.loss(.infinity) == "—")
    #expect(NumberFormat.perplexity(10.6581) == "10.66")
  }

  @Test func recordedDecimalsFollowTheShortestText() {
    #expect(NumberFormat.recordedDecimals(3) == 0)
    #expect(NumberFormat.recordedDecimals(0.1 + 0.2) == 17)
    #expect(NumberFormat.recordedDecimals(8.41) == 2)
    #expect(NumberFormat.recordedDecimals(1.5e-7) == 8)
    #expect(NumberFormat.recordedDecimals(1e22) == 0)
  }

  @Test func learningRatesUseAnExponent() {
    #expect(NumberFormat.learningRate(0.0002) == "2e-4")
    #expect(NumberFormat.learningRate(1.5e-5) == "1.5e-5")
    #expect(NumberFormat.learningRate(0.00019987) == "2e-4")
    #expect(NumberFormat.learningRate(0.000123456) == "1.23e-4")
    #expect(NumberFormat.learningRate(0) == "0")
    #expect(NumberFormat.learningRate(-3e-5) == "−3e-5")
  }

  @Test(arguments: [
    (12_800, "12,800", "12,800"), (99_999, "99,999", "99,999"), (100_000, "10만", "100K"), (123_456, "12.3만", "123K"),
    (12_340_000, "1,234만", "12.3M"), (320_000_000, "3.2억", "320M"), (999_999, "100만", "1M"), (0, "0", "0"),
    (1_500_000_000, "15억", "1.5B"), (99_999_999, "1억", "100M"), (-320_000_000, "−3.2억", "−320M"),
    (2_000_000_000_000, "2조", "2T"),
  ])
  func counts(value: Int, korean: String, english: String) {
    #expect(NumberFormat.count(value, language: .ko) == korean)
    #expect(NumberFormat.count(value, language: .en) == english)
  }

  @Test func parametersAreAlwaysInBillions() {
    #expect(NumberFormat.parameters(1_543_714_304) == "1.5B")
    #expect(NumberFormat.parameters(494_032_768) == "494M")
  }

  @Test func sharesShowTheCountWhereItIsSmall() {
    #expect(NumberFormat.share(9, of: 12, language: .ko) == "9/12")
    #expect(NumberFormat.share(36, of: 50, language: .ko) == "72%(36/50)")
    #expect(NumberFormat.share(36, of: 50, language: .en) == "72% (36/50)")
    #expect(NumberFormat.share(142, of: 200, language: .ko) == "71.0%")
    #expect(NumberFormat.share(0, of: 0, language: .ko) == "0/0")
  }

  @Test func differencesRangesAndIntervals() {
    #expect(NumberFormat.points(29, language: .ko) == "29.0%p")
    #expect(NumberFormat.points(-1.25, language: .en) == "−1.2 points")
    #expect(NumberFormat.interval(64.6, 77.4, decimals: 1) == "[64.6, 77.4]")
    #expect(NumberFormat.range("2", "4", language: .ko) == "2~4")
    #expect(NumberFormat.range("2", "4", language: .en) == "2–4")
  }

  @Test(arguments: [
    (7080.0, "1시간 58분", "1 h 58 min"), (3600, "1시간", "1 h"), (3599, "1시간", "1 h"), (95, "1분 35초", "1 min 35 s"),
    (600, "10분", "10 min"), (42, "42초", "42 s"), (1.234, "1.2초", "1.2 s"), (9.96, "10초", "10 s"), (0, "0.0초", "0.0 s"),
    (360_000, "100시간", "100 h"),
  ])
  func durations(seconds: Double, korean: String, english: String) {
    #expect(NumberFormat.duration(seconds: seconds, language: .ko) == korean)
    #expect(NumberFormat.duration(seconds: seconds, language: .en) == english)
  }

  @Test func extremesDoNotTrap() {
    #expect(NumberFormat.grouped(.min) == "−9,223,372,036,854,775,808")
    #expect(NumberFormat.fixed(1.7e308, decimals: 3) == "1.7e+308")
    #expect(NumberFormat.duration(seconds: 1e300, language: .en).contains(" h "))
    #expect(NumberFormat.recorded(.leastNonzeroMagnitude, decimals: 3) == "0.000")
  }
}
