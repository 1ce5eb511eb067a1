import Checkpoints
import Compute
import Foundation
import Formats
import ModelFixtures
import TestSupport
import Testing

@testable import Models

@Suite struct AdapterTests {
  /// One row in training mode: the peer draws the masks that our generator draws.
  @Test(arguments: ["qwen3", "dora"])
  func dropoutEqualsPEFTs(name: String) throws {
    for backend in [ReferenceBackend(), CPUBackend()] as [any Backend] {
      let fixture = try PeerFixture(name, backend: backend)
      let dropout = try #require(fixture.expected["dropout"])
      let row = fixture.rows[try #require(dropout["row"]?.integer)]
      let adapter = try Fixtures.withTemporaryFolder { folder in
        var saved = try PEFTAdapter.read(fixture.folder.appendingPathComponent("adapter"))
        saved.configuration.dropout = try #require(dropout["probability"]?.double)
        try saved.write(to: folder)
        return try LoraAdapter(folder: folder, on: fixture.decoder)
      }
      let seed = UInt64(try #require(dropout["seed"]?.integer))
      let losses = DecoderSession(fixture.decoder, adapter: adapter).lossesAndGradients(
        PackedBatch([row]), gradientScale: 1 / Float(row.count - row.promptLength), dropoutSeed: seed)
      let loss = losses.reduce(0) { $0 + Double($1) } / Double(losses.count)
      #expect(abs(loss - (dropout["loss"]?.double ?? .nan)) < 1e-5)
      #expect(abs(loss - fixture.number("loss")) > 1e-3)
      for tensor in adapter.tensors {
        let expected = try fixture.tensors.floats("dropout_gradient.base_model.model.\(tensor.name)")
        #expect(difference(tensor.gradient.elements, expected).relative < 1e-4, "\(name) \(tensor.name)")
      }
    }
  }

  /// B is zero and the magnitude is the weight's own norm: the base model, but for rounding.
  @Test(arguments: ["qwen2-gqa", "qwen3"])
  func aFreshDoRAAdapterChangesNothing(name: String) throws {
    let fixture = try PeerFixture(name, backend: CPUBackend())
    let adapter = try LoraAdapter(
      LoRAConfiguration(
        r: 4, alpha: 8, dropout: 0.1, targetModules: .allLinear, useDoRA: true,
        modulesToSave: ["lm_head", "embed_tokens"]), on: fixture.decoder, seed: 1)
    let session = DecoderSession(fixture.decoder, adapter: adapter)
    for (index, row) in fixture.rows.enumerated() {
      let logits = session.logits(PackedBatch(prompts: [row.ids]), rows: Array(0..<row.count))
      #expect(difference(logits.elements, try fixture.tensors.floats("base_logits.\(index)")).largest < 2e-4)
    }
    // What the norm is by its definition, once B isn't zero.
    let layer = try #require(adapter.layers.last)
    let linear = try #require(fixture.decoder.layers.last?.downProj)
    #expect(layer.path == linear.path)
    var random = RandomNumbers(seed: 2)
    layer.b.withElements { for index in $0.indices { $0[index] = random.nextUnit() - 0.5 } }
    let whole = Matrix(linear.weight.rows, linear.weight.columns, linear.weight.dequantised.elements)
    ReferenceBackend().multiply(
      layer.b, transposeA: false, layer.a, transposeB: false, alpha: layer.scaling, beta: 1, into: whole)
    let scale = DoRAScale(
      layer, magnitude: try #require(layer.magnitude), weight: linear.weight, backend: CPUBackend())
    for row in 0..<whole.rows {
      let norm = ReferenceBackend().sumOfSquares(whole.rows(row..<row + 1)).squareRoot()
      #expect(abs(Double(scale.inverseNorm[0, row]) * norm - 1) < 1e-5)
    }
  }

  /// A row of zeros in a pruned weight has the norm 0.
  @Test func aRowOfZerosIsNoNaN() throws {
    let fixture = try PeerFixture("dora", backend: CPUBackend())
    let weight = try #require(fixture.decoder.layers.first?.qProj.weight)
    weight.dequantised.rows(0..<1).fill(0)
    let adapter = try LoraAdapter(
      LoRAConfiguration(r: 2, alpha: 4, dropout: 0, targetModules: .allLinear, useDoRA: true), on: fixture.decoder,
      seed: 1)
    let session = DecoderSession(fixture.decoder, adapter: adapter)
    let losses = session.lossesAndGradients(PackedBatch(fixture.rows), gradientScale: 1, dropoutSeed: nil)
    #expect(losses.allSatisfy(\.isFinite) && adapter.gradients.elements.allSatisfy(\.isFinite))
  }

  /// What is read and written again is PEFT's file byte for byte.
  @Test(arguments: PeerFixture.names)
  func whatIsSavedIsWhatPEFTSaved(name: String) throws {
    let fixture = try PeerFixture(name, backend: CPUBackend())
    let theirs = fixture.folder.appendingPathComponent("adapter")
    let adapter = try fixture.adapter()
    try Fixtures.withTemporaryFolder { folder in
      try adapter.saved.write(to: folder)
      func data(_ folder: URL, _ file: String) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent(file))
      }
      #expect(try data(folder, PEFTAdapter.weightsName) == data(theirs, PEFTAdapter.weightsName))
      let file = PEFTAdapter.configurationName
      let ours = try JSONValue(parsing: data(folder, file), file: file)
      let expected = try JSONValue(parsing: data(theirs, file), file: file)
      for entry in try #require(ours.object).entries where entry.key != "target_modules" {
        // 0 and 0.0 are one number.
        let isSame =
          expected[entry.key] == entry.value || entry.value.double.map { $0 == expected[entry.key]?.double } == true
        #expect(isSame, "\(name) \(entry.key)")
      }
      let again = try LoraAdapter(folder: folder, on: fixture.decoder)
      #expect(again.hasShape(of: adapter) && again.parameters.elements == adapter.parameters.elements)
    }
  }

  @Test func patternsGiveRanksAndScales() throws {
    let adapter = try PeerFixture("dora", backend: CPUBackend()).adapter()
    func layer(_ path: String) throws -> LoraLayer { try #require(adapter.layer("model.layers.\(path)")) }
    #expect(try layer("0.self_attn.q_proj").a.rows == 3)
    #expect(try layer("0.mlp.down_proj").a.rows == 6)
    #expect(try layer("1.mlp.down_proj").a.rows == 2)
    #expect(try layer("1.mlp.gate_proj").a.rows == 4)
    #expect(try layer("0.self_attn.v_proj").scaling == 2.5)
    #expect(try layer("0.mlp.up_proj").scaling == 1.25)
    #expect(try abs(layer("1.mlp.down_proj").scaling - 8 / Float(2).squareRoot()) < 1e-6)
  }

  @Test(arguments: [
    ("rank_pattern", "'query' matches no adapted layer"), ("alpha_pattern", "'proj' matches no adapted layer"),
    ("modules_to_save", "'norm' can't be trained whole"), ("target_modules", "'lm_head' matches no layer"),
    ("pattern", "'(' of lora.rank_pattern is no regular expression"),
  ])
  func namesThatMeanNothingAreRefused(setting: String, message: String) throws {
    let decoder = try PeerFixture("llama", backend: CPUBackend()).decoder
    #expect {
      var wrong = LoRAConfiguration(r: 2, alpha: 4, dropout: 0, targetModules: .names(["q_proj"]))
      switch setting {
      case "rank_pattern": wrong.rankPattern = [try ModulePattern("query", 4, setting: setting, file: "e")]
      case "alpha_pattern": wrong.alphaPattern = [try ModulePattern("proj", 4, setting: setting, file: "e")]
      case "modules_to_save": wrong.modulesToSave = ["norm"]
      case "target_modules": wrong.targetModules = .names(["q_proj", "lm_head"])
      default: wrong.rankPattern = [try ModulePattern("(", 4, setting: "lora.rank_pattern", file: "e.yaml")]
      }
      _ = try LoraAdapter(wrong, on: decoder, seed: 1)
    } throws: { "\($0)".contains(message) && !"\($0)".contains("\n") }
  }

  @Test func modulesOfAnotherVocabularyAreRefused() throws {
    let saved = try PeerFixture("saved-modules", backend: CPUBackend())
    try Fixtures.withTemporaryFolder { folder in
      var adapter = try PEFTAdapter.read(saved.folder.appendingPathComponent("adapter"))
      let head = try #require(adapter.modules.first { $0.module == "lm_head" })
      adapter.modules.removeAll { $0.module == "lm_head" }
      adapter.modules.append(
        PEFTModule(
          module: "lm_head", rows: head.rows - 1, columns: head.columns,
          weight: Array(head.weight.dropLast(head.columns))))
      try adapter.write(to: folder)
      #expect { try LoraAdapter(folder: folder, on: saved.decoder) } throws: {
        "\($0)".contains("'lm_head' is 63 × 16, the model needs 64 × 16")
      }
    }
  }
}
