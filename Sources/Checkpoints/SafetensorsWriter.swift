import CQuants
import Formats
import Foundation

/// A tensor to be written; its values are asked for when its turn comes, so that one at a time is in memory.
public struct TensorOutput {
  public let name: String
  /// Outermost first.
  public let shape: [Int]
  /// ``TensorType/f32``, ``TensorType/f16`` or ``TensorType/bf16``.
  public let type: TensorType
  let values: () throws -> [Float]

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
    func failure(_ message: String) -> CheckpointError {
      CheckpointError(file: url.path, message, remedy: "this is a fault of the program; please report it")
    }
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
    for tensor in sorted {
      let values = try tensor.values()
      guard values.count == tensor.shape.reduce(1, *) else {
        throw failure("tensor '\(shown(tensor.name))' of shape \(tensor.shape) came with \(values.count) values")
      }
      try write(values, as: tensor.type, to: output)
    }
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
      let end = offset + tensor.shape.reduce(1, *) * tensor.type.blockBytes
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

  private static func write(_ values: [Float], as type: TensorType, to output: AtomicOutput) throws {
    if type == .f32 { return try values.withUnsafeBytes { try output.write($0) } }
    let convert = type == .f16 ? cq_f32_to_f16 : cq_f32_to_bf16
    let halves = [UInt8](unsafeUninitializedCapacity: values.count * 2) { room, count in
      values.withUnsafeBufferPointer { convert($0.baseAddress, room.baseAddress, values.count) }
      count = values.count * 2
    }
    try halves.withUnsafeBytes { try output.write($0) }
  }
}
