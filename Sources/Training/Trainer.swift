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

  /// `inputHash` stands for all settings and data; a checkpoint of another hash is not continued.
  public init(
    _ decoder: Decoder, adapter: LoraAdapter, settings: TrainingSettings, rows: [TokenizedExample],
    validation: [TokenizedExample], folder: RunFolder, inputHash: String
  ) {
    self.adapter = adapter
    session = DecoderSession(decoder, adapter: adapter, gradientCheckpointing: settings.gradientCheckpointing)
    plan = TrainingPlan(settings, rowCount: rows.count)
    self.rows = rows
    self.validation = validation
    self.folder = folder
    optimizer = AdamWState(count: adapter.parameterCount)
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
    if evaluationIsMissing(at: state.step) {
      guard try evaluate(shouldStop, report) else { return try interrupt(clock) }
    }
    while state.step < plan.totalSteps {
      if shouldStop() { return try interrupt(clock) }
      let event = try step()
      try record(event)
      report(.step(event, totalSteps: plan.totalSteps))
      if evaluationIsMissing(at: state.step) {
        guard try evaluate(shouldStop, report) else { return try interrupt(clock) }
      }
      if state.step % settings.saveSteps == 0 || state.step == plan.totalSteps {
        state.seconds = clock.seconds
        try save()
        report(.saved(step: state.step))
      }
    }
    clock.stop()
    return .finished
  }

  /// One optimizer step over its micro-batches. The loss is the sum over the supervised tokens of all of them divided by their number.
  private func step() throws -> MetricsEvent {
    let number = state.step + 1
    let start = Stopwatch(after: 0)
    let batches = plan.microBatches(number).map { indices in PackedBatch(indices.map { rows[$0] }) }
    let supervised = batches.reduce(0) { $0 + $1.targets.count }
    let tokens = batches.reduce(0) { $0 + $1.ids.count }

    adapter.gradients.fill(0)
    var sum = 0.0
    for (index, batch) in batches.enumerated() {
      let seed = RandomNumbers.mix(UInt64(bitPattern: Int64(settings.seed)) ^ UInt64(number) << 20 ^ UInt64(index))
      let losses = session.lossesAndGradients(batch, gradientScale: 1 / Float(supervised), dropoutSeed: seed)
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
    backend.adamW(
      parameters: adapter.parameters, gradients: adapter.gradients, m: optimizer.m, v: optimizer.v, step: number,
      learningRate: Float(rate), beta1: Float(settings.adamBeta1), beta2: Float(settings.adamBeta2),
      epsilon: Float(settings.adamEpsilon), weightDecay: Float(settings.weightDecay))

    let seconds = start.seconds
    state.step = number
    state.tokens += tokens
    state.supervisedTokens += supervised
    state.examples += plan.microBatches(number).reduce(0) { $0 + $1.count }
    state.stepSeconds += seconds
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
    let layer = adapter.layers.first { layer in
      !session.decoder.backend.sumOfSquares(layer.gradientA).isFinite
        || !session.decoder.backend.sumOfSquares(layer.gradientB).isFinite
    }
    let rows = plan.microBatches(step).flatMap { $0 }.map { String($0 + 1) }.joined(separator: ", ")
    let place = layer.map { ", first in the gradient of \($0.path)" } ?? ""
    return RunsError(
      "step \(step): the loss is \(loss) and the gradient's norm \(norm)\(place) (training rows \(rows)); lower training.learning_rate or look at these rows — the checkpoint of step \(lastSavedStep) is kept"
    )
  }

  // MARK: Evaluation

  private func evaluationIsMissing(at step: Int) -> Bool {
    guard !validation.isEmpty, step % settings.evalSteps == 0 || step == plan.totalSteps else { return false }
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
    if state.step == 0 { state.firstEvalLoss = summary.loss }
    // The adapter of step 0 changes nothing and is never the best one.
    let isBest = state.step > 0 && summary.loss < state.bestEvalLoss ?? .infinity
    if isBest {
      state.bestStep = state.step
      state.bestEvalLoss = summary.loss
      try best.write(adapter, state, optimizer: nil)
    }
    try record(event)
    report(.evaluated(event, isBest: isBest))
    return true
  }

  // MARK: Logs and checkpoints

  private func open(resume: Bool) throws {
    AtomicFolder.recover(folder.lastCheckpoint)
    AtomicFolder.recover(folder.bestCheckpoint)
    var continued = false
    if resume, last.isComplete {
      let saved = try last.readState()
      guard saved.inputHash == state.inputHash else {
        throw RunsError(
          "\(folder.lastCheckpoint.path): was made with other settings, data or model; undo the change, or start anew with `--force train`"
        )
      }
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
    log = try AppendLog(folder.metricsLog) { line in
      guard let event = try? RecordFile.decode(MetricsEvent.self, line: line) else { return false }
      return event.step <= state.step
    }
    events = continued ? try RecordFile.readLines(MetricsEvent.self, from: folder.metricsLog) : []
    let name = "events.out.tfevents.lorapress"
    board = try TensorBoardLog(
      folder.logFolder.appendingPathComponent(name), events: events,
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

  private func save() throws {
    try log?.flush()
    try last.write(adapter, state, optimizer: optimizer)
    lastSavedStep = state.step
    try TrainerStateFile.write(events, plan: plan, state: state, to: folder.trainerState)
    // Without validation rows there is nothing to choose by: the newest adapter is the best one.
    if validation.isEmpty { try best.write(adapter, state, optimizer: nil) }
  }

  private func interrupt(_ clock: Stopwatch) throws -> TrainingOutcome {
    state.seconds = clock.seconds
    if state.step > 0 { try save() }
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
