import Foundation
import Models
import Runs

/// What is trained on when: steps, batches and learning rates, all of it known before the first step and a pure function of
/// the settings, so that a resumed run meets the same rows in the same order.
public struct TrainingPlan: Sendable {
  public let settings: TrainingSettings
  public let rowCount: Int
  public let stepsPerEpoch: Int
  public let totalSteps: Int
  public let warmupSteps: Int

  public init(_ settings: TrainingSettings, rowCount: Int) {
    self.settings = settings
    self.rowCount = rowCount
    let rowsPerStep = settings.perDeviceTrainBatchSize * settings.gradientAccumulationSteps
    stepsPerEpoch = max(1, (rowCount + rowsPerStep - 1) / rowsPerStep)
    totalSteps = settings.maxSteps ?? max(1, Int((settings.numTrainEpochs * Double(stepsPerEpoch)).rounded(.up)))
    warmupSteps = settings.warmupSteps ?? Int((settings.warmupRatio * Double(totalSteps)).rounded(.up))
  }

  /// Passes over the rows done after `step` steps.
  public func epoch(after step: Int) -> Double { Double(step) / Double(stepsPerEpoch) }

  /// The rows of step `step` (counted from 1) as micro-batches of `per_device_train_batch_size`.
  public func microBatches(_ step: Int) -> [[Int]] {
    let epoch = (step - 1) / stepsPerEpoch
    let order = order(epoch: epoch)
    let rowsPerStep = settings.perDeviceTrainBatchSize * settings.gradientAccumulationSteps
    let start = (step - 1) % stepsPerEpoch * rowsPerStep
    let rows = order[start..<min(start + rowsPerStep, order.count)]
    return stride(from: rows.startIndex, to: rows.endIndex, by: settings.perDeviceTrainBatchSize).map {
      Array(rows[$0..<min($0 + settings.perDeviceTrainBatchSize, rows.endIndex)])
    }
  }

  /// The order of the rows in an epoch: as they are, or shuffled by (seed, epoch) with Fisher and Yates' method.
  func order(epoch: Int) -> [Int] {
    var order = Array(0..<rowCount)
    guard settings.shuffle else { return order }
    var random = RandomNumbers(seed: RandomNumbers.mix(UInt64(bitPattern: Int64(settings.seed))) &+ UInt64(epoch))
    for index in stride(from: rowCount - 1, to: 0, by: -1) {
      order.swapAt(index, Int(random.next() % UInt64(index + 1)))
    }
    return order
  }

  /// The learning rate of step `step` (counted from 1), as Hugging Face's schedules give it: the first of w warm-up steps has 0, step
  /// w + 1 the full rate.
  public func learningRate(_ step: Int) -> Double {
    let done = step - 1
    if done < warmupSteps { return settings.learningRate * Double(done) / Double(max(1, warmupSteps)) }
    let progress = Double(done - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    switch settings.lrSchedulerType {
    case .constant: return settings.learningRate
    case .linear: return settings.learningRate * max(0, 1 - progress)
    case .cosine: return settings.learningRate * max(0, 0.5 * (1 + cos(Double.pi * progress)))
    }
  }
}
