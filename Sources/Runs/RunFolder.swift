import Foundation

/// The places inside one run's folder. See docs/run-folder.md for what each file holds.
public struct RunFolder: Sendable, Equatable {
  public let url: URL

  public init(_ url: URL) { self.url = url }

  /// `<output>/runs/<id>`.
  public init(output: URL, id: String) { url = output.appendingPathComponent("runs").appendingPathComponent(id) }

  public var id: String { url.lastPathComponent }

  public var record: URL { at("run.json") }
  public var config: URL { at("config.yaml") }
  public func dataset(_ split: DatasetSplit) -> URL { at("dataset/\(split.rawValue).jsonl") }
  /// The same rows with `dataset.output: parquet`; none of an empty split.
  public func datasetParquet(_ split: DatasetSplit) -> URL { at("dataset/\(split.rawValue).parquet") }
  public var datasetReport: URL { at("dataset/report.json") }
  public var rejectedRows: URL { at("dataset/rejected.jsonl") }
  public var datasetCard: URL { at("dataset/README.md") }
  public var metricsLog: URL { at("log/metrics.jsonl") }
  public var logFolder: URL { at("log") }
  public var trainerState: URL { at("log/trainer_state.json") }
  public var bestCheckpoint: URL { at("checkpoints/best") }
  public var lastCheckpoint: URL { at("checkpoints/last") }
  /// A checkpoint that `save_total_limit` keeps beside `best` and `last`.
  public func checkpoint(_ step: Int) -> URL { at("checkpoints/checkpoint-\(step)") }
  public var samples: URL { at("evaluation/samples.jsonl") }
  public var evaluationMetrics: URL { at("evaluation/metrics.json") }
  public var review: URL { at("evaluation/review.json") }
  public var charts: URL { at("charts") }

  /// A file of the run by its path relative to the run folder.
  public func at(_ path: String) -> URL { url.appendingPathComponent(path) }

  /// The path of a file inside the run folder, relative to it; nil for a file elsewhere.
  public func path(of file: URL) -> String? {
    let base = url.standardizedFileURL.path + "/"
    let path = file.standardizedFileURL.path
    return path.hasPrefix(base) ? String(path.dropFirst(base.count)) : nil
  }

  /// Names that are safe as a folder, in a URL and on every system: letters, digits, '.', '-' and '_', not starting with '.'.
  public static func isSafeName(_ name: String) -> Bool {
    guard let first = name.unicodeScalars.first, first != ".", first != "-", name.utf8.count <= 100 else {
      return false
    }
    return name.unicodeScalars.allSatisfy {
      ($0.properties.isAlphabetic || $0.properties.numericType != nil || "._-".unicodeScalars.contains($0))
    }
  }
}

public enum DatasetSplit: String, CaseIterable, Sendable {
  case train, validation, test
}
