import Formats
import Foundation

/// The weights of a Hugging Face folder: `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
public final class SafetensorsFolder: TensorSource {
  public let file: String
  public let tensors: [TensorInfo]
  /// The files, in the order of their names.
  public let files: [String]

  private let shards: [SafetensorsFile]
  private let places: [String: (shard: Int, info: TensorInfo)]

  public init(_ folder: String) throws {
    file = folder
    let base = URL(fileURLWithPath: folder)
    let index = base.appendingPathComponent("model.safetensors.index.json")
    let single = base.appendingPathComponent("model.safetensors")
    if FileManager.default.fileExists(atPath: single.path) {
      shards = [try SafetensorsFile(single.path)]
    } else if FileManager.default.fileExists(atPath: index.path) {
      shards = try Self.openShards(index, in: base)
    } else {
      throw CheckpointError(
        file: folder, "holds neither model.safetensors nor model.safetensors.index.json",
        remedy: "give the folder of a Hugging Face model with safetensors weights, or a .gguf file")
    }
    files = shards.map(\.file)
    var places: [String: (Int, TensorInfo)] = [:]
    for (number, shard) in shards.enumerated() {
      for info in shard.tensors where places.updateValue((number, info), forKey: info.name) != nil {
        throw CheckpointError(
          file: shard.file, "tensor '\(shown(info.name))' stands in another shard too", remedy: "fetch the model again")
      }
    }
    self.places = places
    tensors = shards.flatMap(\.tensors)
  }

  private static func openShards(_ index: URL, in base: URL) throws -> [SafetensorsFile] {
    func failure(_ message: String) -> CheckpointError {
      CheckpointError(file: index.path, message, remedy: "fetch the model again")
    }
    let data: Data
    do { data = try Data(contentsOf: index) } catch { throw CheckpointError.unreadable(index.path, code: EACCES) }
    guard let map = try JSONValue(parsing: data, file: index.path)["weight_map"]?.object else {
      throw failure("has no 'weight_map'")
    }
    var wanted: [(tensor: String, file: String)] = []
    for entry in map.entries {
      guard let name = entry.value.string, !name.contains("/"), name.hasSuffix(".safetensors") else {
        throw failure("the shard of tensor '\(shown(entry.key))' is no name of a .safetensors file in this folder")
      }
      wanted.append((entry.key, name))
    }
    let names = Set(wanted.map(\.file)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var shards: [String: SafetensorsFile] = [:]
    for name in names {
      let path = base.appendingPathComponent(name).path
      guard FileManager.default.fileExists(atPath: path) else {
        throw failure("lists the shard \(shown(name)), which is missing")
      }
      shards[name] = try SafetensorsFile(path)
    }
    for (tensor, name) in wanted where shards[name]?.info(tensor) == nil {
      throw failure("lists tensor '\(shown(tensor))' in \(name), which does not hold it")
    }
    return names.compactMap { shards[$0] }
  }

  public func info(_ name: String) -> TensorInfo? { places[name]?.info }

  public func read(_ name: String, rows: Range<Int>, into out: UnsafeMutableBufferPointer<Float>) throws {
    _ = try require(name)
    guard let place = places[name] else { return }
    try shards[place.shard].read(name, rows: rows, into: out)
  }

  /// The bytes of a tensor of any type, as they lie in their file.
  public func bytes(_ name: String) throws -> [UInt8] {
    _ = try require(name)
    guard let place = places[name] else { return [] }
    defer { shards[place.shard].release(name) }
    return try shards[place.shard].bytes(name)
  }

  public func release(_ name: String) {
    guard let place = places[name] else { return }
    shards[place.shard].release(name)
  }
}
