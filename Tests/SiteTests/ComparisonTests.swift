import Charts
import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Site

@Suite struct ComparisonTests {
  private func made(_ settings: String? = nil, _ body: (MadeSite) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      try body(try MadeSite(folder, settings: settings, posts: MadeSite.posts))
    }
  }

  private func compared(_ site: MadeSite) throws -> Comparison {
    try Comparison(folders: [Made.runId, MadeSite.other].map { RunFolder(output: site.output, id: $0) })
  }

  @Test func namesOnlyWhatDiffers() throws {
    try made { site in
      let comparison = try compared(site)
      // 0.0002 and 2e-4 are one value; the name differs always.
      #expect(comparison.settings == [Comparison.Difference(path: "lora.r", values: ["16", "8"])])
      #expect(comparison.environment.isEmpty)
      try site.edit("run.json", "\"cores\": 2", "\"cores\": 8")
      #expect(
        try compared(site).environment == [Comparison.Difference(path: "/environment/cores", values: ["2", "8"])])
    }
  }

  @Test func marksTheBestValue() throws {
    try made { site in
      let metrics = try compared(site).metrics
      let loss = try #require(metrics.first { $0.name == "best_eval_loss" })
      #expect(loss.shown(.ko) == ["1.455", "1.254"] && loss.best == [1])
      // Equal in both runs: none is best.
      #expect(metrics.first { $0.name == "tuned_loss" }?.best == [])
      #expect(metrics.first { $0.name == "steps" }?.better == .neither)
      // Nor where a reader sees no difference.
      try site.edit("run.json", "\"best_eval_loss\": 1.254", "\"best_eval_loss\": 1.4552")
      let close = try #require(try compared(site).metrics.first { $0.name == "best_eval_loss" })
      #expect(close.shown(.ko) == ["1.455", "1.455"] && close.best == [])
      let chrf = try #require(metrics.first { $0.name == "chrf/taught" })
      #expect(chrf.better == .higher && chrf.label(.ko) == "chrF · 배운 사실 (n\u{A0}=\u{A0}5)")
    }
  }

  @Test func countsAnswersThatDiffer() throws {
    try made { site in
      #expect(try compared(site).answers == ComparedAnswers(common: 10, different: 0, best: [0, 0]))
      let samples = try #require(
        String(
          data: try Data(contentsOf: site.output.appendingPathComponent("runs/other-run/evaluation/samples.jsonl")),
          encoding: .utf8))
      // Another text and a higher score for the first; another question in place of the second.
      var lines = samples.split(separator: "\n").map(String.init)
      lines[0] = lines[0].replacing("\"chrf\": 74.913", with: "\"chrf\": 80.5")
        .replacing("\"text\": \"대한민국의 수도는 서울입니다.\"", with: "\"text\": \"서울입니다.\"")
      lines[1] = lines[1].replacing("\"question\": \"", with: "\"question\": \"다른 ")
      try (lines.joined(separator: "\n") + "\n").write(
        to: site.output.appendingPathComponent("runs/other-run/evaluation/samples.jsonl"), atomically: true,
        encoding: .utf8)
      #expect(try compared(site).answers == ComparedAnswers(common: 9, different: 1, best: [0, 1]))
    }
  }

  /// Losses on other rows are no ground for a ranking, and the page says so.
  @Test func warnsWhereTheDataDiffer() throws {
    try made { site in
      #expect(try compared(site).hasSameVocabulary == true)
      try site.edit("run.json", "\"vocabulary_size\": 151936", "\"vocabulary_size\": 49152")
      let comparison = try compared(site)
      #expect(comparison.hasSameVocabulary == false)
      #expect(comparison.metrics.first { $0.name == "best_eval_loss" }?.best == [])
      let blocks = ComparisonBlocks(comparison: comparison, words: SiteWords(language: .ko), ledger: Ledger())
      #expect(blocks.note().html.contains("callout caution") && blocks.note().html.contains("어휘의 크기"))
    }
  }

  @Test func jsonHoldsTheValuesOfTheFiles() throws {
    try made { site in
      let json = try compared(site).json
      let again = try JSONValue(parsing: Data(json.text(pretty: true).utf8), file: "json")
      #expect(again["runs"] == ["fixture-run", "other-run"])
      let loss = again["metrics"]?.array?.first { $0["name"]?.string == "best_eval_loss" }
      #expect(loss?["values"]?[1]?.double == 1.254 && loss?["best"] == [1] && loss?["better"]?.string == "lower")
      #expect(again["curves"]?[0]?.array?.first?["loss"]?.double == 3.516481)
      #expect(again["answers"]?["different"]?.integer == 0)
    }
  }

  /// Every number of the page stands in the file and at the place it names.
  @Test func thePageIsBoundToItsRuns() throws {
    try made("compare: [[other-run, fixture-run]]") { site in
      try site.render()
      for path in ["compare/other-run-vs-fixture-run/index.html", "compare/fixture-run-vs-other-run/index.html"] {
        let page = try site.page(path)
        #expect(page.contains("<h1>실행 2개 비교</h1>") && page.contains("<strong><data value=\"1.254\""))
        var checked = 0
        for match in page.matches(of: /<data (?:class="word" )?value="([^"]*)" data-source="([^" ]*)"/) {
          let parts = match.output.2.split(separator: "#", maxSplits: 1)
          let folder = parts[0].split(separator: "/", maxSplits: 2)
          let run = try RunData(output: site.output, id: String(folder[1]))
          let value = try run.document(String(folder[2])).value(at: String(parts[1]))
          let text = if case .number(let number) = value { number.text } else { value?.string ?? "" }
          #expect(Double(text) == Double(match.output.1), "\(path): \(match.output.2)")
          checked += 1
        }
        #expect(checked > 20)
        #expect(page.contains("data-operation=\"differing_answers\""))
      }
      #expect(try site.page("runs/other-run/index.html").contains("../../compare/other-run-vs-fixture-run/index.html"))
    }
  }

  @Test func aMissingRunLeavesThePageOut() throws {
    try made("compare: [[fixture-run, gone]]") { site in
      try site.write(
        "---\ntitle: 하나\nrun: fixture-run\ncompare: [fixture-run, gone]\n---\n{{ compare_metrics() }}",
        "content/posts/gone.md")
      let summary = try site.render()
      #expect(!site.has("compare/fixture-run-vs-gone/index.html"))
      #expect(summary.warnings.contains { $0.contains("fixture-run, gone") && $0.contains("no run \"gone\"") })
      #expect(try site.page("posts/gone/index.html").contains("비교할 실행 기록이 없다: gone"))
    }
  }

  @Test func longNamesStillMakeAFolder() {
    let ids = (0..<5).map { "a-very-long-name-of-a-run-with-number-and-more-words-to-come-\($0)" }
    let slug = RunGroup(ids: ids).slug
    #expect(
      slug.utf8.count <= 180 && slug != RunGroup(ids: ids.reversed()).slug
        && RunGroup(ids: ["a", "b"]).slug == "a-vs-b")
  }

  @Test(arguments: [
    (["korean-textbooks-weights-bf16", "korean-textbooks-weights-nf4"], "korean-textbooks-weights-", ["bf16", "nf4"]),
    // A bare number would tell nothing.
    (["textbooks-epochs-1", "textbooks-epochs-2"], "textbooks-", ["epochs-1", "epochs-2"]),
    (["textbooks-quick", "textbooks-quick-r8"], "textbooks-", ["quick", "quick-r8"]),
    (["run-a", "run-b"], "", ["run-a", "run-b"]),
    (["textbooks-1", "textbooks-2"], "", ["textbooks-1", "textbooks-2"]),
    (["textbooks", "chat"], "", ["textbooks", "chat"]),
  ])
  func whatAllNamesBeginWithIsLeftOut(ids: [String], prefix: String, names: [String]) {
    let short = Comparison.shortNames(ids)
    #expect(short.prefix == prefix && short.names == names)
  }

  @Test func fiftyStepsKeepFirstLastAndLowest() {
    let steps = Array(0...1000)
    let some = ComparisonBlocks.sampled(steps, keeping: [137, 993])
    #expect(some.count <= 50 && some.first == 0 && some.last == 1000 && some.contains(137) && some.contains(993))
    #expect(ComparisonBlocks.sampled([1, 2], keeping: []) == [1, 2])
  }

  /// The bars' words come from the runs' files, each picture names all of them, and verifying the site finds nothing.
  @Test func barsShowOneMeasureOfEachRun() throws {
    try made { site in
      try site.edit("run.json", "\"peak_memory_bytes\": ", "\"peak_memory_bytes\": 9")
      try site.write(
        """
        ---
        title: 하나
        run: fixture-run
        compare: [fixture-run, other-run]
        ---
        {{ compare_bars("peak_memory_bytes") }}

        {{ compare_bars("chrf/taught", finding="점수는 같다") }}

        {% for other in compared %}{{ value(other.ref ~ "run.json#/training/steps", "count") }} {{ other.id }} {% if other.metrics.validation_loss.tuned > 0 %}양수{% endif %}
        {% endfor %}
        """, "content/posts/bars.md")
      try site.render()
      let page = try site.page("posts/bars/index.html")
      #expect(page.contains("학습 중 최대 메모리") && page.contains("막대가 짧을수록 좋다."))
      #expect(page.contains("alt=\"실행 2개의 막대그래프, chrF · 배운 사실 (n"))
      #expect(page.contains("runs/other-run/run.json#/training/steps") && page.ranges(of: "양수").count == 2)
      let picture = try PNGFile.decode(
        [UInt8](Data(contentsOf: site.output.appendingPathComponent("site/posts/bars/runs-peak-memory-bytes.png"))))
      #expect(picture.texts.filter { $0.key == "Run" }.map(\.value) == ["fixture-run", "other-run"])
      #expect(picture.texts.contains { $0.key == "Source" && $0.value == "run.json" })
    }
  }

  @Test func functionsNameTheirRemedy() {
    #expect(Made.failure("{{ compare_bars(\"speed\", [\"a\"]) }}").contains("two different runs"))
    #expect(Made.failure("{{ compare_metrics() }}").contains("compare: [RUN, OTHER]"))
    #expect(Made.failure("{{ compare_metrics([\"fixture-run\"]) }}").contains("two different runs"))
  }
}

@Suite struct ScaffoldTests {
  @Test(arguments: SiteLanguage.allCases)
  func aNewPostRenders(_ language: SiteLanguage) throws {
    let text = Scaffold.post(name: Made.runId, language: language)
    try Fixtures.withTemporaryFolder { folder in
      let site = try MadeSite(folder, settings: nil, posts: ["new": text])
      let summary = try site.render()
      #expect(summary.posts == ["new"] && !summary.warnings.contains { $0.contains("new.md") })
      let page = try site.page("posts/new/index.html")
      #expect(page.contains("<html lang=\"\(language.rawValue)\">") && page.contains("callout limits"))
      #expect(page.contains("data-source=\"runs/fixture-run/dataset/report.json#/counts/train\""))
      #expect(!page.contains("{#") && !page.contains("value("))
    }
  }

  /// Its values are the defaults, and no setting is left out.
  @Test(arguments: SiteLanguage.allCases)
  func aNewExperimentHoldsEveryDefault(_ language: SiteLanguage) throws {
    let text = Scaffold.experiment(name: "x-1", language: language)
    let experiment = try Experiment(text: text, file: "x.yaml")
    let plain = try Experiment(
      text:
        "name: x-1\nmodel: {name: qwen2.5-coder-0.5b-instruct}\ndataset: {files: [content/data/x-1.json], format: {input: \"{question}\"}}\npost: content/posts/x-1.md\n",
      file: "y.yaml")
    #expect(experiment.settings == plain.settings)
    func paths(_ node: YAMLNode, _ prefix: String) -> [String] {
      (node.mapping ?? []).flatMap { entry in
        let path = prefix + (entry.key.string ?? "")
        return entry.value.mapping == nil ? [path] : paths(entry.value, path + ".")
      }
    }
    let all = paths(try YAMLNode(parsing: experiment.yaml(), file: "all"), "")
    // A system prompt is no default, so the line for it would only be empty.
    let own = paths(try YAMLNode(parsing: text, file: "own"), "")
    #expect(Set(all).subtracting(own) == ["dataset.format.system"] && Set(own).isSubset(of: all))
  }
}
