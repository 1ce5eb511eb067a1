import Formats
import Foundation
import Runs
import Testing

@testable import Checkpoints

/// Runs under `scripts/peers/gguf`, which gives it a real model and what the gguf Python package makes of it.
@Suite struct WholeModelTests {
  private static let model = ProcessInfo.processInfo.environment["LORAPRESS_PEER_GGUF"]
  private static let hashes = ProcessInfo.processInfo.environment["LORAPRESS_PEER_GGUF_HASHES"]

  @Test(.enabled(if: model != nil && hashes != nil, "a comparison with a peer: run scripts/peers/gguf MODEL PYTHON"))
  func everyTensorEqualsThePeers() throws {
    let list = try #require(Self.hashes)
    let expected = try #require(JSONValue(parsing: Data(contentsOf: URL(fileURLWithPath: list)), file: list).object)
    let file = try GGUFFile(try #require(Self.model))
    #expect(file.tensors.count == expected.entries.count && file.tensors.count > 0)
    var seconds = 0.0
    for tensor in file.tensors {
      let start = Date()
      let values = try file.floats(tensor.name)
      seconds += Date().timeIntervalSince(start)
      let hash = SHA256()
      values.withUnsafeBytes { hash.update($0) }
      #expect(hash.finish() == expected[tensor.name]?.string, "\(tensor.name)")
    }
    print("\(file.tensors.count) tensors, \(Set(file.tensors.map(\.type.rawValue)).sorted()), read in \(seconds) s")
  }
}
