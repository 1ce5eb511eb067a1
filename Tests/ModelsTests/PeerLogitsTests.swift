import Checkpoints
import Compute
import Foundation
import Formats
import ModelFixtures
import Testing

@testable import Models

/// The real model against transformers in float32, when `LORAPRESS_PEER_GGUF` names the GGUF file and `LORAPRESS_PEER_LOGITS` the
/// folder that `scripts/peers/logits.py` wrote.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LORAPRESS_PEER_LOGITS"] != nil))
struct PeerLogits {
  @Test func tenPromptsEqualTransformers() throws {
    let environment = ProcessInfo.processInfo.environment
    let folder = URL(fileURLWithPath: try #require(environment["LORAPRESS_PEER_LOGITS"]))
    let gguf = try #require(environment["LORAPRESS_PEER_GGUF"], "LORAPRESS_PEER_GGUF is not set")
    let file = folder.appendingPathComponent("prompts.json")
    let prompts = try JSONValue(parsing: Data(contentsOf: file), file: file.path)["prompts"]?.array ?? []
    let tensors = try SafetensorsFile(folder.appendingPathComponent("logits.safetensors").path)
    let decoder = try Decoder.load(ModelFile(path: gguf), backend: CPUBackend(), threads: 2)
    let session = DecoderSession(decoder, adapter: nil)
    #expect(prompts.count == 10)

    var largest: Float = 0
    for (index, prompt) in prompts.enumerated() {
      let ids = (prompt["ids"]?.array ?? []).compactMap(\.integer).map(Int32.init)
      let expected = try tensors.floats("logits.\(index)")
      let kept = try tensors.require("logits.\(index)").rows
      let logits = session.logits(PackedBatch(prompts: [ids]), rows: Array(ids.count - kept..<ids.count))
      let worst = difference(logits.elements, expected).largest
      largest = max(largest, worst)
      #expect(worst < 2e-3, "prompt \(index + 1)")
      // The five best at the place that the answer starts from, in their order.
      let last = logits.rows(kept - 1..<kept).elements
      let theirs = Array(expected.suffix(last.count))
      #expect(best(last) == best(theirs), "prompt \(index + 1)")
    }
    print("\(prompts.count) prompts, max abs difference \(largest)")
  }

  private func best(_ logits: [Float]) -> [Int] {
    Array(logits.indices.sorted { logits[$0] > logits[$1] }.prefix(5))
  }
}
