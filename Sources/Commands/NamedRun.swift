import Foundation
import Runs

/// The run that a command's RUN names: an id, a run folder, or an experiment (a .yaml path).
struct NamedRun {
  let folder: RunFolder
  let record: RunRecord
  /// With what `--set` changes.
  let settings: ExperimentSettings

  /// - Parameter instead: what to do with an imported run, of which nobody knows how its model was loaded.
  init(_ argument: String, _ arguments: Arguments, instead: String) throws {
    let output = outputFolder(arguments)
    if argument.hasSuffix(".yaml") || argument.hasSuffix(".yml") {
      let name = try Experiment(file: URL(fileURLWithPath: argument)).settings.name
      folder = try runFolder(arguments.value("--run-id") ?? name, output: output)
    } else {
      folder = try runFolder(argument, output: output)
    }
    record = try RecordFile.read(RunRecord.self, from: folder.record)
    guard record.origin == nil else {
      throw RunsError(
        "\(folder.record.path): the run was imported, and how its model was loaded isn't known; \(instead)")
    }
    settings = try Experiment(file: folder.config, overrides: try arguments.overrides()).settings
  }

  /// The model that the run was trained on; one whose file is another now is refused.
  ///
  /// - Parameter otherwise: what to do where that one isn't to be had.
  func openModel(_ console: Console, otherwise: String) throws -> OpenedModel {
    let model = try OpenedModel(settings.model.name, project: Project.locate(), console: console)
    if let trained = record.model?.sha256, trained != model.resolved.sha256 {
      throw RunsError(
        "\(model.resolved.path): is not the model that \(folder.id) was trained on (its SHA-256 begins with \(model.resolved.sha256.prefix(12)), not \(trained.prefix(12))); fetch that one, or \(otherwise)"
      )
    }
    return model
  }
}
