import Charts
import Formats
import Foundation
import Jinja
import Korean
import Runs

/// What a post's text may call. Each function leaves a fragment in the ledger and prints the mark that stands for it.
struct PostFunctions: Sendable {
  let words: SiteWords
  let ledger: Ledger
  let defaultRun: String?
  /// The runs that the post sets side by side.
  var compared: [String] = []
  let runs: RunLibrary
  let charts: RunCharts
  let regions: CodeRegions
  let highlighter: any CodeHighlighter

  private var language: SiteLanguage { words.language }

  func register(in environment: inout Environment) {
    registerValues(in: &environment)
    registerBlocks(in: &environment)
    registerTables(in: &environment)
    registerAnalysis(in: &environment)
    registerComparison(in: &environment)
  }

  /// Plain records for conditions and loops. Elements of lists carry `ref`, their place for `value()`; of `compared`, the start of one.
  /// - Parameter text: the post's; of lists that it doesn't go through only the first element is made.
  func context(for text: String) throws -> [String: Value] {
    func record(_ run: RunData, _ path: String) throws -> Value {
      FileManager.default.fileExists(atPath: run.folder.at(path).path) ? Self.plain(try run.document(path)) : .none
    }
    let compared = try self.compared.filter(runs.exists).map { id -> Value in
      let run = try runs.run(id)
      return .dict(
        Mapping([
          (.string("id"), .string(id)), (.string("ref"), .string("runs/\(id)/")),
          (.string("run"), try record(run, "run.json")),
          (.string("metrics"), try record(run, "evaluation/metrics.json")),
        ]))
    }
    guard let defaultRun else {
      return [
        "run": .none, "report": .none, "metrics": .none, "samples": .list([]), "events": .list([]),
        "compared": .list(compared), "reviewed": .none,
      ]
    }
    let run = try runs.run(defaultRun)
    func list(_ name: String, _ path: String) throws -> Value {
      let use = RecordUse(of: name, in: text)
      guard use != .none, FileManager.default.fileExists(atPath: run.folder.at(path).path),
        case .array(let all) = try use == .full ? run.document(path) : run.firstLine(path)
      else { return .list([]) }
      let elements = all.map(Self.plain)
      return .list(
        elements.enumerated().map { index, element in
          guard case .dict(var mapping) = element else { return element }
          mapping["ref"] = .string("\(path)#/\(index)")
          return .dict(mapping)
        })
    }
    return [
      "run": try record(run, "run.json"), "report": try record(run, "dataset/report.json"),
      "metrics": try record(run, "evaluation/metrics.json"), "compared": .list(compared),
      "reviewed": reviewed(run),
      "samples": try list("samples", "evaluation/samples.jsonl"),
      "events": try list("events", "log/metrics.jsonl"),
    ]
  }

  /// What a post asks of the review for its conditions; none where nobody judged the answers as they are now.
  private func reviewed(_ run: RunData) -> Value {
    guard !run.review.isEmpty else { return .none }
    let isComplete = run.review.questions.count == run.samples.count
    return ["reviewers": .int(run.review.reviewers), "complete": .bool(isComplete)]
  }

  /// A record without anything that looks like a mark of ours.
  private static func plain(_ json: JSONValue) -> Value {
    switch json {
    case .string(let text): .string(Mark.removed(from: text))
    case .array(let elements): .list(elements.map(plain))
    case .object(let object):
      .dict(Mapping(object.entries.map { (.string(Mark.removed(from: $0.key)), plain($0.value)) }))
    default: Value(json)
    }
  }

  /// Runs `body`, whose errors lack a place in the template: the template adds it.
  func add(
    _ environment: inout Environment, _ name: String, _ body: @escaping @Sendable (Arguments) throws -> Value
  ) {
    environment.register(function: name) { arguments in
      do { return try body(arguments) } catch let fault as JinjaFault { throw fault } catch {
        throw JinjaFault("\(name)(): \(error)")
      }
    }
  }

  func output(_ content: Rich, isBlock: Bool, name: String) -> Value {
    .safe(ledger.add(Fragment(content: content, isBlock: isBlock, name: name)))
  }

  /// What a post may print: fragments, and texts, which come out as text. A bare number would have no source.
  func printed(_ value: Value) throws -> Value {
    switch value {
    case .safe, .undefined: return value
    case .string(let text):
      guard !Mark.parts(of: text).contains(where: { if case .fragment = $0 { true } else { false } }) else {
        return .safe(text)
      }
      return output(.text(text), isBlock: false, name: "text")
    default:
      throw JinjaFault(
        "\(value.kind) can't be printed, since nothing would tell where it comes from; use value(\"FILE#/POINTER\", \"FORMAT\")"
      )
    }
  }

  // MARK: Values

  private func traced(_ trace: Trace, name: String) -> Value {
    ledger.add(trace)
    return output(trace.rich(words), isBlock: false, name: name)
  }

  private func look(_ text: String) throws -> (source: Trace.Source, value: JSONValue) {
    let reference = try Reference.parse(text, run: defaultRun ?? "")
    if reference.run.isEmpty { throw SiteError("the post names no run; add `run: ID` to its front matter") }
    let document = try runs.run(reference.run).document(reference.path)
    guard let value = document.value(at: reference.pointer) else {
      throw SiteError(
        "\(reference.path) of run \(reference.run) holds nothing at \"\(reference.pointer)\"\(Self.hint(document, reference.pointer))"
      )
    }
    guard value.array == nil, value.object == nil else {
      throw SiteError(
        "\(reference.path)#\(reference.pointer) is \(value.kind); go on to a single value\(Self.hint(document, reference.pointer + "/"))"
      )
    }
    return (Derivation.source(reference, value: value, in: document), value)
  }

  /// The names at the deepest place that a pointer reaches.
  private static func hint(_ document: JSONValue, _ pointer: String) -> String {
    var parts = pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
    var wrong = ""
    while !parts.isEmpty {
      wrong = parts.removeLast()
      guard let place = document.value(at: parts.map { "/" + $0 }.joined()) else { continue }
      if let object = place.object {
        if let near = Spelling.nearest(to: wrong, among: object.keys) { return "; did you mean \"\(near)\"?" }
        return "; there are \(object.keys.prefix(20).joined(separator: ", "))"
      }
      if let array = place.array { return "; the list has \(array.count) elements, counted from 0" }
    }
    return ""
  }

  private func number(_ found: (source: Trace.Source, value: JSONValue)) throws -> Double {
    guard let number = found.value.double else {
      throw SiteError(
        "\(found.source.reference.path)#\(found.source.reference.pointer) is \(found.value.kind); only numbers can be computed with"
      )
    }
    return number
  }

  private func registerValues(in environment: inout Environment) {
    add(&environment, "value") { arguments in
      try arguments.allow("ref", "format", positional: 2)
      let found = try look(arguments.text(0, "ref"))
      let format = try ValueFormat.named(arguments.text(1, "format"))
      return traced(try Derivation.measured(found.source, found.value, format, language: language), name: "value")
    }
    add(&environment, "difference") { arguments in
      try arguments.allow("a", "b", "format", positional: 3)
      let a = try look(arguments.text(0, "a"))
      let b = try look(arguments.text(1, "b"))
      let format = try ValueFormat.named(arguments.text(2, "format"))
      let difference = try number(b) - number(a)
      return try computed("difference", format, difference, [a.source, b.source])
    }
    add(&environment, "ratio") { arguments in
      try arguments.allow("a", "b", "format", positional: 3)
      let a = try look(arguments.text(0, "a"))
      let b = try look(arguments.text(1, "b"))
      let format = try ValueFormat.named(arguments.text(2, "format"))
      guard try number(b) != 0 else { throw SiteError("the second value is 0; a ratio needs another") }
      let ratio = try number(a) / number(b)
      return try computed("ratio", format, ratio, [a.source, b.source])
    }
    add(&environment, "total") { arguments in
      try arguments.allow("refs", "format", positional: 2)
      guard case .list(let list) = try arguments.required(0, "refs"), !list.isEmpty else {
        throw SiteError("'refs' must be a list of places")
      }
      let found = try list.map { item -> (source: Trace.Source, value: JSONValue) in
        guard let text = item.plainText else {
          throw SiteError("'refs' must be a list of places, one of them is \(item.kind)")
        }
        return try look(text)
      }
      let format = try ValueFormat.named(arguments.text(1, "format"))
      let total = try found.reduce(0) { try $0 + number($1) }
      return try computed("total", format, total, found.map(\.source))
    }
    registerSettings(in: &environment)
  }

  private func computed(_ operation: String, _ format: ValueFormat, _ value: Double, _ sources: [Trace.Source]) throws
    -> Value
  {
    traced(
      try Derivation.trace(operation, value, format, sources: sources, language: language), name: operation)
  }

  private func registerSettings(in environment: inout Environment) {
    add(&environment, "setting") { arguments in
      try arguments.allow("path", "format", positional: 2)
      let path = try arguments.text(0, "path")
      let (run, setting) = try self.setting(path)
      let format = try arguments.optional(1, "format").flatMap(\.plainText).map(ValueFormat.named)
      let source = Trace.Source(
        reference: Reference(run: run.id, path: "config.yaml", pointer: setting.pointer), raw: setting.node.written,
        step: nil)
      return traced(
        try Derivation.setting(
          source, setting.node.json, isNumber: setting.node.double != nil, format, language: language),
        name: "setting")
    }
    add(&environment, "why") { arguments in
      try arguments.allow("path", positional: 1)
      let path = try arguments.text(0, "path")
      // A value set on the command line has no reason: the author's was for another value.
      let why = try self.setting(path).setting.why ?? ""
      return output(.text(why), isBlock: false, name: "why")
    }
    add(&environment, "p") { arguments in
      try arguments.allow("text", "particle", positional: 2)
      let value = try arguments.required(0, "text")
      guard let text = value.plainText else { throw SiteError("needs a text or a value(), not \(value.kind)") }
      let pair = try arguments.text(1, "particle")
      guard let particle = Self.particle(pair) else {
        throw SiteError("no particle \"\(pair)\"; there are 은/는, 이/가, 을/를, 과/와, 으로/로, 이다/다, 이라/라, 이나/나")
      }
      let sound = Mark.parts(of: text).map { part in
        switch part {
        case .text(let text): text
        case .fragment(let number, _): ledger.fragment(number)?.content.plain ?? ""
        case .mark: ""
        }
      }.joined()
      guard let form = particle.form(after: sound) else {
        throw SiteError("how \"\(sound)\" is read is not known; put a noun after it and write the particle out")
      }
      guard value.isMarkup else { return .string(text + form) }
      // Browsers break a line between % and its particle; an invisible joiner keeps them together on the page.
      let joiner = Fragment(content: Rich(html: "\u{2060}", markdown: "", plain: ""), isBlock: false, name: "p")
      return .safe(text + (sound.hasSuffix("%") ? ledger.add(joiner) : "") + form)
    }
  }

  private func setting(_ path: String) throws -> (
    run: RunData, setting: (node: YAMLNode, pointer: String, why: String?)
  ) {
    guard let id = defaultRun else { throw SiteError("the post names no run; add `run: ID` to its front matter") }
    let run = try runs.run(id)
    guard let setting = run.setting(path) else {
      let near = Spelling.nearest(to: path, among: run.settingPaths).map { "; did you mean \"\($0)\"?" }
      throw SiteError("config.yaml of run \(id) has no setting \"\(path)\"\(near ?? "")")
    }
    if setting.node.mapping != nil { throw SiteError("\"\(path)\" is a group of settings; name one of them") }
    return (run, setting)
  }

  private static func particle(_ pair: String) -> KoreanParticle? {
    let pairs: [String: KoreanParticle] = [
      "은/는": .topic, "이/가": .subject, "을/를": .object, "과/와": .and, "으로/로": .toward, "이다/다": .copula,
      "이라/라": .quotation, "이나/나": .or,
    ]
    return pairs[pair] ?? pairs[pair.split(separator: "/").reversed().joined(separator: "/")]
  }

  // MARK: Blocks

  func blocks(_ arguments: Arguments) throws -> Blocks {
    let id = arguments.named.first { $0.name == "run" }?.value.plainText ?? defaultRun
    guard let id else { throw SiteError("the post names no run; add `run: ID` to its front matter") }
    return Blocks(run: try runs.run(id), words: words, ledger: ledger, charts: charts)
  }

  func caption(_ arguments: Arguments) -> String? {
    arguments.named.first { $0.name == "caption" }?.value.plainText
  }

  private func registerBlocks(in environment: inout Environment) {
    add(&environment, "chart") { arguments in
      try arguments.allow("kind", "finding", "caption", "log", "run", positional: 1)
      let name = try arguments.text(0, "kind")
      guard let kind = ChartKind(rawValue: name) else {
        throw SiteError("no chart \"\(name)\"; there are \(ChartKind.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      let chart = try blocks(arguments).chart(
        kind, finding: arguments.optional(1, "finding")?.plainText, caption: caption(arguments),
        logScale: arguments.flag(3, "log", default: false))
      return output(chart, isBlock: true, name: "chart")
    }
    add(&environment, "overlay") { arguments in
      try arguments.allow("runs", "metric", "finding", "caption", "log", positional: 2)
      let ids = try comparedRuns(arguments)
      let name = arguments.optional(1, "metric")?.plainText ?? RunsOverlayChart.Metric.evaluationLoss.rawValue
      guard let metric = RunsOverlayChart.Metric(rawValue: name) else {
        let known = RunsOverlayChart.Metric.allCases.map(\.rawValue).joined(separator: ", ")
        throw SiteError("no metric \"\(name)\" for an overlay; there are \(known)")
      }
      let data = try ids.map { try runs.run($0) }
      let blocks = Blocks(run: data[0], words: words, ledger: ledger, charts: charts)
      let figure = try blocks.overlay(
        metric, runs: data, finding: arguments.optional(2, "finding")?.plainText, caption: caption(arguments),
        logScale: arguments.flag(4, "log", default: false))
      return output(figure, isBlock: true, name: "overlay")
    }
    add(&environment, "dataset_samples") { arguments in
      try arguments.allow("count", "caption", "run", positional: 1)
      let count = try arguments.integer(0, "count", default: 3)
      guard (1...20).contains(count) else { throw SiteError("'count' must be from 1 to 20, not \(count)") }
      return output(
        try blocks(arguments).datasetSamples(count, caption: caption(arguments)), isBlock: true, name: "dataset_samples"
      )
    }
    add(&environment, "qa") { arguments in
      try arguments.allow("kind", "run", positional: 1)
      return output(
        try blocks(arguments).questions(kind: arguments.optional(0, "kind")?.plainText), isBlock: true, name: "qa")
    }
    add(&environment, "summary") { arguments in
      try arguments.allow("run", positional: 0)
      return output(try blocks(arguments).summary(finding: nil), isBlock: true, name: "summary")
    }
    add(&environment, "note") { arguments in
      try arguments.allow("kind", "text", positional: 2)
      let kind = try arguments.text(0, "kind")
      guard let callout = Callout(word: kind) else {
        throw SiteError("no note \"\(kind)\"; there are 참고, 팁, 주의, 한계 (Note, Tip, Caution, Limits)")
      }
      let text = try arguments.text(1, "text")
      guard !Mark.parts(of: text).contains(where: { if case .fragment = $0 { true } else { false } }) else {
        throw SiteError("a value can't stand in the text; write a quote that begins with **\(kind)** instead")
      }
      let block = Blocks.note(callout, text, words: words)
      return output(block, isBlock: true, name: "note")
    }
    add(&environment, "code") { arguments in
      try arguments.allow("region", positional: 1)
      let region = try regions.region(arguments.text(0, "region"))
      ledger.add(
        CodeListing(
          name: region.name, file: region.file, code: region.code, language: region.language,
          firstLine: region.firstLine))
      let lines = words.pick("\(region.firstLine)~\(region.lastLine)행", "lines \(region.firstLine)–\(region.lastLine)")
      return output(
        listing(region.code, language: region.language, file: region.file, lines: lines), isBlock: true, name: "code")
    }
    add(&environment, "file") { arguments in
      try arguments.allow("path", positional: 1)
      let path = try arguments.text(0, "path")
      let file = try regions.file(path)
      var code = CodeRegions.withoutMarkers(file.code)
      while code.hasSuffix("\n") { code.removeLast() }
      return output(listing(code, language: file.language, file: path, lines: nil), isBlock: true, name: "file")
    }
  }

  private func listing(_ code: String, language: String, file: String, lines: String?) -> Rich {
    Blocks.code(code, language: language, file: file, lines: lines, words: words) { code, language in
      highlighter.html(code: code, language: language) ?? Escape.html(code)
    }
  }

  private func registerTables(in environment: inout Environment) {
    func table(_ name: String, _ body: @escaping @Sendable (Blocks, String?) throws -> Rich) {
      add(&environment, name) { arguments in
        try arguments.allow("caption", "run", positional: 0)
        return output(try body(blocks(arguments), caption(arguments)), isBlock: true, name: name)
      }
    }
    table("environment") { $0.environment(caption: $1) }
    table("stages") { $0.stages(caption: $1) }
    table("origin") { $0.origin(caption: $1) }
    table("checkpoints") { $0.checkpoints(caption: $1) }
    table("dataset_counts") { $0.datasetCounts(caption: $1) }
    table("metrics_table") { $0.metricsTable(caption: $1) }
    table("loss_table") { $0.lossTable(caption: $1) }
    table("eval_history") { $0.evaluationHistory(caption: $1) }
    add(&environment, "hyperparameters") { arguments in
      try arguments.allow("section", "caption", "run", positional: 1)
      let section = arguments.optional(0, "section")?.plainText
      return output(
        try blocks(arguments).hyperparameters(section: section, caption: caption(arguments)), isBlock: true,
        name: "hyperparameters")
    }
  }
}

extension Value {
  /// Whether the text needs no escaping any more.
  var isMarkup: Bool { if case .safe = self { true } else { false } }
}
