import Charts
import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

/// The fixture run rendered in a folder of its own, to be spoiled.
struct Rendered {
  let folder: URL

  /// Rendered once; each test spoils a copy.
  private static let original = Result<[(path: String, data: Data)], any Error> {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder).render()
      return try CodeRegions.files(below: folder).map {
        (path: $0, data: try Data(contentsOf: folder.appendingPathComponent($0)))
      }
    }
  }

  static func with(_ body: (Rendered) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      for file in try original.get() {
        let place = folder.appendingPathComponent(file.path)
        try FileManager.default.createDirectory(
          at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try file.data.write(to: place)
      }
      try body(Rendered(folder: folder))
    }
  }

  func check(content: URL? = nil) throws -> VerificationReport {
    try Verification(output: folder, content: content).check()
  }

  func url(_ path: String) -> URL { folder.appendingPathComponent(path) }
  func text(_ path: String) throws -> String { try String(contentsOf: url(path), encoding: .utf8) }

  /// Replaces the first occurrence; the test is void where there is none.
  func replace(_ old: String, with new: String, in path: String) throws {
    let text = try text(path)
    let range = try #require(text.range(of: old), "\(path) has no \(old)")
    try text.replacingCharacters(in: range, with: new).write(to: url(path), atomically: true, encoding: .utf8)
  }

  /// Writes the record anew, as a forger would: only what the numbers say can then give a change away.
  func forgeRecord() throws {
    let path = url("site/\(ProvenanceRecord.path)")
    var record = try ProvenanceRecord(parsing: Data(contentsOf: path), file: "")
    for index in record.files.indices {
      let data = try Data(contentsOf: url(record.files[index].path))
      record.files[index].sha256 = SHA256.hex(of: data)
      record.files[index].bytes = data.count
      record.files[index].lines = LineSums.text(of: data, path: record.files[index].path)
    }
    try record.data.write(to: path)
  }
}

@Suite struct VerificationTests {
  private let page = "site/posts/fixture/index.html"
  private let post = "posts/fixture/index.md"
  private let log = "runs/fixture-run/log/metrics.jsonl"

  private func kinds(_ report: VerificationReport, _ file: String) -> [VerificationFault.Kind] {
    report.faults.filter { $0.file == file }.map(\.kind)
  }

  @Test func whatWasRenderedIsClean() throws {
    try Rendered.with { made in
      let report = try made.check()
      #expect(report.faults == [] && report.values > 60 && report.pages >= 7 && report.pictures > 20)
      #expect(report.notes.map(\.kind) == [.notKept] && report.notes[0].says == "3")
      let record = try ProvenanceRecord(
        parsing: Data(contentsOf: made.url("site/provenance.json")), file: "provenance.json")
      #expect(record.pages[page]?.contains(log) == true && record.pages["site/404.html"] == nil)
      #expect(try record.data == Data(contentsOf: made.url("site/provenance.json")))
    }
  }

  /// Even with a record that was forged along, the number itself betrays the change.
  @Test func aChangedNumberOfAPageIsNamedWithItsLine() throws {
    try Rendered.with { made in
      try made.replace(">1.455</data>", with: ">1.355</data>", in: page)
      try made.forgeRecord()
      let report = try made.check()
      let fault = try #require(report.faults.first)
      #expect(report.faults.count == 1 && fault.kind == .textDiffers && fault.file == page)
      #expect(fault.says == "1.355" && fault.expected == "1.455")
      #expect(fault.about == "runs/fixture-run/evaluation/metrics.json#/validation_loss/tuned")
      let line = try #require(fault.line)
      #expect(try made.text(page).split(separator: "\n", omittingEmptySubsequences: false)[line - 1].contains("1.355"))
    }
  }

  @Test func valueTitleFormatAndPlaceAreChecked() throws {
    let element =
      "<data value=\"1.455121\" data-source=\"runs/fixture-run/run.json#/training/best_eval_loss\" data-format=\"loss\""
    for (old, new, kind) in [
      (element, element.replacing("1.455121", with: "1.455122"), VerificationFault.Kind.valueDiffers),
      (element, element.replacing("best_eval", with: "first_eval"), .valueDiffers),
      (element, element.replacing("best_eval", with: "worst_eval"), .placeMissing),
      (element, element.replacing("fixture-run", with: "../../etc"), .placeMissing),
      (element, element.replacing("\"loss\"", with: "\"score1\""), .textDiffers),
      (element, element.replacing("\"loss\"", with: "\"los\""), .bindingBroken),
      (element, "<data value=\"1.455121\" data-format=\"loss\"", .bindingBroken),
      ("원값 1.455121", "원값 1.455120", .titleDiffers),
      ("data-operation=\"difference\"", "data-operation=\"ratio\"", .valueDiffers),
      ("data-operation=\"difference\"", "data-operation=\"wonder\"", .bindingBroken),
    ] {
      try Rendered.with { made in
        try made.replace(old, with: new, in: page)
        try made.forgeRecord()
        #expect(kinds(try made.check(), page).contains(kind), "\(new)")
      }
    }
  }

  @Test func aChangedLogNamesItselfAndItsPages() throws {
    try Rendered.with { made in
      try made.replace("3.516481", with: "3.516482", in: log)
      let report = try made.check()
      let fault = try #require(report.faults.first { $0.file == log && $0.kind == .sourceChanged })
      #expect(fault.line == 1)
      #expect(fault.pages.contains(page) && fault.pages.contains(post) && !fault.pages.contains("site/404.html"))
      #expect(kinds(report, log).contains(.artifactChanged))
      // The run's page tells that number; its charts are named by the log, not one by one.
      #expect(kinds(report, "site/runs/fixture-run/index.html").contains(.valueDiffers))
      #expect(!report.faults.contains { $0.kind == .pictureSource })
      #expect(fault.message(.ko).contains("다시 만들 페이지") && fault.message(.en).contains("render again"))
    }
  }

  @Test func filesThatAreMissingOrTooMany() throws {
    try Rendered.with { made in
      try FileManager.default.removeItem(at: made.url("site/posts/fixture/loss.png"))
      try Data("x".utf8).write(to: made.url("site/posts/fixture/other.html"))
      try FileManager.default.removeItem(at: made.url("runs/fixture-run/evaluation/metrics.json"))
      try Data("{}".utf8).write(to: made.url("runs/fixture-run/evaluation/review.json"))
      let report = try made.check()
      #expect(kinds(report, "site/posts/fixture/loss.png") == [.fileMissing])
      #expect(kinds(report, "site/posts/fixture/other.html") == [.fileUnlisted])
      #expect(kinds(report, "runs/fixture-run/evaluation/metrics.json") == [.sourceMissing, .artifactMissing])
      #expect(kinds(report, "runs/fixture-run/evaluation/review.json") == [.sourceNew])
      #expect(kinds(report, page).contains(.placeMissing))
    }
  }

  @Test func everyFileOfTheSiteIsHashed() throws {
    for (path, old, new) in [
      ("site/assets/style.css", "40.5rem", "41.5rem"), ("site/index.html", "</main>", "1</main>"),
      ("site/runs/fixture-run/index.html", "<h1>", "<h1>2"),
    ] {
      try Rendered.with { made in
        try made.replace(old, with: new, in: path)
        let report = try made.check()
        let fault = try #require(report.faults.first)
        #expect(report.faults.count == 1 && fault.file == path && fault.kind == .lineChanged)
        #expect(fault.about?.hasPrefix("site/provenance.json:") == true)
        let line = try #require(fault.about?.split(separator: ":").last.flatMap { Int($0) })
        let record = try made.text("site/provenance.json").split(separator: "\n", omittingEmptySubsequences: false)
        #expect(record[line - 1].contains("\"\(path)\""))
      }
    }
  }

  /// A number of a table has no mark of its own: the record tells its line.
  @Test func aChangedCellIsNamedByItsLine() throws {
    try Rendered.with { made in
      try made.replace(
        "<th scope=\"row\" class=\"num\">40</th><td class=\"num\">2.00</td>",
        with: "<th scope=\"row\" class=\"num\">40</th><td class=\"num\">2.01</td>", in: page)
      let fault = try #require(try made.check().faults.first)
      #expect(fault.kind == .lineChanged && fault.file == page && fault.says == "40 2.01 1.455")
      let line = try #require(fault.line)
      #expect(try made.text(page).split(separator: "\n", omittingEmptySubsequences: false)[line - 1].contains("2.01"))
    }
    try Rendered.with { made in
      try made.replace("</main>", with: "</main>\n<p>더한 줄</p>", in: page)
      #expect(try made.check().faults.map(\.kind) == [.fileChanged])
    }
  }

  @Test func aMarkdownPostTellsItsNumbers() throws {
    try Rendered.with { made in
      // In the text: the only place of that number there.
      try made.replace("어댑터의 비율: 1.8%", with: "어댑터의 비율: 1.9%", in: post)
      let faults = try made.check().faults
      #expect(faults.map(\.kind) == [.numberGone, .lineChanged] && faults[0].expected == "1.8%")
    }
    try Rendered.with { made in
      // In the table of sources, with a forged record.
      try made.replace("run.json | 1.455121 |", with: "run.json | 1.455122 |", in: post)
      try made.forgeRecord()
      let faults = try made.check().faults
      let fault = try #require(faults.first)
      #expect(faults.count == 1 && fault.kind == .sourceRowDiffers && fault.file == post)
      let lines = try made.text(post).split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines[(fault.line ?? 1) - 1].contains("1.455122") && fault.expected?.contains("1.455121") == true)
    }
    try Rendered.with { made in
      // In the comment at the end.
      try made.replace("\"loss\",\"1.455121\"", with: "\"loss\",\"1.455131\"", in: post)
      try made.forgeRecord()
      #expect(try made.check().faults.map(\.kind) == [.valueDiffers])
    }
    try Rendered.with { made in
      try made.replace("<!-- lorapress sources ko", with: "<!-- sources", in: post)
      try made.forgeRecord()
      #expect(try made.check().faults.map(\.kind) == [.bindingBroken])
    }
  }

  @Test func picturesAreDecodedAndBoundToTheirLog() throws {
    let picture = "site/posts/fixture/loss.png"
    try Rendered.with { made in
      var data = try Data(contentsOf: made.url(picture))
      data[data.count / 2] ^= 1
      try data.write(to: made.url(picture))
      try made.forgeRecord()
      #expect(try kinds(made.check(), picture) == [.pictureBroken])
    }
    // A chart of another log under the same name.
    try Rendered.with { made in
      let other = made.folder.appendingPathComponent("other")
      _ = try Made.builder(other).render()
      let metrics = other.appendingPathComponent(log)
      let text = try String(contentsOf: metrics, encoding: .utf8).replacing("3.516481", with: "3.416481")
      try text.write(to: metrics, atomically: true, encoding: .utf8)
      _ = try SiteBuilder(
        output: other, content: Made.project.appendingPathComponent("content"),
        templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project, cards: false
      ).render()
      try Data(contentsOf: other.appendingPathComponent(picture)).write(to: made.url(picture))
      try made.forgeRecord()
      let fault = try #require(try made.check().faults.first { $0.file == picture })
      #expect(fault.kind == .pictureSource && fault.about == log && fault.says != fault.expected)
    }
  }

  @Test func theRecordItselfIsChecked() throws {
    let path = "site/provenance.json"
    for (old, new) in [
      ("\"version\":1", "\"version\":2"), ("{\n\"files\"", "{ \"files\""), ("{\"bytes\":", "{\"bytes\":1"),
      (
        "\"site/posts/english/index.html\",\"sources\":[\"runs/fixture-run/config.yaml\",",
        "\"site/posts/english/index.html\",\"sources\":["
      ),
      ("\"sources\":[\n", "\"sources\":[\n{\"bytes\":1,\"path\":\"runs/../../x\",\"sha256\":\"00\"},\n"),
      ("\"files\":[", "\"files\":"),
    ] {
      try Rendered.with { made in
        try made.replace(old, with: new, in: path)
        #expect(try !made.check().faults.isEmpty, "\(new)")
      }
    }
    try Rendered.with { made in
      try FileManager.default.removeItem(at: made.url(path))
      #expect(try made.check().faults.map(\.kind) == [.recordMissing])
      try FileManager.default.removeItem(at: made.url("site"))
      #expect(throws: SiteError.self) { try made.check() }
    }
  }

  /// A run under way appends to its log: its own list of files is not yet true, which is said and not called a fault.
  @Test func anUnfinishedRunIsSaid() throws {
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      let record = folder.appendingPathComponent("runs/fixture-run/run.json")
      let text = try String(contentsOf: record, encoding: .utf8).replacing("\"evaluated\"", with: "\"running\"")
      try text.write(to: record, atomically: true, encoding: .utf8)
      let metrics = folder.appendingPathComponent(log)
      let more = "{\"epoch\": 3.1, \"loss\": 0.9, \"split\": \"train\", \"step\": 61, \"time\": 1795000242.0}\n"
      try (String(contentsOf: metrics, encoding: .utf8) + more).write(to: metrics, atomically: true, encoding: .utf8)
      _ = try builder.render()
      let report = try Verification(output: folder, content: nil).check()
      #expect(report.faults == [] && report.notes.map(\.kind) == [.unfinished])
    }
  }

  @Test func everyKindHasItsWords() {
    for kind in VerificationFault.Kind.allCases {
      let fault = VerificationFault(
        kind, "site/a.html", says: "a\u{1B}[31m\nb", expected: String(repeating: "0", count: 64), about: "c",
        pages: ["p"])
      for language in SiteLanguage.allCases {
        let text = fault.message(language)
        #expect(text.count > 1 && !text.contains("\n") && !text.contains("\u{1B}"))
        let isKorean = text.unicodeScalars.contains { (0xAC00...0xD7A3).contains($0.value) }
        #expect(isKorean == (language == .ko), "\(kind)")
      }
    }
  }
}

/// A picture drawn from several logs names each, and a change of any of them is seen.
@Suite struct OverlayVerificationTests {
  @Test(arguments: ["fixture-run", "other-run"])
  func everyLogOfAnOverlayCounts(run: String) throws {
    try Fixtures.withTemporaryFolder { folder in
      let site = try MadeSite(folder, settings: nil, posts: MadeSite.posts)
      try site.render()
      let picture = "site/compare/fixture-run-vs-other-run/runs-eval-loss.png"
      let texts = try PNGFile.readTexts(Array(Data(contentsOf: site.output.appendingPathComponent(picture)))).texts
      #expect(texts.filter { $0.key == ChartMetadata.runKey }.map(\.value) == ["fixture-run", "other-run"])
      let before = try Verification(output: site.output, content: nil).check().faults
      #expect(!before.contains { $0.file.hasSuffix(picture) }, "\(before)")

      // The log changes and the record is forged: the picture alone still tells.
      let log = site.output.appendingPathComponent("runs/\(run)/log/metrics.jsonl")
      let text = try String(contentsOf: log, encoding: .utf8)
      let end = try #require(text.dropLast().lastIndex(of: "\n"))
      try String(text[...end]).write(to: log, atomically: true, encoding: .utf8)
      let record = site.output.appendingPathComponent("site/\(ProvenanceRecord.path)")
      var forged = try ProvenanceRecord(parsing: Data(contentsOf: record), file: "")
      for index in forged.sources.indices where forged.sources[index].path == "runs/\(run)/log/metrics.jsonl" {
        forged.sources[index].sha256 = try SHA256.hex(ofFile: log)
      }
      try forged.data.write(to: record)
      let faults = try Verification(output: site.output, content: nil).check().faults
      #expect(
        faults.contains { $0.file.hasSuffix(picture) && $0.about == "runs/\(run)/log/metrics.jsonl" }, "\(faults)")
    }
  }
}
