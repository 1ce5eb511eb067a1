import Formats

/// All settings of an experiment file; what is not written there has its default.
public struct ExperimentSettings: SettingsSection, Sendable, Equatable {
  public var name = ""
  public var model = ModelSettings()
  public var dataset = DatasetSettings()
  public var lora = LoraSettings()
  public var training = TrainingSettings()
  public var evaluation = EvaluationSettings()
  public var post: String?

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("name", &name) { RunFolder.isSafeName($0) ? nil : "a name of letters, digits, '.', '-' and '_'" }
    try binder.bind(section: "model", &model)
    try binder.bind(section: "dataset", &dataset)
    try binder.bind(section: "lora", &lora)
    try binder.bind(section: "training", &training)
    try binder.bind(section: "evaluation", &evaluation)
    try binder.bind("post", &post)
  }

  /// What no single setting can tell. `node` is what was read, for the places of faults.
  func check(file: String, in node: YAMLNode) throws {
    func missing(_ what: String) -> FormatError { FormatError(file: file, message: what) }
    if name.isEmpty { throw missing("'name' is missing; give the experiment a name, which names its run folder too") }
    if model.name.isEmpty { throw missing("'model.name' is missing; `lorapress model list` shows the names") }
    if model.doubleQuant != nil, model.weights != .nf4 {
      throw missing(
        "'model.double_quant' is a setting of `weights: nf4`, not of \(model.weights.rawValue); leave it out or change the weights"
      )
    }
    if let hub = dataset.hub {
      if hub.path.isEmpty { throw missing("'dataset.hub.path' is missing; give the repository, OWNER/NAME") }
      if !(dataset.files + dataset.validationFiles + dataset.testFiles).isEmpty {
        throw missing("'dataset.hub' and dataset.files exclude each other; leave one out")
      }
      if dataset.split != nil, hub.validationSplit != nil || hub.testSplit != nil {
        throw missing(
          "'dataset.split' and hub.validation_split/test_split exclude each other; write `split: none` for splits that are there already"
        )
      }
    } else if dataset.files.isEmpty {
      throw missing(
        "'dataset.files' is missing; list at least one data file, or a data set of the Hub as 'dataset.hub'")
    }
    if dataset.split != nil, !dataset.validationFiles.isEmpty || !dataset.testFiles.isEmpty {
      throw missing(
        "'dataset.split' and validation_files/test_files exclude each other; write `split: none` for files that are split already"
      )
    }
    if dataset.format?.messages != nil, dataset.format?.text != nil {
      throw missing("'dataset.format.messages' and 'dataset.format.text' exclude each other; leave one out")
    }
    if let split = dataset.split, split.testSeen > split.test {
      throw missing("'dataset.split.test_seen' (\(split.testSeen)) must not be more than 'test' (\(split.test))")
    }
    if let split = dataset.split, split.testSeen > 0, split.group == nil {
      throw missing("'dataset.split.test_seen' needs 'group': the column that names what rows have in common")
    }
    if let split = dataset.split, split.groups == .together {
      if split.group == nil {
        throw missing("'dataset.split.groups: together' needs 'group': the column that names what rows have in common")
      }
      if split.testSeen > 0 {
        throw missing(
          "'dataset.split.test_seen' asks what is taught, which 'groups: together' keeps apart; leave one out")
      }
    }
    if training.maxSeqLength > dataset.maxTokens {
      throw missing(
        "'training.max_seq_length' (\(training.maxSeqLength)) must not be more than 'dataset.max_tokens' (\(dataset.maxTokens))"
      )
    }
    let contradictions = [("training", training.contradiction), ("evaluation", evaluation.contradiction)]
    for case (let section, (let key, let message)?) in contradictions {
      let place = node[section]?[key]
      throw FormatError(file: file, line: place?.line ?? 0, column: place?.column ?? 0, message: message)
    }
  }
}

/// Which model is tuned, and how its weights are held.
public struct ModelSettings: SettingsSection, Sendable, Equatable {
  /// The precision of the frozen weights; the adapter is float32 always.
  public enum Weights: String, CaseIterable, SettingValue, Sendable { case f32, bf16, nf4, int8, gguf }

  /// A name from `content/models.yaml`, a GGUF file or a Hugging Face folder.
  public var name = ""
  public var weights = Weights.f32
  /// Whether the scales of `nf4` weights are quantised too: `bnb_4bit_use_double_quant`. Nil is true, and the only choice of other
  /// weights.
  public var doubleQuant: Bool?

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("name", &name)
    try binder.bind("weights", &weights)
    try binder.bind("double_quant", &doubleQuant)
  }
}
