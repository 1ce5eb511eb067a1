import Checkpoints
import Compute
import Foundation
import Formats
import TestSupport

import Models

/// One tiny random model with its adapter, and what PyTorch and PEFT computed with them: see scripts/fixtures/models.py.
public struct PeerFixture {
  public static let names = [
    "qwen2-gqa", "qwen2-tied", "llama", "llama3-rope", "qwen3", "qwen1.5", "smollm2", "dora", "saved-modules",
    "saved-tied-head",
  ]

  public let folder: URL
  public let expected: JSONValue
  public let tensors: SafetensorsFile
  public let decoder: Decoder

  public init(_ name: String, backend: any Backend, precision: WeightPrecision = .f32) throws {
    folder = Fixtures.url("Models", name)
    let file = folder.appendingPathComponent("expected.json")
    expected = try JSONValue(parsing: Data(contentsOf: file), file: file.path)
    tensors = try SafetensorsFile(folder.appendingPathComponent("expected.safetensors").path)
    decoder = try Decoder.load(ModelFile(path: folder.path), backend: backend, threads: 2, precision: precision)
  }

  public func adapter() throws -> LoraAdapter {
    try LoraAdapter(folder: folder.appendingPathComponent("adapter"), on: decoder)
  }

  /// The rows as prompt and answer.
  public var rows: [TokenizedExample] {
    (expected["rows"]?.array ?? []).map { row in
      let ids = (row["ids"]?.array ?? []).compactMap(\.integer).map(Int32.init)
      let length = row["prompt_length"]?.integer ?? 0
      return TokenizedExample(prompt: Array(ids[..<length]), answer: Array(ids[length...]))
    }
  }

  public func number(_ key: String) -> Double { expected[key]?.double ?? .nan }
}

/// The largest difference, and the difference's norm over the expected norm.
public func difference(_ actual: [Float], _ expected: [Float]) -> (largest: Float, relative: Double) {
  guard actual.count == expected.count else { return (.infinity, .infinity) }
  var largest: Float = 0
  var squares = 0.0
  var norm = 0.0
  for (a, e) in zip(actual, expected) {
    largest = max(largest, abs(a - e).isNaN ? .infinity : abs(a - e))
    squares += Double(a - e) * Double(a - e)
    norm += Double(e) * Double(e)
  }
  return (largest, (squares / max(norm, 1e-30)).squareRoot())
}
