import Charts
import Formats
import Foundation
import Runs

/// A place in a run's file: `run.json#/training/best_eval_loss`, or `runs/<id>/…` for another run than the post's.
struct Reference: Sendable, Equatable {
  var run: String
  /// Path inside the run folder.
  var path: String
  /// A JSON Pointer; a JSONL file is a zero-based array.
  var pointer: String

  var file: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// `runs/<id>/<path>#<pointer>`, as `data-source` has it; a space becomes %20, since spaces part the sources, and so does
  /// what a page can't hold.
  var text: String {
    var out = ""
    for scalar in "runs/\(run)/\(path)#\(pointer)".unicodeScalars {
      if scalar == "%" || scalar.properties.isWhitespace || Escape.isForbidden(scalar) {
        for byte in Character(scalar).utf8 {
          out += "%" + String(0x100 + Int(byte), radix: 16, uppercase: true).dropFirst()
        }
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// The text without its `%XX`.
  static func decoded(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(2)
      if byte == UInt8(ascii: "%"), digits.count == 2,
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What is measured, without the line of a log.
  var metric: String {
    var parts = pointer.split(separator: "/").map(String.init)
    if path.hasSuffix(".jsonl"), parts.count > 1 { parts.removeFirst() }
    if parts.last == "value", parts.count > 1 { parts.removeLast() }
    return parts.joined(separator: "/")
  }

  /// A place as `text` writes it.
  init?(written text: Substring) {
    let plain = Self.decoded(String(text))
    guard plain.hasPrefix("runs/"), let reference = try? Reference.parse(plain, run: ""), !reference.run.isEmpty else {
      return nil
    }
    self = reference
  }

  init(run: String, path: String, pointer: String) {
    self.run = run
    self.path = path
    self.pointer = pointer
  }

  static func parse(_ text: String, run: String) throws -> Reference {
    let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts[0].isEmpty, parts[1].isEmpty || parts[1].hasPrefix("/") else {
      throw SiteError(
        "\"\(text)\" is not a place in a run; write FILE#/POINTER, for example run.json#/training/best_eval_loss")
    }
    var reference = Reference(run: run, path: parts[0], pointer: parts[1])
    let path = parts[0].split(separator: "/", maxSplits: 2).map(String.init)
    if path.count == 3, path[0] == "runs" {
      reference.run = path[1]
      reference.path = path[2]
    }
    return reference
  }
}

/// A number or word on a page that stands in a run's file, or was computed from such.
struct Trace: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case measured, setting
    /// The operation: "difference", "ratio", "total".
    case computed(String)
  }

  struct Source: Sendable, Equatable {
    var reference: Reference
    /// The digits in the file.
    var raw: String
    var step: Int?
  }

  var kind: Kind
  var shown: String
  /// What `<data value>` holds: the digits in the file, or the computed number.
  var raw: String
  var sources: [Source]
  /// Numbers get the dotted line, words do not.
  var isNumber: Bool
  /// How `shown` was made of the value; nil where the value is shown as it was written.
  var format: ValueFormat? = nil

  func html(_ words: SiteWords) -> String {
    let places = sources.map(\.reference.text).joined(separator: " ")
    var attributes = "value=\"\(Escape.html(raw))\" data-source=\"\(Escape.html(places))\""
    if case .computed(let operation) = kind { attributes += " data-operation=\"\(Escape.html(operation))\"" }
    attributes += " data-format=\"\(format?.rawValue ?? ValueFormat.written)\""
    let name = isNumber ? "" : " class=\"word\""
    return "<data\(name) \(attributes) title=\"\(Escape.html(title(words)))\">\(Escape.html(shown))</data>"
  }

  func title(_ words: SiteWords) -> String {
    var parts: [String] = []
    switch kind {
    case .measured: parts.append(words.measured)
    case .setting: parts.append(words.setting)
    case .computed(let operation):
      parts.append(words.computed)
      parts.append(formula(operation, words))
    }
    if case .computed = kind {
    } else if let source = sources.first {
      parts.append(source.reference.metric)
      if let step = source.step { parts.append("step \(NumberFormat.grouped(step))") }
    }
    var runs: [String] = []
    var files: [String] = []
    for source in sources {
      if !runs.contains(source.reference.run) { runs.append(source.reference.run) }
      if !files.contains(source.reference.file) { files.append(source.reference.file) }
    }
    parts += runs.map { "run \($0)" } + files
    parts.append(words.raw(raw))
    return parts.joined(separator: " · ")
  }

  func rich(_ words: SiteWords) -> Rich {
    Rich(html: html(words), markdown: Escape.markdown(shown), plain: shown)
  }

  /// The operation with the names of what went into it.
  func formula(_ operation: String, _ words: SiteWords) -> String {
    let names = sources.map { source in
      source.reference.metric + (source.step.map { "(step \(NumberFormat.grouped($0)))" } ?? "")
    }
    switch operation {
    case "difference": return names.reversed().joined(separator: " − ")
    case "gap": return "|" + names.reversed().joined(separator: " − ") + "|"
    // Counted over whole files of answers.
    case AnswerOperation.common.rawValue: return words.pick("모든 실행이 답한 질문 수", "questions that all runs answered")
    case AnswerOperation.differing.rawValue: return words.pick("답이 서로 다른 질문 수", "questions with different answers")
    case AnswerOperation.best.rawValue:
      return words.pick("chrF가 홀로 가장 높은 질문 수", "questions where chrF is highest alone")
    case "ratio": return names.joined(separator: " ÷ ")
    case "share": return "\(names.first ?? "") ÷ (\(names.joined(separator: " + ")))"
    case _ where operation.hasPrefix("review("):
      return ReviewOperation(operation: operation).map { words.reviewed($0.what) } ?? operation
    // Over a whole log: `median(tokens_per_second)`.
    case _ where operation.contains("("): return operation
    default: return names.joined(separator: " + ")
    }
  }
}

/// How a value of a file is shown.
enum ValueFormat: String, CaseIterable, Sendable {
  case loss, ppl, score1, score3, lr, int, count, percent, duration, bytes, params, number, text, hash

  /// What `data-format` says where a value is shown as it was written.
  static let written = "written"

  static func named(_ name: String) throws -> ValueFormat {
    if let format = ValueFormat(rawValue: name) { return format }
    throw SiteError(
      "there is no format \"\(name)\"; the formats are \(allCases.map(\.rawValue).joined(separator: ", "))")
  }

  /// That of an evaluation's score.
  static func score(_ metric: String) -> ValueFormat { ScoreName.decimals(metric) == 3 ? .score3 : .score1 }

  var isNumber: Bool { self != .text && self != .hash }

  /// The text a reader sees; `—` for null.
  func shown(_ value: JSONValue, language: SiteLanguage) throws -> String {
    if value.isNull { return "—" }
    switch self {
    case .text:
      if let text = value.string { return text }
      if case .number(let number) = value { return number.text }
      throw SiteError("format \"text\" needs a text or a number, not \(value.kind)")
    case .hash:
      guard let text = value.string else { throw SiteError("format \"hash\" needs a text, not \(value.kind)") }
      return String(text.prefix(12))
    default:
      guard let number = value.double else {
        throw SiteError("format \"\(rawValue)\" needs a number, not \(value.kind)")
      }
      return shown(number, language: language)
    }
  }

  /// The unit of an axis for values up to `largest`: its name where values in this format are written in one, and its size.
  func axisUnit(_ largest: Double, language: SiteLanguage) -> (name: String?, size: Double) {
    let words = SiteWords(language: language)
    switch self {
    case .bytes:
      if largest >= 1e9 { return ("GB", 1e9) }
      return largest >= 1e6 ? ("MB", 1e6) : ("KB", 1e3)
    case .duration:
      if largest >= 7200 { return (words.pick("시간", "hours"), 3600) }
      return largest >= 120 ? (words.pick("분", "minutes"), 60) : (words.pick("초", "seconds"), 1)
    default: return (nil, 1)
    }
  }

  /// A number in this format; the word formats give it as it is.
  func shown(_ value: Double, language: SiteLanguage) -> String {
    switch self {
    case .loss: NumberFormat.loss(value)
    case .ppl: NumberFormat.perplexity(value)
    case .score1: NumberFormat.fixed(value, decimals: 1)
    case .score3: NumberFormat.fixed(value, decimals: 3)
    case .lr: NumberFormat.learningRate(value)
    case .int:
      Self.whole(value).map { NumberFormat.count($0, language: language.chart) }
        ?? NumberFormat.recorded(value, decimals: 1)
    case .count: Self.whole(value).map(NumberFormat.grouped) ?? NumberFormat.recorded(value, decimals: 1)
    case .percent: NumberFormat.percentage(value * 100)
    case .duration: NumberFormat.duration(seconds: value, language: language.chart)
    case .bytes: Self.bytes(value)
    case .params: Self.whole(value).map(NumberFormat.parameters) ?? NumberFormat.recorded(value, decimals: 1)
    case .number, .text, .hash: NumberFormat.recorded(value, decimals: 3)
    }
  }

  private static func whole(_ value: Double) -> Int? { Int(exactly: value) }

  /// Decimal units with a no-break space: `491 MB`, `14.2 GB`.
  static func bytes(_ value: Double) -> String {
    let units: [(size: Double, name: String)] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")]
    // 999.95 MB would be rounded up to 1000 MB.
    guard let unit = units.first(where: { value.magnitude >= $0.size * 0.9995 }) else {
      return NumberFormat.fixed(value, decimals: 0) + "\u{A0}B"
    }
    let amount = value / unit.size
    return NumberFormat.fixed(amount, decimals: amount.magnitude < 99.95 ? 1 : 0) + "\u{A0}" + unit.name
  }
}
