import Foundation
import Formats
import Runs

/// One run's records as a post reads them: decoded for tables and charts, and as plain JSON for traced values.
struct RunData: Sendable {
  let id: String
  let folder: RunFolder
  let record: RunRecord
  let report: DatasetReport?
  let evaluation: EvaluationRecord?
  let samples: [AnswerSample]
  let events: [MetricsEvent]
  /// `config.yaml`, nil where the run has none.
  let config: YAMLNode?
  let review: ReviewSummary
  /// SHA-256 of each of the run's ``sources``, by its path in the run folder.
  let hashes: [String: String]
  private let files: RunFiles

  private static let known = [
    "run.json", "config.yaml", "dataset/report.json", "evaluation/metrics.json", "evaluation/samples.jsonl",
    "log/metrics.jsonl",
  ]

  /// The files of a run that its pages are made from, where it has them.
  static let sources = known + ["evaluation/review.json"]

  init(output: URL, id: String) throws {
    guard RunFolder.isSafeName(id) else {
      throw SiteError("run \"\(id)\": not a run's name; use letters, digits, '.', '-' and '_'")
    }
    try self.init(folder: RunFolder(output: output, id: id))
  }

  init(folder: RunFolder) throws {
    guard FileManager.default.fileExists(atPath: folder.record.path) else {
      throw SiteError("\(folder.record.path): there is no such run; train it with `lorapress run`, or name another run")
    }
    id = folder.id
    self.folder = folder
    files = try RunFiles(folder, paths: Self.sources)
    guard let record = try files.record(RunRecord.self, "run.json") else {
      throw SiteError("\(folder.record.path): went away while it was read; try again")
    }
    self.record = record
    report = try files.record(DatasetReport.self, "dataset/report.json")
    evaluation = try files.record(EvaluationRecord.self, "evaluation/metrics.json")
    samples = try files.lines(AnswerSample.self, "evaluation/samples.jsonl")
    events = try files.events("log/metrics.jsonl")
    try RunBounds.check(events, report, id: id)
    let reviews = try files.review("evaluation/review.json") ?? ReviewRecord()
    review = ReviewSummary(reviews, samples)
    hashes = files.hashes
    config = try files.yaml("config.yaml")
  }

  /// A file of the run as JSON: JSONL is a list, YAML by its own rules.
  func document(_ path: String) throws -> JSONValue {
    if let document = try files.document(path) { return document }
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !parts.contains(".."), !parts.contains(""), !parts.contains(".") else {
      throw SiteError("\"\(path)\": not a path inside the run folder")
    }
    let url = folder.at(path)
    guard FileManager.default.fileExists(atPath: url.path) else {
      let near = Spelling.nearest(to: path, among: Self.known).map { "did you mean \"\($0)\"?" }
      throw SiteError(
        "run \(id) has no file \"\(path)\"; \(near ?? "known files: \(Self.known.joined(separator: ", "))")")
    }
    return try Self.document(url)
  }

  /// The first line of a JSONL file as a list of one, for who only asks whether there is any; the whole where that is known already.
  func firstLine(_ path: String) throws -> JSONValue { try files.firstLine(path) ?? document(path) }

  static func document(_ url: URL) throws -> JSONValue {
    switch url.pathExtension {
    case "yaml", "yml": return try YAMLNode(parsing: text(url), file: url.path).json
    case "jsonl":
      var data = try bytes(url)
      // A last line that was cut off is passed over, as the records' reader does.
      if let end = data.lastIndex(of: 0x0A) { data = data[...end] } else { data = Data() }
      return .array(try JSONValue.lines(of: data, file: url.path).map(\.value))
    default: return try JSONValue(parsing: bytes(url), file: url.path, allowNaN: true)
    }
  }

  private static func bytes(_ url: URL) throws -> Data {
    do { return try Data(contentsOf: url) } catch { throw RunsError.unreadable(url.path, error) }
  }

  private static func text(_ url: URL) throws -> String {
    do { return try String(contentsOf: url, encoding: .utf8) } catch { throw RunsError.unreadable(url.path, error) }
  }

  /// A setting of `config.yaml` by its path ("lora.r"): its node, the JSON Pointer to it, and the author's reason.
  func setting(_ path: String) -> (node: YAMLNode, pointer: String, why: String?)? {
    guard var node = config else { return nil }
    var pointer = ""
    for key in path.split(separator: ".").map(String.init) {
      guard let next = node[key] else { return nil }
      node = next
      pointer += "/" + key
    }
    guard let entries = node.mapping, let value = node["value"],
      entries.allSatisfy({ ["value", "why"].contains($0.key.string) })
    else { return (node, pointer, nil) }
    return (value, pointer + "/value", node["why"]?.string)
  }

  /// The paths of all settings, for a hint at a misspelt one.
  var settingPaths: [String] {
    func paths(_ node: YAMLNode, _ prefix: String) -> [String] {
      guard let entries = node.mapping, node["value"] == nil else { return [prefix] }
      return entries.flatMap { entry in
        let key = entry.key.string ?? ""
        return paths(entry.value, prefix.isEmpty ? key : "\(prefix).\(key)")
      }
    }
    return config.map { paths($0, "") } ?? []
  }
}

extension YAMLNode {
  /// A setting as the author wrote it: a list's items with commas.
  var written: String {
    switch content {
    case .scalar(let text, _): isNull ? "null" : text
    case .sequence(let nodes): nodes.map(\.written).joined(separator: ", ")
    case .mapping: json.text()
    }
  }
}
