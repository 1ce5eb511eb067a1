import Foundation

/// Reads `log/metrics.jsonl`, the one file of a run that grows large: its plain lines without the general JSON decoder, which takes
/// some fifty times as long.
public enum MetricsLog {
  /// One event a line; a last line that was cut off (no "\n") is passed over, as `RecordFile.readLines` does.
  ///
  /// A line that is not a flat object of plain numbers, words and simple texts goes to the general decoder, whose errors name it.
  public static func events(in data: Data, file: String) throws -> [MetricsEvent] {
    var events: [MetricsEvent] = []
    var number = 0
    var start = 0
    while let end = newline(in: data, from: start) {
      number += 1
      if end > start {
        let line = data.withUnsafeBytes { bytes in
          var reader = LineReader(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
          return reader.event()
        }
        if let line {
          events.append(line)
        } else {
          let slice = data[(data.startIndex + start)..<(data.startIndex + end)]
          events.append(try RecordFile.decode(MetricsEvent.self, from: slice, file: "\(file):\(number)"))
        }
      }
      start = end + 1
    }
    return events
  }

  private static func newline(in data: Data, from start: Int) -> Int? {
    data.withUnsafeBytes { bytes -> Int? in
      guard start < bytes.count, let base = bytes.baseAddress,
        let found = memchr(base + start, 0x0A, bytes.count - start)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }
}

/// One line: `{"key": value, …}`. Every method gives nil for what is not plain, so that the general decoder has its say.
private struct LineReader {
  let bytes: UnsafeRawBufferPointer
  var at = 0

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private enum Value {
    case null, flag(Bool)
    case number(Double, integer: Int?)
    case text(UnsafeRawBufferPointer)
  }

  mutating func event() -> MetricsEvent? {
    guard take("{") else { return nil }
    var fields = Fields()
    repeat {
      guard let key = text(), take(":"), let value = value(), fields.set(key, value) else { return nil }
    } while take(",")
    guard take("}") else { return nil }
    skipSpace()
    return at == bytes.count ? fields.event : nil
  }

  /// What has been read so far; a repeated key or a value of another kind than the record's ends the quick way.
  private struct Fields {
    var step: Int?
    var epoch: Double?
    var split: MetricsEvent.Split?
    var time: Double?
    var rest = MetricsEvent(step: 0, epoch: 0, split: .train, loss: nil, time: 0)
    private var seen: UInt32 = 0

    private static let names: [StaticString] = [
      "step", "epoch", "split", "loss", "learning_rate", "grad_norm", "tokens", "supervised_tokens",
      "tokens_per_second", "peak_memory_bytes", "time", "resumed",
    ]

    mutating func set(_ key: UnsafeRawBufferPointer, _ value: Value) -> Bool {
      guard let place = Self.names.firstIndex(where: { equal(key, $0) }) else {
        // What only imported logs have is left to the general decoder.
        return !equal(key, "loss_not_a_number") && !equal(key, "other")
      }
      guard seen & (1 << UInt32(place)) == 0 else { return false }
      seen |= 1 << UInt32(place)
      switch (place, value) {
      case (0, .number(_, let integer?)): step = integer
      case (1, .number(let number, _)): epoch = number
      case (2, .text(let text)):
        split = equal(text, "train") ? .train : equal(text, "eval") ? .eval : nil
        return split != nil
      case (3, .number(let number, _)): rest.loss = number
      case (4, .number(let number, _)): rest.learningRate = number
      case (5, .number(let number, _)): rest.gradNorm = number
      case (6, .number(_, let integer?)): rest.tokens = integer
      case (7, .number(_, let integer?)): rest.supervisedTokens = integer
      case (8, .number(let number, _)): rest.tokensPerSecond = number
      case (9, .number(_, let integer?)): rest.peakMemoryBytes = integer
      case (10, .number(let number, _)): time = number
      case (11, .flag(let flag)): rest.resumed = flag
      case (3...9, .null), (11, .null): break
      default: return false
      }
      return true
    }

    var event: MetricsEvent? {
      guard let step, let epoch, let split, let time else { return nil }
      var event = rest
      (event.step, event.epoch, event.split, event.time) = (step, epoch, split, time)
      return event
    }
  }

  private mutating func value() -> Value? {
    skipSpace()
    guard at < bytes.count else { return nil }
    switch bytes[at] {
    case UInt8(ascii: "\""): return text().map { .text($0) }
    case UInt8(ascii: "n"): return word("null") ? .null : nil
    case UInt8(ascii: "t"): return word("true") ? .flag(true) : nil
    case UInt8(ascii: "f"): return word("false") ? .flag(false) : nil
    default: return number()
    }
  }

  /// A text of printable ASCII without escapes.
  private mutating func text() -> UnsafeRawBufferPointer? {
    guard take("\"") else { return nil }
    let start = at
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
      guard (0x20..<0x7F).contains(bytes[at]), bytes[at] != UInt8(ascii: "\\") else { return nil }
      at += 1
    }
    guard at < bytes.count else { return nil }
    at += 1
    return UnsafeRawBufferPointer(rebasing: bytes[start..<(at - 1)])
  }

  /// The digits of a number, read once.
  private struct Digits {
    var mantissa: UInt64 = 0
    /// From the first that is not 0 on.
    var count = 0
    var exponent = 0

    mutating func add(_ digit: UInt8) {
      // Past 18 digits the exact way below is given up, so what is lost here doesn't matter.
      if count < 18 { mantissa = mantissa * 10 + UInt64(digit) }
      if mantissa > 0 { count += 1 }
    }
  }

  private var digit: UInt8? {
    at < bytes.count && (0x30...0x39).contains(bytes[at]) ? bytes[at] - 0x30 : nil
  }

  /// A run of digits; how many there were.
  private mutating func run(_ digits: inout Digits) -> Int {
    let first = at
    while let next = digit {
      digits.add(next)
      at += 1
    }
    return at - first
  }

  private mutating func number() -> Value? {
    let start = at
    let isNegative = at < bytes.count && bytes[at] == UInt8(ascii: "-")
    if isNegative { at += 1 }
    var digits = Digits()
    let whole = run(&digits)
    guard whole > 0, whole == 1 || bytes[isNegative ? start + 1 : start] != 0x30 else { return nil }
    let wholeEnd = at
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      let fraction = run(&digits)
      guard fraction > 0 else { return nil }
      digits.exponent = -fraction
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      at += 1
      guard let power = power() else { return nil }
      digits.exponent += power
    }
    let written = UnsafeRawBufferPointer(rebasing: bytes[start..<at])
    let integer = at == wholeEnd ? Int(String(decoding: written, as: UTF8.self)) : nil
    if at == wholeEnd, integer == nil { return nil }
    guard let value = double(written, digits, isNegative: isNegative) else { return nil }
    return .number(value, integer: integer)
  }

  private mutating func power() -> Int? {
    var sign = 1
    if at < bytes.count, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") {
      sign = bytes[at] == UInt8(ascii: "-") ? -1 : 1
      at += 1
    }
    var power = 0
    let first = at
    while let next = digit {
      guard power < 1000 else { return nil }
      power = power * 10 + Int(next)
      at += 1
    }
    return at > first ? sign * power : nil
  }

  /// Up to 15 digits times or over a power of ten up to 22 are both exact, so that one operation rounds right; the rest goes to the
  /// library.
  private func double(_ written: UnsafeRawBufferPointer, _ digits: Digits, isNegative: Bool) -> Double? {
    if digits.count <= 15, digits.exponent.magnitude <= 22 {
      let power = Self.powers[Int(digits.exponent.magnitude)]
      let value = digits.exponent < 0 ? Double(digits.mantissa) / power : Double(digits.mantissa) * power
      return isNegative ? -value : value
    }
    let value = Double(String(decoding: written, as: UTF8.self))
    return value.flatMap { $0.isFinite ? $0 : nil }
  }

  private static let powers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]

  private mutating func word(_ word: StaticString) -> Bool {
    let end = at + word.utf8CodeUnitCount
    guard end <= bytes.count, equal(UnsafeRawBufferPointer(rebasing: bytes[at..<end]), word) else { return false }
    at = end
    return true
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  private mutating func skipSpace() {
    while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x09 || bytes[at] == 0x0D { at += 1 }
  }
}

private func equal(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
  bytes.count == text.utf8CodeUnitCount
    && memcmp(bytes.baseAddress ?? UnsafeRawPointer(text.utf8Start), text.utf8Start, bytes.count) == 0
}
