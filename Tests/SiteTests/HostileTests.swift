import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

/// What a stranger's data may hold comes out as text: in pages, in Markdown posts, and nowhere else on the disk.
@Suite struct HostileTests {
  static let nasty = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>",
    "</title></style></textarea></details><svg onload=alert(1)>",
    "[누르기](javascript:alert(1)) ![x](data:text/html,1) <javascript:alert(2)>",
    "{{ 7*7 }} {% include 'layout.html' %} {# x #} {{{{",
    "../../../../etc/passwd", "a\u{0}b\u{7}c\u{1B}[31m", "\u{202E}gnp.exe\u{2066}", "]]> --> -- <!--",
    "\u{E000}0\u{E001}\u{E006}1\u{E001}",
    "| a | b |\n| --- | --- |", "```\n# 제목\n> 인용\n- 목록\n[^1]: 각주", "$x$ `코드` **굵게** _i_ &lt; &#60; &amp;lt;",
    "끝\r\n\u{2028}\u{2029}\u{FFFE}\\",
  ].joined(separator: " ")

  // MARK: Making

  /// The fixture run with the text in every field that holds one.
  private static func spoil(_ folder: URL, with text: String) throws {
    let run = RunFolder(output: folder, id: Made.runId)
    var record = try RecordFile.read(RunRecord.self, from: run.record)
    record.title = text
    record.program.version = text
    record.environment?.cpu = text
    record.environment?.os = text
    record.environment?.backend = text
    record.environment?.cpuFeatures = [text]
    record.model?.name = text
    record.model?.file = text
    record.model?.license = text
    record.model?.fileWeights = text
    record.stages[text] = StageRecord(status: .done, started: text, seconds: 9999, inputHash: text)
    record.artifacts.append(FileRecord(path: "checkpoints/\(text)", bytes: 1, sha256: text, kept: false))
    record.artifacts.append(FileRecord(path: "../../outside", bytes: 1, sha256: text, kept: false))
    try RecordFile.write(record, to: run.record)

    var report = try RecordFile.read(DatasetReport.self, from: run.datasetReport)
    report.rejects[text] = 3
    report.samples = report.samples.map { sample in
      var sample = sample
      sample.source.file = text
      sample.before = [.init(name: text, value: text)]
      sample.after = [.init(role: text, content: text)]
      return sample
    }
    try RecordFile.write(report, to: run.datasetReport)

    var metrics = try RecordFile.read(EvaluationRecord.self, from: run.evaluationMetrics)
    metrics.decoding = text
    metrics.sets[text] = metrics.sets["all"]
    for name in metrics.sets["all"]?.tuned.scores.keys.sorted() ?? [] {
      metrics.sets["all"]?.tuned.scores[name]?.signature = text
    }
    try RecordFile.write(metrics, to: run.evaluationMetrics)

    let samples = try RecordFile.readLines(AnswerSample.self, from: run.samples).map { sample in
      var sample = sample
      sample.question = text
      sample.reference = text
      sample.group = text
      sample.kind = sample.number % 2 == 0 ? text : sample.kind
      sample.base.text = text
      sample.tuned.text = text
      sample.tuned.stopReason = text
      return sample
    }
    try RecordFile.writeLines(samples, to: run.samples)
    // YAML has no non-characters and no C1 controls, not even in quotes.
    let quoted = JSONValue.string(text).text().replacing("\u{FFFE}", with: "\\uFFFE")
    let config =
      "name: \(quoted)\nlora:\n  r: {value: 16, why: \(quoted)}\n  \(quoted): {value: \(quoted), why: \(quoted)}\n"
    try config.write(to: run.config, atomically: true, encoding: .utf8)
    let field =
      "{\"epoch\": 0.01, \"split\": \"train\", \"step\": 1, \"loss\": 1.5, \"time\": 0, \(quoted): \(quoted)}\n"
    try (field + String(contentsOf: run.metricsLog, encoding: .utf8))
      .write(to: run.metricsLog, atomically: true, encoding: .utf8)
  }

  private static func post(_ text: String) -> String {
    let quoted = JSONValue.string(
      text.unicodeScalars.filter { $0.value >= 0x20 && $0.value < 0xFFFE || $0 == "\n" }
        .reduce(into: "") { $0.unicodeScalars.append($1) }
    ).text()
    return """
      ---
      title: \(quoted)
      description: \(quoted)
      author: \(quoted)
      finding: \(quoted)
      tags: [\(quoted)]
      run: \(Made.runId)
      ---
      {{ samples[0].question }} {{ p(samples[1].reference ~ "값", "은/는") }} {{ why("lora.r") }} `{{ samples[0].question }}`

      **{{ samples[0].question }}** [{{ samples[0].question }}](https://example.com) {{ value("run.json#/title", "text") }}
      {{ value("evaluation/samples.jsonl#/0/question", "text") }} {{ value("run.json#/program/version", "hash") }}

      > **주의** {{ samples[0].tuned.text }}

      | 가 | 나 |
      | --- | --- |
      | {{ samples[0].question }} | {{ samples[0].group }} |

      {{ analysis() }}

      {{ flips() }}

      {{ qa() }}

      {{ dataset_samples(5) }}

      {{ dataset_counts() }}

      {{ hyperparameters() }}

      {{ environment() }}

      {{ stages() }}

      {{ checkpoints() }}

      {{ metrics_table(caption=samples[0].question) }}

      {{ loss_table() }}

      {{ eval_history() }}

      {{ chart("loss") }}

      {{ note("팁", samples[0].question) }}
      """
  }

  private func with(_ text: String, _ body: (_ output: URL, _ summary: SiteSummary) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let output = folder.appendingPathComponent("out")
      let content = folder.appendingPathComponent("content")
      let posts = content.appendingPathComponent("posts")
      try FileManager.default.createDirectory(at: posts, withIntermediateDirectories: true)
      try Self.post(text).write(to: posts.appendingPathComponent("hostile.md"), atomically: true, encoding: .utf8)
      let builder = try Made.builder(output, content: content)
      try Self.spoil(output, with: text)
      // Folders that are no runs: their names lead elsewhere or can't stand in an address.
      for name in ["<script>", ".hidden", "a b"] {
        let run = output.appendingPathComponent("runs/\(name)")
        try FileManager.default.copyItem(at: output.appendingPathComponent("runs/\(Made.runId)"), to: run)
      }
      let before = try Self.all(folder)
      let summary = try builder.render()
      #expect(summary.runs == [Made.runId] && summary.posts == ["hostile"], "\(summary.warnings)")
      for path in try Self.all(folder) where !before.contains(path) {
        let isOurs = ["out/site/", "out/posts/", "out/runs/\(Made.runId)/charts/"].contains { path.hasPrefix($0) }
        #expect(isOurs && !path.contains("<") && !path.contains(".."), "\(path)")
      }
      try body(output, summary)
    }
  }

  private static func all(_ folder: URL) throws -> Set<String> {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    return Set(
      paths.filter { path in
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: folder.appendingPathComponent(path).path, isDirectory: &isFolder)
          && !isFolder.boolValue
      })
  }

  // MARK: Looking

  @Test func hostileTextStaysText() throws {
    try with(Self.nasty) { output, _ in
      let pages = try CodeRegions.files(below: output.appendingPathComponent("site")).filter { $0.hasSuffix(".html") }
      #expect(pages.count >= 4)
      for page in pages {
        let html = try String(contentsOf: output.appendingPathComponent("site/\(page)"), encoding: .utf8)
        try StrictHTML.check(html, page)
        #expect(Self.forbidden(in: html) == nil, "\(page)")
      }
      let html = try String(contentsOf: output.appendingPathComponent("site/posts/hostile/index.html"), encoding: .utf8)
      #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("{{ 7*7 }} {% include"))
      #expect(html.contains("../../../../etc/passwd") && html.contains("\u{FFFD}gnp.exe"))
      let markdown = try String(contentsOf: output.appendingPathComponent("posts/hostile/index.md"), encoding: .utf8)
      try Self.checkMarkdown(markdown)
      // What was made of it is still true, to the last number.
      let faults = try Verification(output: output, content: nil).check().faults
        .filter { $0.kind != .artifactChanged && $0.kind != .artifactMissing }
      #expect(faults.isEmpty, "\(faults.map { "\($0.kind) \($0.file):\($0.line ?? 0) \($0.message(.en))" })")
    }
  }

  /// No tag of a site generator, no markup but ours, no address that runs.
  private static func checkMarkdown(_ markdown: String) throws {
    for mark in ["{{", "{%", "{#"] {
      let found = markdown.range(of: mark).map { markdown[$0.lowerBound...].prefix(60) }
      #expect(found == nil)
    }
    #expect(forbidden(in: markdown) == nil)
    func walk(_ node: MarkdownNode) {
      switch node.kind {
      case .htmlInline:
        #expect(
          ["<br>", "<strong>", "</strong>", "<code>", "</code>", "<em>", "</em>"].contains(node.literal),
          "\(node.literal)")
      case .htmlBlock:
        #expect(
          node.literal.hasPrefix("<!-- lorapress sources") && node.literal.hasSuffix("-->\n"),
          "\(node.literal.prefix(80))")
      case .link: #expect(node.address == "https://example.com", "\(node.address)")
      case .image: #expect(node.address == "loss.png", "\(node.address)")
      case .heading: #expect(node.flatText != "제목")
      default: break
      }
      node.children.forEach(walk)
    }
    let document = try MarkdownDocument(markdown)
    withExtendedLifetime(document) { walk(document.root) }
  }

  /// What stands around the first character that no page may hold.
  private static func forbidden(in text: String) -> String? {
    let scalars = Array(text.unicodeScalars)
    let place = scalars.firstIndex { scalar in
      switch scalar.value {
      case 0x0A: false
      case 0x00...0x1F, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069, 0xFFFE, 0xFFFF, 0xE000...0xE006: true
      default: false
      }
    }
    return place.map { place in
      String(scalars[place].value, radix: 16) + ": "
        + String(String.UnicodeScalarView(scalars[max(0, place - 60)..<min(scalars.count, place + 10)]))
    }
  }

  /// A text of a megabyte in every field: the pages are built, and hold it to the end.
  @Test func hugeTextIsShownWhole() throws {
    let huge = String(repeating: "아주 긴 글 <b> ", count: 55_000)
    #expect(huge.utf8.count > 1_000_000)
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      let run = RunFolder(output: folder, id: Made.runId)
      var samples = try RecordFile.readLines(AnswerSample.self, from: run.samples)
      samples[0].question = huge
      samples[0].tuned.text = huge
      samples[1].group = huge
      samples[1].kind = huge
      try RecordFile.writeLines(samples, to: run.samples)
      var record = try RecordFile.read(RunRecord.self, from: run.record)
      record.title = huge
      try RecordFile.write(record, to: run.record)
      let start = ContinuousClock.now
      _ = try builder.render()
      #expect(start.duration(to: .now) < .seconds(30))
      let page = try String(
        contentsOf: folder.appendingPathComponent("site/runs/fixture-run/index.html"), encoding: .utf8)
      try StrictHTML.check(page, "huge")
      #expect(page.components(separatedBy: "아주 긴 글 &lt;b&gt; ").count > 100_000)
      let report = try Verification(output: folder, content: nil).check()
      #expect(report.faults.allSatisfy { $0.kind == .artifactChanged }, "\(report.faults.prefix(3))")
    }
  }

  /// Numbers no log has, and none that a chart could draw.
  @Test func absurdNumbersEndInAPageOrAWarning() throws {
    for line in [
      "{\"epoch\": 1e300, \"split\": \"train\", \"step\": 9223372036854775807, \"loss\": 1e308, \"time\": 0, \"tokens_per_second\": -1e308}",
      "{\"epoch\": -1e300, \"split\": \"eval\", \"step\": -9223372036854775808, \"loss\": -1e308, \"time\": 0}",
      "{\"epoch\": 0, \"split\": \"eval\", \"step\": \"<b>\", \"loss\": 1, \"time\": 0}", "{\"epoch\": 0}", "null",
      "[]",
    ] {
      try Fixtures.withTemporaryFolder { folder in
        let builder = try Made.builder(folder)
        let log = RunFolder(output: folder, id: Made.runId).metricsLog
        try (String(contentsOf: log, encoding: .utf8) + line + "\n").write(to: log, atomically: true, encoding: .utf8)
        let summary = try builder.render()
        #expect(summary.runs == [Made.runId] || summary.warnings.contains { $0.contains("metrics.jsonl:") }, "\(line)")
      }
    }
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      let run = RunFolder(output: folder, id: Made.runId)
      var report = try RecordFile.read(DatasetReport.self, from: run.datasetReport)
      report.tokenLengths = [
        .init(tokens: 10, rows: 1 << 60), .init(tokens: Int.max, rows: 5), .init(tokens: -5, rows: -1),
      ]
      try RecordFile.write(report, to: run.datasetReport)
      let summary = try builder.render()
      #expect(
        summary.runs == [] && summary.warnings.contains { $0.contains("dataset/report.json: 1152921504606846976 rows") }
      )
    }
  }

  @Test func namesThatLeadElsewhereAreRefused() throws {
    for (name, front) in [
      ("a.md", "slug: ../x"), ("a.md", "slug: \"a/b\""), ("<script>.md", ""), ("a.md", "run: ../../etc"),
    ] {
      try Fixtures.withTemporaryFolder { folder in
        let posts = folder.appendingPathComponent("content/posts")
        try FileManager.default.createDirectory(at: posts, withIntermediateDirectories: true)
        try "---\ntitle: 글\n\(front)\n---\n글".write(
          to: posts.appendingPathComponent(name), atomically: true, encoding: .utf8)
        let output = folder.appendingPathComponent("out")
        let builder = try Made.builder(output, content: folder.appendingPathComponent("content"))
        do {
          let summary = try builder.render()
          // A run that is not there leaves the post out.
          #expect(front.hasPrefix("run:") && summary.posts == [])
        } catch { #expect("\(error)".contains("posts/\(name)")) }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(left == ["content", "out"])
      }
    }
  }

  @Test(arguments: [
    ("줄\n\n{% if %}", 7, 1), ("{% if run %}글", 5, 1), ("가 {{ samples | wonder }}", 5, 3), ("{{ value( }}", 5, 1),
    ("{{ nothing }}", 5, 1), ("{% for x in %}", 5, 1), ("가\n나 {% wonder %}", 6, 3),
    ("{{ value(\"run.json#/nope\", \"loss\") }}", 5, 1),
    ("{{ \"열린", 5, 1),
  ])
  func aWrongTemplateIsNamedByFileLineAndColumn(_ body: String, _ line: Int, _ column: Int) throws {
    let message = Made.failure(body)
    let place = try #require(message.firstMatch(of: /^content\/posts\/t\.md:(\d+):(\d+): ./), "\(message)")
    #expect(Int(place.1) == line && (Int(place.2) ?? 0) >= column && !message.contains("\n"), "\(message)")
  }
}

extension HostileTests {
  /// The templates are a person's too: a slip in one names it with line and column, and leaves the old site.
  @Test(arguments: ["layout.html", "post.html", "index.html", "run.ko.md"])
  func aWrongPageTemplateIsNamed(_ name: String) throws {
    try Fixtures.withTemporaryFolder { folder in
      let templates = folder.appendingPathComponent("templates")
      try FileManager.default.copyItem(at: Fixtures.root.appendingPathComponent("templates"), to: templates)
      _ = try Made.builder(folder.appendingPathComponent("out"))
      let builder = SiteBuilder(
        output: folder.appendingPathComponent("out"), content: Made.project.appendingPathComponent("content"),
        templates: templates, sources: Made.project, cards: false)
      let file = templates.appendingPathComponent(name)
      let text = try String(contentsOf: file, encoding: .utf8)
      let line = text.split(separator: "\n", omittingEmptySubsequences: false).count
      try (text + "가 {{ nothing | wonder }}").write(to: file, atomically: true, encoding: .utf8)
      do {
        _ = try builder.render()
        Issue.record("no error")
      } catch { #expect("\(error)".contains("\(name):\(line):"), "\(error)") }
      #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("out/site").path))
    }
  }
}

/// Reads a page by strict rules: every tag closed in order, every attribute quoted, no element or address that runs something.
enum StrictHTML {
  struct Fault: Error, CustomStringConvertible { var description: String }

  private static let elements: Set<String> = [
    "html", "head", "meta", "title", "link", "body", "a", "header", "main", "footer", "nav", "h1", "h2", "h3", "h4",
    "h5", "h6",
    "p", "div", "span", "dl", "dt", "dd", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "figure",
    "figcaption",
    "picture", "source", "img", "details", "summary", "data", "code", "pre", "strong", "em", "b", "sup", "br", "hr",
    "wbr",
    "article", "section", "aside", "blockquote", "time", "svg", "path", "circle",
  ]
  private static let attributes: Set<String> = [
    "lang", "charset", "name", "content", "rel", "href", "class", "id", "role", "aria-label", "tabindex", "value",
    "data-source",
    "data-operation", "data-format", "title", "datetime", "open", "hidden", "media", "srcset", "src", "width", "height",
    "alt",
    "scope", "start", "property", "type", "hreflang", "viewBox", "aria-hidden", "focusable", "d", "cx", "cy", "r",
  ]

  private static let references = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#34;"].map { Array($0.utf8) }

  static func check(_ html: String, _ page: String) throws {
    let bytes = Array(html.utf8)
    var open: [String] = []
    var at = 0
    func fail(_ what: String) -> Fault {
      Fault(
        description:
          "\(page): \(what): …\(String(decoding: bytes[max(0, at - 60)..<min(bytes.count, at + 60)], as: UTF8.self))…")
    }
    if html.hasPrefix("<!doctype html>") { at = 15 }
    while at < bytes.count {
      guard bytes[at] == UInt8(ascii: "<") else {
        if bytes[at] == UInt8(ascii: ">") { throw fail("a bare >") }
        if bytes[at] == UInt8(ascii: "&") {
          // A regular expression would take its time over the hundred thousands of a huge page.
          let rest = bytes[at..<min(bytes.count, at + 7)]
          guard references.contains(where: { rest.starts(with: $0) }) else { throw fail("a bare &") }
        }
        at += 1
        continue
      }
      guard let end = bytes[at...].firstIndex(of: UInt8(ascii: ">")) else { throw fail("an open tag") }
      let tag = String(decoding: bytes[(at + 1)..<end], as: UTF8.self)
      if tag.hasPrefix("/") {
        guard open.popLast() == String(tag.dropFirst()) else { throw fail("</\(tag.dropFirst())> closes nothing") }
      } else {
        // In a drawing an element may close itself.
        let isClosed = tag.hasSuffix("/") && open.contains("svg")
        guard
          let parts = (isClosed ? tag.dropLast() : tag[...]).wholeMatch(
            of: /([a-z][a-z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)/)
        else {
          throw fail("a tag that is none")
        }
        let name = String(parts.1)
        guard elements.contains(name) else { throw fail("<\(name)>") }
        for attribute in parts.2.matches(of: /([a-zA-Z-]+)(?:="([^"]*)")?/) {
          let (key, value) = (String(attribute.1), String(attribute.2 ?? ""))
          guard attributes.contains(key) else { throw fail("the attribute \(key)") }
          guard ["href", "src", "srcset"].contains(key) else { continue }
          let isSafe =
            // The page of a lost address carries its style sheet with it.
            value.hasPrefix("https://") || name == "link" && value.hasPrefix("data:text/css;base64,")
            || (!value.contains(":") && !value.hasPrefix("//") && !value.hasPrefix("/"))
          guard isSafe else { throw fail("the address \(value)") }
        }
        if !isClosed, !HTMLScanner.empty.contains(name) { open.append(name) }
      }
      at = end + 1
    }
    guard open.isEmpty else { throw Fault(description: "\(page): left open: \(open)") }
  }
}
