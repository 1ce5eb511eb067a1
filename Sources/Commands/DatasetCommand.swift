import Datasets
import Foundation
import Formats
import Runs

enum DatasetCommand {
  /// So many rows are read within a second.
  private static let firstRows = 10_000

  static let dataset = Command(
    name: "dataset",
    summary: Words(
      "shows what a data file is taken for and what becomes of its rows", ko: "데이터 파일을 어떻게 읽고 어떤 행이 빠지는지 보여 줍니다"),
    usage: "inspect FILE|hub:OWNER/NAME[/CONFIG[/SPLIT]][@REVISION]... [options]",
    options: [
      Option(
        "--rows", "N",
        Words("reads so many rows, or `all` (default: \(firstRows))", ko: "읽을 행의 수, 또는 all (기본: \(firstRows))")),
      Option(
        "--format", "YAML",
        Words(
          "dataset.format, e.g. '{input: \"{Q}\", output: \"{A}\"}'",
          ko: "dataset.format. 예: '{input: \"{Q}\", output: \"{A}\"}'")),
      Option("--json", Words("prints JSON", ko: "JSON으로 출력합니다")),
    ], example: "lorapress dataset inspect content/data/korean-lectures.jsonl"
  ) { arguments, console in
    guard arguments.positional.first == "inspect", arguments.positional.count > 1 else {
      throw UsageError("say `dataset inspect FILE`; see `lorapress dataset --help`")
    }
    let inspection = try Inspection(
      try files(arguments.positional.dropFirst(), console), format: try FormatOption.settings(arguments),
      limit: try rows(arguments))
    if arguments.flag("--json") { return console.print(json(inspection).text(pretty: true)) }
    for line in InspectionText(inspection, console).lines { console.print(line) }
  }

  private static func files(_ paths: ArraySlice<String>, _ console: Console) throws -> [DataFiles.File] {
    let here = DataFiles(base: URL(fileURLWithPath: FileManager.default.currentDirectoryPath))
    return try paths.flatMap { path in
      guard HubSettings.isMeant(by: path) else { return try here.files([path]) }
      guard let hub = HubSettings(argument: path) else {
        throw UsageError("'\(path)' should be hub:OWNER/NAME, hub:OWNER/NAME/CONFIG or hub:OWNER/NAME/CONFIG/SPLIT")
      }
      return try HubData.fetch(hub, console: console).train
    }
  }

  private static func rows(_ arguments: Arguments) throws -> Int? {
    arguments.value("--rows") == "all" ? nil : try arguments.integer("--rows", atLeast: 1) ?? firstRows
  }

  private static func json(_ inspection: Inspection) -> JSONValue {
    func object<Value>(_ values: [String: Value], _ value: (Value) -> JSONValue) -> JSONValue {
      .object(JSONObject(values.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: value($0.value)) }))
    }
    let layouts = inspection.layouts.map { layout -> JSONValue in
      [
        "container": .string(layout.container), "schema": .string(layout.schema),
        "mapping": .object(JSONObject(layout.mapping.map { .init(key: $0.role, value: .string($0.template)) })),
        "files": .array(layout.files.map(JSONValue.string)),
      ]
    }
    let rejects = inspection.rejects.map { reject -> JSONValue in
      [
        "reason": .string(reject.reason), "rows": JSONValue(reject.rows),
        "example": [
          "file": .string(reject.example.source.file), "row": JSONValue(reject.example.source.row),
          "detail": .string(reject.example.detail),
        ],
      ]
    }
    let samples = inspection.samples.map { sample -> JSONValue in
      let before = sample.before.map { JSONObject.Entry(key: $0.name, value: .string($0.value)) }
      let after = sample.row.messages.map { message -> JSONValue in
        ["role": .string(message.role), "content": .string(message.content)]
      }
      return [
        "file": .string(sample.row.source.file), "row": JSONValue(sample.row.source.row),
        "rule": sample.row.rule.map(JSONValue.string) ?? .null, "before": .object(JSONObject(before)),
        "after": .array(after),
      ]
    }
    let categories = inspection.categories.map { column, rows in
      JSONObject.Entry(key: column, value: object(rows) { JSONValue($0) })
    }
    let rejected = inspection.rejects.reduce(0) { $0 + $1.rows }
    return [
      "layouts": .array(layouts), "bytes": JSONValue(inspection.bytes), "read": JSONValue(inspection.read),
      "whole": JSONValue(inspection.isWhole), "added": JSONValue(inspection.added), "kept": JSONValue(inspection.kept),
      "rejected": JSONValue(rejected), "rejects": .array(rejects),
      "normalized": JSONValue(inspection.normalized), "control_characters": JSONValue(inspection.controlCharacters),
      "languages": object(inspection.languages) { JSONValue($0) }, "rules": object(inspection.rules) { JSONValue($0) },
      "categories": .object(JSONObject(categories)),
      "samples": .array(samples),
    ]
  }
}

/// An inspection as lines for a reader, in colour on a terminal.
private struct InspectionText {
  private static let longestValue = 400
  private static let mostCategories = 8

  let inspection: Inspection
  let console: Console

  init(_ inspection: Inspection, _ console: Console) {
    self.inspection = inspection
    self.console = console
  }

  var lines: [String] { layouts + counts + changes + samples }

  private enum Colour: String { case bold = "1", dim = "2", red = "31", green = "32", yellow = "33" }

  private func painted(_ text: String, _ colour: Colour) -> String {
    console.paintsOutput ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
  }

  private func line(_ title: Words, _ text: String) -> String {
    "\(painted(console.text(title), .bold)): \(text)"
  }

  private var layouts: [String] {
    inspection.layouts.flatMap { layout -> [String] in
      let more = layout.files.count > 1 ? " +\(layout.files.count - 1)" : ""
      let head = "\(painted(shown(layout.files.first ?? "") + more, .bold))  \(layout.container) · \(layout.schema)"
      return [head] + layout.mapping.map { "  \($0.role) ← \(painted(shown($0.template), .yellow))" }
    }
  }

  private var counts: [String] {
    let rejected = inspection.rejects.reduce(0) { $0 + $1.rows }
    let added =
      inspection.added > 0 ? Words(" + \(inspection.added) made of texts", ko: " + 글에서 더 나온 \(inspection.added)") : ""
    var text = console.text(
      Words(
        "\(inspection.read) read\(added.en) = \(inspection.kept) kept + \(rejected) rejected",
        ko: "읽음 \(inspection.read)\(added.ko) = 남김 \(inspection.kept) + 제외 \(rejected)"))
    if !inspection.isWhole {
      text += console.text(Words(" (the first rows; --rows all reads every one)", ko: " (앞부분만 읽음. 모두 읽으려면 --rows all)"))
    }
    var lines = [line(Words("rows", ko: "행"), text)]
    for reject in inspection.rejects {
      let example = reject.example
      lines.append(
        "  \(painted(reject.reason, .red)) \(reject.rows) · \(shown(example.source.file)):\(example.source.row) · \(shown(example.detail))"
      )
    }
    return lines
  }

  private var changes: [String] {
    var lines: [String] = []
    if !inspection.rules.isEmpty { lines.append(line(Words("rules", ko: "규칙"), listed(inspection.rules))) }
    if !inspection.languages.isEmpty {
      lines.append(line(Words("languages", ko: "언어"), listed(inspection.languages)))
    }
    if inspection.normalized > 0 {
      lines.append(line(Words("brought to form C (NFC)", ko: "NFC로 바꾼 행"), "\(inspection.normalized)"))
    }
    if inspection.controlCharacters > 0 {
      lines.append(
        line(Words("control characters removed", ko: "제어 문자를 지운 행"), "\(inspection.controlCharacters)"))
    }
    if let longest = inspection.lengths.last {
      let median = inspection.lengths[inspection.lengths.count / 2]
      lines.append(
        line(
          Words("characters of a row", ko: "행의 글자 수"),
          console.text(Words("median \(median), longest \(longest)", ko: "중앙값 \(median), 가장 긴 것 \(longest)"))))
    }
    for category in inspection.categories { lines.append(line("\(shown(category.column))", listed(category.rows))) }
    return lines
  }

  /// "ko 120 · en 3", the most frequent first.
  private func listed(_ rows: [String: Int]) -> String {
    let sorted = rows.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
    let shown = sorted.prefix(Self.mostCategories).map { "\(self.shown($0.key)) \($0.value)" }
    return (shown + (sorted.count > shown.count ? ["…"] : [])).joined(separator: " · ")
  }

  private var samples: [String] {
    inspection.samples.flatMap { sample -> [String] in
      let source = sample.row.source
      let rule = sample.row.rule.map { " · \($0)" } ?? ""
      return ["", painted("\(shown(source.file)):\(source.row)\(rule)", .bold)]
        + sample.before.map { "  \(painted("- \(shown($0.name)):", .red)) \(shown($0.value))" }
        + sample.row.messages.map { "  \(painted("+ \($0.role):", .green)) \(shown($0.content))" }
    }
  }

  /// A text on one line, its control characters written out: data must not steer the terminal.
  private func shown(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars.prefix(Self.longestValue) {
      switch scalar {
      case "\n": out += "⏎"
      case "\t": out += " "
      default:
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        out += isControl && scalar != "\u{200D}" ? String(format: "\\u{%04X}", scalar.value) : String(scalar)
      }
    }
    return text.unicodeScalars.count > Self.longestValue ? out + "…" : out
  }
}
