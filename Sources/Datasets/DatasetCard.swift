import Formats
import Runs

/// The dataset card: `datasets.load_dataset("<the run's dataset folder>")` reads the splits that its front matter names.
struct DatasetCard {
  let dataset: PreparedDataset
  let name: String

  /// The folder in the card's code, until it is published under a name.
  static let ownPlace = "path/to/this/folder"

  var text: String { "---\n\(frontMatter.yaml())---\n\n\(body)" }

  /// `dataset_info` gives the columns of all splits, since only test rows have a `kind`: the loader takes those of the first split for
  /// all where it must guess. An empty split is left out, which the loader refuses.
  private var frontMatter: YAMLNode {
    let files = DatasetSplit.allCases.filter { dataset.count($0) > 0 }.map { split in
      YAMLNode.mapping([
        ("split", .text(split.rawValue)), ("path", .text("\(split.rawValue).\(dataset.output.rawValue)")),
      ])
    }
    var entries: [(String, YAMLNode)] = [("pretty_name", .text(name))]
    if dataset.isKorean { entries.append(("language", Self.list([.text("ko")]))) }
    entries += [
      ("task_categories", Self.list([.text("text-generation")])),
      ("size_categories", Self.list([.text(Self.sizeCategory(dataset.report.counts.kept))])),
      ("configs", Self.list([.mapping([("config_name", .text("default")), ("data_files", Self.list(files))])])),
      ("dataset_info", .mapping([("config_name", .text("default")), ("features", features)])),
    ]
    return .mapping(entries)
  }

  private static func list(_ nodes: [YAMLNode]) -> YAMLNode { YAMLNode(.sequence(nodes)) }

  private var features: YAMLNode {
    func feature(_ name: String, _ kind: String, _ value: YAMLNode) -> YAMLNode {
      .mapping([("name", .text(name)), (kind, value)])
    }
    func column(_ name: String, _ type: String) -> YAMLNode { feature(name, "dtype", .text(type)) }
    let columns = dataset.columns.map { name in
      switch name {
      case "messages": feature(name, "list", Self.list([column("role", "string"), column("content", "string")]))
      case "source": feature(name, "struct", Self.list([column("file", "string"), column("row", "int64")]))
      default: column(name, "string")
      }
    }
    return Self.list(columns)
  }

  /// The Hub's own words for a number of rows.
  static func sizeCategory(_ rows: Int) -> String {
    switch rows {
    case ..<1_000: "n<1K"
    case ..<10_000: "1K<n<10K"
    case ..<100_000: "10K<n<100K"
    case ..<1_000_000: "100K<n<1M"
    case ..<10_000_000: "1M<n<10M"
    case ..<100_000_000: "10M<n<100M"
    default: "100M<n<1B"
    }
  }

  private var body: String {
    let report = dataset.report
    let counts = report.counts
    var lines = [
      "# \(name)", "",
      "Chat rows prepared by LoraPress from \(sources.joined(separator: ", ")) (\(report.schema)).", "",
      "| split | rows |", "|---|---:|",
      "| train | \(counts.train) |", "| validation | \(counts.validation) |", "| test | \(counts.test) |", "",
      "Of \(counts.read) rows read, \(counts.kept) were kept and \(counts.rejected) rejected.",
    ]
    if !report.rejects.isEmpty {
      lines += ["", "| rejected because | rows |", "|---|---:|"]
      lines += report.rejects.sorted { $0.key < $1.key }.map { "| \($0.key) | \($0.value) |" }
    }
    if counts.testTaught + counts.testUntaught > 0 {
      lines += [
        "",
        "Of the test rows \(counts.testTaught) ask in other words what training rows teach (`kind` is `taught`); "
          + "\(counts.testUntaught) ask what no training row teaches (`untaught`).",
      ]
    }
    lines += [
      "", "```python", "from datasets import load_dataset", "", "dataset = load_dataset(\"\(Self.ownPlace)\")",
      "```", "",
    ]
    return lines.joined(separator: "\n")
  }

  private var sources: [String] { dataset.files.map { "`\($0)`" } }
}
