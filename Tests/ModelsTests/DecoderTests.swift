import Checkpoints
import Compute
import Formats
import Foundation
import ModelFixtures
import TestSupport
import Testing

@testable import Models

@Suite struct DecoderTests {
  static let backends: [any Backend] = [ReferenceBackend(), CPUBackend()]

  @Test(arguments: PeerFixture.names, [0, 1])
  func logitsEqualPyTorchs(name: String, backend: Int) throws {
    let fixture = try PeerFixture(name, backend: Self.backends[backend])
    let adapter = try fixture.adapter()
    for (index, row) in fixture.rows.enumerated() {
      let batch = PackedBatch(prompts: [row.ids])
      for (kind, session) in [
        ("base", DecoderSession(fixture.decoder, adapter: nil)),
        ("tuned", DecoderSession(fixture.decoder, adapter: adapter)),
      ] {
        let logits = session.logits(batch, rows: Array(0..<row.count))
        let expected = try fixture.tensors.floats("\(kind)_logits.\(index)")
        #expect(difference(logits.elements, expected).largest < 2e-4, "\(name) \(kind) row \(index)")
      }
    }
  }

  /// Packed with a shared prefix, packed without, and one by one: all equal the peer's padded batch.
  @Test(arguments: PeerFixture.names, [0, 1])
  func lossAndGradientsEqualPEFTs(name: String, backend: Int) throws {
    let fixture = try PeerFixture(name, backend: Self.backends[backend])
    let count = Float(fixture.expected["supervised_tokens"]?.integer ?? 0)
    let rows = fixture.rows
    let packings: [[PackedBatch]] = [
      [PackedBatch(rows, sharesPrefix: true)], [PackedBatch(rows, sharesPrefix: false)], rows.map { PackedBatch([$0]) },
      // The first two rows begin alike: their own pack has a prefix to share.
      [PackedBatch(Array(rows[..<2])), PackedBatch(Array(rows[2...]))],
    ]
    #expect(packings[3][0].segments.count == 3)
    for batches in packings {
      let adapter = try fixture.adapter()
      let session = DecoderSession(fixture.decoder, adapter: adapter)
      var losses: [Float] = []
      for batch in batches { losses += session.lossesAndGradients(batch, gradientScale: 1 / count, dropoutSeed: nil) }
      #expect(losses.count == Int(count))
      let loss = losses.reduce(0) { $0 + Double($1) } / Double(losses.count)
      #expect(abs(loss - fixture.number("loss")) < 1e-5)
      for tensor in adapter.tensors {
        let expected = try fixture.tensors.floats("gradient.base_model.model.\(tensor.name)")
        #expect(difference(tensor.gradient.elements, expected).relative < 1e-4, "\(name) \(tensor.name)")
      }
    }
  }

  /// bfloat16 keeps eight bits, and these random models' large weights multiply what is rounded: gradients are met to some
  /// percent, 9.4 at most where only the weights are rounded, 18.3 where factors, activations and adapter are too.
  @Test(arguments: PeerFixture.names)
  func bfloat16StaysNearThePeers(name: String) throws {
    for precision in [WeightPrecision.bf16, .bf16InF32] {
      let fixture = try PeerFixture(name, backend: CPUBackend(), precision: precision)
      let adapter = try fixture.adapter()
      let session = DecoderSession(fixture.decoder, adapter: adapter)
      let count = Float(fixture.expected["supervised_tokens"]?.integer ?? 0)
      let losses = session.lossesAndGradients(PackedBatch(fixture.rows), gradientScale: 1 / count, dropoutSeed: nil)
      let loss = losses.reduce(0) { $0 + Double($1) } / Double(losses.count)
      let distance = abs(loss - fixture.number("loss"))
      #expect(distance < 3e-2 && distance > 0, "\(name) \(precision)")
      for layer in adapter.layers {
        for (side, gradient) in [("A", layer.gradientA), ("B", layer.gradientB)] {
          let expected = try fixture.tensors.floats("gradient.base_model.model.\(layer.path).lora_\(side).weight")
          let bound = precision == .bf16 ? 0.25 : 0.15
          #expect(difference(gradient.elements, expected).relative < bound, "\(name) \(layer.path) \(side)")
        }
      }
    }
  }

  @Test(arguments: PeerFixture.names)
  func lossWithoutAdapterEqualsThePeers(name: String) throws {
    let fixture = try PeerFixture(name, backend: CPUBackend())
    let losses = DecoderSession(fixture.decoder, adapter: nil).losses(PackedBatch(fixture.rows))
    #expect(abs(losses.reduce(0) { $0 + Double($1) } / Double(losses.count) - fixture.number("base_loss")) < 1e-5)
  }

  @Test(arguments: PeerFixture.names)
  func greedyAnswersEqualThePeers(name: String) throws {
    let fixture = try PeerFixture(name, backend: CPUBackend())
    let cases = fixture.expected["greedy"]?.array ?? []
    #expect(cases.count == 2)
    func ids(_ index: Int, _ key: String) -> [Int32] {
      (cases[index][key]?.array ?? []).compactMap(\.integer).map(Int32.init)
    }
    let prompts = cases.indices.map { ids($0, "prompt") }
    let adapter = try fixture.adapter()
    for (key, adapter) in [("base", nil), ("tuned", adapter)] as [(String, LoraAdapter?)] {
      let session = DecoderSession(fixture.decoder, adapter: adapter)
      // Together and one at a time: the batch must not change an answer.
      let together = try Generator(session, endTokens: []).generate(prompts, maxNewTokens: 12)
      for index in cases.indices {
        #expect(together[index].ids == ids(index, key))
        #expect(together[index].stopReason == .length)
        #expect(
          try Generator(session, endTokens: []).generate([prompts[index]], maxNewTokens: 12)[0] == together[index])
      }
    }
  }

  @Test func endTokensStopAnAnswer() throws {
    let fixture = try PeerFixture("llama", backend: CPUBackend())
    let prompt = (fixture.expected["greedy"]?[0]?["prompt"]?.array ?? []).compactMap(\.integer).map(Int32.init)
    let session = DecoderSession(fixture.decoder, adapter: nil)
    let free = try Generator(session, endTokens: []).generate([prompt], maxNewTokens: 12)[0]
    let end = free.ids[4]
    let stopped = try Generator(session, endTokens: [end]).generate([prompt], maxNewTokens: 12)[0]
    #expect(stopped.stopReason == .stop)
    #expect(stopped.ids == Array(free.ids.prefix { $0 != end }))
    #expect(throws: ModelError.self) { try Generator(session, endTokens: []).generate([prompt], maxNewTokens: 5000) }
  }

  /// A folder in shards is the same model as the one in a single file.
  @Test func aModelInShardsIsTheSame() throws {
    try Fixtures.withTemporaryFolder { folder in
      let fixture = try PeerFixture("qwen2-tied", backend: CPUBackend())
      let whole = try SafetensorsFile(fixture.folder.appendingPathComponent("model.safetensors").path)
      var map: [JSONObject.Entry] = []
      for part in 0..<2 {
        let name = "model-0000\(part + 1)-of-00002.safetensors"
        let infos = whole.tensors.enumerated().filter { $0.offset % 2 == part }.map(\.element)
        try SafetensorsWriter.write(
          infos.map { info in
            TensorOutput(name: info.name, shape: info.shape) { try whole.floats(info.name, threads: 1) }
          }, to: folder.appendingPathComponent(name))
        map += infos.map { JSONObject.Entry(key: $0.name, value: .string(name)) }
      }
      let index: JSONValue = ["metadata": [:], "weight_map": .object(JSONObject(map))]
      try Data(index.text().utf8).write(to: folder.appendingPathComponent("model.safetensors.index.json"))
      try FileManager.default.copyItem(
        at: fixture.folder.appendingPathComponent("config.json"), to: folder.appendingPathComponent("config.json"))
      let sharded = try Decoder.load(ModelFile(path: folder.path), backend: CPUBackend(), threads: 2)
      let batch = PackedBatch(fixture.rows)
      let rows = Array(batch.ids.indices)
      #expect(
        DecoderSession(sharded, adapter: nil).logits(batch, rows: rows).elements
          == DecoderSession(fixture.decoder, adapter: nil).logits(batch, rows: rows).elements)
    }
  }

  @Test func aRowDoesNotFeelItsNeighbours() throws {
    let fixture = try PeerFixture("qwen2-gqa", backend: CPUBackend())
    let session = DecoderSession(fixture.decoder, adapter: try fixture.adapter())
    let rows = fixture.rows
    let together = session.losses(PackedBatch(rows, sharesPrefix: false))
    var start = 0
    for row in rows {
      let alone = session.losses(PackedBatch([row]))
      #expect(difference(Array(together[start..<start + alone.count]), alone).largest < 1e-5)
      start += alone.count
    }
  }

  /// Layers made again in the backward: the same losses and gradients bit for bit, in less memory.
  @Test(arguments: PeerFixture.names, [WeightPrecision.f32, .bf16])
  func gradientCheckpointingChangesNoBit(name: String, precision: WeightPrecision) throws {
    let fixture = try PeerFixture(name, backend: CPUBackend(), precision: precision)
    var configuration = try fixture.adapter().configuration
    configuration.dropout = 0.3
    let batch = PackedBatch(fixture.rows)
    var results: [[UInt32]] = []
    for checkpointing in [false, true] {
      let adapter = try LoraAdapter(configuration, on: fixture.decoder, seed: 3)
      var random = RandomNumbers(seed: 9)
      adapter.parameters.withElements { for index in $0.indices { $0[index] = random.nextUnit() * 0.2 - 0.1 } }
      let session = DecoderSession(fixture.decoder, adapter: adapter, gradientCheckpointing: checkpointing)
      // Twice: the second step meets the memory of the first.
      var losses: [Float] = []
      for seed in [5, 6] as [UInt64] {
        losses += session.lossesAndGradients(batch, gradientScale: 0.1, dropoutSeed: seed)
      }
      results.append((losses + adapter.gradients.elements).map(\.bitPattern))
    }
    #expect(results[0] == results[1])
    #expect(Set(results[0]).count > 100)
  }

  /// Sixteen layers' activations against one's.
  @Test func gradientCheckpointingTakesLessMemory() throws {
    let decoder = try PeerFixture("llama", backend: CPUBackend()).decoder
    let deep = Decoder(
      configuration: decoder.configuration, backend: decoder.backend, embedTokens: decoder.embedTokens,
      layers: Array(repeating: decoder.layers, count: 8).flatMap { $0 }, norm: decoder.norm, lmHead: decoder.lmHead,
      inverseFrequencies: decoder.inverseFrequencies)
    let ids = (0..<8000).map { Int32($0 % 90) }
    // Short rows keep attention cheap; together they fill the arena's chunks.
    let rows = stride(from: 0, to: 8000, by: 50).map {
      TokenizedExample(prompt: [1], answer: Array(ids[$0..<$0 + 50]))
    }
    let bytes = try [false, true].map { checkpointing in
      let adapter = try LoraAdapter(
        LoRAConfiguration(r: 2, alpha: 4, dropout: 0, targetModules: .allLinear), on: decoder, seed: 1)
      let session = DecoderSession(deep, adapter: adapter, gradientCheckpointing: checkpointing)
      _ = session.lossesAndGradients(PackedBatch(rows), gradientScale: 1, dropoutSeed: nil)
      return session.stepByteCount
    }
    #expect(bytes[1] * 3 < bytes[0], "\(bytes)")
  }

  @Test func dropoutIsSeededAndHasTheRightGradient() throws {
    let fixture = try PeerFixture("llama", backend: ReferenceBackend())
    var configuration = try fixture.adapter().configuration
    configuration.dropout = 0.4
    let adapter = try LoraAdapter(configuration, on: fixture.decoder, seed: 3)
    var random = RandomNumbers(seed: 9)
    for layer in adapter.layers {
      layer.b.withElements { for index in $0.indices { $0[index] = random.nextUnit() - 0.5 } }
    }
    let session = DecoderSession(fixture.decoder, adapter: adapter)
    let batch = PackedBatch(fixture.rows)
    func loss(_ seed: UInt64?) -> Double {
      adapter.gradients.fill(0)
      return session.lossesAndGradients(batch, gradientScale: 1, dropoutSeed: seed).reduce(0) { $0 + Double($1) }
    }
    #expect(loss(1) == loss(1))
    #expect(loss(1) != loss(2))
    #expect(loss(1) != loss(nil))
    // Central differences along a few parameters, under one fixed mask.
    _ = loss(1)
    let gradients = adapter.gradients.elements
    let step: Float = 2e-3
    for index in stride(from: 3, to: adapter.parameterCount, by: adapter.parameterCount / 12) {
      let old = adapter.parameters[0, index]
      adapter.parameters[0, index] = old + step
      let above = loss(1)
      adapter.parameters[0, index] = old - step
      let below = loss(1)
      adapter.parameters[0, index] = old
      let slope = (above - below) / Double(2 * step)
      #expect(abs(slope - Double(gradients[index])) < 0.02 * max(1, abs(slope)), "parameter \(index)")
    }
  }

  /// The same weights as llama.cpp's files hold them: other names, and for Llama another order of q's and k's rows.
  @Test(arguments: ["llama", "qwen2-tied", "qwen3"])
  func aGGUFFileIsTheSameModel(name: String) throws {
    let fixture = try PeerFixture(name, backend: CPUBackend())
    let file = try ModelFile(path: fixture.folder.appendingPathComponent("model.gguf").path)
    let decoder = try Decoder.load(file, backend: CPUBackend(), threads: 2)
    #expect(decoder.configuration == fixture.decoder.configuration)
    #expect(decoder.parameterCount == fixture.decoder.parameterCount)
    for (index, row) in fixture.rows.enumerated() {
      let logits = DecoderSession(decoder, adapter: nil).logits(
        PackedBatch(prompts: [row.ids]), rows: Array(0..<row.count))
      #expect(difference(logits.elements, try fixture.tensors.floats("base_logits.\(index)")).largest < 2e-4)
    }
  }

  @Test func sameSeedSameAdapter() throws {
    let fixture = try PeerFixture("llama", backend: CPUBackend())
    let configuration = LoRAConfiguration(r: 4, alpha: 8, dropout: 0, targetModules: .allLinear)
    func parameters(_ seed: UInt64) throws -> [Float] {
      try LoraAdapter(configuration, on: fixture.decoder, seed: seed).parameters.elements
    }
    #expect(try parameters(1) == parameters(1))
    #expect(try parameters(1) != parameters(2))
    #expect(throws: ModelError.self) {
      var wrong = configuration
      wrong.targetModules = .names(["query_proj"])
      _ = try LoraAdapter(wrong, on: fixture.decoder, seed: 1)
    }
  }

  @Test func anAdapterOfAnotherModelIsRefused() throws {
    let llama = try PeerFixture("llama", backend: CPUBackend())
    let tied = try PeerFixture("qwen2-tied", backend: CPUBackend())
    #expect { try LoraAdapter(folder: llama.folder.appendingPathComponent("adapter"), on: tied.decoder) } throws: {
      "\($0)".contains("use the model it was trained on")
    }
  }
}
