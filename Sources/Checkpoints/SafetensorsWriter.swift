import CQuants
import Formats
import Foundation

/// A tensor to be written; its values are asked for when its turn comes, so that one at a time is in memory.
public struct TensorOutput {
  public let name: String
  /// Outermost first.
  public let shape: [Int]
  /// ``TensorType/f32``, ``TensorType/f16`` or ``TensorType/bf16``; in a GGUF file ``TensorType/q8_0`` and ``TensorType/q4_0`` too.
  public let type: TensorType
  /// The numbers, row-major.
  public let values: () throws -> [Float]

  /// `values` gives the product of `shape` many numbers, row-major.
  public init(name: String, shape: [Int], type: TensorType = .f32, values: @escaping () throws -> [Float]) {
    self.name = name
    self.shape = shape
    self.type = type
    self.values = values
  }

  public init(name: String, shape: [Int], type: TensorType = .f32, values: [Float]) {
    self.init(name: name, shape: shape, type: type) { values }
  }

  /// The bytes its numbers take in a file.
  public var byteCount: Int { shape.reduce(1, *) / type.blockSize * type.blockBytes }

  /// Writes its numbers, rounded to its type; `file` is where they go.
  func write(to output: AtomicOutput, file: String) throws {
    let values = try values()
    guard values.count == shape.reduce(1, *) else {
      throw Self.fault(file, "tensor '\(shown(name))' of shape \(shape) came with \(values.count) values")
    }
    if type == .f32 { return try values.withUnsafeBytes { try output.write($0) } }
    let convert: (UnsafePointer<Float>?, UnsafeMutablePointer<UInt8>?, Int) -> Void
    switch type {
    case .f16: convert = { cq_f32_to_f16($0, $1, $2) }
    case .bf16: convert = { cq_f32_to_bf16($0, $1, $2) }
    case .q8_0: convert = { cq_to_q8_0($0, $1, $2) }
    case .q4_0: convert = { cq_to_q4_0($0, $1, $2) }
    default: throw Self.fault(file, "tensor '\(shown(name))' was to be written as \(type.rawValue)")
    }
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { room, count in
      values.withUnsafeBufferPointer { convert($0.baseAddress, room.baseAddress, values.count / type.blockSize) }
      count = byteCount
    }
    try bytes.withUnsafeBytes { try output.write($0) }
  }

  static func fault(_ file: String, _ message: String) -> CheckpointError {
    CheckpointError(file: file, message, remedy: "this is a fault of the program; please report it")
  }
}

/// Writes safetensors files, the same bytes for the same tensors as the safetensors Python package.
public enum SafetensorsWriter {
  /// Writes all tensors and renames the file into place; on an error no file or the old one is there.
  ///
  /// The order is that of the Rust library: F32, BF16, F16, within each by the names' UTF-8 bytes. The header is padded
  /// with spaces to a multiple of 8. Metadata keys are sorted.
  public static func write(
    _ tensors: [TensorOutput], metadata: [String: String] = ["format": "pt"], to url: URL
  ) throws {
    func failure(_ message: String) -> CheckpointError { TensorOutput.fault(url.path, message) }
    let sorted = tensors.sorted { one, two in
      let (first, second) = (rank(one.type), rank(two.type))
      return first != second ? first < second : one.name.utf8.lexicographicallyPrecedes(two.name.utf8)
    }
    for (one, next) in zip(sorted, sorted.dropFirst()) where one.name.utf8.elementsEqual(next.name.utf8) {
      throw failure("tensor '\(shown(one.name))' was to be written twice")
    }
    for tensor in sorted where rank(tensor.type) == 3 {
      throw failure("tensor '\(shown(tensor.name))' was to be written as \(tensor.type.rawValue)")
    }
    let output = try AtomicOutput(url)
    try output.write(header(sorted, metadata: metadata))
    for tensor in sorted { try tensor.write(to: output, file: url.path) }
    try output.finish()
  }

  private static func rank(_ type: TensorType) -> Int {
    switch type {
    case .f32: 0
    case .bf16: 1
    case .f16: 2
    default: 3
    }
  }

  private static func header(_ sorted: [TensorOutput], metadata: [String: String]) -> Data {
    var object = JSONObject()
    if !metadata.isEmpty {
      let keys = metadata.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      object.entries.append(
        .init(
          key: "__metadata__",
          value: .object(JSONObject(keys.map { .init(key: $0, value: .string(metadata[$0] ?? "")) }))))
    }
    var offset = 0
    for tensor in sorted {
      let end = offset + tensor.byteCount
      object.entries.append(
        .init(
          key: tensor.name,
          value: [
            "dtype": .string(tensor.type.rawValue), "shape": .array(tensor.shape.map { JSONValue($0) }),
            "data_offsets": [JSONValue(offset), JSONValue(end)],
          ]))
      offset = end
    }
    var json = Data(JSONValue.object(object).text().utf8)
    json.append(Data(repeating: 0x20, count: (8 - json.count % 8) % 8))
    var length = UInt64(json.count).littleEndian
    return withUnsafeBytes(of: &length) { Data($0) } + json
  }

  /// Writes a folder's weights as Hugging Face has them: `model.safetensors`, or where that would be larger than `shardBytes`
  /// `model-00001-of-0000N.safetensors` … with `model.safetensors.index.json`. Tensors stay in their order; none is cut.
  public static func writeShards(_ tensors: [TensorOutput], shardBytes: Int, to folder: URL) throws {
    var shards: [[TensorOutput]] = []
    var filled = 0
    for tensor in tensors {
      if shards.isEmpty || filled + tensor.byteCount > shardBytes {
        shards.append([])
        filled = 0
      }
      shards[shards.count - 1].append(tensor)
      filled += tensor.byteCount
    }
    func number(_ value: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
    guard shards.count > 1 else {
      return try write(tensors, to: folder.appendingPathComponent("model.safetensors"))
    }
    var places: [JSONObject.Entry] = []
    for (index, shard) in shards.enumerated() {
      let name = "model-\(number(index + 1))-of-\(number(shards.count)).safetensors"
      try write(shard, to: folder.appendingPathComponent(name))
      places += shard.map { .init(key: $0.name, value: .string(name)) }
    }
    let total = tensors.reduce(0) { $0 + $1.byteCount }
    let index: JSONValue = ["metadata": ["total_size": JSONValue(total)], "weight_map": .object(JSONObject(places))]
    let output = try AtomicOutput(folder.appendingPathComponent("model.safetensors.index.json"))
    try output.write(Data((index.text(pretty: true) + "\n").utf8))
    try output.finish()
  }
}
