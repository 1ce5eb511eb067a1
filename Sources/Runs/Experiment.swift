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
    if dataset.files.isEmpty { throw missing("'dataset.files' is missing; list at least one data file") }
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

public struct ModelSettings: SettingsSection, Sendable, Equatable {
  /// The precision of the frozen weights; the adapter is float32 always.
  public enum Weights: String, CaseIterable, SettingValue, Sendable { case f32, bf16, nf4, int8 }

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

public struct DatasetSettings: SettingsSection, Sendable, Equatable {
  public var files: [String] = []
  public var validationFiles: [String] = []
  public var testFiles: [String] = []
  public var format: FormatSettings?
  /// Rows longer than this are rejected and counted.
  public var maxTokens = 4096
  /// So many rows of `files` are passed over first.
  public var offset = 0
  /// So many rows of `files` are drawn at random, by the split's seed, before `limit` takes its share; nil takes all.
  public var sample: Int?
  /// At most so many rows are read, the first ones after the seeded ranking; nil reads all.
  public var limit: Int?
  public var cleaning = CleaningSettings()
  public var split: SplitSettings? = SplitSettings()

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("files", &files)
    try binder.bind("validation_files", &validationFiles)
    try binder.bind("test_files", &testFiles)
    try binder.bind(optionalSection: "format", &format, empty: FormatSettings())
    try binder.bind("max_tokens", &maxTokens) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("offset", &offset) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("sample", &sample) { $0.map { $0 >= 1 } ?? true ? nil : "at least 1" }
    try binder.bind("limit", &limit) { $0.map { $0 >= 1 } ?? true ? nil : "at least 1" }
    try binder.bind(section: "cleaning", &cleaning)
    try binder.bind(optionalSection: "split", &split, empty: SplitSettings())
  }
}

/// What is done to texts, and which rows are dropped for what they say.
public struct CleaningSettings: SettingsSection, Sendable, Equatable {
  public enum UnicodeForm: String, CaseIterable, SettingValue, Sendable { case nfc, keep }
  public enum ControlCharacters: String, CaseIterable, SettingValue, Sendable { case remove, keep }
  public enum Duplicates: String, CaseIterable, SettingValue, Sendable { case drop, keep }
  /// What happens to training rows that ask what a test row asks. All are counted; `drop` drops those that ask it exactly, `drop_near`
  /// those that nearly do as well, unless they are of the test row's own group.
  public enum Leaks: String, CaseIterable, SettingValue, Sendable {
    case drop
    case dropNear = "drop_near"
    case count
  }

  public var unicode = UnicodeForm.nfc
  /// All but tab and line end, and byte-order marks; "\r\n" becomes "\n".
  public var controlCharacters = ControlCharacters.remove
  /// Rows that say the same to the same.
  public var duplicates = Duplicates.drop
  /// Rows that share this share of their character 5-grams (Jaccard) with an earlier one are dropped; nil keeps them: wordings of one
  /// fact with one answer are near duplicates too.
  public var nearDuplicates: Double?
  public var leaks = Leaks.drop
  /// From which similarity of character 5-grams a training question nearly asks a test question; nil doesn't look.
  public var nearLeaks: Double? = 0.8
  /// Rows of which a smaller share of the letters is Hangul are dropped.
  public var minKorean: Double?

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    func share(_ value: Double?) -> String? {
      value.map { $0 > 0 && $0 <= 1 } ?? true ? nil : "a share above 0, up to 1"
    }
    try binder.bind("unicode", &unicode)
    try binder.bind("control_characters", &controlCharacters)
    try binder.bind("duplicates", &duplicates)
    try binder.bind("near_duplicates", &nearDuplicates, check: share)
    try binder.bind("leaks", &leaks)
    try binder.bind("near_leaks", &nearLeaks, check: share)
    try binder.bind("min_korean", &minKorean, check: share)
  }
}

/// How a row of one text becomes questions and answers. Rules are tried in the order they are given.
public enum TextRule: String, CaseIterable, SettingValue, Sendable {
  /// Turns begun by role tokens: `<usr>`, `### 질문:` … `### 응답:`, ChatML.
  case roles
  /// A written question and its answer, by labels: `질문: … 답변: …`, `문제: … 정답: …`, `Q: … A: …`.
  case instruction
  /// A Markdown heading or title asks to be explained, and its section is the answer.
  case heading
  /// The text's beginning asks for its end: nothing of the text is lost.
  case continuation
}

/// How a raw row's columns become a question and an answer: templates with `{column}` in braces, a column of whole conversations, or a
/// column of text that rules turn into conversations.
public struct FormatSettings: SettingsSection, Sendable, Equatable {
  public var system: String?
  public var input = "{question}"
  public var output = "{answer}"
  /// A column of lists of messages ("{conversations}"), instead of input and output.
  public var messages: String?
  /// A column of texts ("{text}"), instead of input and output.
  public var text: String?
  public var rules = TextRule.allCases

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("system", &system)
    try binder.bind("input", &input)
    try binder.bind("output", &output)
    try binder.bind("messages", &messages)
    try binder.bind("text", &text)
    try binder.bind("rules", &rules) { $0.isEmpty ? "at least one rule" : nil }
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
  /// Whether the wordings of a group may stand in different splits: `spread` lets single ones validate, and test where `test_seen` asks
  /// for it; `together` keeps each group whole.
  public var groups = Groups.spread
  /// So many of the test rows ask, in new words, what the training rows teach; no training row shares a group with the others.
  public var testSeen = 0

  public enum Groups: String, CaseIterable, SettingValue, Sendable { case spread, together }

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("validation", &validation) { (0..<1).contains($0) ? nil : "a share from 0 to below 1" }
    try binder.bind("test", &test) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("seed", &seed)
    try binder.bind("group", &group)
    try binder.bind("groups", &groups)
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
  /// transformers' `SchedulerType`. `constant` has no warm-up; `cosine_with_min_lr` takes `lr_scheduler_kwargs`.
  public enum Schedule: String, CaseIterable, SettingValue, Sendable {
    case linear, cosine
    case cosineWithMinLR = "cosine_with_min_lr"
    case constant
    case constantWithWarmup = "constant_with_warmup"
  }
  /// When something is done: never (but at the end, where it must be), every so many steps, or after each epoch.
  public enum Interval: String, CaseIterable, SettingValue, Sendable { case no, steps, epoch }
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
  /// Rows fill sequences of up to `max_seq_length` tokens (TRL's packing, best fit decreasing), and the batch size counts sequences.
  ///
  /// A batch is never padded, packed or not, and a row never attends to another one, so packing changes only which rows share a step:
  /// as many as fit, not a fixed number. Short rows then take fewer, larger steps; the learning rate may want to be higher.
  public var packing = false
  /// Rows of like length share a step (transformers' `LengthGroupedSampler`).
  public var groupByLength = false
  /// The loss counts the prompts' tokens as well as the answers'.
  public var trainOnInputs = false
  public var shuffle = true
  public var lrSchedulerType = Schedule.linear
  public var lrSchedulerKwargs: SchedulerSettings?
  public var warmupRatio = 0.0
  public var warmupSteps: Int?
  public var weightDecay = 0.0
  public var adamBeta1 = 0.9
  public var adamBeta2 = 0.999
  public var adamEpsilon = 1e-8
  public var maxGradNorm = 1.0
  /// LoRA+ (Hayou et al., 2024): the learning rate of every B is this many times that of A.
  public var loraplusLrRatio: Double?
  /// NEFTune (Jain et al., 2023): uniform noise in ±alpha/√(L·d) on the embeddings of a row of L tokens, in training alone.
  public var neftuneNoiseAlpha: Double?
  public var evalStrategy = Interval.steps
  public var evalSteps = 20
  /// Whatever it is, the newest state is saved at the end.
  public var saveStrategy = Interval.steps
  public var saveSteps = 20
  /// With more than 1, `checkpoints/checkpoint-<step>` are kept beside `best` and `last`: the newest ones, of them the best one always,
  /// as transformers counts them. Nil keeps all.
  public var saveTotalLimit: Int? = 1
  /// Whether the run's adapter is the best by `metric_for_best_model`, or the last.
  public var loadBestModelAtEnd = true
  public var metricForBestModel = BestMetric.evalLoss
  /// Training ends after so many evaluations in a row that did not lower the best loss by more than the threshold.
  public var earlyStoppingPatience: Int?
  public var earlyStoppingThreshold = 0.0
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
    try binder.bind("packing", &packing)
    try binder.bind("group_by_length", &groupByLength)
    try binder.bind("train_on_inputs", &trainOnInputs)
    try binder.bind("shuffle", &shuffle)
    try binder.bind("lr_scheduler_type", &lrSchedulerType)
    try binder.bind(optionalSection: "lr_scheduler_kwargs", &lrSchedulerKwargs, empty: SchedulerSettings())
    try binder.bind("warmup_ratio", &warmupRatio) { (0...1).contains($0) ? nil : "from 0 to 1" }
    try binder.bind("warmup_steps", &warmupSteps) { $0.map { $0 >= 0 } ?? true ? nil : "0 or more" }
    try binder.bind("weight_decay", &weightDecay) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("adam_beta1", &adamBeta1) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("adam_beta2", &adamBeta2) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("adam_epsilon", &adamEpsilon) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("max_grad_norm", &maxGradNorm) { $0 >= 0 ? nil : "0 (no clipping) or more" }
    try binder.bind("loraplus_lr_ratio", &loraplusLrRatio) { $0.map { $0 > 0 } ?? true ? nil : "more than 0" }
    try binder.bind("neftune_noise_alpha", &neftuneNoiseAlpha) { $0.map { $0 > 0 } ?? true ? nil : "more than 0" }
    try binder.bind("eval_strategy", &evalStrategy)
    try binder.bind("eval_steps", &evalSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("save_strategy", &saveStrategy)
    try binder.bind("save_steps", &saveSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("save_total_limit", &saveTotalLimit) { $0.map { $0 >= 1 } ?? true ? nil : "at least 1, or null" }
    try binder.bind("load_best_model_at_end", &loadBestModelAtEnd)
    try binder.bind("metric_for_best_model", &metricForBestModel)
    try binder.bind("early_stopping_patience", &earlyStoppingPatience) {
      $0.map { $0 >= 1 } ?? true ? nil : "at least 1"
    }
    try binder.bind("early_stopping_threshold", &earlyStoppingThreshold) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("seed", &seed)
  }

  /// The checkpoint that a run with these settings is evaluated with.
  public func adapterCheckpoint(of run: RunFolder) -> URL {
    loadBestModelAtEnd ? run.bestCheckpoint : run.lastCheckpoint
  }

  /// A setting that another one rules out, by its key, and what to do about it.
  var contradiction: (key: String, message: String)? {
    let kwargs = lrSchedulerKwargs
    let minima = [kwargs?.minLR, kwargs?.minLRRate].compactMap { $0 }.count
    if lrSchedulerType == .cosineWithMinLR, minima != 1 {
      return (
        "lr_scheduler_type",
        "'training.lr_scheduler_type: cosine_with_min_lr' needs one of min_lr and min_lr_rate; write lr_scheduler_kwargs: {min_lr_rate: 0.1}"
      )
    }
    if lrSchedulerType != .cosineWithMinLR, kwargs != nil {
      return (
        "lr_scheduler_kwargs",
        "'training.lr_scheduler_kwargs' belongs to lr_scheduler_type: cosine_with_min_lr, not to \(lrSchedulerType.rawValue); take it out"
      )
    }
    if let least = kwargs?.minLR, least > learningRate {
      return (
        "lr_scheduler_kwargs",
        "'training.lr_scheduler_kwargs.min_lr' (\(least)) must not be more than 'training.learning_rate' (\(learningRate))"
      )
    }
    if lrSchedulerType == .constant, warmupSteps.map({ $0 > 0 }) ?? (warmupRatio > 0) {
      return (
        "lr_scheduler_type",
        "'training.lr_scheduler_type: constant' has no warm-up; write constant_with_warmup, or take the warm-up out"
      )
    }
    if groupByLength, !shuffle {
      return (
        "group_by_length",
        "'training.group_by_length' draws the rows at random; write shuffle: true, or take group_by_length out"
      )
    }
    if earlyStoppingPatience != nil, evalStrategy == .no {
      return (
        "early_stopping_patience",
        "'training.early_stopping_patience' needs evaluations; write eval_strategy: steps or epoch"
      )
    }
    return nil
  }
}

/// What `cosine_with_min_lr` ends at: one of the two.
public struct SchedulerSettings: SettingsSection, Sendable, Equatable {
  public var minLR: Double?
  /// As a share of `learning_rate`.
  public var minLRRate: Double?

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("min_lr", &minLR) { $0.map { $0 >= 0 } ?? true ? nil : "0 or more" }
    try binder.bind("min_lr_rate", &minLRRate) { $0.map { (0...1).contains($0) } ?? true ? nil : "from 0 to 1" }
  }
}

public struct EvaluationSettings: SettingsSection, Sendable, Equatable {
  public enum Metric: String, CaseIterable, SettingValue, Sendable { case bleu, rouge, chrf }

  public var maxNewTokens = 128
  /// Whether answers are drawn by `temperature`, `top_k`, `top_p` and `seed`; otherwise each token is the most probable one (greedy).
  public var doSample = false
  public var temperature = 1.0
  /// 0 leaves all tokens.
  public var topK = 50
  public var topP = 1.0
  public var seed = 42
  /// 1 is off; greedy answers heed it too.
  public var repetitionPenalty = 1.0
  /// Texts that end an answer before them.
  public var stopStrings: [String] = []
  public var metrics = Metric.allCases

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("max_new_tokens", &maxNewTokens) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("do_sample", &doSample)
    try binder.bind("temperature", &temperature) { $0 > 0 ? nil : "more than 0; do_sample: false is greedy" }
    try binder.bind("top_k", &topK) { $0 >= 0 ? nil : "0 (all tokens) or more" }
    try binder.bind("top_p", &topP) { $0 > 0 && $0 <= 1 ? nil : "more than 0 and at most 1" }
    try binder.bind("seed", &seed)
    try binder.bind("repetition_penalty", &repetitionPenalty) { $0 > 0 ? nil : "more than 0 (1 is off)" }
    try binder.bind("stop_strings", &stopStrings) { $0.contains("") ? "texts that are not empty" : nil }
    try binder.bind("metrics", &metrics)
  }

  /// How answers are decoded, as a record tells it: "greedy", "greedy, repetition_penalty 1.1", "sampling, temperature 0.7, …".
  public var decoding: String {
    var parts = ["greedy"]
    if doSample {
      parts = ["sampling", "temperature \(temperature)"]
      if topK > 0 { parts.append("top_k \(topK)") }
      if topP < 1 { parts.append("top_p \(topP)") }
      parts.append("seed \(seed)")
    }
    if repetitionPenalty != 1 { parts.append("repetition_penalty \(repetitionPenalty)") }
    if !stopStrings.isEmpty { parts.append("stop_strings \(JSONValue.array(stopStrings.map { .string($0) }).text())") }
    return parts.joined(separator: ", ")
  }

  /// A setting that another one rules out, by its key, and what to do about it.
  var contradiction: (key: String, message: String)? {
    let plain = EvaluationSettings()
    let changed = [
      ("temperature", temperature != plain.temperature), ("top_k", topK != plain.topK), ("top_p", topP != plain.topP),
    ]
    guard !doSample, let (key, _) = changed.first(where: \.1) else { return nil }
    return (
      key, "'evaluation.\(key)' belongs to do_sample: true, and greedy answers draw nothing; write that, or take it out"
    )
  }
}
