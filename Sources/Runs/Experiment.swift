import Foundation
import Formats

/// An experiment file, read and resolved: what is trained, on what, how, and which post tells it.
public struct Experiment: Sendable, Equatable {
  public var settings: ExperimentSettings
  /// Setting path ("lora.r") → the author's reason for its value.
  public var reasons: [String: String]
  /// The file it was read from, as given.
  public var file: String

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
    var settings = ExperimentSettings()
    var reasons: [String: String] = [:]
    try SettingsBinder.read(&settings, from: node, file: file, reasons: &reasons)
    try settings.check(file: file)
    self.settings = settings
    self.reasons = reasons
    self.file = file
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

  private static func setting(_ new: YAMLNode, at path: [String], in node: YAMLNode, path whole: String) throws
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

  /// What no single setting can tell.
  func check(file: String) throws {
    func missing(_ what: String) -> FormatError { FormatError(file: file, message: what) }
    if name.isEmpty { throw missing("'name' is missing; give the experiment a name, which names its run folder too") }
    if model.name.isEmpty { throw missing("'model.name' is missing; `lorapress model list` shows the names") }
    if dataset.files.isEmpty { throw missing("'dataset.files' is missing; list at least one data file") }
    if dataset.split != nil, !dataset.validationFiles.isEmpty || !dataset.testFiles.isEmpty {
      throw missing(
        "'dataset.split' and validation_files/test_files exclude each other; write `split: none` for files that are split already"
      )
    }
    if let split = dataset.split, split.testSeen > split.test {
      throw missing("'dataset.split.test_seen' (\(split.testSeen)) must not be more than 'test' (\(split.test))")
    }
    if let split = dataset.split, split.testSeen > 0, split.group == nil {
      throw missing("'dataset.split.test_seen' needs 'group': the column that names what rows have in common")
    }
    if training.maxSeqLength > dataset.maxTokens {
      throw missing(
        "'training.max_seq_length' (\(training.maxSeqLength)) must not be more than 'dataset.max_tokens' (\(dataset.maxTokens))"
      )
    }
  }
}

public struct ModelSettings: SettingsSection, Sendable, Equatable {
  /// The precision of the frozen weights; the adapter is float32 always.
  public enum Weights: String, CaseIterable, SettingValue, Sendable { case f32, bf16 }

  /// A name from `content/models.yaml`, a GGUF file or a Hugging Face folder.
  public var name = ""
  public var weights = Weights.f32

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("name", &name)
    try binder.bind("weights", &weights)
  }
}

public struct DatasetSettings: SettingsSection, Sendable, Equatable {
  public var files: [String] = []
  public var validationFiles: [String] = []
  public var testFiles: [String] = []
  public var format: FormatSettings?
  /// Rows longer than this are rejected and counted.
  public var maxTokens = 4096
  /// At most so many rows are read, the first ones after the seeded ranking; nil reads all.
  public var limit: Int?
  public var split: SplitSettings? = SplitSettings()

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("files", &files)
    try binder.bind("validation_files", &validationFiles)
    try binder.bind("test_files", &testFiles)
    try binder.bind(optionalSection: "format", &format, empty: FormatSettings())
    try binder.bind("max_tokens", &maxTokens) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("limit", &limit) { $0.map { $0 >= 1 } ?? true ? nil : "at least 1" }
    try binder.bind(optionalSection: "split", &split, empty: SplitSettings())
  }
}

/// How a raw row's columns become a question and an answer: templates with `{column}` in braces.
public struct FormatSettings: SettingsSection, Sendable, Equatable {
  public var system: String?
  public var input = "{question}"
  public var output = "{answer}"

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("system", &system)
    try binder.bind("input", &input)
    try binder.bind("output", &output)
  }
}

public struct SplitSettings: SettingsSection, Sendable, Equatable {
  /// The share of rows kept for validation.
  public var validation = 0.08
  /// How many rows are kept for the test questions.
  public var test = 10
  public var seed = 42
  /// The column that names what rows have in common (several wordings of one fact).
  public var group: String?
  /// So many of the test rows ask, in new words, what the training rows teach; no training row shares a group with the others.
  public var testSeen = 0

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("validation", &validation) { (0..<1).contains($0) ? nil : "a share from 0 to below 1" }
    try binder.bind("test", &test) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("seed", &seed)
    try binder.bind("group", &group)
    try binder.bind("test_seen", &testSeen) { $0 >= 0 ? nil : "0 or more" }
  }
}

/// PEFT's `LoraConfig`, by its names.
public struct LoraSettings: SettingsSection, Sendable, Equatable {
  public var r = 16
  public var loraAlpha = 32.0
  public var loraDropout = 0.0
  /// Layer names (`q_proj`), or the one word `all-linear`.
  public var targetModules = ["all-linear"]
  /// Ranks and alphas of their own for some layers, by PEFT's patterns: `{q_proj: 8, "layers\\.0\\..*": 4}`. The first that matches counts.
  public var rankPattern = PatternSetting<Int>()
  public var alphaPattern = PatternSetting<Double>()
  public var useRslora = false
  public var useDora = false
  /// `lm_head` and `embed_tokens` can be trained whole.
  public var modulesToSave: [String]?
  public var bias = Bias.none

  public enum Bias: String, CaseIterable, SettingValue, Sendable { case none }

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("r", &r) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("lora_alpha", &loraAlpha) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("lora_dropout", &loraDropout) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("target_modules", &targetModules) { $0.isEmpty ? "at least one layer name, or all-linear" : nil }
    try binder.bind("rank_pattern", &rankPattern) {
      $0.entries.allSatisfy { $0.value >= 1 } ? nil : "ranks of at least 1"
    }
    try binder.bind("alpha_pattern", &alphaPattern) {
      $0.entries.allSatisfy { $0.value > 0 } ? nil : "numbers of more than 0"
    }
    try binder.bind("use_rslora", &useRslora)
    try binder.bind("use_dora", &useDora)
    try binder.bind("modules_to_save", &modulesToSave)
    try binder.bind("bias", &bias)
  }
}

/// Hugging Face's `TrainingArguments`, by their names.
public struct TrainingSettings: SettingsSection, Sendable, Equatable {
  public enum Schedule: String, CaseIterable, SettingValue, Sendable { case linear, cosine, constant }
  /// What happens to a row that is longer than `max_seq_length`.
  public enum Overflow: String, CaseIterable, SettingValue, Sendable { case drop, truncate }
  public enum BestMetric: String, CaseIterable, SettingValue, Sendable { case evalLoss = "eval_loss" }

  public var learningRate = 2e-4
  public var perDeviceTrainBatchSize = 4
  public var gradientAccumulationSteps = 1
  /// Recompute each layer in the backward instead of keeping its activations: the same result in less memory and more time.
  public var gradientCheckpointing = false
  public var numTrainEpochs = 3.0
  /// Overrides `num_train_epochs` when given.
  public var maxSteps: Int?
  public var maxSeqLength = 512
  public var overflow = Overflow.drop
  public var shuffle = true
  public var lrSchedulerType = Schedule.linear
  public var warmupRatio = 0.0
  public var warmupSteps: Int?
  public var weightDecay = 0.0
  public var adamBeta1 = 0.9
  public var adamBeta2 = 0.999
  public var adamEpsilon = 1e-8
  public var maxGradNorm = 1.0
  public var evalSteps = 20
  public var saveSteps = 20
  public var saveTotalLimit = 1
  public var metricForBestModel = BestMetric.evalLoss
  public var seed = 42

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("learning_rate", &learningRate) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("per_device_train_batch_size", &perDeviceTrainBatchSize) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("gradient_accumulation_steps", &gradientAccumulationSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("gradient_checkpointing", &gradientCheckpointing)
    try binder.bind("num_train_epochs", &numTrainEpochs) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("max_steps", &maxSteps) { $0.map { $0 >= 1 } ?? true ? nil : "at least 1" }
    try binder.bind("max_seq_length", &maxSeqLength) { $0 >= 2 ? nil : "at least 2" }
    try binder.bind("overflow", &overflow)
    try binder.bind("shuffle", &shuffle)
    try binder.bind("lr_scheduler_type", &lrSchedulerType)
    try binder.bind("warmup_ratio", &warmupRatio) { (0...1).contains($0) ? nil : "from 0 to 1" }
    try binder.bind("warmup_steps", &warmupSteps) { $0.map { $0 >= 0 } ?? true ? nil : "0 or more" }
    try binder.bind("weight_decay", &weightDecay) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("adam_beta1", &adamBeta1) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("adam_beta2", &adamBeta2) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("adam_epsilon", &adamEpsilon) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("max_grad_norm", &maxGradNorm) { $0 >= 0 ? nil : "0 (no clipping) or more" }
    try binder.bind("eval_steps", &evalSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("save_steps", &saveSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("save_total_limit", &saveTotalLimit) {
      $0 == 1 ? nil : "1 (the best and the last checkpoint are kept)"
    }
    try binder.bind("metric_for_best_model", &metricForBestModel)
    try binder.bind("seed", &seed)
  }
}

public struct EvaluationSettings: SettingsSection, Sendable, Equatable {
  public enum Metric: String, CaseIterable, SettingValue, Sendable { case bleu, rouge, chrf }

  public var maxNewTokens = 128
  public var metrics = Metric.allCases

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("max_new_tokens", &maxNewTokens) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("metrics", &metrics)
  }
}
