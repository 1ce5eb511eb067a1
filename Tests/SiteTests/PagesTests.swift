import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Site

/// A project of three posts and two runs in a temporary folder, with a site.yaml of the test's own.
struct MadeSite {
  let folder: URL
  var content: URL { folder.appendingPathComponent("content") }
  var output: URL { folder.appendingPathComponent("out") }
  static let other = "other-run"

  init(_ folder: URL, settings: String?, posts: [String: String]) throws {
    self.folder = folder
    let place = folder.appendingPathComponent("content/posts")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    for (name, text) in posts { try write(text, "content/posts/\(name).md") }
    if let settings { try write(settings, "content/site.yaml") }
    _ = try Made.builder(output, content: content)
    let runs = output.appendingPathComponent("runs")
    let copy = runs.appendingPathComponent(Self.other)
    try FileManager.default.copyItem(at: runs.appendingPathComponent(Made.runId), to: copy)
    try edit("run.json", "\"best_eval_loss\": 1.455121", "\"best_eval_loss\": 1.254")
    try edit("run.json", "\"id\": \"fixture-run\"", "\"id\": \"other-run\"")
    try edit("config.yaml", "value: 16", "value: 8")
    try edit("config.yaml", "value: 0.0002", "value: 2e-4")
  }

  func write(_ text: String, _ path: String) throws {
    try text.write(to: folder.appendingPathComponent(path), atomically: true, encoding: .utf8)
  }

  /// Changes a file of the second run; what is replaced must be there.
  func edit(_ path: String, _ old: String, _ new: String) throws {
    let url = output.appendingPathComponent("runs/\(Self.other)/\(path)")
    let text = try String(contentsOf: url, encoding: .utf8)
    try #require(text.contains(old), "\(path) holds no \(old)")
    try text.replacing(old, with: new).write(to: url, atomically: true, encoding: .utf8)
  }

  @discardableResult
  func render(templates: URL = Fixtures.root.appendingPathComponent("templates")) throws -> SiteSummary {
    try SiteBuilder(output: output, content: content, templates: templates, sources: Made.project, cards: false)
      .render()
  }

  func page(_ path: String) throws -> String {
    try String(contentsOf: output.appendingPathComponent("site/\(path)"), encoding: .utf8)
  }

  func has(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: output.appendingPathComponent("site/\(path)").path)
  }

  static let posts = [
    "first": "---\ntitle: 첫 글\ntags: [LoRA, 미세 조정]\nrun: fixture-run\ndate: 2026-01-01\n---\n본문",
    "second":
      "---\ntitle: 둘째 <글>\ntags: [lora, \"C++\", C]\nrun: other-run\ndate: 2026-02-02\ncompare: [fixture-run, other-run]\n---\n{{ compare_answers() }}",
    "third": "---\ntitle: Third\nlang: en\ntags: [C]\nrun: other-run\ndate: 2026-03-03\nfinding: It fell\n---\nText",
  ]
  static let address = "title: 시험\nurl: https://example.org/blog\n"
}

@Suite struct SiteSettingsTests {
  private func failure(_ text: String) -> String {
    do {
      _ = try SiteSettings(text, file: "content/site.yaml")
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func readsAllOfIt() throws {
    let settings = try SiteSettings(
      "title: 기록\nurl: https://example.org/a\nlanguage: en\ncompare: [[a, b], [c, d, e]]\n", file: "site.yaml")
    #expect(settings.title == "기록" && settings.url == "https://example.org/a/" && settings.language == .en)
    #expect(settings.compare == [["a", "b"], ["c", "d", "e"]] && settings.author == nil)
    #expect(try SiteSettings("# nothing yet\n\n", file: "site.yaml") == SiteSettings())
    #expect(settings.whole("index.html") == "https://example.org/a/")
    #expect(settings.whole("tags/미세/index.html") == "https://example.org/a/tags/%EB%AF%B8%EC%84%B8/")
  }

  @Test func complaintsNameThePlace() {
    #expect(failure("titel: x") == "content/site.yaml:1:1: unknown setting 'titel'; did you mean 'title'?")
    #expect(failure("\nurl: example.org").hasPrefix("content/site.yaml:2:6: 'url' must be the site's address"))
    #expect(failure("url: javascript:alert(1)").contains("'url' must be"))
    #expect(failure("url: https://example.org/?a=1").contains("'url' must be"))
    #expect(failure("language: fr").contains("must be ko or en, not \"fr\""))
    #expect(failure("compare: [[a]]").contains("needs two runs or more"))
    #expect(failure("compare: [[a, a]]").contains("names the run \"a\" twice"))
    #expect(failure("compare: [[a, ../b]]").contains("must name runs"))
    #expect(failure("- a").contains("must be settings"))
  }
}

@Suite struct TagNameTests {
  @Test func foldersAreSafeAndDistinct() {
    let names = TagNames(posts: [
      ["미세 조정", "LoRA", "C++"], ["lora", "C", "미세\u{A0}조정"],
      ["../x", "index.html", "한글".decomposedStringWithCanonicalMapping], ["한글", "!?"],
    ])
    let slugs = Dictionary(names.all.map { ($0.name, $0.slug) }, uniquingKeysWith: { a, _ in a })
    #expect(slugs["미세 조정"] == "미세-조정" && slugs["LoRA"] == "lora")
    #expect(slugs["C"] == "c" && slugs["C++"] == "c-2")
    #expect(slugs["../x"] == "x" && slugs["index.html"] == "index.html-2" && slugs["!?"] == "tag")
    #expect(Set(names.all.map(\.slug)).count == names.all.count)
    #expect(names.all.first { $0.name == "LoRA" }?.count == 2)
    // Composed and decomposed are one tag, in a composed folder.
    #expect(names.all.filter { $0.slug.hasPrefix("한글") }.map { Array($0.slug.utf8) } == [Array("한글".utf8)])
    #expect(names.shared(["LoRA", "C"], ["lora", "c", "d"]) == 2)
  }
}

@Suite struct SparklineTests {
  @Test func drawsFromThreeValuesUp() throws {
    func line(_ values: [Double?]) -> String? {
      Sparkline(points: values.enumerated().map { (step: $0.offset * 10, value: $0.element) }).svg
    }
    #expect(line([3, 2]) == nil && line([]) == nil && line([3, nil, 2]) == nil)
    let svg = try #require(line([3, 1, 2]))
    // The lowest value lies at the bottom, in the middle; the highest at the top left.
    #expect(svg.contains("d=\"M5.0 5.0L60.0 35.0L115.0 20.0\"") && svg.contains("cx=\"60.0\" cy=\"35.0\""))
    #expect(svg.contains("aria-hidden=\"true\""))
    // A gap in the log is a gap in the line; equal values lie in the middle.
    #expect(try #require(line([3, 2, nil, 1])).contains("M5.0 5.0L41.7 20.0M115.0 35.0"))
    #expect(try #require(line([2, 2, 2])).contains("M5.0 20.0L60.0 20.0L115.0 20.0"))
  }
}

@Suite struct MomentTests {
  @Test(arguments: [
    ("2025-03-14", "2025-03-14T00:00:00Z"), ("2026-11-23T21:04:05+09:00", "2026-11-23T12:04:05Z"),
    ("2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00Z"), ("2024-02-29T00:00:00.5Z", "2024-02-29T00:00:00Z"),
  ])
  func readsDaysAndTimes(_ written: String, _ shown: String) { #expect(Moment(written)?.text == shown) }

  @Test(arguments: ["", "yesterday", "2025-13-01", "2025-1-1", "2025-03-14T25:00:00Z", "2025-03-14 10:00"])
  func refusesAllElse(_ written: String) { #expect(Moment(written) == nil) }
}

@Suite struct SitePagesTests {
  private func made(_ settings: String? = MadeSite.address, _ body: (MadeSite) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let site = try MadeSite(folder, settings: settings, posts: MadeSite.posts)
      try body(site)
    }
  }

  @Test func postsKnowTheirNeighbours() throws {
    try made { site in
      try site.render()
      let second = try site.page("posts/second/index.html")
      #expect(second.contains("rel=\"prev\" class=\"older\" href=\"../../posts/first/index.html\""))
      #expect(second.contains("rel=\"next\" class=\"newer\" href=\"../../posts/third/index.html\""))
      let first = try site.page("posts/first/index.html")
      #expect(!first.contains("rel=\"prev\"") && first.contains("둘째 &lt;글&gt;"))
      #expect(second.contains("href=\"../../tags/c-2/index.html\">C++</a>"))
      #expect(second.contains("href=\"../../runs/other-run/index.html\""))
      #expect(second.contains("href=\"../../compare/fixture-run-vs-other-run/index.html\""))
    }
  }

  @Test func relatedPostsShareTagsThenTheRun() throws {
    try made { site in
      try site.render()
      // The second shares LoRA with the first; it shares a tag and the run with the third, which goes first.
      let second = try site.page("posts/second/index.html")
      let related = try #require(second.components(separatedBy: "관련 글").last)
      let third = try #require(related.range(of: "posts/third/index.html"))
      let first = try #require(related.range(of: "posts/first/index.html"))
      #expect(third.lowerBound < first.lowerBound)
      #expect(
        try !site.page("posts/first/index.html").components(separatedBy: "관련 글")[1].components(separatedBy: "</ul>")[0]
          .contains("third"))
    }
  }

  @Test func indexTellsResultsWithTheirSources() throws {
    try made { site in
      try site.render()
      let index = try site.page("index.html")
      #expect(index.contains("<h1>시험</h1>") && index.contains("<svg class=\"spark\""))
      #expect(
        index.contains("value=\"1.254\" data-source=\"runs/other-run/run.json#/training/best_eval_loss\"")
          && index.contains(">1.254</data>"))
      #expect(index.contains("<li class=\"card\" lang=\"en\">") && index.contains("<p class=\"finding\">It fell</p>"))
      #expect(index.contains("href=\"tags/%EB%AF%B8%EC%84%B8-%EC%A1%B0%EC%A0%95/index.html\">미세 조정</a>"))
      let tag = try site.page("tags/lora/index.html")
      #expect(tag.contains("첫 글") && tag.contains("둘째") && !tag.contains("Third"))
      #expect(site.has("tags/미세-조정/index.html"))
    }
  }

  /// The posts about other-run are Korean and English: Korean goes first. With English ones alone its page is English.
  @Test func aRunSpeaksTheLanguageOfItsPosts() throws {
    try made { site in
      try site.render()
      #expect(try site.page("runs/other-run/index.html").contains("<html lang=\"ko\">"))
      try FileManager.default.removeItem(at: site.content.appendingPathComponent("posts/second.md"))
      try site.render()
      let page = try site.page("runs/other-run/index.html")
      #expect(page.contains("<html lang=\"en\">") && page.contains("<h2 id=\"settings\">"))
      #expect(page.contains("Posts") && page.contains("../../posts/third/index.html"))
    }
  }

  @Test func addressesAreWholeOrLeftOut() throws {
    try made { site in
      try site.render()
      let post = try site.page("posts/third/index.html")
      #expect(post.contains("<link rel=\"canonical\" href=\"https://example.org/blog/posts/third/\">"))
      #expect(post.contains("property=\"og:type\" content=\"article\"") && post.contains("content=\"en_US\""))
      let card = "https://example.org/blog/posts/third/og.png"
      #expect(post.contains("property=\"og:image\" content=\"\(card)\"") && post.contains("summary_large_image"))
      let run = try site.page("runs/\(Made.runId)/index.html")
      #expect(!run.contains("og:image") && run.contains("twitter:card\" content=\"summary\""))
      #expect(post.contains("type=\"application/atom+xml\"") && post.contains("href=\"../../feed.xml\""))
      #expect(try site.page("robots.txt").contains("Sitemap: https://example.org/blog/sitemap.xml"))
      let lost = try site.page("404.html")
      #expect(
        lost.contains("href=\"https://example.org/blog/\"") && lost.contains("noindex") && !lost.contains("canonical"))
    }
    try made("title: 시험") { site in
      try site.render()
      #expect(!site.has("feed.xml") && !site.has("sitemap.xml"))
      #expect(try !site.page("posts/third/index.html").contains("canonical"))
      #expect(try site.page("robots.txt").contains("no sitemap"))
    }
  }

  /// A card drawn for a post is told of; without one there is no such tag.
  @Test func theCardIsNamedWhereThereIsOne() throws {
    var post = try Made.render("본문")
    post.slug = "a"
    post.images["og.png"] = Data([1])
    let pages = try PageTemplates(folder: Fixtures.root.appendingPathComponent("templates"))
    var rendered = RenderedSite(posts: [post], runs: [], comparisons: [], settings: SiteSettings())
    func page() throws -> String {
      String(decoding: try #require(try SitePlan(rendered, pages: pages).site["posts/a/index.html"]), as: UTF8.self)
    }
    #expect(try page().contains("<meta property=\"og:image\" content=\"../../posts/a/og.png\">"))
    rendered.settings.url = "https://example.org/"
    #expect(try page().contains("<meta property=\"og:image\" content=\"https://example.org/posts/a/og.png\">"))
    #expect(try page().contains("summary_large_image"))
  }

  @Test func theFeedTellsOfPostsByTheirDates() throws {
    try made { site in
      try site.write("---\ntitle: 날짜 없는 글\n---\n글", "content/posts/undated.md")
      let summary = try site.render()
      let feed = try site.page("feed.xml")
      #expect(feed.components(separatedBy: "<entry").count == 4)
      #expect(feed.contains("<title>둘째 &lt;글&gt;</title>") && feed.contains("<category term=\"C++\"/>"))
      #expect(feed.contains("<published>2026-03-03T00:00:00Z</published>"))
      #expect(summary.warnings.contains { $0.contains("undated") && $0.contains("feed.xml") })
      // The run is younger than its posts: so are they.
      let begun = try #require(try RunData(output: site.output, id: MadeSite.other).record.created)
      let created = try #require(Moment(begun))
      #expect(created.day > "2026-03-03" && feed.contains("<updated>\(created.text)</updated>"))
      let map = try site.page("sitemap.xml")
      #expect(map.contains("<loc>https://example.org/blog/</loc>") && !map.contains("404"))
      #expect(map.contains("<loc>https://example.org/blog/posts/third/</loc><lastmod>2026-03-03</lastmod>"))
      #expect(map.contains("<loc>https://example.org/blog/compare/fixture-run-vs-other-run/</loc>"))
    }
  }

  /// A theme with other markup, other looks and a file of its own shows the same posts, and every link in it leads somewhere.
  @Test func templatesAreAllThatIsNeededForOtherLooks() throws {
    try made { site in
      let summary = try site.render(templates: Fixtures.url("Site", "theme2"))
      #expect(summary.posts == ["third", "second", "first"])
      let index = try site.page("index.html")
      #expect(index.contains("class=\"second\"") && index.contains(">1.254</data>") && !index.contains("card"))
      #expect(try site.page("assets/style.css").contains("serif") && site.has("assets/note.txt"))
      #expect(try site.page("runs/other-run/index.html").contains("<h2 id=\"손실\">"))
      let files = try CodeRegions.files(below: site.output.appendingPathComponent("site"))
      var links = 0
      for file in files where file.hasSuffix(".html") {
        let here = site.output.appendingPathComponent("site/\(file)").deletingLastPathComponent()
        for match in try site.page(file).matches(of: /href="([^"#:]+)"/) {
          let target = here.appendingPathComponent(String(match.output.1).removingPercentEncoding ?? "")
            .standardizedFileURL
          #expect(FileManager.default.fileExists(atPath: target.path), "\(file): \(match.output.1)")
          links += 1
        }
      }
      #expect(links > 50)
    }
  }

  @Test func aThemeWithoutATemplateIsRefusedByName() throws {
    try made { site in
      let theme = site.folder.appendingPathComponent("theme")
      try FileManager.default.copyItem(at: Fixtures.url("Site", "theme2"), to: theme)
      try FileManager.default.removeItem(at: theme.appendingPathComponent("tag.html"))
      do {
        try site.render(templates: theme)
        Issue.record("no error")
      } catch { #expect("\(error)".contains("theme/tag.html") && "\(error)".contains("new theme")) }
    }
  }
}
