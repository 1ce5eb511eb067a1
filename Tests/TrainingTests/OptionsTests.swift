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

/// Training settings against transformers, TRL and PEFT: see scripts/fixtures/training.py.
@Suite struct OptionsTests {
  private let fixture: JSONValue

  init() throws {
    fixture = try JSONValue(parsing: Fixtures.data("Training", "training.json"), file: "training.json")
  }

  private func cases(_ name: String, atLeast count: Int) throws -> [JSONValue] {
    let all = try #require(fixture[name]?.array)
    #expect(all.count >= count)
    return all
  }

  private func integers(_ value: JSONValue?) -> [Int] { (value?.array ?? []).compactMap(\.integer) }
  private func doubles(_ value: JSONValue?) -> [Double] { (value?.array ?? []).compactMap(\.double) }

  @Test func schedulesEqualTransformers() throws {
    for item in try cases("schedules", atLeast: 10) {
      var settings = TrainingSettings()
      let type = try #require(item["type"]?.string)
      settings.lrSchedulerType = try #require(TrainingSettings.Schedule(rawValue: type))
      settings.learningRate = try #require(item["learning_rate"]?.double)
      settings.warmupSteps = try #require(item["warmup_steps"]?.integer)
      settings.maxSteps = try #require(item["steps"]?.integer)
      if item["kwargs"]?.object?.entries.isEmpty == false {
        var kwargs = SchedulerSettings()
        kwargs.minLR = item["kwargs"]?["min_lr"]?.double
        kwargs.minLRRate = item["kwargs"]?["min_lr_rate"]?.double
        settings.lrSchedulerKwargs = kwargs
      }
      let plan = TrainingPlan(settings, lengths: [3, 4])
      let expected = doubles(item["rates"])
      #expect(expected.count == settings.maxSteps)
      for (index, rate) in expected.enumerated() {
        #expect(abs(plan.learningRate(index + 1) - rate) <= 1e-15, "\(type), step \(index + 1)")
      }
    }
  }

  @Test func warmupRatioIsRoundedUp() {
    var settings = TrainingSettings()
    settings.warmupRatio = 0.1
    settings.maxSteps = 21
    #expect(TrainingPlan(settings, lengths: [1]).warmupSteps == 3)
    settings.warmupSteps = 1
    #expect(TrainingPlan(settings, lengths: [1]).warmupSteps == 1)
  }

  @Test func lengthGroupsEqualTransformers() throws {
    for item in try cases("grouped", atLeast: 4) {
      let order = RowOrder.grouped(
        integers(item["permutation"]), lengths: integers(item["lengths"]),
        batchSize: try #require(item["batch_size"]?.integer))
      #expect(order == integers(item["order"]))
    }
  }

  @Test func packedSequencesEqualTRLs() throws {
    for item in try cases("packed", atLeast: 3) {
      let lengths = integers(item["lengths"])
      let capacity = try #require(item["capacity"]?.integer)
      let sequences = RowOrder.packed(lengths, capacity: capacity)
      #expect(sequences.map { $0.map { lengths[$0] } } == (item["sequences"]?.array ?? []).map { integers($0) })
      #expect(sequences.flatMap { $0 }.sorted() == Array(lengths.indices))
      #expect(sequences.allSatisfy { $0.reduce(0) { $0 + lengths[$1] } <= capacity })
    }
  }

  @Test func aPlanGroupsByLengthAndKeepsEveryRow() {
    var settings = TrainingSettings()
    settings.groupByLength = true
    settings.perDeviceTrainBatchSize = 4
    let lengths = (0..<200).map { 5 + $0 * 37 % 91 }
    let plan = TrainingPlan(settings, lengths: lengths)
    let batches = (1...plan.stepsPerEpoch).map { plan.microBatches($0).flatMap { $0 } }
    #expect(batches.flatMap { $0 }.sorted() == Array(lengths.indices))
    func spread(_ batches: [[Int]]) -> Int {
      batches.reduce(0) { sum, rows in
        sum + (rows.map { lengths[$0] }.max() ?? 0) - (rows.map { lengths[$0] }.min() ?? 0)
      }
    }
    settings.groupByLength = false
    let other = TrainingPlan(settings, lengths: lengths)
    #expect(spread(batches) * 5 < spread((1...other.stepsPerEpoch).map { other.microBatches($0).flatMap { $0 } }))
    #expect(lengths[batches[0][0]] == lengths.max())
    #expect(plan.order(epoch: 0) != plan.order(epoch: 1))
  }

  @Test func rotationEqualsTransformers() throws {
    for item in try cases("rotation", atLeast: 4) {
      try Fixtures.withTemporaryFolder { folder in
        let run = RunFolder(folder)
        let limit = try #require(item["limit"]?.integer)
        for save in item["saves"]?.array ?? [] {
          let step = try #require(save["step"]?.integer)
          try AtomicFile.makeFolder(run.checkpoint(step))
          try KeptCheckpoints(run).rotate(limit: limit, best: save["best"]?.integer)
          #expect(KeptCheckpoints(run).steps == integers(save["kept"]), "limit \(limit), step \(step)")
        }
      }
    }
  }

  /// NEFTune's noise as transformers' hook draws it: the same bound and deviation, from the row's own length.
  @Test func neftuneNoiseIsTransformers() throws {
    for item in try cases("neftune", atLeast: 2) {
      let alpha = try #require(item["alpha"]?.double)
      let (tokens, width) = (try #require(item["tokens"]?.integer), try #require(item["width"]?.integer))
      let bound = alpha / Double(tokens * width).squareRoot()
      #expect(abs((item["largest"]?.double ?? 0) - bound) < 1e-3 * bound)
      var squares = 0.0
      var largest: Float = 0
      for seed in 0..<500 {
        // A second row of another length in the batch doesn't change the first one's bound.
        let x = Matrix(tokens + 3, width)
        EmbeddingNoise(alpha: alpha, seed: RandomNumbers.mix(UInt64(seed))).add(
          to: x,
          segments: [
            AttentionSegment(queryRows: 0..<tokens, keyRows: [0..<tokens]),
            AttentionSegment(queryRows: tokens..<tokens + 3, keyRows: [tokens..<tokens + 3]),
          ], lengths: [tokens, 3])
        let noise = x.rows(0..<tokens).elements
        largest = max(largest, noise.map(abs).max() ?? 0)
        squares += noise.reduce(0) { $0 + Double($1) * Double($1) }
      }
      let deviation = (squares / Double(500 * tokens * width)).squareRoot()
      let expected = try #require(item["deviation"]?.double)
      #expect(abs(deviation - expected) < 0.01 * expected)
      #expect(Double(largest) <= bound * 1.000001 && Double(largest) > 0.999 * bound)
    }
  }

  @Test func loraplusEqualsPEFTs() throws {
    let expected = try #require(fixture["loraplus"])
    var settings = TrainingSettings()
    settings.learningRate = try #require(expected["learning_rate"]?.double)
    settings.loraplusLrRatio = try #require(expected["loraplus_lr_ratio"]?.double)
    settings.weightDecay = try #require(expected["weight_decay"]?.double)
    settings.maxSteps = try #require(expected["steps"]?.integer)
    settings.shuffle = false
    try Fixtures.withTemporaryFolder { folder in
      let model = try PeerFixture("qwen2-gqa", backend: CPUBackend())
      let adapter = try model.adapter()
      let trainer = Trainer(
        model.decoder, adapter: adapter, settings: settings, rows: model.rows, validation: [],
        folder: RunFolder(folder), inputHash: "h")
      #expect(try trainer.run(resume: false) == .finished)
      let losses = try RecordFile.readLines(MetricsEvent.self, from: RunFolder(folder).metricsLog).map {
        $0.loss ?? .nan
      }
      let peers = doubles(expected["losses"])
      #expect(losses.count == peers.count && losses.count == 6)
      for (loss, peer) in zip(losses, peers) { #expect(abs(loss - peer) < 1e-4) }
      for layer in adapter.layers {
        for (side, matrix) in [("A", layer.a), ("B", layer.b)] {
          let norm = model.decoder.backend.sumOfSquares(matrix).squareRoot()
          let peer = expected["norms"]?["base_model.model.\(layer.path).lora_\(side).weight"]?.double ?? .nan
          #expect(abs(norm - peer) < 1e-4 * peer, "\(layer.path) \(side)")
        }
      }
    }
  }
}
