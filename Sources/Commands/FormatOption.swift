import Runs

/// `--format YAML`: `dataset.format` on the command line, read as an experiment would read it, with the same errors.
enum FormatOption {
  static let name = "--format"

  static func settings(_ arguments: Arguments) throws -> FormatSettings? {
    guard let text = arguments.value(name) else { return nil }
    let experiment = try Experiment(
      text: "{name: inspect, model: {name: none}, dataset: {files: [none]}}", file: name,
      overrides: [("dataset.format", text)])
    return experiment.settings.dataset.format
  }
}
