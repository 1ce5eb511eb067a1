import Formats
import Foundation
import Runs

/// A model that `--model` led to, with what a run's record keeps of it.
public struct ResolvedModel: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case gguf
    /// A Hugging Face folder: config.json, tokenizer.json and safetensors.
    case folder
  }

  public let kind: Kind
  public let path: String
  /// The catalogue's name, or the last part of the path.
  public let name: String
  /// Of the GGUF file; of a folder's only safetensors file, or over the lines "NAME SHA256\n" of several, sorted by name.
  public let sha256: String
  /// Of all files that were hashed.
  public let bytes: Int
  /// Where it came from: a source of the catalogue, or nil for a file of the user's own.
  public let source: String?
  /// nil where unknown.
  public let licence: String?
}

extension ModelStore {
  /// What a `--model` argument means: a name of the catalogue, a .gguf file or a model folder.
  ///
  /// A name is looked up first; a path of the same spelling is reached as "./NAME". Hashes are computed once a file.
  public func resolve(_ argument: String, progress: (PullEvent) -> Void = { _ in }) throws -> ResolvedModel {
    if let model = catalog[argument] { return try resolve(model, progress: progress) }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: argument, isDirectory: &isFolder) else {
      if argument.contains("/") || argument.hasSuffix(".gguf") {
        throw HubError(
          argument, "there is no such file or folder",
          remedy: "check the path, or give a name that `lorapress model list` shows")
      }
      _ = try catalog.require(argument)
      throw HubError(argument, "there is no such model", remedy: "`lorapress model list` shows the names")
    }
    return isFolder.boolValue
      ? try resolve(folder: argument, progress: progress) : try resolve(file: argument, progress: progress)
  }

  private func resolve(_ model: CatalogModel, progress: (PullEvent) -> Void) throws -> ResolvedModel {
    let path = file(of: model).path
    guard let identity = FileIdentity(path) else { throw missing(model) }
    var record = HashRecord(recordFile(of: model), for: identity)
    if record?.sha256 != model.sha256 {
      try verify(model.name, progress: progress)
      record = HashRecord(recordFile(of: model), for: identity)
    }
    return ResolvedModel(
      kind: .gguf, path: path, name: model.name, sha256: model.sha256, bytes: model.bytes, source: record?.source,
      licence: model.licence)
  }

  private func resolve(file path: String, progress: (PullEvent) -> Void) throws -> ResolvedModel {
    let (hash, bytes) = try hash(path, progress: progress)
    let known = catalog.models.first { $0.sha256 == hash }
    return ResolvedModel(
      kind: .gguf, path: path, name: known?.name ?? URL(fileURLWithPath: path).lastPathComponent, sha256: hash,
      bytes: bytes, source: nil, licence: known?.licence)
  }

  private func resolve(folder path: String, progress: (PullEvent) -> Void) throws -> ResolvedModel {
    func failure(_ message: String) -> HubError {
      HubError(
        path, message, remedy: "give the folder of a Hugging Face model with safetensors weights, or a .gguf file")
    }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
      throw failure("can't be read (\(RunsError.reason(error)))")
    }
    let single = names.filter { $0 == "model.safetensors" }
    let weights = (single.isEmpty ? names.filter { $0.hasPrefix("model-") && $0.hasSuffix(".safetensors") } : single)
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard names.contains("config.json"), !weights.isEmpty else {
      throw failure(
        "is no model folder (it lacks \(names.contains("config.json") ? "model.safetensors" : "config.json"))")
    }
    var hashes: [(name: String, hash: String)] = []
    var total = 0
    for name in weights {
      let (hash, bytes) = try hash(path + "/" + name, progress: progress)
      hashes.append((name, hash))
      total += bytes
    }
    let whole = hashes.count == 1 ? hashes[0].hash : SHA256.hex(of: hashes.map { "\($0.name) \($0.hash)\n" }.joined())
    return ResolvedModel(
      kind: .folder, path: path, name: URL(fileURLWithPath: path).lastPathComponent, sha256: whole, bytes: total,
      source: nil,
      licence: nil)
  }

  /// The hash of a user's file, remembered in the cache (never beside the file).
  private func hash(_ path: String, progress: (PullEvent) -> Void) throws -> (hash: String, bytes: Int) {
    let url = URL(fileURLWithPath: path)
    guard let identity = FileIdentity(path) else {
      throw HubError(
        path, "is not a file", remedy: "give a .gguf file, a model folder or a name that `lorapress model list` shows")
    }
    let record = folder.appendingPathComponent("hashes/\(SHA256.hex(of: url.standardizedFileURL.path)).json")
    if let known = HashRecord(record, for: identity) { return (known.sha256, identity.bytes) }
    let hash = try SHA256.hex(ofFile: url) { progress(.hashing(done: $0, total: identity.bytes)) }
    remember(HashRecord(sha256: hash, source: nil), for: identity, at: record)
    return (hash, identity.bytes)
  }
}
