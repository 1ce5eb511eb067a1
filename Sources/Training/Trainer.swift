import Compute
import Foundation
import Models
import Runs

/// What a training tells while it works. The trainer itself never prints.
public enum TrainingEvent: Sendable {
  case started(totalSteps: Int, fromStep: Int)
  case step(MetricsEvent, totalSteps: Int)
  case evaluating(step: Int, rowsDone: Int, rows: Int)
  case evaluated(MetricsEvent, isBest: Bool)
  case saved(step: Int)
}

public enum TrainingOutcome: Sendable, Equatable {
  case finished
  /// Stopped on request; a checkpoint of this step was saved (0: none was due yet).
  case interrupted(step: Int)
}

/// LoRA fine-tuning of one adapter: batches, loss, AdamW, evaluation, checkpoints, logs, resume.
public final class Trainer {
  public let plan: TrainingPlan
  private let session: DecoderSession
  private let adapter: LoraAdapter
  private let rows: [TokenizedExample]
  private let validation: [TokenizedExample]
  private let folder: RunFolder
  private let optimizer: AdamWState
  private var state: TrainingState
  private var events: [MetricsEvent] = []
  private var log: AppendLog?
  private var board: TensorBoardLog?
  private var lastSavedStep = 0
  /// Whether `last` holds all there is to know of the current step.
  private var isSaved = true
  private var earlyStopping: EarlyStopping?
  private let settingsText: String

  /// `inputHash` stands for all settings and data; a checkpoint of another hash is not continued. `settingsText` (Markdown) goes into the
  /// TensorBoard log.
  public init(
    _ decoder: Decoder, adapter: LoraAdapter, settings: TrainingSettings, rows: [TokenizedExample],
    validation: [TokenizedExample], folder: RunFolder, inputHash: String, settingsText: String = ""
  ) {
    self.adapter = adapter
    session = DecoderSession(decoder, adapter: adapter, gradientCheckpointing: settings.gradientCheckpointing)
    plan = TrainingPlan(settings, lengths: rows.map(\.count))
    self.rows = rows
    self.validation = validation
    self.folder = folder
    self.settingsText = settingsText
    optimizer = AdamWState(adapter)
    earlyStopping = settings.earlyStoppingPatience.map {
      EarlyStopping(patience: $0, threshold: settings.earlyStoppingThreshold)
    }
    state = TrainingState(
      step: 0, inputHash: inputHash, tokens: 0, supervisedTokens: 0, examples: 0, stepSeconds: 0, seconds: 0,
      resumedAt: [])
  }

  private var settings: TrainingSettings { plan.settings }
  private var last: TrainingCheckpoint { TrainingCheckpoint(folder: folder.lastCheckpoint) }
  private var best: TrainingCheckpoint { TrainingCheckpoint(folder: folder.bestCheckpoint) }

  // region: training-loop
  /// Trains to the end, or until `shouldStop` says so; then the work so far is saved and can be continued with `resume`.
  public func run(
    resume: Bool, shouldStop: () -> Bool = { false }, report: (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingOutcome {
    try open(resume: resume)
    report(.started(totalSteps: plan.totalSteps, fromStep: state.step))
    var clock = Stopwatch(after: state.seconds)
    guard try evaluateAndSave(clock, shouldStop, report) else { return try interrupt(clock) }
    while state.step < plan.totalSteps, !stopsEarly {
      if shouldStop() { return try interrupt(clock) }
      let event = try step()
      try record(event)
      report(.step(event, totalSteps: plan.totalSteps))
      guard try evaluateAndSave(clock, shouldStop, report) else { return try interrupt(clock) }
    }
    if !isSaved {
      state.seconds = clock.seconds
      try save()
      report(.saved(step: state.step))
    }
    clock.stop()
    return .finished
  }

  /// What is due after a step. False when asked to stop in the middle of the evaluation.
  private func evaluateAndSave(
    _ clock: Stopwatch, _ shouldStop: () -> Bool, _ report: (TrainingEvent) -> Void
  ) throws -> Bool {
    if evaluationIsMissing(at: state.step) {
      guard try evaluate(shouldStop, report) else { return false }
    }
    if !isSaved, plan.saves(after: state.step) {
      state.seconds = clock.seconds
      try save()
      report(.saved(step: state.step))
    }
    return true
  }

  /// One optimizer step over its micro-batches. The loss is the sum over the supervised tokens of all of them divided by their number.
  private func step() throws -> MetricsEvent {
    let number = state.step + 1
    let start = Stopwatch(after: 0)
    let microBatches = plan.microBatches(number)
    // With NEFTune a beginning that rows share has other noise in each.
    let sharesPrefix = settings.neftuneNoiseAlpha == nil
    let batches = microBatches.map { PackedBatch($0.map { rows[$0] }, sharesPrefix: sharesPrefix) }
    let supervised = batches.reduce(0) { $0 + $1.targets.count }
    let tokens = batches.reduce(0) { $0 + $1.ids.count }

    adapter.gradients.fill(0)
    var sum = 0.0
    for (index, batch) in batches.enumerated() {
      let seed = RandomNumbers.mix(UInt64(bitPattern: Int64(settings.seed)) ^ UInt64(number) << 20 ^ UInt64(index))
      let noise = settings.neftuneNoiseAlpha.map { EmbeddingNoise(alpha: $0, seed: RandomNumbers.mix(~seed)) }
      let losses = session.lossesAndGradients(
        batch, gradientScale: 1 / Float(supervised), dropoutSeed: seed, noise: noise)
      sum += losses.reduce(0) { $0 + Double($1) }
    }
    let loss = sum / Double(supervised)
    let norm = session.decoder.backend.sumOfSquares(adapter.gradients).squareRoot()
    guard loss.isFinite, norm.isFinite else { throw diverged(number, loss: loss, norm: norm) }

    let rate = plan.learningRate(number)
    let backend = session.decoder.backend
    if settings.maxGradNorm > 0, norm > settings.maxGradNorm {
      backend.scale(adapter.gradients, by: Float(settings.maxGradNorm / (norm + 1e-6)))
    }
    optimizer.step(adapter, number: number, learningRate: rate, settings: settings, on: backend)

    let seconds = start.seconds
    state.step = number
    state.tokens += tokens
    state.supervisedTokens += supervised
    state.examples += microBatches.reduce(0) { $0 + $1.count }
    state.stepSeconds += seconds
    isSaved = false
    var event = MetricsEvent(
      step: number, epoch: plan.epoch(after: number), split: .train, loss: loss, time: Date().timeIntervalSince1970)
    event.learningRate = rate
    event.gradNorm = norm
    event.tokens = tokens
    event.supervisedTokens = supervised
    event.tokensPerSecond = Double(tokens) / seconds
    event.peakMemoryBytes = ProcessMemory.peak
    return event
  }
  // endregion: training-loop

  private func diverged(_ step: Int, loss: Double, norm: Double) -> RunsError {
    let place = Divergence.find(session, adapter, rows: plan.microBatches(step).flatMap { $0 }.map { rows[$0] })
    let kept =
      lastSavedStep > 0 ? "the checkpoint of step \(lastSavedStep) is kept" : "no checkpoint was due before it"
    return RunsError(
      "step \(step): the loss is \(loss) and the gradient's norm \(norm), \(place); lower training.learning_rate or look at the row — \(kept)"
    )
  }

  // MARK: Evaluation

  private func evaluationIsMissing(at step: Int) -> Bool {
    guard !validation.isEmpty, plan.evaluates(after: step) else { return false }
    return !events.contains { $0.split == .eval && $0.step == step }
  }

  /// The validation loss; the best adapter so far is saved at once. False when asked to stop in the middle.
  private func evaluate(_ shouldStop: () -> Bool, _ report: (TrainingEvent) -> Void) throws -> Bool {
    let start = Stopwatch(after: 0)
    let summary = LossEvaluation.run(session, validation, isCancelled: shouldStop) { done, all in
      report(.evaluating(step: state.step, rowsDone: done, rows: all))
    }
    guard let summary else { return false }
    guard summary.loss.isFinite else {
      throw RunsError(
        "step \(state.step): the validation loss is \(summary.loss); look for damaged weights or lower training.learning_rate"
      )
    }
    var event = MetricsEvent(
      step: state.step, epoch: plan.epoch(after: state.step), split: .eval, loss: summary.loss,
      time: Date().timeIntervalSince1970)
    event.tokens = summary.tokens
    event.supervisedTokens = summary.supervisedTokens
    event.tokensPerSecond = Double(summary.tokens) / start.seconds
    event.peakMemoryBytes = ProcessMemory.peak
    let isBest = take(summary.loss, at: state.step)
    if isBest { try best.write(adapter, state, optimizer: nil) }
    try record(event)
    isSaved = false
    report(.evaluated(event, isBest: isBest))
    return true
  }

  /// Notes a validation loss; true when it is the best so far. The adapter of step 0 changes nothing and is never the best one.
  private func take(_ loss: Double, at step: Int) -> Bool {
    guard step > 0 else {
      state.firstEvalLoss = loss
      return false
    }
    earlyStopping?.take(loss)
    guard loss < state.bestEvalLoss ?? .infinity else { return false }
    state.bestStep = step
    state.bestEvalLoss = loss
    return true
  }

  private var stopsEarly: Bool { earlyStopping?.stops ?? false }

  // MARK: Logs and checkpoints

  /// Throws unless the last checkpoint, if there is one, was made with the same settings, data and model.
  public func requireContinuable() throws {
    AtomicFolder.recover(folder.lastCheckpoint)
    guard last.isComplete else { return }
    guard try last.readState().inputHash == state.inputHash else {
      throw RunsError(
        "\(folder.lastCheckpoint.path): was made with other settings, data or model; undo the change, or start anew with `--force train`"
      )
    }
  }

  private func open(resume: Bool) throws {
    AtomicFolder.recover(folder.lastCheckpoint)
    AtomicFolder.recover(folder.bestCheckpoint)
    var continued = false
    if resume, last.isComplete {
      try requireContinuable()
      let saved = try last.readState()
      try last.restore(adapter, optimizer, on: session.decoder)
      state = saved
      continued = true
      lastSavedStep = saved.step
      if saved.step > 0, saved.step < plan.totalSteps { state.resumedAt.append(saved.step) }
    } else {
      for old in [folder.lastCheckpoint, folder.bestCheckpoint] where FileManager.default.fileExists(atPath: old.path) {
        try FileManager.default.removeItem(at: old)
      }
      try AtomicFile.makeFolder(folder.logFolder)
      try AtomicFile.write("", to: folder.metricsLog)
    }
    try KeptCheckpoints(folder).remove { $0 > state.step }
    log = try AppendLog(folder.metricsLog) { line in
      guard let event = try? RecordFile.decode(MetricsEvent.self, line: line) else { return false }
      return event.step <= state.step
    }
    events = continued ? try RecordFile.readLines(MetricsEvent.self, from: folder.metricsLog) : []
    // The log may know of an evaluation at this very step that the checkpoint, saved before it, does not.
    (state.firstEvalLoss, state.bestStep, state.bestEvalLoss) = (nil, nil, nil)
    for event in events where event.split == .eval { _ = event.loss.map { take($0, at: event.step) } }
    let name = "events.out.tfevents.lorapress"
    board = try TensorBoardLog(
      folder.logFolder.appendingPathComponent(name), settings: settingsText, events: events,
      startTime: events.first?.time ?? Date().timeIntervalSince1970)
  }

  private func record(_ event: MetricsEvent) throws {
    var event = event
    // The first step after a resume says so, for the charts.
    if event.split == .train, state.resumedAt.last == event.step - 1 { event.resumed = true }
    events.append(event)
    try log?.append(RecordFile.line(event))
    try board?.append(event)
  }

  /// Saves all, `last` after the rest: cut off before it, a resumed training does the same again.
  private func save(isDue: Bool = true) throws {
    // A step can overflow the parameters without a sign in its loss; the next one would show it, too late for the last good checkpoint.
    guard session.decoder.backend.sumOfSquares(adapter.parameters).isFinite else {
      throw diverged(state.step, loss: events.last { $0.split == .train }?.loss ?? .nan, norm: .nan)
    }
    try log?.flush()
    try TrainerStateFile.write(events, plan: plan, state: state, to: folder.trainerState)
    // Without evaluations there is nothing to choose by: the newest adapter is the best one.
    if validation.isEmpty || settings.evalStrategy == .no { try best.write(adapter, state, optimizer: nil) }
    let kept = KeptCheckpoints(folder)
    if isDue, settings.saveTotalLimit != 1, plan.saves(after: state.step) {
      try TrainingCheckpoint(folder: folder.checkpoint(state.step)).write(adapter, state, optimizer: nil)
    }
    try last.write(adapter, state, optimizer: optimizer)
    lastSavedStep = state.step
    isSaved = true
    if isDue {
      try kept.rotate(limit: settings.saveTotalLimit, best: settings.loadBestModelAtEnd ? state.bestStep : nil)
    }
  }

  private func interrupt(_ clock: Stopwatch) throws -> TrainingOutcome {
    state.seconds = clock.seconds
    if state.step > 0 { try save(isDue: false) }
    return .interrupted(step: state.step)
  }

  // MARK: Summary

  /// The training as `run.json` records it.
  public var summary: TrainingRecord {
    var record = TrainingRecord(trainableParameters: adapter.parameterCount, adaptedLayers: adapter.layers.count)
    record.steps = state.step
    record.epochs = plan.epoch(after: state.step)
    record.examplesPerEpoch = rows.count
    record.firstEvalLoss = state.firstEvalLoss
    record.bestStep = state.bestStep
    record.bestEvalLoss = state.bestEvalLoss
    if stopsEarly, state.step < plan.totalSteps { record.stoppedEarly = true }
    record.finalTrainLoss = events.last { $0.split == .train }?.loss
    record.tokens = state.tokens
    record.supervisedTokens = state.supervisedTokens
    record.tokensPerSecond = Double(state.tokens) / max(state.stepSeconds, 1e-9)
    record.examplesPerSecond = Double(state.examples) / max(state.stepSeconds, 1e-9)
    record.peakMemoryBytes = ProcessMemory.peak
    return record
  }

  public var resumedAt: [Int] { state.resumedAt }
  /// Seconds of work, summed over resumes.
  public var seconds: Double { state.seconds }
}

/// Elapsed seconds by a clock that never jumps.
struct Stopwatch {
  private let before: Double
  private let start = ContinuousClock.now
  private var end: ContinuousClock.Instant?

  init(after seconds: Double) { before = seconds }

  mutating func stop() { end = .now }

  var seconds: Double {
    let elapsed = start.duration(to: end ?? .now)
    return before + Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
  }
}
