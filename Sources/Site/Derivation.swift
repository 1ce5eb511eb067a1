import Charts
import Formats
import Foundation
import Runs

/// How a shown number follows from recorded ones. Rendering and verifying use the same rules.
enum Derivation {
  /// The source of a value that stands at one place of a file.
  static func source(_ reference: Reference, value: JSONValue, in document: JSONValue) -> Trace.Source {
    let raw = if case .number(let number) = value { number.text } else { value.string ?? value.text() }
    var step: Int?
    if reference.path.hasSuffix(".jsonl"), let line = reference.pointer.split(separator: "/").first {
      step = document.value(at: "/\(line)/step")?.integer
    }
    return Trace.Source(reference: reference, raw: raw, step: step)
  }

  /// A value as it was recorded, shown in a format.
  static func measured(
    _ source: Trace.Source, _ value: JSONValue, _ format: ValueFormat, language: SiteLanguage
  ) throws -> Trace {
    Trace(
      kind: .measured, shown: try format.shown(value, language: language), raw: source.raw, sources: [source],
      isNumber: format.isNumber, format: format)
  }

  /// A setting as its author wrote it (the source's digits), or in a format.
  static func setting(
    _ source: Trace.Source, _ value: JSONValue, isNumber: Bool, _ format: ValueFormat?, language: SiteLanguage
  ) throws -> Trace {
    Trace(
      kind: .setting, shown: try format?.shown(value, language: language) ?? source.raw, raw: source.raw,
      sources: [source], isNumber: isNumber && format?.isNumber ?? true, format: format)
  }

  /// Whether an operation reads a whole file (`median(tokens_per_second)`), not single values of it.
  static func isOverFile(_ operation: String) -> Bool {
    operation.contains("(") || AnswerOperation(rawValue: operation) != nil
  }

  /// The result of an operation; the inputs are values, or for an operation over a file its one document.
  static func value(_ operation: String, _ inputs: [JSONValue]) throws -> Double {
    if let counted = AnswerOperation(rawValue: operation) { return try counted.value(inputs) }
    if let counted = ReviewOperation(operation: operation) { return try counted.value(inputs) }
    if isOverFile(operation) {
      guard inputs.count == 1, let entries = inputs[0].array else {
        throw SiteError("\(operation) needs one file of lines")
      }
      return try LogOperation(operation).value(entries)
    }
    let numbers = try inputs.map { input -> Double in
      guard let number = input.double else { throw SiteError("\(input.kind) can't be computed with") }
      return number
    }
    guard let first = numbers.first else { throw SiteError("\(operation) needs values") }
    switch (operation, numbers.count) {
    case ("difference", 2): return numbers[1] - first
    case ("gap", 2): return abs(numbers[1] - first)
    case ("ratio", 2):
      guard numbers[1] != 0 else { throw SiteError("the second value is 0; a ratio needs another") }
      return first / numbers[1]
    case ("total", _): return numbers.reduce(0, +)
    case ("share", _):
      let sum = numbers.reduce(0, +)
      guard sum > 0 else { throw SiteError("the parts add up to 0; a share needs a whole") }
      return first / sum
    default: throw SiteError("there is no operation \"\(operation)\" of \(numbers.count) values")
    }
  }

  /// The text a reader sees.
  static func shown(_ operation: String, _ value: Double, _ format: ValueFormat, language: SiteLanguage) -> String {
    guard operation == "difference" || operation == "gap" else { return format.shown(value, language: language) }
    var shown = format.shown(value, language: language)
    if format == .percent {
      shown = (value < 0 ? "−" : "") + NumberFormat.points(abs(value * 100), language: language.chart)
    }
    // A difference has the decimals of its parts, whatever the subtraction left behind.
    if format == .loss || format == .ppl { shown = NumberFormat.fixed(value, decimals: format == .loss ? 3 : 2) }
    let isPositive = value > 0 && shown.contains { ("1"..."9").contains($0) }
    return (operation == "difference" && isPositive ? "+" : "") + shown
  }

  static func trace(
    _ operation: String, _ value: Double, _ format: ValueFormat, sources: [Trace.Source], language: SiteLanguage
  ) throws -> Trace {
    let raw = JSONValue(value)
    guard !raw.isNull else { throw SiteError("the result is no finite number") }
    return Trace(
      kind: .computed(operation), shown: shown(operation, value, format, language: language), raw: raw.text(),
      sources: sources, isNumber: true, format: format)
  }
}

/// What is counted over the answers of several runs, one file of answers each.
enum AnswerOperation: String {
  case common = "common_answers"
  case differing = "differing_answers"
  /// Of the first run: where its answer alone is best.
  case best = "best_answers"

  func value(_ files: [JSONValue]) throws -> Double {
    let samples = try files.map { file -> [AnswerSample] in
      guard let lines = file.array else { throw SiteError("\(rawValue) needs files of answers") }
      return try lines.map { try RecordFile.decode(AnswerSample.self, line: Data($0.text().utf8)) }
    }
    guard let answers = ComparedAnswers(samples: samples) else { throw SiteError("\(rawValue): a run has no answers") }
    switch self {
    case .common: return Double(answers.common)
    case .differing: return Double(answers.different)
    case .best:
      guard let best = answers.best?.first else { throw SiteError("\(rawValue): a run has no scores") }
      return Double(best)
    }
  }
}

/// An operation over the lines of a log: `median(tokens_per_second)`, `mean(loss, step 20-40)`, `count(better)`.
struct LogOperation: Equatable {
  let name: String
  let argument: String
  /// Steps that are looked at, both ends included.
  let steps: ClosedRange<Int>?

  init(_ text: String) throws {
    let parts = text.split(separator: "(", maxSplits: 1).map(String.init)
    guard parts.count == 2, parts[1].hasSuffix(")") else { throw SiteError("\"\(text)\" is no operation") }
    let arguments = parts[1].dropLast().split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    name = parts[0]
    argument = arguments.first ?? ""
    guard arguments.count > 1 else {
      steps = nil
      return
    }
    let ends = arguments[1].dropFirst(5).split(separator: "-").compactMap { Int($0) }
    guard arguments.count == 2, arguments[1].hasPrefix("step "), ends.count == 2, ends[0] <= ends[1] else {
      throw SiteError("\"\(text)\" is no operation")
    }
    steps = ends[0]...ends[1]
  }

  func value(_ entries: [JSONValue]) throws -> Double {
    switch name {
    case "count": return Double(try count(entries))
    case "mean":
      let values = numbers(entries)
      guard !values.isEmpty else { throw SiteError("no values of \(argument)") }
      return values.reduce(0, +) / Double(values.count)
    case "median": return try quantile(entries, 0.5)
    case "p10": return try quantile(entries, 0.1)
    case "p90": return try quantile(entries, 0.9)
    default: throw SiteError("there is no operation \"\(name)\" over a log")
    }
  }

  /// A field of the training steps.
  private func numbers(_ entries: [JSONValue]) -> [Double] {
    var values: [Double] = []
    // A resumed run measures some steps again: the later line counts.
    var places: [Int: Int] = [:]
    for entry in entries where entry["split"]?.string == "train" {
      guard let step = entry["step"]?.integer, steps?.contains(step) ?? true, let value = entry[argument]?.double else {
        continue
      }
      if let place = places[step] {
        values[place] = value
      } else {
        places[step] = values.count
        values.append(value)
      }
    }
    return values
  }

  /// A recorded value, not one between two.
  private func quantile(_ entries: [JSONValue], _ part: Double) throws -> Double {
    let values = numbers(entries).sorted()
    guard !values.isEmpty else { throw SiteError("no values of \(argument)") }
    return values[Int((part * Double(values.count - 1)).rounded())]
  }

  private func count(_ entries: [JSONValue]) throws -> Int {
    switch argument {
    case "evaluations":
      return entries.filter { $0["split"]?.string == "eval" && $0["loss"]?.double != nil }.count
    case "not finite": return entries.filter { $0["loss"]?.double == nil }.count
    case "resumes": return entries.filter { $0["resumed"]?.bool == true }.count
    default: break
    }
    let samples = try entries.map { try RecordFile.decode(AnswerSample.self, line: Data($0.text().utf8)) }
    switch argument {
    case "questions": return samples.count
    case "cut before": return samples.filter { $0.base.stopReason != "stop" }.count
    case "cut": return samples.filter { $0.tuned.stopReason != "stop" }.count
    case "repeating": return samples.filter { Repetition.isFound(in: $0.tuned.text) }.count
    default:
      guard let change = AnswerChange(rawValue: argument) else {
        throw SiteError("nothing is counted as \"\(argument)\"")
      }
      return samples.filter { AnswerChange($0) == change }.count
    }
  }
}
