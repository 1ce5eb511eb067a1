import Charts
import Foundation
import TestSupport
import Testing

@testable import Site

/// What a second rendering does to the files of the first.
@Suite struct RegenerateTests {
  private struct Mark: Equatable {
    var inode: UInt64
    var seconds: Int
    var nanoseconds: Int
  }

  /// Inode and time of every file of a folder.
  private func marks(_ folder: URL) throws -> [String: Mark] {
    var result: [String: Mark] = [:]
    for part in ["site", "posts", "runs"] {
      for path in try CodeRegions.files(below: folder.appendingPathComponent(part)) {
        var status = stat()
        #expect(lstat(folder.appendingPathComponent("\(part)/\(path)").path, &status) == 0)
        result["\(part)/\(path)"] = Mark(
          inode: UInt64(status.st_ino), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
      }
    }
    return result
  }

  private func again(_ folder: URL) -> SiteBuilder {
    SiteBuilder(
      output: folder, content: Made.project.appendingPathComponent("content"),
      templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project, cards: false)
  }

  @Test func nothingIsTouchedWhereNothingChanged() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder).render()
      let before = try marks(folder)
      let summary = try again(folder).render()
      #expect(summary.written == 0 && summary.removed == 0)
      #expect(try marks(folder) == before)
    }
  }

  @Test func aChangedRunTouchesItsOwnPages() throws {
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      let other = folder.appendingPathComponent("runs/other-run")
      try FileManager.default.copyItem(at: folder.appendingPathComponent("runs/\(Made.runId)"), to: other)
      let record = other.appendingPathComponent("run.json")
      let text = try String(contentsOf: record, encoding: .utf8)
      try text.replacing(Made.runId, with: "other-run").write(to: record, atomically: true, encoding: .utf8)
      _ = try builder.render()
      let before = try marks(folder)
      let log = other.appendingPathComponent("log/metrics.jsonl")
      var lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n").map(String.init)
      lines.removeLast()
      try (lines.joined(separator: "\n") + "\n").write(to: log, atomically: true, encoding: .utf8)
      _ = try again(folder).render()
      let after = try marks(folder)
      let touched = after.keys.filter { after[$0] != before[$0] }
      #expect(touched.contains("site/runs/other-run/index.html") && touched.contains("site/runs/other-run/loss.png"))
      #expect(!touched.contains { $0.contains(Made.runId) || $0.hasPrefix("posts/") })
      #expect(!touched.contains("site/runs/other-run/token-lengths.png"), "its file did not change")
    }
  }

  @Test func aFailedBuildLeavesTheOldSite() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder).render()
      let before = try marks(folder)
      let content = folder.appendingPathComponent("content/posts")
      try FileManager.default.createDirectory(at: content, withIntermediateDirectories: true)
      try "---\ntitle: T\n---\n\n{{ nothing( }}\n".write(
        to: content.appendingPathComponent("bad.md"), atomically: true, encoding: .utf8)
      let broken = SiteBuilder(
        output: folder, content: folder.appendingPathComponent("content"),
        templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project, cards: false)
      let error = #expect(throws: (any Error).self) { try broken.render() }
      #expect("\(error.map { "\($0)" } ?? "")".contains("content/posts/bad.md:5:"))
      #expect(try marks(folder) == before)
    }
  }

  // MARK: Cache

  private func entry() -> PictureCache.Entry {
    PictureCache.Entry(
      pictures: [
        .init(name: "*.png", width: 3, height: 4, pixelWidth: 6, pixelHeight: 8, png: [1, 2, 10, 4]),
        .init(name: "*.dark.png", width: 3, height: 4, pixelWidth: 6, pixelHeight: 8, png: []),
      ], sentence: nil, warnings: ["제목을 줄임"])
  }

  @Test func anEntryIsReadBackAndADamagedOneIsNot() {
    let data = PictureCache.encode(entry())
    #expect(PictureCache.decode(data) == entry())
    for length in 0..<data.count { #expect(PictureCache.decode(data.prefix(length)) == nil) }
    #expect(PictureCache.decode(data + [0]) == nil && PictureCache.decode(Data("{}".utf8)) == nil)
  }

  @Test func picturesAreDrawnOnceAndUnusedOnesGo() throws {
    try Fixtures.withTemporaryFolder { folder in
      var drawn = 0
      func draw() -> PictureCache.Entry {
        drawn += 1
        return entry()
      }
      let store = CacheStore(folder: folder)
      let first = PictureCache(store: store)
      #expect(try first.entry(["a", "b"], draw: draw) == entry())
      #expect(try first.entry(["a", "b"], draw: draw) == entry() && drawn == 1)
      _ = try first.entry(["ab", ""], draw: draw)
      #expect(drawn == 2, "keys are told apart by their parts")
      let later = CacheStore(folder: folder)
      let second = PictureCache(store: later)
      _ = try second.entry(["a", "b"], draw: draw)
      #expect(drawn == 2, "kept for the next rendering")
      later.prune()
      let pictures = folder.appendingPathComponent("pictures")
      #expect(try FileManager.default.contentsOfDirectory(atPath: pictures.path).count == 1)
      let file = try #require(FileManager.default.contentsOfDirectory(atPath: pictures.path).first)
      var data = try Data(contentsOf: pictures.appendingPathComponent(file))
      data[data.count - 1] ^= 1
      try data.write(to: pictures.appendingPathComponent(file))
      #expect(try second.entry(["a", "b"], draw: draw) == entry() && drawn == 3)
    }
  }

  // MARK: Assets

  @Test func aPostHasCardsAndALinkPreview() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder, cards: true).render()
      let files = try CodeRegions.files(below: folder.appendingPathComponent("posts/fixture/assets"))
      for name in ["metrics", "qa-1", "before-after-1", "sample-1"] {
        for variant in CardVariant.all { #expect(files.contains(variant.fileName(name)), "\(name)") }
      }
      #expect(files.contains { $0.hasPrefix("code-") })
      let card = try PNGFile.readTexts(
        Array(Data(contentsOf: folder.appendingPathComponent("posts/fixture/assets/qa-1.png"))))
      #expect(card.text(ChartMetadata.runKey) == Made.runId)
      #expect(card.text(ChartMetadata.sourceKey) == "evaluation/samples.jsonl")
      let preview = try PNGFile.readTexts(
        Array(Data(contentsOf: folder.appendingPathComponent("site/posts/fixture/og.png"))))
      #expect(preview.width == 1200 && preview.height == 630)
    }
  }

  @Test func highlightedCodeBecomesColouredRuns() {
    let lines = CodeRuns.lines(
      of: "<span class=\"k\">let</span> a = <span class=\"n\">1</span>\n  // &lt;b&gt; &amp;amp;\n")
    #expect(
      lines == [
        [CodeRun("let", .keyword), CodeRun(" a = "), CodeRun("1", .number)], [CodeRun("  // <b> &amp;")], [],
      ])
  }
}
