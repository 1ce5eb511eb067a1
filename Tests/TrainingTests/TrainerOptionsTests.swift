import Checkpoints
import Compute
import Foundation
import Formats
import ModelFixtures
import Models
import Runs
import TestSupport
import Testing

@testable import Training

/// Whole trainings of a tiny model with one setting changed.
@Suite struct TrainerOptionsTests {
  private let model: PeerFixture

  init() throws { model = try PeerFixture("qwen2-gqa", backend: CPUBackend()) }

  private func settings(_ change: (inout TrainingSettings) -> Void) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.learningRate = 0.01
    settings.maxSteps = 6
    settings.shuffle = false
    change(&settings)
    return settings
  }

  private func trainer(
    _ settings: TrainingSettings, _ folder: URL, rows: [TokenizedExample]? = nil, validation: [TokenizedExample]? = nil,
    adapter: LoraAdapter? = nil
  ) throws -> Trainer {
    Trainer(
      model.decoder, adapter: try adapter ?? model.adapter(), settings: settings, rows: rows ?? model.rows,
      validation: validation ?? model.rows, folder: RunFolder(folder), inputHash: "h")
  }

  private func events(_ folder: URL, _ split: MetricsEvent.Split) throws -> [MetricsEvent] {
    try RecordFile.readLines(MetricsEvent.self, from: RunFolder(folder).metricsLog).filter { $0.split == split }
  }

  /// Loss and gradient norm of each step.
  private func curve(_ settings: TrainingSettings, rows: [TokenizedExample]? = nil) throws -> [Double] {
    try Fixtures.withTemporaryFolder { folder in
      _ = try trainer(settings, folder, rows: rows, validation: []).run(resume: false)
      return try events(folder, .train).flatMap { [$0.loss ?? .nan, $0.gradNorm ?? .nan] }
    }
  }

  private func expectEqual(_ a: [Double], _ b: [Double], within tolerance: Double = 1e-5) {
    #expect(a.count == b.count && !a.isEmpty)
    for (x, y) in zip(a, b) { #expect(abs(x - y) < tolerance * max(1, abs(y)), "\(x) ≠ \(y)") }
  }

  /// Eight rows of very different lengths as one batch, as eight of one row, and between.
  @Test func accumulationWeighsTokensNotBatches() throws {
    let rows = model.rows + model.rows.map { $0.prefix($0.promptLength + 1) }
    let whole = try curve(settings { $0.perDeviceTrainBatchSize = 8 }, rows: rows)
    for size in [4, 2, 1] {
      expectEqual(
        try curve(
          settings {
            $0.perDeviceTrainBatchSize = size; $0.gradientAccumulationSteps = 8 / size
          }, rows: rows), whole)
    }
  }

  @Test func packingChangesWhichRowsMeetAndNothingElse() throws {
    let lengths = model.rows.map(\.count)
    let packed = settings {
      $0.packing = true; $0.maxSeqLength = 26; $0.perDeviceTrainBatchSize = 1; $0.maxSteps = 2
    }
    let plan = TrainingPlan(packed, lengths: lengths)
    #expect(plan.sequences.count == 2 && plan.stepsPerEpoch == 2)
    // The same rows in the same steps, but each row alone in its micro-batch.
    let folderless = (1...2).map { plan.microBatches($0).flatMap { $0 } }
    #expect(folderless.map(\.count).reduce(0, +) == 4 && folderless[0].count != 4)
    let together = try curve(packed)
    let adapter = try model.adapter()
    let session = DecoderSession(model.decoder, adapter: adapter)
    adapter.gradients.fill(0)
    let supervised = folderless[0].reduce(0) { $0 + model.rows[$1].supervised.reduce(0) { $0 + $1.count } }
    var sum = 0.0
    for row in folderless[0] {
      sum += session.lossesAndGradients(
        PackedBatch([model.rows[row]]), gradientScale: 1 / Float(supervised), dropoutSeed: nil
      ).reduce(0) { $0 + Double($1) }
    }
    let norm = model.decoder.backend.sumOfSquares(adapter.gradients).squareRoot()
    expectEqual(Array(together.prefix(2)), [sum / Double(supervised), norm])
  }

  @Test func trainOnInputsCountsThePromptToo() throws {
    let all = model.rows.map { row in TokenizedExample(ids: row.ids, supervised: [0..<row.count]) }
    let batch = PackedBatch(all)
    #expect(batch.targets.count == all.reduce(0) { $0 + $1.count - 1 })
    #expect(batch.ids.count == batch.targets.count)
    let session = DecoderSession(model.decoder, adapter: try model.adapter())
    let one = all.flatMap { session.losses(PackedBatch([$0])) }.map(Double.init)
    expectEqual(session.losses(batch).map(Double.init), one)
  }

  /// Two answers in one row: each token's loss is what it is when that answer ends the row.
  @Test func everyAnswerOfARowIsSupervised() throws {
    let ids = model.rows[3].ids
    let both = TokenizedExample(ids: ids, supervised: [4..<7, 10..<ids.count])
    let first = TokenizedExample(ids: Array(ids[..<7]), supervised: [4..<7])
    let second = TokenizedExample(ids: ids, supervised: [10..<ids.count])
    let session = DecoderSession(model.decoder, adapter: try model.adapter())
    let batch = PackedBatch([both, both])
    #expect(batch.segments[0].queryRows == 0..<3)
    let expected = (session.losses(PackedBatch([first])) + session.losses(PackedBatch([second]))).map(Double.init)
    expectEqual(session.losses(batch).map(Double.init), expected + expected)
  }

  @Test func neftuneChangesTrainingAndNotTheValidationLoss() throws {
    let plain = try curve(settings { _ in })
    let noisy = settings { $0.neftuneNoiseAlpha = 5 }
    let first = try curve(noisy)
    #expect(zip(plain, first).allSatisfy { abs($0 - $1) > 1e-7 })
    #expect(try curve(noisy) == first)
    try Fixtures.withTemporaryFolder { folder in
      _ = try trainer(noisy, folder).run(resume: false)
      let loss = LossEvaluation.run(DecoderSession(model.decoder, adapter: try model.adapter()), model.rows)?.loss
      #expect(try events(folder, .eval).first?.loss == loss)
    }
  }

  /// The gradient with noise is that of the loss with noise: a finite difference along it.
  @Test func neftuneGradientIsTheNoisyLosses() throws {
    let adapter = try model.adapter()
    let session = DecoderSession(model.decoder, adapter: adapter)
    let batch = PackedBatch(model.rows, sharesPrefix: false)
    let noise = EmbeddingNoise(alpha: 5, seed: 3)
    func loss() -> Double {
      session.lossesAndGradients(batch, gradientScale: 1, dropoutSeed: nil, noise: noise).reduce(0) { $0 + Double($1) }
    }
    adapter.gradients.fill(0)
    _ = loss()
    let gradient = adapter.gradients.elements
    let squares = gradient.reduce(0) { $0 + Double($1) * Double($1) }
    let before = adapter.parameters.elements
    let step = 1e-2 / squares.squareRoot()
    func moved(_ sign: Double) -> Double {
      adapter.parameters.withElements { values in
        for index in values.indices { values[index] = before[index] + Float(sign * step * Double(gradient[index])) }
      }
      return loss()
    }
    let slope = (moved(1) - moved(-1)) / (2 * step)
    #expect(abs(slope - squares) < 0.01 * squares)
  }

  @Test(arguments: [
    (TrainingSettings.Interval.no, [Int]()), (.steps, [0, 4, 6]), (.epoch, [0, 2, 4, 6]),
  ])
  func evaluationsFollowTheirStrategy(strategy: TrainingSettings.Interval, steps: [Int]) throws {
    try Fixtures.withTemporaryFolder { folder in
      let changed = settings {
        $0.evalStrategy = strategy; $0.evalSteps = 4; $0.perDeviceTrainBatchSize = 2
      }
      let trainer = try trainer(changed, folder)
      _ = try trainer.run(resume: false)
      #expect(try events(folder, .eval).map(\.step) == steps)
      // Without evaluations the newest adapter is the best one.
      let run = RunFolder(folder)
      let best = try TrainingCheckpoint(folder: run.bestCheckpoint).readState()
      #expect(best.step == (strategy == .no ? 6 : trainer.summary.bestStep))
    }
  }

  @Test(arguments: [
    (TrainingSettings.Interval.no, 4, [Int](), [6]), (.steps, 4, [4, 6], [4, 6]), (.epoch, 4, [2, 4, 6], [2, 4, 6]),
  ])
  func savesFollowTheirStrategy(strategy: TrainingSettings.Interval, every: Int, kept: [Int], saved: [Int]) throws {
    try Fixtures.withTemporaryFolder { folder in
      let changed = settings {
        $0.saveStrategy = strategy; $0.saveSteps = every; $0.perDeviceTrainBatchSize = 2; $0.saveTotalLimit = nil
      }
      var steps: [Int] = []
      _ = try trainer(changed, folder).run(
        resume: false, report: { if case .saved(let step) = $0 { steps.append(step) } })
      #expect(steps == saved)
      let run = RunFolder(folder)
      #expect(KeptCheckpoints(run).steps == kept)
      #expect(try TrainingCheckpoint(folder: run.lastCheckpoint).readState().step == 6)
      for step in kept { _ = try LoraAdapter(folder: run.checkpoint(step), on: model.decoder) }
    }
  }

  @Test func oneCheckpointIsTheBestAndTheLastAlone() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try trainer(settings { $0.saveSteps = 2 }, folder).run(resume: false)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent("checkpoints").path).sorted()
          == ["best", "last"])
    }
  }

  /// transformers' EarlyStoppingCallback with the losses of scripts/fixtures/training.py.
  @Test func earlyStoppingEqualsTransformers() throws {
    let fixture = try JSONValue(parsing: Fixtures.data("Training", "training.json"), file: "training.json")
    let all = try #require(fixture["early_stopping"]?.array)
    #expect(all.count >= 6)
    for item in all {
      let losses = (item["losses"]?.array ?? []).compactMap(\.double)
      var stop = EarlyStopping(
        patience: try #require(item["patience"]?.integer), threshold: try #require(item["threshold"]?.double))
      let stopsAt = losses.indices.first { index in
        stop.take(losses[index])
        return stop.stops
      }
      #expect(stopsAt.map { $0 + 1 } == item["stops_at"]?.integer, "\(losses)")
    }
  }

  /// A learning rate that makes it worse and worse: stopped after the second evaluation without a new best, saved, not gone on with.
  @Test func trainingStopsEarlyAndStaysStopped() throws {
    try Fixtures.withTemporaryFolder { folder in
      let wild = settings {
        $0.learningRate = 0.6; $0.lrSchedulerType = .constant; $0.maxSteps = 60; $0.evalSteps = 2; $0.saveSteps = 50
        $0.earlyStoppingPatience = 2
      }
      let first = try trainer(wild, folder)
      #expect(try first.run(resume: false) == .finished)
      let losses = try events(folder, .eval).dropFirst().map { $0.loss ?? .nan }
      let steps = try events(folder, .eval).map(\.step)
      let last = try #require(steps.last)
      #expect(last < 60 && first.summary.steps == last && first.summary.stoppedEarly == true)
      let best = try #require(losses.min())
      #expect(losses.suffix(2).allSatisfy { $0 >= best } && losses[losses.count - 3] == best)
      #expect(try TrainingCheckpoint(folder: RunFolder(folder).lastCheckpoint).readState().step == last)
      let second = try trainer(wild, folder)
      #expect(try second.run(resume: true) == .finished)
      #expect(second.summary.steps == last && second.summary.stoppedEarly == true)
    }
  }

  /// Cut off between the evaluation and the checkpoint of the same step: the best one is remembered.
  @Test func anEvaluationAfterTheLastCheckpointIsNotForgotten() throws {
    try Fixtures.withTemporaryFolder { folder in
      let changed = settings {
        $0.evalSteps = 2; $0.saveSteps = 2
      }
      var evaluating = false
      let first = try trainer(changed, folder)
      // Asked to stop in the evaluation of step 2: the checkpoint of step 2 knows nothing of it.
      let outcome = try first.run(
        resume: false, shouldStop: { evaluating },
        report: { if case .step(let event, _) = $0, event.step == 2 { evaluating = true } })
      #expect(outcome == .interrupted(step: 2))
      var done = 0
      let second = try trainer(changed, folder)
      _ = try second.run(
        resume: true, shouldStop: { done > 2 },
        report: {
          if case .evaluated(let event, _) = $0 { #expect(event.step == 2); done = 3 }
        })
      let third = try trainer(changed, folder)
      _ = try third.run(resume: true)
      let best = try events(folder, .eval).filter { $0.step > 0 }.min { ($0.loss ?? 0) < ($1.loss ?? 0) }
      #expect(third.summary.bestStep == best?.step && third.summary.bestEvalLoss == best?.loss)
      #expect(try events(folder, .eval).map(\.step) == [0, 2, 4, 6])
    }
  }

  /// What is no number is found in one row among the others, by the line it came from, and the good checkpoint stays.
  @Test func divergenceNamesTheRowAndTheParameter() throws {
    try Fixtures.withTemporaryFolder { folder in
      var rows = model.rows
      for index in rows.indices { rows[index].line = index + 11 }
      let adapter = try model.adapter()
      let trainer = try trainer(
        settings {
          $0.saveSteps = 1; $0.perDeviceTrainBatchSize = 2
        }, folder, rows: rows, adapter: adapter)
      #expect {
        try trainer.run(
          resume: false,
          report: { event in
            if case .saved(let step) = event, step == 3 { adapter.layers[2].b[0, 0] = .nan }
          })
      } throws: { error in
        let text = "\(error)"
        return text.hasPrefix("step 4: the loss is nan")
          && text.contains("first in the parameter base_model.model.\(adapter.layers[2].path).lora_B.weight")
          && text.contains("(training row dataset/train.jsonl:13)") && text.contains("the checkpoint of step 3 is kept")
      }
      try expectGood(RunFolder(folder).lastCheckpoint, step: 3)
    }
  }

  /// Parameters that a step made infinite are not saved over the good ones.
  @Test func whatIsNoNumberIsNotSaved() throws {
    try Fixtures.withTemporaryFolder { folder in
      let adapter = try model.adapter()
      let trainer = try trainer(
        settings {
          $0.saveSteps = 3; $0.evalStrategy = .no
        }, folder, adapter: adapter)
      #expect {
        try trainer.run(
          resume: false,
          report: { event in
            if case .step(let event, _) = event, event.step == 6 { adapter.layers[0].a[0, 0] = .infinity }
          })
      } throws: {
        "\($0)".contains("first in the parameter base_model.model.\(adapter.layers[0].path).lora_A.weight")
          && "\($0)".contains("the checkpoint of step 3 is kept")
      }
      try expectGood(RunFolder(folder).lastCheckpoint, step: 3)
    }
  }

  private func expectGood(_ checkpoint: URL, step: Int) throws {
    #expect(try TrainingCheckpoint(folder: checkpoint).readState().step == step)
    #expect(try LoraAdapter(folder: checkpoint, on: model.decoder).parameters.elements.allSatisfy(\.isFinite))
  }
}
