import Foundation
import Runs
import Testing

@testable import Training

@Suite struct TrainingPlanTests {
  private func plan(_ rows: Int, _ change: (inout TrainingSettings) -> Void = { _ in }) -> TrainingPlan {
    var settings = TrainingSettings()
    change(&settings)
    return TrainingPlan(settings, lengths: Array(repeating: 7, count: rows))
  }

  @Test func everyRowOncePerEpoch() {
    let plan = plan(10) {
      $0.perDeviceTrainBatchSize = 2; $0.gradientAccumulationSteps = 2; $0.numTrainEpochs = 2
    }
    #expect(plan.stepsPerEpoch == 3)
    #expect(plan.totalSteps == 6)
    for epoch in 0..<2 {
      let rows = (1...3).flatMap { plan.microBatches(epoch * 3 + $0).flatMap { $0 } }
      #expect(rows.sorted() == Array(0..<10))
    }
    #expect(plan.microBatches(1).map(\.count) == [2, 2])
    #expect(plan.microBatches(3).map(\.count) == [2])
    #expect(plan.order(epoch: 0) != plan.order(epoch: 1))
  }

  @Test func theSeedDecidesTheOrder() {
    #expect(plan(50) { $0.seed = 1 }.order(epoch: 0) == plan(50) { $0.seed = 1 }.order(epoch: 0))
    #expect(plan(50) { $0.seed = 1 }.order(epoch: 0) != plan(50) { $0.seed = 2 }.order(epoch: 0))
    #expect(plan(5) { $0.shuffle = false }.order(epoch: 0) == [0, 1, 2, 3, 4])
  }

  /// Hugging Face's get_linear/cosine_schedule_with_warmup: the rate of the first step is that of "0 steps done".
  @Test func schedules() {
    let linear = plan(40) {
      $0.learningRate = 1; $0.numTrainEpochs = 1; $0.warmupSteps = 2
    }
    #expect(linear.totalSteps == 10)
    #expect((1...4).map(linear.learningRate) == [0, 0.5, 1, 0.875])
    #expect(linear.learningRate(10) == 0.125)
    let cosine = plan(40) {
      $0.learningRate = 1; $0.numTrainEpochs = 1; $0.lrSchedulerType = .cosine
    }
    #expect(cosine.learningRate(1) == 1)
    #expect(abs(cosine.learningRate(6) - 0.5) < 1e-12)
    let constant = plan(40) {
      $0.learningRate = 1; $0.lrSchedulerType = .constantWithWarmup; $0.warmupRatio = 0.1
    }
    #expect(constant.warmupSteps == 3)
    #expect(constant.learningRate(30) == 1)
  }
}
