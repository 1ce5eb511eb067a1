import Foundation

/// Finds numbers in prose that look like results: shares in percent, decimals beside the name of a measure, `2.9 → 1.1`,
/// decimals of three places and more. Settings, versions, sizes of models, years and counts are none.
enum ProseScan {
  struct Finding: Equatable {
    var line: Int
    var column: Int
    var text: String
  }

  static func findings(in source: String) -> [Finding] {
    var found: [Finding] = []
    let prose = ProseText.lines(of: source)
    for (index, line) in prose.enumerated() {
      for sentence in sentences(line) { found += findings(sentence.text, line: index + 1, column: sentence.start) }
    }
    return found
  }

  // MARK: Sentences

  private typealias Scalars = [Unicode.Scalar]

  /// A line's sentences, with the column each begins at, from 0. A number's own point ends none.
  private static func sentences(_ line: Scalars) -> [(text: Scalars, start: Int)] {
    var parts: [(Scalars, Int)] = []
    var start = 0
    for index in line.indices {
      let next: Unicode.Scalar = index + 1 < line.count ? line[index + 1] : " "
      let isEnd = (".?!".unicodeScalars.contains(line[index]) && next.properties.isWhitespace) || line[index] == "|"
      if isEnd {
        parts.append((Array(line[start...index]), start))
        start = index + 1
      }
    }
    parts.append((Array(line[start...]), start))
    return parts
  }

  // MARK: Numbers

  private struct Number {
    var range: Range<Int>
    var decimals: Int
    var isExponent: Bool
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  private static func numbers(_ text: Scalars) -> [Number] {
    var found: [Number] = []
    var index = 0
    while index < text.count {
      guard isDigit(text[index]) else {
        index += 1
        continue
      }
      let start = index
      var points = 0
      var decimals = 0
      while index < text.count {
        let isJoint = ".,".unicodeScalars.contains(text[index]) && index + 1 < text.count && isDigit(text[index + 1])
        guard isDigit(text[index]) || isJoint else { break }
        if text[index] == "." {
          points += 1
          decimals = 0
        } else if points > 0, isDigit(text[index]) {
          decimals += 1
        }
        index += 1
      }
      let isExponent =
        index + 1 < text.count && (text[index] == "e" || text[index] == "E")
        && (isDigit(text[index + 1]) || "-−+".unicodeScalars.contains(text[index + 1]))
      if isExponent {
        index += 2
        while index < text.count, isDigit(text[index]) { index += 1 }
      }
      // `6.3.2` is a version.
      if points < 2 { found.append(Number(range: start..<index, decimals: decimals, isExponent: isExponent)) }
    }
    return found
  }

  private static let metrics = [
    "손실", "loss", "bleu", "rouge", "chrf", "정답률", "정확도", "정밀도", "재현율", "점수", "accuracy", "precision", "recall",
    "perplexity", "퍼플렉시티", "혼란도", "score", "f1", "exact match", "wer", "cer", "속도", "빨라", "느려", "빠르", "faster",
    "slower",
    "배 ", "speedup", "향상", "improve",
  ]
  private static let settings = [
    "학습률", "learning rate", "learning_rate", "lr ", "lr=", "dropout", "warmup", "alpha", "알파", "rank", "r=", "batch",
    "배치", "epoch", "seed", "시드", "decay", "감쇠", "beta", "epsilon", "모멘텀", "momentum", "비율로", "신뢰구간", "confidence",
    "interval", "max_", "top_p", "temperature", "온도", "step ", "그림 ", "figure ", "표 ", "table ", "절 ", "section ", "버전",
    "version",
  ]
  /// After a share: what is done with that part of the data.
  private static let splits = ["검증", "시험", "테스트", "validation", "test set", "신뢰구간", "confidence", "구간"]
  /// Sizes of the machine.
  private static let machine = ["ghz", "mhz", "gb", "mb", "gib", "mib", "tb"]

  private static func findings(_ text: Scalars, line: Int, column: Int) -> [Finding] {
    let numbers = numbers(text)
    guard !numbers.isEmpty else { return [] }
    let lower = String(String.UnicodeScalarView(text)).lowercased()
    let isMeasured = metrics.contains { lower.contains($0) }
    var found: [Finding] = []
    var passed = 0
    for (index, number) in numbers.enumerated() where number.range.lowerBound >= passed {
      let next = index + 1 < numbers.count ? numbers[index + 1] : nil
      if let next, let end = arrow(text, number, next) {
        found.append(finding(text, number.range.lowerBound..<end, line, column))
        passed = end
      } else if let end = result(text, number, isMeasured: isMeasured) {
        found.append(finding(text, number.range.lowerBound..<end, line, column))
      }
    }
    return found
  }

  private static func finding(_ text: Scalars, _ range: Range<Int>, _ line: Int, _ column: Int) -> Finding {
    Finding(
      line: line, column: column + range.lowerBound + 1,
      text: String(String.UnicodeScalarView(text[range])).trimmingCharacters(in: .whitespaces))
  }

  /// `2.9 → 1.1`, `72% -> 81%`: from one number to another, one of them with decimals or a sign of percent.
  private static func arrow(_ text: Scalars, _ a: Number, _ b: Number) -> Int? {
    let between = String(String.UnicodeScalarView(text[a.range.upperBound..<b.range.lowerBound]))
    let bare = between.replacing("%", with: "").trimmingCharacters(in: .whitespaces)
    guard ["→", "->", "⟶", "⇒", "=>"].contains(bare), !a.isExponent, !b.isExponent else { return nil }
    let isPercent = b.range.upperBound < text.count && text[b.range.upperBound] == "%"
    guard a.decimals > 0 || b.decimals > 0 || isPercent || between.contains("%") else { return nil }
    return isPercent ? b.range.upperBound + 1 : b.range.upperBound
  }

  /// The end of a number that looks like a result; nil for any other.
  private static func result(_ text: Scalars, _ number: Number, isMeasured: Bool) -> Int? {
    guard !number.isExponent, !isName(text, number) else { return nil }
    let end = number.range.upperBound
    let before = lowered(text, max(0, number.range.lowerBound - 24)..<number.range.lowerBound)
    let after = lowered(text, end..<min(text.count, end + 12))
    if isSetting(before) || splits.contains(where: after.contains) { return nil }
    let unit = after.drop { $0 == " " || $0 == "\u{A0}" }
    if unit.first == "%" || after.hasPrefix("퍼센트") || after.hasPrefix(" percent") {
      let whole = String(String.UnicodeScalarView(text[number.range]))
      // `100% 재현된다` is a figure of speech unless a measure stands beside it.
      if !isMeasured, ["0", "100"].contains(whole) { return nil }
      return min(text.count, end + (after.hasPrefix("%p") ? 2 : after.hasPrefix("%") ? 1 : 0))
    }
    if machine.contains(where: unit.hasPrefix) { return nil }
    if isRange(text, number) { return nil }
    if number.decimals >= 3 { return end }
    if number.decimals > 0, isMeasured { return end }
    // `BLEU 27`, `정답률은 72`: a whole number straight after the measure.
    let words = metrics.prefix(20).filter { !["손실", "loss", "점수", "score"].contains($0) }
    let bare = before.trimmingCharacters(in: CharacterSet(charactersIn: " =:은는이가\u{A0}"))
    return words.contains { bare.hasSuffix($0) } && number.decimals == 0 && !after.hasPrefix("-") ? end : nil
  }

  /// Whether the nearest name before a number is that of a setting: `학습률은 0.0007`, `dropout 0.05와 0.1`.
  private static func isSetting(_ before: String) -> Bool {
    settings.contains { name in
      guard let place = before.range(of: name, options: .backwards) else { return false }
      let between = before[place.upperBound...]
      if metrics.contains(where: between.contains) { return false }
      // Another number took the name, unless it is a list of them.
      return !between.contains { $0.isNumber }
        || between.allSatisfy { $0.isNumber || " .,~/·=:와과또는은이가e-−".contains($0) }
    }
  }

  /// `Qwen2.5`, `0.5B`, `v1.2`, `GPT-4`, `Swift 6.3`: a part of a name.
  private static func isName(_ text: Scalars, _ number: Number) -> Bool {
    let before: Unicode.Scalar = number.range.lowerBound > 0 ? text[number.range.lowerBound - 1] : " "
    let after: Unicode.Scalar = number.range.upperBound < text.count ? text[number.range.upperBound] : " "
    func isLatin(_ scalar: Unicode.Scalar) -> Bool { scalar.isASCII && scalar.properties.isAlphabetic }
    if isLatin(before) || before == "_" || before == "/" || before == "." { return true }
    if before == "-", number.range.lowerBound > 1, isLatin(text[number.range.lowerBound - 2]) { return true }
    if isLatin(after), after != "x", after != "s" { return true }
    // A capitalised name before it, as in `Swift 6.3` and `CUDA 12.4`, unless it is a measure.
    let words = String(String.UnicodeScalarView(text[..<number.range.lowerBound])).split(separator: " ")
    guard before == " ", let word = words.last, let first = word.unicodeScalars.first else { return false }
    let isCapital = ("A"..."Z").contains(first) && word.unicodeScalars.allSatisfy { isLatin($0) }
    return isCapital && !metrics.contains { word.lowercased().contains($0) }
  }

  /// `0~100`, `0–1`: the bounds of a scale.
  private static func isRange(_ text: Scalars, _ number: Number) -> Bool {
    let signs = "~–∼～".unicodeScalars
    let before: Unicode.Scalar = number.range.lowerBound > 0 ? text[number.range.lowerBound - 1] : " "
    let after: Unicode.Scalar = number.range.upperBound < text.count ? text[number.range.upperBound] : " "
    return signs.contains(before) || signs.contains(after)
  }

  private static func lowered(_ text: Scalars, _ range: Range<Int>) -> String {
    String(String.UnicodeScalarView(text[range])).lowercased()
  }
}
