import Formats
import Foundation
import TestSupport
import Testing

@testable import Site

/// A made run and posts that use every function, laid out as an output folder and a project.
enum Made {
  static let runId = "fixture-run"
  static let project = Fixtures.url("Site", "project")

  /// Copies the fixture run into `folder/runs` and returns a builder for it.
  static func builder(_ folder: URL, content: URL? = nil, cards: Bool = false) throws -> SiteBuilder {
    let runs = folder.appendingPathComponent("runs")
    try FileManager.default.createDirectory(at: runs, withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: Fixtures.url("Site", "run"), to: runs.appendingPathComponent(runId))
    return SiteBuilder(
      output: folder, content: content ?? project.appendingPathComponent("content"),
      templates: Fixtures.root.appendingPathComponent("templates"), sources: project, cards: cards)
  }

  static func text(_ folder: URL, _ path: String) throws -> String {
    try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
  }

  /// Renders one post text against the fixture run.
  static func render(_ body: String, front: String = "title: T\nrun: fixture-run") throws -> RenderedPost {
    try Fixtures.withTemporaryFolder { folder in
      _ = try builder(folder)
      return try page(body, front: front, output: folder)
    }
  }

  /// Renders one post text against the runs of an output folder.
  static func page(_ body: String, front: String = "title: T\nrun: fixture-run", output: URL) throws -> RenderedPost {
    let post = try Post("---\n\(front)\n---\n\(body)", file: "content/posts/t.md", folder: output)
    return try PostPage(
      post: post, runs: RunLibrary(output: output), charts: RunCharts(), regions: CodeRegions(root: project),
      highlighter: HighlightCommand()
    ).render()
  }

  /// The text of HTML without its tags.
  static func plain(_ html: String) -> String {
    HTMLScanner(html).reduce(into: "") { if case .text(let text) = $1.token { $0 += text } }
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
        templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project, cards: false
      ).render()
      #expect(again.written == 0 && again.removed == 0 && again.unchanged == summary.written + summary.unchanged)
      if let place = ProcessInfo.processInfo.environment["LORAPRESS_LOOK"] {
        try? FileManager.default.removeItem(atPath: place)
        try FileManager.default.copyItem(at: first, to: URL(fileURLWithPath: place))
      }
    }
  }
}

@Suite struct MarkdownTests {
  private func html(_ markdown: String) throws -> String {
    try Made.render(markdown, front: "title: T").body
  }

  @Test(arguments: [
    ("**\"따옴표\"**를", "<p><strong>&quot;따옴표&quot;</strong>를</p>"), ("**50%**를", "<p><strong>50%</strong>를</p>"),
    ("**(괄호)**는 **굵게** 쓴다", "<p><strong>(괄호)</strong>는 <strong>굵게</strong> 쓴다</p>"),
    ("값은**\"a\"**이다", "<p>값은<strong>&quot;a&quot;</strong>이다</p>"), ("*'b'*를", "<p><em>&#39;b&#39;</em>를</p>"),
    ("**열고 닫지 않음", "<p>**열고 닫지 않음</p>"), ("`**\"c\"**를`", "<p><code>**&quot;c&quot;**를</code></p>"),
    ("2~3회 … 5~6회 ~~x~~", "<p>2~3회 … 5~6회 ~~x~~</p>"),
    (
      "(https://example.com/a)를 https://example.com를.",
      "<p>(<a href=\"https://example.com/a\">https://example.com/a</a>)를 <a href=\"https://example.com\">https://example.com</a>를.</p>"
    ),
  ])
  func koreanEmphasisAndAddresses(_ source: String, _ expected: String) throws {
    #expect(try html(source) == expected + "\n")
  }

  @Test(arguments: [
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java&#9;script:alert(1))", "[x](data:text/html,a)",
    "[x](//evil.example)",
  ])
  func dropsAddressesThatRun(_ source: String) throws {
    let post = try Made.render(source, front: "title: T")
    #expect(!post.body.contains("href") && post.warnings.count == 1)
  }

  @Test func leavesRawHTMLOut() throws {
    let post = try Made.render("<script>alert(1)</script>\n\na <b onclick=\"x\">b</b>", front: "title: T")
    #expect(!post.body.contains("<script") && !post.body.contains("onclick") && !post.warnings.isEmpty)
  }

  @Test func calloutsFootnotesAndAnchors() throws {
    let body = try html("## 제목 1\n\n## 제목 1\n\n> **한계** 글\n\n각주[^a]\n\n[^a]: 설명")
    #expect(body.contains("<h2 id=\"제목-1\">") && body.contains("<h2 id=\"제목-1-2\">"))
    #expect(body.contains("<div class=\"callout limits\" role=\"note\">"))
    #expect(body.contains("href=\"#fn-1\"") && body.contains("<li id=\"fn-1\">") && body.contains("href=\"#fnref-1\""))
  }
}

@Suite struct PostFunctionTests {
  @Test(arguments: [
    ("run.json#/training/best_eval_loss", "loss", "1.455", "1.455121"),
    ("evaluation/metrics.json#/sets/all/tuned/questions", "count", "10", "10"),
    ("run.json#/model/parameters", "params", "494M", "494032768"),
    ("run.json#/model/bytes", "bytes", "491\u{A0}MB", "491400064"),
    ("run.json#/model/parameters", "int", "4.9억", "494032768"),
    ("run.json#/stages/train/seconds", "duration", "1시간 58분", "7087.4"),
    ("log/metrics.jsonl#/0/loss", "ppl", "3.52", "3.516481"),
    ("config.yaml#/training/learning_rate/value", "lr", "2e-4", "0.0002"),
    ("run.json#/program/version", "text", "0.1.0", "0.1.0"), ("run.json#/environment/cores", "score3", "2.000", "2"),
  ])
  func valuesAreShownAndTraced(_ place: String, _ format: String, _ shown: String, _ raw: String) throws {
    let post = try Made.render("{{ value(\"\(place)\", \"\(format)\") }}")
    let source = "value=\"\(raw)\" data-source=\"runs/fixture-run/\(place)\""
    #expect(post.body.contains(source) && post.body.contains(">\(shown)</data>"), "\(post.body)")
    #expect(post.sources.contains(shown))
  }

  @Test func computedValuesNameTheirParts() throws {
    let a = "run.json#/training/first_eval_loss"
    let b = "run.json#/training/best_eval_loss"
    let post = try Made.render(
      "{{ difference(\"\(a)\", \"\(b)\", \"loss\") }} {{ ratio(\"\(b)\", \"\(a)\", \"percent\") }}")
    #expect(post.body.contains(">−2.061</data>") && post.body.contains(">41.4%</data>"))
    #expect(
      post.body.contains("data-operation=\"difference\"")
        && post.body.contains("data-source=\"runs/fixture-run/\(a) runs/fixture-run/\(b)\""))
  }

  @Test func particlesFollowTheSound() throws {
    let best = "value(\"run.json#/training/best_eval_loss\", \"loss\")"
    let post = try Made.render(
      "{{ p(\(best), \"으로/로\") }} {{ p(setting(\"lora.r\"), \"은/는\") }} {{ p(\"손실\", \"이/가\") }}")
    #expect(post.body.contains("1.455</data>로") && post.body.contains("16</data>은") && post.body.contains("손실이"))
  }

  @Test func errorsNameFileLineAndColumn() {
    #expect(Made.failure("첫 줄\n\n값 {{ valu(1) }}").hasPrefix("content/posts/t.md:7:"))
    let near = Made.failure("{{ value(\"run.json#/training/best_eval_los\", \"loss\") }}")
    #expect(near.hasPrefix("content/posts/t.md:5:") && near.contains("did you mean \"best_eval_loss\"?"), "\(near)")
    #expect(Made.failure("{{ run.training.best_eval_loss }}").contains("can't be printed"))
    #expect(Made.failure("{{ value(\"../../etc/passwd#/a\", \"loss\") }}").contains("not a path inside"))
    #expect(Made.failure("{{ code(\"attch\") }}").contains("did you mean \"attach\"?"))
    #expect(Made.failure("{{ setting(\"lora.rr\") }}").contains("did you mean \"lora.r\"?"))
    #expect(Made.failure("글 {{ chart(\"loss\") }}").contains("paragraph of its own"))
    #expect(Made.failure("{{ file(\"../run/run.json\") }}").contains("not a path inside the project"))
  }

  @Test func dataIsNeverMarkup() throws {
    let post = try Made.render("{{ qa() }}\n\n{{ dataset_samples(5) }}\n\n{{ samples[5].question }}")
    for text in [post.body, post.sources] {
      #expect(!text.contains("<script") && !text.contains("<b>태그") && !text.contains("href="))
    }
    #expect(post.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && post.body.contains("{{ 7 * 7 }}"))
    #expect(
      !post.markdown.replacing("\\<", with: "").contains("<script") && post.markdown.contains("\\[눌러\\](javascript")
        && !post.markdown.contains("{{"))
    // The Markdown read again shows the same text.
    let again = try Made.render("{% raw %}" + post.markdown + "{% endraw %}", front: "title: T")
    #expect(again.body.contains("&lt;script&gt;alert(1)&lt;/script&gt; | `rm -rf` **굵게** [눌러](javascript:alert(1))"))
  }

  @Test func figuresAndTablesAreNumberedInOrder() throws {
    let post = try Made.render(
      "{{ chart(\"loss\") }}\n\n{{ stages() }}\n\n{{ chart(\"loss\", finding=\"다른 제목\") }}\n\n{{ eval_history() }}")
    let marks = ["그림 1.", "표 1.", "그림 2.", "표 2."]
    let places = marks.compactMap { post.body.range(of: "<b>\($0)</b>")?.lowerBound }
    #expect(places.count == 4 && places == places.sorted())
    #expect(
      post.images.keys.sorted() == [
        "loss-2.dark.png", "loss-2.phone.dark.png", "loss-2.phone.png", "loss-2.png", "loss.dark.png",
        "loss.phone.dark.png",
        "loss.phone.png", "loss.png",
      ])
    #expect(post.body.contains("<picture class=\"on-dark\" hidden>") && post.markdown.contains("](loss-2.png)"))
  }

  @Test func codeKeepsItsTextAndGetsOurClasses() throws {
    let post = try Made.render("{{ code(\"attach\") }}")
    #expect(post.body.contains("Sources/Sample/Sample.swift</code> 5~9행"))
    #expect(post.body.contains("<span class=\"k\">func</span>") && post.body.contains("&lt;어댑터&gt;"))
    #expect(post.markdown.contains("```swift\n/// 모델에 <어댑터>를 붙인다.\nfunc attach"))
    #expect(HighlightCommand(searchPath: "/nonexistent").html(code: "a", language: "swift") == nil)
    // Every character that highlight escapes comes back, or the text would not match and the code stay plain.
    let comment = #"// the adapter's "rank" @ <r> & more"#
    let html = HighlightCommand().html(code: comment, language: "swift")
    #expect(html?.hasPrefix("<span class=\"c\">// the adapter") == true)
  }
}

@Suite struct SiteBuilderTests {
  @Test func aFailedBuildLeavesTheOldSite() throws {
    try Fixtures.withTemporaryFolder { folder in
      let content = folder.appendingPathComponent("content")
      let posts = content.appendingPathComponent("posts")
      try FileManager.default.createDirectory(at: posts, withIntermediateDirectories: true)
      let post = posts.appendingPathComponent("a.md")
      try "---\ntitle: 하나\n---\n본문".write(to: post, atomically: true, encoding: .utf8)
      let builder = try Made.builder(folder.appendingPathComponent("out"), content: content)
      _ = try builder.render()
      let page = folder.appendingPathComponent("out/site/posts/a/index.html")
      let before = try Data(contentsOf: page)
      try "---\ntitle: 둘\n---\n{{ nothing }}".write(to: post, atomically: true, encoding: .utf8)
      #expect(throws: (any Error).self) { try builder.render() }
      #expect(try Data(contentsOf: page) == before)
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("out").path)
      #expect(left.sorted() == ["posts", "runs", "site"])
    }
  }

  @Test func anAskedRunMustBeThere() throws {
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      do {
        _ = try builder.render(runs: ["lost-run"])
        Issue.record("no error")
      } catch { #expect("\(error)".contains("lost-run")) }
    }
  }

  /// A trial of the same experiment under another id: the post tells of it until its own run is there.
  @Test func aRunOfTheSameExperimentStandsInForAMissingOne() throws {
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      let runs = folder.appendingPathComponent("runs")
      try FileManager.default.moveItem(
        at: runs.appendingPathComponent(Made.runId), to: runs.appendingPathComponent("trial"))
      let summary = try builder.render()
      #expect(summary.posts.contains("fixture"))
      #expect(summary.warnings.contains { $0.contains("tells of the run \"trial\"") })
      #expect(try Made.text(folder, "site/posts/fixture/index.html").contains("data-source=\"runs/trial/"))
    }
  }

  /// Every traced value of every page, read again from the file and the place that it names.
  @Test func everyTracedValueIsInItsFile() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder).render()
      let element = /<data value="([^"]*)" data-source="([^"]*)" data-format=/
      var checked = 0
      for page in ["posts/fixture/index.html", "posts/english/index.html", "runs/fixture-run/index.html"] {
        for match in try Made.text(folder, "site/\(page)").matches(of: element) {
          let sources = match.output.2.split(separator: " ")
          // A derived value, with an operation before its format, is tested elsewhere.
          guard sources.count == 1, let hash = sources[0].firstIndex(of: "#") else { continue }
          let file = folder.appendingPathComponent(String(sources[0][..<hash]))
          let data = try Data(contentsOf: file)
          let document: JSONValue =
            switch file.pathExtension {
            case "jsonl": .array(try JSONValue.lines(of: data, file: file.path).map(\.value))
            case "yaml": try YAMLNode(parsing: String(decoding: data, as: UTF8.self), file: file.path).json
            default: try JSONValue(parsing: data, file: file.path)
            }
          let value = document.value(at: String(sources[0][sources[0].index(after: hash)...]))
          let text = value?.string ?? value?.text()
          let shown = match.output.1.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing(
            "&quot;", with: "\""
          )
          .replacing("&#39;", with: "'").replacing("&amp;", with: "&")
          #expect(text == String(shown), "\(page): \(sources[0])")
          checked += 1
        }
      }
      #expect(checked > 20)
    }
  }

  @Test func pagesAreWholeAndSelfContained() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder).render()
      for page in [
        "index.html", "404.html", "posts/fixture/index.html", "posts/english/index.html", "runs/fixture-run/index.html",
      ] {
        let html = try Made.text(folder, "site/\(page)")
        #expect(html.components(separatedBy: "<h1").count == 2, "\(page)")
        #expect(html.contains("<html lang=\"\(page.contains("english") ? "en" : "ko")\">") && !html.contains("<script"))
        for link in html.components(separatedBy: "href=\"").dropFirst().compactMap({ $0.split(separator: "\"").first })
        {
          #expect(
            link.hasPrefix("https://") || link.hasPrefix("data:text/css;base64,") || link.hasPrefix("#")
              || (!link.hasPrefix("/") && !link.contains(":")),
            "\(page): \(link)")
        }
      }
      let post = try Made.text(folder, "site/posts/fixture/index.html")
      #expect(
        post.contains("href=\"#sources\"") && post.contains("<h2 id=\"sources\">수치 출처</h2>")
          && post.contains("사람 평가 없음"))
      let markdown = try Made.text(folder, "posts/fixture/index.md")
      #expect(
        markdown.contains("<strong>50%</strong>를") && markdown.contains("`r=16`")
          && !markdown.unicodeScalars.contains(where: Mark.isMark))
      #expect(markdown.contains("| 1.455 | training/best_eval_loss | fixture-run | — | run.json | 1.455121 |"))
    }
  }
}
