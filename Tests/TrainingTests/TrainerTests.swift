import Checkpoints
import Compute
import Foundation
import Models
import ModelFixtures
import Runs
import TestSupport
import Testing

@testable import Training

@Suite struct TrainerTests {
  /// The settings of the ten steps that scripts/fixtures/models.py took with PEFT.
  private func settings(steps: Int = 10) -> TrainingSettings {
    var settings = TrainingSettings()
    settings.learningRate = 0.01
    settings.weightDecay = 0.01
    settings.shuffle = false
    settings.maxSteps = steps
    settings.evalSteps = 4
    settings.saveSteps = 3
    return settings
  }

  private func trainer(
    _ fixture: PeerFixture, _ adapter: LoraAdapter, _ settings: TrainingSettings, _ folder: URL, hash: String = "h"
  ) -> Trainer {
    Trainer(
      fixture.decoder, adapter: adapter, settings: settings, rows: fixture.rows, validation: fixture.rows,
      folder: RunFolder(folder), inputHash: hash)
  }

  @Test(arguments: PeerFixture.names)
  func tenStepsEqualPEFTs(name: String) throws {
    try Fixtures.withTemporaryFolder { folder in
      let fixture = try PeerFixture(name, backend: CPUBackend())
      let adapter = try fixture.adapter()
      #expect(try trainer(fixture, adapter, settings(), folder).run(resume: false) == .finished)
      let events = try RecordFile.readLines(MetricsEvent.self, from: RunFolder(folder).metricsLog).filter {
        $0.split == .train
      }
      let steps = fixture.expected["steps"]?.array ?? []
      #expect(events.count == 10 && steps.count == 10)
      for (event, step) in zip(events, steps) {
        #expect(abs((event.loss ?? .nan) - (step["loss"]?.double ?? .nan)) < 1e-4)
        #expect(abs((event.gradNorm ?? .nan) - (step["gradient_norm"]?.double ?? .nan)) < 1e-3)
        #expect(abs((event.learningRate ?? .nan) - (step["learning_rate"]?.double ?? .nan)) < 1e-9)
      }
      for tensor in adapter.tensors {
        let expected = try fixture.tensors.floats("trained.base_model.model.\(tensor.name)")
        #expect(difference(tensor.parameter.elements, expected).largest < 1e-3, "\(tensor.name)")
      }
    }
  }

  /// Batches of 4, 2 × 2 and 4 × 1 rows are the same effective batch.
  @Test func accumulationDoesNotChangeTheLoss() throws {
    let fixture = try PeerFixture("qwen2-gqa", backend: CPUBackend())
    var curves: [[Double]] = []
    for (batch, accumulation) in [(4, 1), (2, 2), (1, 4)] {
      var changed = settings(steps: 5)
      changed.perDeviceTrainBatchSize = batch
      changed.gradientAccumulationSteps = accumulation
      try Fixtures.withTemporaryFolder { folder in
        _ = try trainer(fixture, fixture.adapter(), changed, folder).run(resume: false)
        let events = try RecordFile.readLines(MetricsEvent.self, from: RunFolder(folder).metricsLog).filter {
          $0.split == .train
        }
        curves.append(events.flatMap { [$0.loss ?? .nan, $0.gradNorm ?? .nan] })
      }
    }
    for curve in curves.dropFirst() {
      #expect(curve.count == 10)
      for (a, b) in zip(curve, curves[0]) { #expect(abs(a - b) < 1e-5 * max(1, abs(b))) }
    }
  }

  /// Stopped after any step and continued: the same adapter, bit for bit, and the same log but for times.
  @Test(arguments: 1...9) func aResumedRunEqualsAnUninterruptedOne(stop: Int) throws {
    let fixture = try PeerFixture("llama", backend: CPUBackend())
    var shuffled = settings()
    shuffled.shuffle = true
    shuffled.perDeviceTrainBatchSize = 2
    let configuration = LoRAConfiguration(r: 4, alpha: 8, dropout: 0.2, targetModules: .allLinear)
    func adapter() throws -> LoraAdapter { try LoraAdapter(configuration, on: fixture.decoder, seed: 5) }
    func timeless(_ folder: URL) throws -> [MetricsEvent] {
      try RecordFile.readLines(MetricsEvent.self, from: RunFolder(folder).metricsLog).map {
        var event = $0
        event.time = 0
        event.tokensPerSecond = nil
        event.peakMemoryBytes = nil
        event.resumed = nil
        return event
      }
    }
    try Fixtures.withTemporaryFolder { folder in
      let whole = folder.appendingPathComponent("whole")
      let cut = folder.appendingPathComponent("cut")
      let reference = try adapter()
      _ = try trainer(fixture, reference, shuffled, whole).run(resume: false)

      let first = trainer(fixture, try adapter(), shuffled, cut)
      var done = 0
      let outcome = try first.run(resume: false, shouldStop: { done >= stop }) { event in
        if case .step(let event, _) = event { done = event.step }
      }
      #expect(outcome == .interrupted(step: stop))
      // What a crash would leave: a line past the checkpoint and a torn one.
      let log = RunFolder(cut).metricsLog
      let text = try String(contentsOf: log, encoding: .utf8)
      try AtomicFile.write(text + "{\"step\":99,\"epoch\":1,\"split\":\"train\",\"time\":1}\n{\"step\":1", to: log)

      let second = try adapter()
      #expect(try trainer(fixture, second, shuffled, cut).run(resume: true) == .finished)
      #expect(second.parameters.elements == reference.parameters.elements)
      #expect(try timeless(cut) == timeless(whole))
      for path in ["checkpoints/best", "checkpoints/last"] {
        let file = "\(path)/adapter_model.safetensors"
        #expect(
          try Data(contentsOf: cut.appendingPathComponent(file)) == Data(contentsOf: whole.appendingPathComponent(file))
        )
      }
    }
  }

  @Test func theBestCheckpointIsTheBestByItsMetric() throws {
    try Fixtures.withTemporaryFolder { folder in
      let fixture = try PeerFixture("qwen2-tied", backend: CPUBackend())
      let run = RunFolder(folder)
      var wild = settings(steps: 24)
      wild.learningRate = 0.6
      wild.lrSchedulerType = .constant
      let trainer = trainer(fixture, try fixture.adapter(), wild, folder)
      _ = try trainer.run(resume: false)
      let evaluations = try RecordFile.readLines(MetricsEvent.self, from: run.metricsLog).filter { $0.split == .eval }
      #expect(evaluations.map(\.step) == [0, 4, 8, 12, 16, 20, 24])
      let best = evaluations.filter { $0.step > 0 }.min { ($0.loss ?? 0) < ($1.loss ?? 0) }
      #expect(trainer.summary.bestStep == best?.step)
      let adapter = try LoraAdapter(folder: run.bestCheckpoint, on: fixture.decoder)
      let loss = LossEvaluation.run(DecoderSession(fixture.decoder, adapter: adapter), fixture.rows)?.loss
      #expect(abs((loss ?? .nan) - (best?.loss ?? 0)) < 1e-6)
    }
  }

  @Test func aCheckpointOfOtherSettingsIsNotContinued() throws {
    try Fixtures.withTemporaryFolder { folder in
      let fixture = try PeerFixture("llama", backend: CPUBackend())
      _ = try trainer(fixture, fixture.adapter(), settings(), folder, hash: "a").run(resume: false)
      #expect { try trainer(fixture, fixture.adapter(), settings(), folder, hash: "b").run(resume: true) } throws: {
        "\($0)".contains("other settings")
      }
    }
  }

  @Test func infinityStopsTheRunAndNamesTheStep() throws {
    try Fixtures.withTemporaryFolder { folder in
      let fixture = try PeerFixture("llama", backend: CPUBackend())
      let adapter = try fixture.adapter()
      let trainer = trainer(fixture, adapter, settings(), folder)
      #expect {
        try trainer.run(
          resume: false,
          report: { event in
            if case .step(let event, _) = event, event.step == 5 { adapter.parameters[0, 3] = .infinity }
          })
      } throws: { "\($0)".hasPrefix("step 6: the loss is") && "\($0)".contains("checkpoint of step 3 is kept") }
      #expect(try TrainingCheckpoint(folder: RunFolder(folder).lastCheckpoint).readState().step == 3)
    }
  }
}
