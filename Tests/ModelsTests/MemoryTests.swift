import Checkpoints
import Compute
import Foundation
import Testing

@testable import Models

/// One model of a real shape: loads, trains two steps, generates, and says what that took. On when `LORAPRESS_MEMORY_MODEL` names a
/// Hugging Face folder or a GGUF file (`benchmarks/random_model.py` makes one of random weights); run it under `/usr/bin/time -v`,
/// one setting a process, for the peak.
///
///     LORAPRESS_MEMORY_BATCH        rows × tokens of a step, all supervised: "4x256" unless given
///     LORAPRESS_MEMORY_CHECKPOINT   1 switches gradient checkpointing on
///     LORAPRESS_MEMORY_DORA         1 takes a DoRA adapter
///     LORAPRESS_MEMORY_WEIGHTS      f32, int8, gguf or nf4 (double quantisation) in place of bf16
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LORAPRESS_MEMORY_MODEL"] != nil))
struct Memory {
  @Test func aModelOfThisShapeTrainsAndGenerates() throws {
    let environment = ProcessInfo.processInfo.environment
    let path = try #require(environment["LORAPRESS_MEMORY_MODEL"])
    let sizes = (environment["LORAPRESS_MEMORY_BATCH"] ?? "4x256").split(separator: "x").compactMap { Int($0) }
    try #require(sizes.count == 2)
    let checkpointing = environment["LORAPRESS_MEMORY_CHECKPOINT"] == "1"

    let kinds: [String: WeightPrecision] = [
      "f32": .f32, "bf16": .bf16, "int8": .int8(products: .bf16), "nf4": .nf4(doubleQuant: true, products: .bf16),
      "gguf": .gguf(products: .bf16),
    ]
    let weights = environment["LORAPRESS_MEMORY_WEIGHTS"] ?? "bf16"
    let precision = try #require(kinds[weights])

    let decoder = try Decoder.load(ModelFile(path: path), backend: CPUBackend(), threads: 2, precision: precision)
    let configuration = LoRAConfiguration(
      r: 16, alpha: 32, dropout: 0, targetModules: .allLinear, useDoRA: environment["LORAPRESS_MEMORY_DORA"] == "1")
    let adapter = try LoraAdapter(configuration, on: decoder, seed: 1)
    let session = DecoderSession(decoder, adapter: adapter, gradientCheckpointing: checkpointing)
    var random = RandomNumbers(seed: 2)
    let rows = (0..<sizes[0]).map { _ in
      let ids = (0..<sizes[1]).map { _ in Int32(random.next() % UInt64(decoder.configuration.vocabularySize)) }
      return TokenizedExample(prompt: [ids[0]], answer: Array(ids.dropFirst()))
    }
    let batch = PackedBatch(rows, sharesPrefix: false)
    var seconds: [Double] = []
    for _ in 0..<2 {
      let start = ContinuousClock.now
      let losses = session.lossesAndGradients(batch, gradientScale: 1 / Float(batch.targets.count), dropoutSeed: nil)
      seconds.append((ContinuousClock.now - start) / .seconds(1))
      #expect(losses.allSatisfy(\.isFinite) && adapter.gradients.elements.allSatisfy(\.isFinite))
    }
    let prompt = Array(rows[0].ids.dropFirst())
    let answer = try Generator(session, endTokens: []).generate([prompt], maxNewTokens: 8)[0]
    #expect(answer.ids.count == 8)
    print(
      "\(path): \(decoder.parameterCount) parameters, \(adapter.layers.count) adapted layers, \(weights), batch \(sizes[0])x\(sizes[1]), "
        + "checkpointing \(checkpointing), DoRA \(configuration.useDoRA): steps of \(seconds) s, "
        + "\(session.stepByteCount >> 20) MiB of step memory")
  }
}
