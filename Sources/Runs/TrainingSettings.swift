import Foundation

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
    try binder.bind("max_steps", &maxSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("max_seq_length", &maxSeqLength) { $0 >= 2 ? nil : "at least 2" }
    try binder.bind("overflow", &overflow)
    try binder.bind("packing", &packing)
    try binder.bind("group_by_length", &groupByLength)
    try binder.bind("train_on_inputs", &trainOnInputs)
    try binder.bind("shuffle", &shuffle)
    try binder.bind("lr_scheduler_type", &lrSchedulerType)
    try binder.bind(optionalSection: "lr_scheduler_kwargs", &lrSchedulerKwargs, empty: SchedulerSettings())
    try binder.bind("warmup_ratio", &warmupRatio) { (0...1).contains($0) ? nil : "from 0 to 1" }
    try binder.bind("warmup_steps", &warmupSteps) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("weight_decay", &weightDecay) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("adam_beta1", &adamBeta1) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("adam_beta2", &adamBeta2) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("adam_epsilon", &adamEpsilon) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("max_grad_norm", &maxGradNorm) { $0 >= 0 ? nil : "0 (no clipping) or more" }
    try binder.bind("loraplus_lr_ratio", &loraplusLrRatio) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("neftune_noise_alpha", &neftuneNoiseAlpha) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("eval_strategy", &evalStrategy)
    try binder.bind("eval_steps", &evalSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("save_strategy", &saveStrategy)
    try binder.bind("save_steps", &saveSteps) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("save_total_limit", &saveTotalLimit) { $0 >= 1 ? nil : "at least 1, or null" }
    try binder.bind("load_best_model_at_end", &loadBestModelAtEnd)
    try binder.bind("metric_for_best_model", &metricForBestModel)
    try binder.bind("early_stopping_patience", &earlyStoppingPatience) { $0 >= 1 ? nil : "at least 1" }
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
    try binder.bind("min_lr", &minLR) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("min_lr_rate", &minLRRate) { (0...1).contains($0) ? nil : "from 0 to 1" }
  }
}
