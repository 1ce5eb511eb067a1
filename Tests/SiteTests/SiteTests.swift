import Foundation
import TestSupport
import Testing

@testable import Site

/// A made run and posts that use every function, laid out as an output folder and a project.
enum Made {
  static let runId = "fixture-run"
  static let project = Fixtures.url("Site", "project")

  /// Copies the fixture run into `folder/runs` and returns a builder for it.
  static func builder(_ folder: URL, content: URL? = nil) throws -> SiteBuilder {
    let runs = folder.appendingPathComponent("runs")
    try FileManager.default.createDirectory(at: runs, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: Fixtures.url("Site", "run"), to: runs.appendingPathComponent(runId))
    return SiteBuilder(
      output: folder, content: content ?? project.appendingPathComponent("content"),
      templates: Fixtures.root.appendingPathComponent("templates"), sources: project)
  }

  static func text(_ folder: URL, _ path: String) throws -> String {
    try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
  }

  /// Renders one post text against the fixture run.
  static func render(_ body: String, front: String = "title: T\nrun: fixture-run") throws -> RenderedPost {
    try Fixtures.withTemporaryFolder { folder in
      _ = try builder(folder)
      let post = try Post("---\n\(front)\n---\n\(body)", file: "content/posts/t.md", folder: folder)
      return try PostPage(
        post: post, runs: RunLibrary(output: folder), charts: RunCharts(), regions: CodeRegions(root: project),
        highlighter: HighlightCommand()
      ).render()
    }
  }

  static func failure(_ body: String) -> String {
    do {
      _ = try render(body)
      return "no error"
    } catch { return "\(error)" }
  }
}

@Suite struct SiteTests {
  @Test func rendersTheSiteTwiceToTheSameBytes() throws {
    try Fixtures.withTemporaryFolder { folder in
      let first = folder.appendingPathComponent("a")
      let second = folder.appendingPathComponent("other/place")
      let summary = try Made.builder(first).render()
      _ = try Made.builder(second).render()
      for part in ["site", "posts", "runs"] {
        let files = try CodeRegions.files(below: first.appendingPathComponent(part))
        #expect(try files == CodeRegions.files(below: second.appendingPathComponent(part)))
        for file in files {
          let a = try Data(contentsOf: first.appendingPathComponent("\(part)/\(file)"))
          #expect(a == (try Data(contentsOf: second.appendingPathComponent("\(part)/\(file)"))), "\(part)/\(file)")
        }
      }
      #expect(summary.posts == ["fixture", "english"])
      #expect(summary.runs == ["fixture-run"])
      #expect(summary.warnings.contains { $0.contains("lost.md") && $0.contains("lost-run") })
      let again = try SiteBuilder(
        output: first, content: Made.project.appendingPathComponent("content"),
        templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project
      ).render()
      #expect(again.written == 0 && again.removed == 0 && again.unchanged == summary.written + summary.unchanged)
      if let place = ProcessInfo.processInfo.environment["LORAPRESS_LOOK"] {
        try? FileManager.default.removeItem(atPath: place)
        try FileManager.default.copyItem(at: first, to: URL(fileURLWithPath: place))
      }
    }
  }
}
