import Charts
import Formats
import Foundation
import Runs

/// The YAML at the top of a model card, as the Hub reads it.
struct HubMetadata {
  let run: RunData
  let base: HubBase
  let words: SiteWords

  var text: String {
    var front = FrontMatter()
    if let language { front.add("language", list: [language]) }
    addLicense(to: &front)
    if let repository = base.repository {
      front.add("base_model", repository)
      front.add("base_model_relation", "adapter")
    }
    let sources = self.sources
    if !sources.isEmpty { front.add("datasets", list: sources.map(\.repository)) }
    front.add("library_name", "peft")
    front.add("pipeline_tag", "text-generation")
    front.add("tags", list: ["lora", "peft", "lorapress"] + (run.record.model?.architecture.map { [$0] } ?? []))
    let results = self.results
    if !results.isEmpty {
      front.add("metrics", list: Self.metricTypes(results))
      front.add(lines: ["model-index:", "- name: \(FrontMatter.quoted(run.id))", "  results:"])
      for result in results { front.add(lines: lines(result)) }
    }
    return front.text
  }

  /// As the dataset's card has it; else Korean where the questions or answers are.
  private var language: String? {
    if let card = try? String(contentsOf: run.folder.datasetCard, encoding: .utf8),
      let value = (try? YAMLNode(frontMatterOf: card, file: run.folder.datasetCard.path))?["language"],
      let language = value.string ?? value.sequence?.first?.string
    {
      return language
    }
    let isKorean = run.samples.contains { sample in
      (sample.question + sample.reference).unicodeScalars.contains { (0xAC00...0xD7A3).contains($0.value) }
    }
    return isKorean ? "ko" : nil
  }

  /// The base model's licence under the Hub's name for it; a name the Hub doesn't know goes under `other`.
  private func addLicense(to front: inout FrontMatter) {
    guard let license = run.record.model?.license, !license.isEmpty else { return }
    let known = [
      "apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "bsd-3-clause", "bsd-2-clause",
      "gpl-3.0", "agpl-3.0", "lgpl-3.0", "mpl-2.0", "unlicense", "openrail", "bigscience-openrail-m", "gemma", "llama2",
      "llama3", "llama3.1", "llama3.2", "llama3.3",
    ]
    let name = license.lowercased().replacing(" ", with: "-")
    if known.contains(name) { return front.add("license", name) }
    front.add("license", "other")
    front.add("license_name", name)
  }

  // MARK: Data

  /// A data set of the Hub that rows come from.
  struct Source: Equatable {
    let repository: String
    /// The commit that was read.
    let revision: String

    /// From a data file's name, "hub:OWNER/NAME@COMMIT/PATH"; nil of other files.
    init?(file: String) {
      guard file.hasPrefix("hub:"), let at = file.firstIndex(of: "@") else { return nil }
      repository = String(file[..<at].dropFirst(4))
      revision = String(file[file.index(after: at)...].prefix { $0 != "/" })
      guard HubSettings.isPath(repository), !revision.isEmpty else { return nil }
    }
  }

  /// Each once, in the order of the run's data files.
  var sources: [Source] {
    var sources: [Source] = []
    for source in run.record.datasetFiles.compactMap({ Source(file: $0.path) })
    where !sources.contains(where: { $0.repository == source.repository }) { sources.append(source) }
    return sources
  }

  // MARK: Results

  struct Metric {
    var type: String
    var name: String
    var value: Double
  }

  struct Result {
    var dataset: String
    var split: String
    var metrics: [Metric]
  }

  /// The tuned model's scores, a set of questions a result, and its validation loss.
  var results: [Result] {
    guard let evaluation = run.evaluation else { return [] }
    let data = datasetName
    let order = ["all", "taught", "untaught"]
    let sets =
      order.filter { evaluation.sets[$0] != nil } + evaluation.sets.keys.sorted().filter { !order.contains($0) }
    var results: [Result] = []
    for set in sets {
      guard let corpus = evaluation.sets[set]?.tuned else { continue }
      let metrics = ScoreName.all.compactMap { name -> Metric? in
        guard let score = corpus.scores[name], score.value.isFinite else { return nil }
        // The Hub knows the family: "rouge", "chrf".
        let type = ["rouge", "chrf"].first { name.hasPrefix($0) } ?? name
        let n = words.pick("\(corpus.questions)문항", "\(corpus.questions) questions")
        return Metric(type: type, name: "\(ScoreName.label(name)) (n = \(n))", value: score.value)
      }
      guard !metrics.isEmpty else { continue }
      results.append(Result(dataset: "\(data) (\(words.kind(set)))", split: "test", metrics: metrics))
    }
    let tokens = NumberFormat.grouped(evaluation.validationSupervisedTokens)
    if evaluation.validationLoss.tuned.isFinite {
      let name = words.pick("검증 손실 (n = \(tokens)토큰)", "Validation loss (n = \(tokens) tokens)")
      results.append(
        Result(
          dataset: data, split: "validation",
          metrics: [Metric(type: "loss", name: name, value: evaluation.validationLoss.tuned)]))
    }
    return results
  }

  /// The data set's name on the Hub, else the first data file's without its folder and ending.
  private var datasetName: String {
    if let name = sources.first?.repository.split(separator: "/").last {
      let config = run.setting("dataset.hub.name")?.node.string
      return config.map { "\(name)/\($0)" } ?? String(name)
    }
    let path = run.record.datasetFiles.first?.path ?? run.id
    let name = (path as NSString).lastPathComponent
    return (name as NSString).deletingPathExtension.isEmpty ? name : (name as NSString).deletingPathExtension
  }

  private static func metricTypes(_ results: [Result]) -> [String] {
    var types: [String] = []
    for metric in results.flatMap(\.metrics) where !types.contains(metric.type) { types.append(metric.type) }
    return types
  }

  private func lines(_ result: Result) -> [String] {
    // `type` is a Hub id where there is one; other data are a file of the author's, under its own name.
    let source = sources.first
    let type = source?.repository ?? result.dataset.split(separator: " ").first.map(String.init) ?? result.dataset
    var lines = [
      "  - task:", "      type: text-generation", "      name: Text Generation",
      "    dataset:", "      type: \(FrontMatter.quoted(type))", "      name: \(FrontMatter.quoted(result.dataset))",
    ]
    if let source { lines.append("      revision: \(FrontMatter.quoted(source.revision))") }
    lines += ["      split: \(result.split)", "    metrics:"]
    for metric in result.metrics {
      lines += [
        "    - type: \(metric.type)", "      value: \(Self.value(metric))",
        "      name: \(FrontMatter.quoted(metric.name))",
      ]
    }
    return lines
  }

  /// Four decimals: what the Hub's widget shows. The card's table of sources has all digits.
  private static func value(_ metric: Metric) -> String { String(format: "%.4f", metric.value) }
}
