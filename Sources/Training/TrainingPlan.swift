import Foundation
import Models
import Runs

/// What is trained on when: steps, batches and learning rates, all of it known before the first step and a pure function of
/// the settings, so that a resumed run meets the same rows in the same order.
public struct TrainingPlan: Sendable {
  public let settings: TrainingSettings
  public let rowCount: Int
  /// What a batch is made of: rows one by one or, with `packing`, the rows of each filled sequence.
  public let sequences: [[Int]]
  public let stepsPerEpoch: Int
  public let totalSteps: Int
  public let warmupSteps: Int
  /// Tokens of each sequence.
  private let lengths: [Int]

  /// `lengths` are the rows' numbers of tokens.
  public init(_ settings: TrainingSettings, lengths: [Int]) {
    self.settings = settings
    rowCount = lengths.count
    sequences =
      settings.packing ? RowOrder.packed(lengths, capacity: settings.maxSeqLength) : lengths.indices.map { [$0] }
    self.lengths = sequences.map { $0.reduce(0) { $0 + lengths[$1] } }
    let perStep = settings.perDeviceTrainBatchSize * settings.gradientAccumulationSteps
    stepsPerEpoch = max(1, (sequences.count + perStep - 1) / perStep)
    totalSteps = settings.maxSteps ?? max(1, Int((settings.numTrainEpochs * Double(stepsPerEpoch)).rounded(.up)))
    warmupSteps = settings.warmupSteps ?? Int((settings.warmupRatio * Double(totalSteps)).rounded(.up))
  }

  /// Passes over the rows done after `step` steps.
  public func epoch(after step: Int) -> Double { Double(step) / Double(stepsPerEpoch) }

  /// The rows of step `step` (counted from 1) as micro-batches of `per_device_train_batch_size` sequences.
  public func microBatches(_ step: Int) -> [[Int]] {
    let order = order(epoch: (step - 1) / stepsPerEpoch)
    let size = settings.perDeviceTrainBatchSize
    let start = (step - 1) % stepsPerEpoch * size * settings.gradientAccumulationSteps
    let chosen = order[start..<min(start + size * settings.gradientAccumulationSteps, order.count)]
    return stride(from: chosen.startIndex, to: chosen.endIndex, by: size).map {
      chosen[$0..<min($0 + size, chosen.endIndex)].flatMap { sequences[$0] }
    }
  }

  /// The order of the sequences in an epoch: as they are, or shuffled by (seed, epoch) with Fisher and Yates' method, then perhaps
  /// grouped by length.
  func order(epoch: Int) -> [Int] {
    var order = Array(sequences.indices)
    guard settings.shuffle else { return order }
    var random = RandomNumbers(seed: RandomNumbers.mix(UInt64(bitPattern: Int64(settings.seed))) &+ UInt64(epoch))
    for index in stride(from: order.count - 1, to: 0, by: -1) {
      order.swapAt(index, Int(random.next() % UInt64(index + 1)))
    }
    guard settings.groupByLength else { return order }
    let perStep = settings.perDeviceTrainBatchSize * settings.gradientAccumulationSteps
    return RowOrder.grouped(order, lengths: lengths, batchSize: perStep)
  }

  /// Whether the validation loss is due after `step` steps. Where it is measured at all, it is so before the first step and at the end.
  public func evaluates(after step: Int) -> Bool {
    isDue(settings.evalStrategy, every: settings.evalSteps, after: step)
  }

  /// Whether a checkpoint is due after `step` steps.
  public func saves(after step: Int) -> Bool {
    step > 0 && isDue(settings.saveStrategy, every: settings.saveSteps, after: step)
  }

  private func isDue(_ interval: TrainingSettings.Interval, every steps: Int, after step: Int) -> Bool {
    switch interval {
    case .no: false
    case .steps: step % steps == 0 || step == totalSteps
    case .epoch: step % stepsPerEpoch == 0 || step == totalSteps
    }
  }

  /// The learning rate of step `step` (counted from 1), as transformers' schedules give it: the first of w warm-up steps has 0, step
  /// w + 1 the full rate.
  public func learningRate(_ step: Int) -> Double {
    let full = settings.learningRate
    if settings.lrSchedulerType == .constant { return full }
    let done = step - 1
    if done < warmupSteps { return full * (Double(done) / Double(max(1, warmupSteps))) }
    let rest = Double(max(1, totalSteps - warmupSteps))
    func cosine(floor: Double) -> Double {
      let factor = 0.5 * (1 + cos(Double.pi * (Double(done - warmupSteps) / rest)))
      return full * max(0, factor * (1 - floor) + floor)
    }
    switch settings.lrSchedulerType {
    case .constant, .constantWithWarmup: return full
    case .linear: return full * max(0, Double(totalSteps - done) / rest)
    case .cosine: return cosine(floor: 0)
    case .cosineWithMinLR:
      let kwargs = settings.lrSchedulerKwargs
      return cosine(floor: kwargs?.minLRRate ?? kwargs?.minLR.map { $0 / full } ?? 0)
    }
  }
}
