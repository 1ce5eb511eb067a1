import Foundation
import TestSupport
import Testing

@testable import Checkpoints

private let suite = "Checkpoints"

/// The numbers that scripts/fixtures/weights.py saves, from the F32 tensor, whose bytes need no conversion.
private func plain() throws -> SafetensorsFile { try SafetensorsFile(Fixtures.url(suite, "plain.safetensors").path) }

@Suite struct SafetensorsTests {
  @Test func readsWhatPythonWrote() throws {
    let file = try plain()
    #expect(Set(file.tensors.map(\.name)) == ["b.weight", "a.half", "a.brain", "가.weight", "empty", "scalar"])
    #expect(file.metadata.map(\.key) == ["format"] && file.metadata.map(\.value) == ["pt"])
    let values = try file.floats("b.weight")
    #expect(file.info("b.weight")?.shape == [4, 5])
    #expect(values[2] == 1 && values[13] == 0.1 && values[1].sign == .minus)
    #expect(try file.floats("가.weight") == values.reversed())
    #expect(try file.floats("scalar") == [0.1])
    #expect(try file.floats("empty") == [])
    #expect(try file.floats("a.half")[4...7] == [1, 1 + 0x1p-9, 65504, 65504])
    #expect(try file.floats("a.brain")[15...17] == [1, 1 + 0x1p-6, Float(bitPattern: 0x8001_0000)])
  }

  /// The same tensors, given in another order and rounded by us, become the same bytes as Python's.
  @Test func writesPythonsBytes() throws {
    let file = try plain()
    let values = try file.floats("b.weight")
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("new/out.safetensors")
      try SafetensorsWriter.write(
        [
          TensorOutput(name: "scalar", shape: [], values: [values[13]]),
          TensorOutput(name: "a.half", shape: [20], type: .f16, values: values),
          TensorOutput(name: "가.weight", shape: [1, 20], values: values.reversed()),
          TensorOutput(name: "a.brain", shape: [2, 10], type: .bf16, values: values),
          TensorOutput(name: "empty", shape: [0, 3], values: []),
          TensorOutput(name: "b.weight", shape: [4, 5], values: values),
        ], to: url)
      #expect(try Data(contentsOf: url) == Fixtures.data(suite, "plain.safetensors"))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: url.deletingLastPathComponent().path) == ["out.safetensors"]
      )
    }
  }

  @Test func leavesTheOldFileWhenWritingFails() throws {
    struct Stop: Error {}
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("out.safetensors")
      try SafetensorsWriter.write([TensorOutput(name: "a", shape: [1], values: [1])], to: url)
      let old = try Data(contentsOf: url)
      #expect(throws: Stop.self) {
        try SafetensorsWriter.write([TensorOutput(name: "a", shape: [1]) { throw Stop() }], to: url)
      }
      #expect(throws: CheckpointError.self) {
        try SafetensorsWriter.write([TensorOutput(name: "a", shape: [2], values: [1])], to: url)
      }
      #expect(try Data(contentsOf: url) == old)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)
    }
  }

  @Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8, nil as String?),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7, "the file ends"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9, "belong to no tensor"),
    (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "takes 12 bytes"),
    (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8, "not a whole number"),
    (#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8, "too many elements"),
    (#"{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}"#, 8, "type F8_E4M3"),
    (#"{"a":{"dtype":"Q4_0","shape":[32],"data_offsets":[0,18]}}"#, 18, "type Q4_0"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, "data_offsets"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "hole"),
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      8,
      "overlaps"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      8,
      "twice"
    ),
    (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, 8, "no dtype"),
    (#"{"a":7}"#, 8, "no dtype"),
    (#"{"__metadata__":{"x":1}}"#, 0, "where a text was expected"),
    ("{\"a\":oops}", 0, "not valid JSON"),
    ("[]", 0, "does not begin with '{'"),
    ("", 0, "does not begin with '{'"),
  ])
  func checksTheHeader(header: String, dataBytes: Int, message: String?) throws {
    var length = UInt64(header.utf8.count).littleEndian
    let bytes = withUnsafeBytes(of: &length) { Data($0) } + Data(header.utf8) + Data(count: dataBytes)
    try expect(bytes, message)
  }

  private func expect(_ bytes: Data, _ message: String?) throws {
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("x.safetensors")
      try bytes.write(to: url)
      do {
        _ = try SafetensorsFile(url.path)
        #expect(message == nil)
      } catch let error as CheckpointError {
        #expect(error.message.contains(try #require(message, "\(error)")), "\(error)")
      }
    }
  }

  @Test func checksTheLength() throws {
    try expect(Data(), "the file ends at byte 0")
    try expect(Data(repeating: 0xFF, count: 64), "over the limit")
    try expect(Data([100, 0, 0, 0, 0, 0, 0, 0]) + Data("{}".utf8), "inside the header")
  }

  @Test func survivesFlippedAndMissingBytes() throws {
    let whole = try Fixtures.data(suite, "plain.safetensors")
    var random = SplitMix(state: 2)
    var refused = 0
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("x.safetensors")
      for round in 0..<3000 {
        var bytes = round < whole.count ? Data(whole.prefix(round)) : whole
        if round >= whole.count { bytes[Int(random.next() % 432)] = UInt8(truncatingIfNeeded: random.next()) }
        try bytes.write(to: url)
        do {
          let file = try SafetensorsFile(url.path)
          for tensor in file.tensors where tensor.type.isReadable { _ = try file.floats(tensor.name, threads: 1) }
          #expect(round >= whole.count, "cut at \(round)")
        } catch is CheckpointError {
          refused += 1
        }
      }
    }
    #expect(refused > whole.count && refused < 3000)
  }

  @Test func joinsShards() throws {
    try Fixtures.withTemporaryFolder { folder in
      #expect(throws: CheckpointError.self) { _ = try SafetensorsFolder(folder.path) }
      func write(_ name: String, _ tensors: [TensorOutput]) throws {
        try SafetensorsWriter.write(tensors, to: folder.appendingPathComponent(name))
      }
      func index(_ map: String) throws {
        try Data("{\"weight_map\":{\(map)}}".utf8).write(
          to: folder.appendingPathComponent("model.safetensors.index.json"))
      }
      try write("model-1.safetensors", [TensorOutput(name: "a", shape: [2], values: [1, 2])])
      try write("model-2.safetensors", [TensorOutput(name: "b", shape: [1, 2], values: [3, 4])])
      try index(#""a":"model-1.safetensors","b":"model-2.safetensors""#)
      let model = try SafetensorsFolder(folder.path)
      #expect(try model.floats("a") == [1, 2] && model.floats("b") == [3, 4])
      #expect(model.info("b")?.file.hasSuffix("model-2.safetensors") == true)
      try index(#""a":"model-1.safetensors","b":"model-1.safetensors""#)
      #expect(throws: CheckpointError.self) { _ = try SafetensorsFolder(folder.path) }
      try index(#""a":"model-1.safetensors","b":"model-3.safetensors""#)
      #expect { try SafetensorsFolder(folder.path) } throws: {
        "\($0)".contains("index.json: lists the shard model-3.safetensors, which is missing; fetch the model again")
      }
      try index(#""a":"../model-1.safetensors""#)
      #expect(throws: CheckpointError.self) { _ = try SafetensorsFolder(folder.path) }
      try write("model-2.safetensors", [TensorOutput(name: "a", shape: [1], values: [3])])
      try index(#""a":"model-1.safetensors","a2":"model-2.safetensors""#)
      #expect(throws: CheckpointError.self) { _ = try SafetensorsFolder(folder.path) }
      try write("model.safetensors", [TensorOutput(name: "whole", shape: [1], values: [5])])
      #expect(try SafetensorsFolder(folder.path).floats("whole") == [5])
    }
  }
}
