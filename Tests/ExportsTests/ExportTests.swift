import Checkpoints
import Compute
import Exports
import Foundation
import ModelFixtures
import Models
import TestSupport
import Testing
import Tokenizers

/// Merged models and adapters, written, read again and held against the adapter beside its base.
@Suite struct ExportTests {
  private static let backend = ReferenceBackend()

  private static func logits(_ decoder: Decoder, _ adapter: LoraAdapter?, _ rows: [TokenizedExample]) -> [Float] {
    let batch = PackedBatch(rows)
    return DecoderSession(decoder, adapter: adapter).logits(batch, rows: Array(batch.ids.indices)).elements
  }

  private static func export(_ fixture: PeerFixture, _ adapter: LoraAdapter?) throws -> ModelExport {
    let size = fixture.decoder.configuration.vocabularySize
    let source = TokenizerSource(
      file: fixture.folder.path, model: "gpt2", pre: "qwen2", tokens: (0..<size).map { "t\($0)" }, merges: [])
    return ModelExport(
      MergedModel(fixture.decoder, adapter: adapter),
      tokenizer: TokenizerExport(source, base: try ModelFile(path: fixture.folder.path)), name: "tiny")
  }

  @Test(arguments: PeerFixture.names) func mergedFoldersSayWhatTheAdapterSays(name: String) throws {
    let fixture = try PeerFixture(name, backend: Self.backend)
    let adapter = try fixture.adapter()
    let expected = Self.logits(fixture.decoder, adapter, fixture.rows)
    try Fixtures.withTemporaryFolder { folder in
      try Self.export(fixture, adapter).writeFolder(folder, type: .f32, shardBytes: 1 << 30)
      let merged = try Decoder.load(ModelFile(path: folder.path), backend: Self.backend, threads: 2)
      #expect(difference(Self.logits(merged, nil, fixture.rows), expected).largest < 2e-5)
      #expect(difference(Self.logits(fixture.decoder, nil, fixture.rows), expected).largest > 1e-3)
    }
  }

  @Test(arguments: PeerFixture.names) func ggufFilesSayWhatTheAdapterSays(name: String) throws {
    let fixture = try PeerFixture(name, backend: Self.backend)
    let adapter = try fixture.adapter()
    let expected = Self.logits(fixture.decoder, adapter, fixture.rows)
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("tiny.gguf")
      try Self.export(fixture, adapter).writeGGUF(file, type: .f32)
      let merged = try Decoder.load(ModelFile(path: file.path), backend: Self.backend, threads: 2)
      #expect(difference(Self.logits(merged, nil, fixture.rows), expected).largest < 2e-5)
    }
  }

  @Test func largeModelsAreCutIntoShards() throws {
    let fixture = try PeerFixture("qwen2-tied", backend: Self.backend)
    try Fixtures.withTemporaryFolder { folder in
      try Self.export(fixture, nil).writeFolder(folder, type: .f32, shardBytes: 10_000)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(files.contains("model.safetensors.index.json") && !files.contains("model.safetensors"))
      #expect(files.filter { $0.hasSuffix(".safetensors") }.count > 2)
      let again = try Decoder.load(ModelFile(path: folder.path), backend: Self.backend, threads: 2)
      #expect(
        Self.logits(again, nil, fixture.rows) == Self.logits(fixture.decoder, nil, fixture.rows))
    }
  }

  @Test func adaptersBecomeGGUFFiles() throws {
    for name in ["qwen2-gqa", "llama"] {
      let fixture = try PeerFixture(name, backend: Self.backend)
      let saved = try PEFTAdapter.read(fixture.folder.appendingPathComponent("adapter"))
      try Fixtures.withTemporaryFolder { folder in
        let file = folder.appendingPathComponent("lora.gguf")
        try AdapterExport.writeGGUF(saved, configuration: fixture.decoder.configuration, name: name, to: file)
        let gguf = try GGUFFile(file.path)
        #expect(gguf.metadata["general.type"]?.string == "adapter" && gguf.metadata["adapter.type"]?.string == "lora")
        #expect(gguf.tensors.count == 2 * saved.pairs.count)
        for pair in saved.pairs {
          let stem = GGUFNames.gguf("\(pair.module).weight")
          #expect(try gguf.floats("\(stem).lora_a") == pair.a)
          #expect(try gguf.require("\(stem).lora_b").shape == [pair.outputs, pair.rank])
          // llama.cpp counts the product alpha / rank times.
          let rest = try saved.configuration.scaling(of: pair.module) * Double(pair.rank) / saved.configuration.alpha
          let sums = (try gguf.floats("\(stem).lora_b").reduce(0, +), pair.b.reduce(0, +) * Float(rest))
          #expect(abs(sums.0 - sums.1) < 1e-5)
        }
      }
    }
  }

  @Test func whatAGGUFAdapterCantHoldIsRefused() throws {
    for name in ["dora", "saved-modules"] {
      let fixture = try PeerFixture(name, backend: Self.backend)
      let saved = try PEFTAdapter.read(fixture.folder.appendingPathComponent("adapter"))
      try Fixtures.withTemporaryFolder { folder in
        let file = folder.appendingPathComponent("lora.gguf")
        #expect(throws: ModelError.self) {
          try AdapterExport.writeGGUF(saved, configuration: fixture.decoder.configuration, name: name, to: file)
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(left.isEmpty)
      }
    }
  }

  /// Rows of 32 in each block format, back from the file: at most half a step off.
  @Test(arguments: [ModelExport.NumberType.q8_0, .q4_0]) func quantisedNumbersComeBackWithinHalfAStep(
    type: ModelExport.NumberType
  ) throws {
    var random = RandomNumbers(seed: 7)
    let values = (0..<64 * 96).map { _ in random.nextUnit() * 2 - 1 }
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("numbers.gguf")
      let stored: TensorType = type == .q8_0 ? .q8_0 : .q4_0
      try GGUFWriter.write(
        metadata: [("general.architecture", .string("qwen2"))],
        tensors: [TensorOutput(name: "numbers", shape: [64, 96], type: stored, values: values)], to: file)
      let back = try GGUFFile(file.path).floats("numbers")
      for start in stride(from: 0, to: values.count, by: 32) {
        let block = start..<start + 32
        let largest = block.map { abs(values[$0]) }.max() ?? 0
        let step = type == .q8_0 ? largest / 127 : largest / 8
        for index in block { #expect(abs(back[index] - values[index]) <= step * 1.02) }
      }
    }
  }
}
