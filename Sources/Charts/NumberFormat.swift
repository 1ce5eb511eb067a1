import Foundation

/// Numbers as a reader sees them: in posts, captions, charts and alt texts alike.
///
/// Signs are U+2212, groups are commas, and a number is never given more decimals than it was recorded with.
public enum NumberFormat {
  /// A loss: three decimals; one from 1,000 and none from 100,000 up, where more would say nothing.
  public static func loss(_ value: Double) -> String {
    recorded(value, decimals: value.magnitude < 1000 ? 3 : value.magnitude < 100_000 ? 1 : 0)
  }

  /// A perplexity: two decimals.
  public static func perplexity(_ value: Double) -> String { recorded(value, decimals: 2) }

  /// A learning rate as `2e-4`, `1.5e-5`, with at most three significant digits; `0` for zero.
  public static func learningRate(_ value: Double) -> String {
    guard value.isFinite else { return "—" }
    guard value != 0 else { return "0" }
    let parts = String(format: "%.2e", value).split(separator: "e", maxSplits: 1)
    guard parts.count == 2, let exponent = Int(parts[1]) else { return "\(value)" }
    return minus(trimZeros(String(parts[0])) + "e\(exponent)")
  }

  /// A count: exact with commas below 100,000, then `1,234만`, `3.2억` or `12.3M`, `320M`.
  public static func count(_ value: Int, language: ChartLanguage) -> String {
    guard value.magnitude >= 100_000 else { return grouped(value) }
    let size = Double(value.magnitude)
    let (unit, name) = compactUnit(size, language: language)
    return (value < 0 ? "−" : "") + compact(size / unit) + name
  }

  /// A number of parameters, in both languages `1.5B`, `494M`.
  public static func parameters(_ value: Int) -> String { count(value, language: .en) }

  /// An exact whole number with commas: `12,800`. For steps and rows that must be named exactly.
  public static func grouped(_ value: Int) -> String {
    let digits = String(value.magnitude)
    var text = ""
    for (offset, digit) in digits.enumerated() {
      if offset > 0, (digits.count - offset) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (value < 0 ? "−" : "") + text
  }

  /// A share of a whole: `71.4%` from 200 up, `72%(36/50)` below, the count alone (`9/12`) below 30.
  public static func share(_ part: Int, of whole: Int, language: ChartLanguage) -> String {
    guard whole >= 30 else { return "\(grouped(part))/\(grouped(whole))" }
    let percent = 100 * Double(part) / Double(whole)
    guard whole < 200 else { return fixed(percent, decimals: 1) + "%" }
    let gap = language == .ko ? "" : " "
    return fixed(percent, decimals: 0) + "%\(gap)(\(grouped(part))/\(grouped(whole)))"
  }

  /// A percentage with one decimal, of a value already in percent.
  public static func percentage(_ percent: Double) -> String { fixed(percent, decimals: 1) + "%" }

  /// A difference of two percentages: `29.0%p`, `29.0 points`.
  public static func points(_ difference: Double, language: ChartLanguage) -> String {
    fixed(difference, decimals: 1) + (language == .ko ? "%p" : " points")
  }

  /// `[64.6, 77.4]`.
  public static func interval(_ lower: Double, _ upper: Double, decimals: Int) -> String {
    "[\(fixed(lower, decimals: decimals)), \(fixed(upper, decimals: decimals))]"
  }

  /// `2~4` or `2–4`.
  public static func range(_ lower: String, _ upper: String, language: ChartLanguage) -> String {
    lower + (language == .ko ? "~" : "–") + upper
  }

  /// A time: `1시간 58분`, `1 h 58 min`; seconds below ten minutes, one decimal below ten seconds.
  public static func duration(seconds: Double, language: ChartLanguage) -> String {
    guard seconds.isFinite else { return "—" }
    let names = language == .ko ? ["시간", "분", "초"] : [" h", " min", " s"]
    if seconds.magnitude < 9.95 { return fixed(seconds, decimals: 1) + names[2] }
    let sign = seconds < 0 ? "−" : ""
    let total = Int(min(seconds.magnitude, 1e15).rounded())
    if total < 60 { return "\(sign)\(total)\(names[2])" }
    if total < 600 {
      let rest = total % 60
      return "\(sign)\(total / 60)\(names[1])" + (rest == 0 ? "" : " \(rest)\(names[2])")
    }
    let minutes = (total + 30) / 60
    guard minutes >= 60 else { return "\(sign)\(minutes)\(names[1])" }
    let rest = minutes % 60
    return sign + grouped(minutes / 60) + names[0] + (rest == 0 ? "" : " \(rest)\(names[1])")
  }

  /// Exactly this many decimals, with commas and U+2212; `—` where there is no number.
  public static func fixed(_ value: Double, decimals: Int) -> String {
    guard value.isFinite else { return "—" }
    guard value.magnitude < 1e15 else { return learningRate(value).replacingOccurrences(of: "e", with: "e+") }
    let text = String(format: "%.\(min(max(decimals, 0), 12))f", value.magnitude)
    let parts = text.split(separator: ".", maxSplits: 1)
    let whole = grouped(Int(parts[0]) ?? 0)
    let isZero = text.allSatisfy { $0 == "0" || $0 == "." }
    return (value < 0 && !isZero ? "−" : "") + whole + (parts.count == 2 ? "." + parts[1] : "")
  }

  /// The same with a plus sign before what is more than 0 as it is shown.
  public static func signed(_ value: Double, decimals: Int) -> String {
    let text = fixed(value, decimals: decimals)
    return (value > 0 && text.contains { ("1"..."9").contains($0) } ? "+" : "") + text
  }

  /// At most this many decimals, and no more than the shortest text that reads back as the same number has.
  public static func recorded(_ value: Double, decimals: Int) -> String {
    fixed(value, decimals: min(decimals, recordedDecimals(value)))
  }

  /// How many decimals the shortest text of a number has: 0 for 3, 2 for 8.41.
  public static func recordedDecimals(_ value: Double) -> Int {
    guard value.isFinite, value != value.rounded() else { return 0 }
    let parts = "\(value.magnitude)".split(separator: "e", maxSplits: 1)
    let mantissa = parts[0].split(separator: ".", maxSplits: 1)
    var decimals = mantissa.count == 2 && mantissa[1] != "0" ? mantissa[1].count : 0
    if parts.count == 2, let exponent = Int(parts[1]) { decimals -= exponent }
    return max(decimals, 0)
  }

  /// The unit a number of this size is counted in, with its name; 1 and "" below 10,000 (ko) or 1,000 (en).
  static func compactUnit(_ size: Double, language: ChartLanguage) -> (unit: Double, name: String) {
    let units: [(Double, String)] =
      language == .ko
      ? [(1e12, "조"), (1e8, "억"), (1e4, "만")] : [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")]
    // A size that would round up to 1000 (or 10000) of a unit belongs to the next one.
    return units.first { size >= $0.0 * 0.9995 && size >= 1000 } ?? (1, "")
  }

  /// One decimal below 100, none from there.
  private static func compact(_ value: Double) -> String {
    let text = fixed(value, decimals: value < 99.95 ? 1 : 0)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  private static func trimZeros(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = Substring(text)
    while text.hasSuffix("0") { text = text.dropLast() }
    if text.hasSuffix(".") { text = text.dropLast() }
    return String(text)
  }

  /// The sign in front of a number as U+2212; an exponent keeps its hyphen, as in `2e-4`.
  private static func minus(_ text: String) -> String {
    text.hasPrefix("-") ? "−" + text.dropFirst() : text
  }
}
