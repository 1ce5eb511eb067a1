import Formats
import Foundation
import TestSupport
import Testing

@testable import Checkpoints

private let suite = "Checkpoints"

private func expectedTensors() throws -> [JSONValue] {
  let json = try JSONValue(parsing: Fixtures.data(suite, "types.json"), file: "types.json")
  return try #require(json["tensors"]?.array)
}

@Suite struct GGUFTests {
  let model: GGUFFile

  init() throws { model = try GGUFFile(Fixtures.url(suite, "types.gguf").path) }

  @Test func listsTensorsOutermostFirst() throws {
    let expected = try expectedTensors()
    #expect(model.tensors.count == expected.count)
    for (tensor, wanted) in zip(model.tensors, expected) {
      #expect(tensor.name == wanted["name"]?.string)
      #expect(tensor.type.rawValue == wanted["type"]?.string)
      #expect(tensor.shape == wanted["shape"]?.array?.compactMap(\.integer))
      #expect(tensor.offset.isMultiple(of: 64))
    }
    #expect(Set(model.tensors.map(\.type)) == Set(TensorType.allCases.filter(\.isReadable)))
  }

  /// The oracle is the gguf Python package; scales are extreme in the first blocks, and bits are compared, not values.
  @Test(arguments: [1, 2, 3]) func dequantisesBitForBit(threads: Int) throws {
    let oracle = try Fixtures.data(suite, "types.f32").withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
    var at = 0
    for tensor in model.tensors {
      let bits = try model.floats(tensor.name, threads: threads).map(\.bitPattern)
      #expect(bits == Array(oracle[at..<at + tensor.count]), "\(tensor.name)")
      at += tensor.count
    }
    #expect(at == oracle.count)
  }

  /// The blocks of every quantised type come apart; what they make is tested in ModelsTests.
  @Test func blocksOfQuantisedTypes() throws {
    for tensor in model.tensors {
      let blocks = try model.blocks(tensor.name)
      #expect((blocks != nil) == (tensor.type.blockSize > 1), "\(tensor.name)")
      guard let parts = blocks?.parts(Array(0..<tensor.rows)) else { continue }
      #expect(parts.codes.count == tensor.count && parts.factors.count == tensor.count / tensor.type.blockSize)
    }
    #expect(throws: CheckpointError.self) { try model.blocks("test.none.weight") }
  }

  @Test func readsRowsAsOfAMatrix() throws {
    let name = "test.f16.weight"
    let info = try #require(model.info(name))
    #expect(info.shape == [2, 3, 20] && info.rows == 6 && info.columns == 20)
    let all = try model.floats(name)
    var some = [Float](repeating: .nan, count: 3 * 20)
    try some.withUnsafeMutableBufferPointer { try model.read(name, rows: 2..<5, into: $0) }
    #expect(some == Array(all[40..<100]))
    let vector = try #require(model.info("test.bf16.weight"))
    #expect(vector.rows == 1 && vector.columns == 300)
    #expect(throws: CheckpointError.self) {
      try some.withUnsafeMutableBufferPointer { try model.read(name, rows: 4..<7, into: $0) }
    }
    #expect(throws: CheckpointError.self) {
      try some.withUnsafeMutableBufferPointer { try model.read(name, rows: 0..<2, into: $0) }
    }
    #expect(throws: CheckpointError.self) { try model.floats("no.such.tensor") }
  }

  @Test func releasedPagesAreReadAgain() throws {
    let first = try model.floats("test.q6_k.weight")
    model.release("test.q6_k.weight")
    #expect(try model.floats("test.q6_k.weight") == first)
  }

  @Test func readsEveryKindOfMetadata() throws {
    let data = model.metadata
    #expect(data["general.architecture"] == .string("qwen2"))
    #expect(data["test.uint8"] == .uint8(255))
    #expect(data["test.int8"] == .int8(-128))
    #expect(data["test.uint16"] == .uint16(65535))
    #expect(data["test.int16"] == .int16(-32768))
    #expect(data["test.uint32"] == .uint32(.max))
    #expect(data["test.int32"] == .int32(.min))
    #expect(data["test.uint64"] == .uint64(.max))
    #expect(data["test.uint64"]?.integer == nil)
    #expect(data["test.int64"]?.integer == .min)
    #expect(data["test.float32"] == .float32(1e-6))
    #expect(data["test.float64"]?.double == 0.1)
    #expect(data["test.bool"]?.bool == true)
    #expect(data["test.string"]?.string == "대한민국\n한글 😀")
    let strings = try #require(data["test.strings"]?.strings)
    #expect(strings.map { Array($0.utf8) } == ["가", "", "\u{1100}\u{1161}", "Ġthe"].map { Array($0.utf8) })
    #expect(data["test.integers"]?.integers == [1, -2, 3])
    #expect(data["test.bytes"]?.array?.elementType == .uint8)
    #expect(data["test.bytes"]?.integers == [1, 2, 255])
    #expect(data["test.bytes"]?.array?[2] == .uint8(255))
    #expect(data["test.bytes"]?.array?[3] == nil)
    #expect(data["test.floats"]?.doubles == [0.5, -0.25])
    #expect(data["test.bools"]?.array?.bools == [true, false])
    #expect(data["test.nested"]?.array?.arrays?.map(\.integers) == [[1, 2], [3]])
    #expect(model.metadataKeys.count == data.count && model.metadataKeys.contains("test.nested"))
  }
}

// MARK: - Hostile files

/// Writes GGUF headers, right or wrong.
private struct GGUFBuilder {
  var bytes = Data("GGUF".utf8)

  init(version: UInt32 = 3, tensors: UInt64 = 0, entries: UInt64 = 0) {
    add(version)
    add(tensors)
    add(entries)
  }

  mutating func add<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func add(_ text: String) {
    add(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func entry(_ key: String, _ value: UInt32) {
    add(key)
    add(GGUFValueType.uint32.rawValue)
    add(value)
  }

  mutating func tensor(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
    add(name)
    add(UInt32(dimensions.count))
    for size in dimensions { add(size) }
    add(type)
    add(offset)
  }

  mutating func data(_ count: Int) {
    bytes.append(Data(count: (32 - bytes.count % 32) % 32 + count))
  }

  /// The message that opening gives, nil if the file opens.
  func complaint() throws -> String? {
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("x.gguf")
      try bytes.write(to: url)
      do {
        _ = try GGUFFile(url.path)
        return nil
      } catch let error as CheckpointError {
        #expect(error.description.hasPrefix(url.path + ": ") && !error.description.contains("\n"))
        return error.message
      }
    }
  }
}

@Suite struct HostileGGUFTests {
  @Test func takesASmallRightFile() throws {
    var file = GGUFBuilder(tensors: 2, entries: 1)
    file.entry("a", 1)
    file.tensor("one", [4, 2])
    file.tensor("two", [32], type: 8, offset: 32)
    file.data(66)
    #expect(try file.complaint() == nil)
    file.bytes.removeLast()
    #expect(try file.complaint()?.contains("tensor 'two'") == true)
  }

  @Test func refusesOtherVersionsAndFormats() throws {
    #expect(try GGUFBuilder(version: 2).complaint() == "is GGUF version 2; only version 3 is supported (at byte 4)")
    #expect(try GGUFBuilder(version: UInt32(3).byteSwapped).complaint()?.contains("big-endian") == true)
    var zip = GGUFBuilder()
    zip.bytes.replaceSubrange(0..<4, with: Data("PK\u{3}\u{4}".utf8))
    #expect(try zip.complaint() == "is no GGUF file (it does not begin with \"GGUF\")")
    var empty = GGUFBuilder()
    empty.bytes = Data()
    #expect(try empty.complaint()?.contains("ends at byte 0") == true)
  }

  @Test func refusesCountsBeyondTheFile() throws {
    #expect(
      try GGUFBuilder(tensors: .max).complaint()?.contains("the number of tensors is 18446744073709551615") == true)
    #expect(try GGUFBuilder(entries: 1 << 40).complaint()?.contains("the number of metadata entries") == true)
    var key = GGUFBuilder(entries: 1)
    key.add(UInt64.max)
    key.bytes.append(Data(count: 64))
    #expect(try key.complaint()?.contains("(at byte 24)") == true)
    var list = GGUFBuilder(entries: 1)
    list.add("k")
    list.add(GGUFValueType.array.rawValue)
    list.add(GGUFValueType.uint64.rawValue)
    list.add(UInt64(1) << 61)
    list.bytes.append(Data(count: 64))
    #expect(try list.complaint()?.contains("the number of elements of 'k'") == true)
  }

  @Test func refusesDeepNesting() throws {
    var file = GGUFBuilder(entries: 1)
    file.add("k")
    file.add(GGUFValueType.array.rawValue)
    for _ in 0..<1000 {
      file.add(GGUFValueType.array.rawValue)
      file.add(UInt64(1))
    }
    #expect(try file.complaint()?.contains("nested more than 8 levels") == true)
  }

  @Test func refusesBadMetadata() throws {
    var twice = GGUFBuilder(entries: 2)
    twice.entry("k", 1)
    twice.entry("k", 1)
    #expect(try twice.complaint()?.hasPrefix("the metadata key 'k' stands there twice (at byte 41)") == true)
    var type = GGUFBuilder(entries: 1)
    type.add("k")
    type.add(UInt32(13))
    type.add(UInt64(0))
    #expect(try type.complaint() == "the type of 'k' is 13, which is no GGUF value type (at byte 33)")
    var alignment = GGUFBuilder(entries: 1)
    alignment.entry("general.alignment", 0)
    #expect(try alignment.complaint()?.contains("power of two") == true)
    var text = GGUFBuilder(entries: 1)
    text.add("k")
    text.add(GGUFValueType.string.rawValue)
    text.add(UInt64(2))
    text.bytes.append(contentsOf: [0xC0, 0xAF])
    #expect(try text.complaint()?.contains("the text of 'k' is not valid UTF-8") == true)
  }

  static let badTensors: [(dimensions: [UInt64], type: UInt32, offset: UInt64, message: String)] = [
    ([], 0, 0, "has 0 dimensions"),
    ([1, 1, 1, 1, 1], 0, 0, "has 5 dimensions"),
    ([0], 0, 0, "is 0"),
    ([1 << 40, 1 << 40], 0, 0, "too many elements"),
    ([.max], 0, 0, "a dimension of tensor 't'"),
    ([33], 8, 0, "no multiple of the 32"),
    ([128], 12, 0, "no multiple of the 256"),
    ([4], 0, 8, "no multiple of the alignment 32"),
    ([4], 0, 1 << 62, "the file ends"),
    ([4], 0, .max - 31, "far outside the file"),
    ([1 << 50], 0, 0, "the file ends"),
    ([256], 10, 0, "tensor 't' is of type Q2_K, which is not supported"),
    ([32], 4, 0, "tensor 't' is of the unknown type 4"),
    ([32], 999, 0, "tensor 't' is of the unknown type 999"),
  ]

  @Test(arguments: badTensors)
  func refusesBadTensors(dimensions: [UInt64], type: UInt32, offset: UInt64, message: String) throws {
    var file = GGUFBuilder(tensors: 1)
    file.tensor("t", dimensions, type: type, offset: offset)
    file.data(256)
    let complaint = try #require(try file.complaint())
    #expect(complaint.contains(message), "\(complaint)")
  }

  @Test func refusesTwinsAndOverlap() throws {
    var twins = GGUFBuilder(tensors: 2)
    twins.tensor("t", [8])
    twins.tensor("t", [8], offset: 32)
    twins.data(64)
    #expect(try twins.complaint()?.contains("tensor 't' stands there twice") == true)
    var overlap = GGUFBuilder(tensors: 2)
    overlap.tensor("t", [16])
    overlap.tensor("u", [8], offset: 32)
    overlap.data(64)
    #expect(try overlap.complaint()?.contains("'t' and 'u' overlap") == true)
  }

  @Test func namesMissingFilesAndFolders() throws {
    #expect(throws: CheckpointError.self) { _ = try GGUFFile("/no/such/model.gguf") }
    try Fixtures.withTemporaryFolder { folder in
      _ = #expect(throws: CheckpointError.self) { _ = try GGUFFile(folder.path) }
    }
  }

  /// A file cut off anywhere is refused; the header's own bytes are cut at every length.
  @Test func refusesEveryTruncation() throws {
    let whole = try Fixtures.data(suite, "types.gguf")
    let header = try #require(try GGUFFile(Fixtures.url(suite, "types.gguf").path).tensors.map(\.offset).min())
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("x.gguf")
      for length in Array(0..<header) + Array(stride(from: header, to: whole.count - 64, by: 61)) {
        try Data(whole.prefix(length)).write(to: url)
        _ = #expect(throws: CheckpointError.self, "cut at \(length)") { _ = try GGUFFile(url.path) }
      }
    }
  }

  /// Flipped bytes give an error or a file whose tensors can all be read: never a crash.
  @Test func survivesFlippedBytes() throws {
    let whole = try Fixtures.data(suite, "types.gguf")
    let header = try #require(try GGUFFile(Fixtures.url(suite, "types.gguf").path).tensors.map(\.offset).min())
    var random = SplitMix(state: 1)
    var refused = 0
    try Fixtures.withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("x.gguf")
      for _ in 0..<4000 {
        var bytes = whole
        for _ in 0..<Int(1 + random.next() % 3) {
          bytes[Int(random.next() % UInt64(header))] = UInt8(truncatingIfNeeded: random.next())
        }
        try bytes.write(to: path)
        do {
          let file = try GGUFFile(path.path)
          for tensor in file.tensors where tensor.type.isReadable { _ = try file.floats(tensor.name, threads: 1) }
        } catch is CheckpointError {
          refused += 1
        }
      }
    }
    #expect(refused > 500 && refused < 4000)
  }
}

/// A small seeded generator (Steele et al., "Fast splittable pseudorandom number generators", 2014).
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
