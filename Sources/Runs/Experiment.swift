import Foundation
import Formats

/// An experiment file, read and resolved: what is trained, on what, how, and which post tells it.
public struct Experiment: Sendable, Equatable {
  public var settings: ExperimentSettings
  /// Setting path ("lora.r") → the author's reason for its value.
  public var reasons: [String: String]
  /// The file it was read from, as given.
  public var file: String
  /// The settings that `sweep` varies: such an experiment stands for ``sweepRuns()``.
  public var sweep: [SweepAxis] = []
  /// What was read, without `sweep`.
  let node: YAMLNode

  /// Reads an experiment. `overrides` are `--set` pairs: a path ("training.max_steps") and a value in YAML.
  public init(file url: URL, overrides: [(path: String, value: String)] = []) throws {
    let text: String
    do { text = try String(contentsOf: url, encoding: .utf8) } catch {
      throw RunsError.unreadable(url.relativePath, error)
    }
    try self.init(text: text, file: url.relativePath, overrides: overrides)
  }

  public init(text: String, file: String, overrides: [(path: String, value: String)] = []) throws {
    var node = try YAMLNode(parsing: text, file: file)
    for (path, value) in overrides {
      let new = try YAMLNode(parsing: value, file: "--set \(path)")
      node = try Self.setting(new, at: path.split(separator: ".").map(String.init), in: node, path: path)
    }
    guard let sweep = node["sweep"], let entries = node.mapping else {
      try self.init(node: node, file: file)
      return
    }
    node.content = .mapping(entries.filter { $0.key.string != "sweep" })
    try self.init(node: node, file: file)
    self.sweep = try SweepAxis.read(sweep, file: file)
  }

  init(node: YAMLNode, file: String) throws {
    var settings = ExperimentSettings()
    var reasons: [String: String] = [:]
    try SettingsBinder.read(&settings, from: node, file: file, reasons: &reasons)
    try settings.check(file: file, in: node)
    self.settings = settings
    self.reasons = reasons
    self.file = file
    self.node = node
  }

  /// The whole experiment with every setting written out, as `config.yaml` of a run keeps it.
  public func yaml() throws -> String { try SettingsBinder.write(settings, reasons: reasons).yaml() }

  /// One part of the resolved settings ("lora", "training.seed") as text, without reasons: what a stage that depends on it hashes.
  public func resolvedText(at path: String) throws -> String {
    let node = path.split(separator: ".").reduce(try SettingsBinder.write(settings, reasons: [:])) { node, key in
      node[String(key)] ?? .plain("")
    }
    return node.yaml()
  }

  /// Every setting by its path with its value, as a Markdown table.
  public func settingsTable() throws -> String {
    var lines = ["| setting | value |", "|---|---|"]
    func visit(_ node: YAMLNode, _ path: String) {
      switch node.content {
      case .mapping(let entries):
        for entry in entries { visit(entry.value, (path.isEmpty ? "" : path + ".") + (entry.key.string ?? "")) }
      case .sequence, .scalar:
        let value = node.json.string ?? node.json.text()
        lines.append("| \(path) | \(value.replacing("|", with: "\\|").replacing("\n", with: " ")) |")
      }
    }
    visit(try SettingsBinder.write(settings, reasons: [:]), "")
    return lines.joined(separator: "\n")
  }

  static func setting(_ new: YAMLNode, at path: [String], in node: YAMLNode, path whole: String) throws
    -> YAMLNode
  {
    guard let key = path.first else { return new }
    var entries: [YAMLNode.Entry]
    switch node.content {
    case .mapping(let existing): entries = existing
    case .scalar where node.isNull || node.string == "none": entries = []
    default: throw FormatError(file: "--set \(whole)", message: "'\(key)' can't be set inside \(node.kind)")
    }
    let rest = Array(path.dropFirst())
    if let index = entries.firstIndex(where: { $0.key.string == key }) {
      entries[index].value = try setting(new, at: rest, in: entries[index].value, path: whole)
    } else {
      let value = try setting(new, at: rest, in: .mapping([]), path: whole)
      entries.append(YAMLNode.Entry(key: .text(key), value: value))
    }
    return YAMLNode(.mapping(entries), line: node.line, column: node.column)
  }
}
