import Foundation
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct GGUFWriterTests {
  private static let suite = "Checkpoints"

  /// The oracle is the gguf Python package.
  @Test(arguments: [(TensorType.q8_0, "blocks.q8_0"), (.q4_0, "blocks.q4_0")])
  func quantisesBitForBit(type: TensorType, expected: String) throws {
    let values = try Fixtures.data(Self.suite, "blocks.f32").withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    let tensor = TensorOutput(name: "blocks", shape: [values.count / 96, 96], type: type, values: values)
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("blocks.gguf")
      try GGUFWriter.write(metadata: [], tensors: [tensor], to: file)
      let info = try GGUFFile(file.path).require("blocks")
      let bytes = try Data(contentsOf: file)[info.offset..<info.offset + info.byteCount]
      #expect(try bytes == Fixtures.data(Self.suite, expected))
    }
  }

  /// What the gguf Python package wrote, read and written again.
  @Test func metadataAndTensorsComeBack() throws {
    let model = try GGUFFile(Fixtures.url(Self.suite, "types.gguf").path)
    let metadata = model.metadataKeys.compactMap { key in model.metadata[key].map { (key, $0) } }
      .filter { $0.0 != "general.alignment" }
    let tensors = try model.tensors.filter { [.f32, .f16, .bf16].contains($0.type) }.map {
      TensorOutput(name: $0.name, shape: $0.shape, type: $0.type, values: try model.floats($0.name))
    }
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("again.gguf")
      try GGUFWriter.write(metadata: metadata, tensors: tensors, to: file)
      let again = try GGUFFile(file.path)
      #expect(again.metadataKeys == metadata.map(\.0))
      for (key, value) in metadata { #expect(again.metadata[key] == value, "\(key)") }
      #expect(again.tensors.map(\.shape) == tensors.map(\.shape))
      for tensor in tensors {
        #expect(try again.floats(tensor.name).map(\.bitPattern) == tensor.values().map(\.bitPattern), "\(tensor.name)")
      }
    }
  }

  @Test func rowsThatAreNoWholeBlocksAreRefusedAndNothingIsLeft() throws {
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("odd.gguf")
      let tensor = TensorOutput(name: "odd", shape: [2, 33], type: .q8_0, values: [Float](repeating: 1, count: 66))
      #expect(throws: CheckpointError.self) { try GGUFWriter.write(metadata: [], tensors: [tensor], to: file) }
      let short = TensorOutput(name: "short", shape: [2, 32], type: .q8_0, values: [1])
      #expect(throws: CheckpointError.self) { try GGUFWriter.write(metadata: [], tensors: [short], to: file) }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(left.isEmpty)
    }
  }
}
