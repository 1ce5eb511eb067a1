import Formats

/// One setting that an experiment's `sweep` varies, and its values.
public struct SweepAxis: Sendable, Equatable {
  /// "training.learning_rate"
  public var path: String
  public var values: [YAMLNode]

  var key: String { path.split(separator: ".").last.map(String.init) ?? path }

  /// The axes of a `sweep:` mapping. A key is a setting's path, or its name alone where one section has it.
  static func read(_ node: YAMLNode, file: String) throws -> [SweepAxis] {
    func fault(_ node: YAMLNode, _ message: String) -> FormatError {
      FormatError(file: file, line: node.line, column: node.column, message: message)
    }
    guard let entries = node.mapping else {
      throw fault(node, "'sweep' must be a mapping of settings to lists of values, not \(node.kind)")
    }
    let known = try SettingsBinder.write(ExperimentSettings(), reasons: [:]).mapping ?? []
    var axes: [SweepAxis] = []
    for entry in entries {
      let key = entry.key.string ?? ""
      guard let values = entry.value.sequence, !values.isEmpty else {
        throw fault(entry.value, "'sweep.\(key)' must be a list of values, not \(entry.value.kind)")
      }
      var path = key
      if !key.contains(".") {
        let sections = known.filter { $0.value[key] != nil }.compactMap(\.key.string)
        guard let section = sections.first else {
          let names = known.flatMap { $0.value.mapping ?? [] }.compactMap(\.key.string)
          let nearest = Spelling.nearest(to: key, among: names)
          throw fault(
            entry.key,
            "'sweep.\(key)' is no setting; "
              + (nearest.map { "did you mean '\($0)'?" } ?? "write its path, such as training.learning_rate"))
        }
        if sections.count > 1 {
          throw fault(entry.key, "'sweep.\(key)' could be \(sections.map { "\($0).\(key)" }.joined(separator: " or "))")
        }
        path = "\(section).\(key)"
      }
      if axes.contains(where: { $0.path == path }) { throw fault(entry.key, "'sweep.\(path)' is given twice") }
      axes.append(SweepAxis(path: path, values: values))
    }
    return axes
  }
}

/// One run of a sweep.
public struct SweepRun: Sendable, Equatable {
  /// Its settings; the name is the experiment's with the suffix.
  public var experiment: Experiment
  /// "-learning_rate-1e-4-r-8"
  public var suffix: String
}

extension Experiment {
  /// Every combination of the values of `sweep`, the last axis varying fastest; empty for an experiment without one.
  public func sweepRuns() throws -> [SweepRun] {
    guard !sweep.isEmpty else { return [] }
    var combinations: [[YAMLNode]] = [[]]
    for axis in sweep { combinations = combinations.flatMap { start in axis.values.map { start + [$0] } } }
    var runs: [SweepRun] = []
    for values in combinations {
      var changed = node
      var suffix = ""
      for (axis, value) in zip(sweep, values) {
        changed = try Self.setting(
          value, at: axis.path.split(separator: ".").map(String.init), in: changed, path: axis.path)
        suffix += "-\(axis.key)-\(Self.nameable(value))"
      }
      let name = settings.name + suffix
      guard RunFolder.isSafeName(name) else {
        throw FormatError(
          file: file,
          message: "'sweep': '\(name)' is too long for a run's name (100 bytes); give the experiment a shorter one")
      }
      guard !runs.contains(where: { $0.suffix == suffix }) else {
        throw FormatError(file: file, message: "'sweep': two runs would be called '\(name)'; give each value once")
      }
      changed = try Self.setting(.text(name), at: ["name"], in: changed, path: "name")
      runs.append(SweepRun(experiment: try Experiment(node: changed, file: file), suffix: suffix))
    }
    return runs
  }

  /// A value as a part of a run's name.
  private static func nameable(_ value: YAMLNode) -> String {
    let text: String =
      switch value.content {
      case .scalar(let text, _): text
      case .sequence(let nodes): nodes.map { nameable($0) }.joined(separator: "_")
      case .mapping: value.json.text()
      }
    return String(text.map { $0.isLetter || $0.isNumber || "._-".contains($0) ? $0 : "-" })
  }
}
