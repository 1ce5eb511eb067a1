import Formats
import Foundation
import Runs

/// The user's models: a folder for each name of the catalogue, with its file and what is known of it.
///
/// `models/NAME/FILE.gguf` is there only when its hash was right; `FILE.gguf.partial` grows until then.
public struct ModelStore: Sendable {
  public let catalog: ModelCatalog
  /// `$LORAPRESS_CACHE`, else `$XDG_CACHE_HOME/lorapress`, else `~/.cache/lorapress`.
  public let folder: URL
  let environment: [String: String]
  var patience = Patience()
  var access: HubAccess { HubAccess(environment: environment) }

  public init(catalog: ModelCatalog, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    self.catalog = catalog
    self.environment = environment
    folder = try CacheFolder.url(environment)
  }

  /// Where a model's file is or will be.
  public func file(of model: CatalogModel) -> URL {
    folder.appendingPathComponent("models/\(model.name)/\(model.file)")
  }

  func partialFile(of model: CatalogModel) -> URL { file(of: model).appendingPathExtension("partial") }
  func partsFile(of model: CatalogModel) -> URL { file(of: model).appendingPathExtension("parts.json") }
  func recordFile(of model: CatalogModel) -> URL { file(of: model).appendingPathExtension("verified.json") }

  // MARK: What is there

  /// A model of the catalogue and how much of it is in the cache.
  public struct Status: Sendable, Equatable {
    public enum State: Sendable, Equatable {
      case absent
      /// Begun; so many bytes are there.
      case partial(Int)
      /// There; its hash was right when it was last computed, and the file did not change since.
      case verified
      /// There, but changed since its hash was computed, or never hashed.
      case unverified
    }

    public let model: CatalogModel
    public let path: String
    public let state: State
    /// The source it came from, where known.
    public let source: String?
  }

  public func status(_ name: String) throws -> Status { status(try catalog.require(name)) }

  public func list() -> [Status] { catalog.models.map(status) }

  private func status(_ model: CatalogModel) -> Status {
    let path = file(of: model).path
    guard let identity = FileIdentity(path) else {
      let bytes = FileIdentity(partialFile(of: model).path)?.bytes
      return Status(model: model, path: path, state: bytes.map { .partial($0) } ?? .absent, source: nil)
    }
    let record = HashRecord(recordFile(of: model), for: identity)
    return Status(
      model: model, path: path, state: record?.sha256 == model.sha256 ? .verified : .unverified, source: record?.source)
  }

  // MARK: Hashing

  /// Hashes the file anew and says what it found: an error when it is absent or not what the catalogue says.
  @discardableResult
  public func verify(_ name: String, progress: (PullEvent) -> Void = { _ in }) throws -> String {
    let model = try catalog.require(name)
    let path = file(of: model).path
    guard let identity = FileIdentity(path) else { throw missing(model) }
    let source = HashRecord(recordFile(of: model), for: identity)?.source
    let hash = try SHA256.hex(ofFile: URL(fileURLWithPath: path)) {
      progress(.hashing(done: $0, total: identity.bytes))
    }
    guard hash == model.sha256 else { throw wrongHash(path, model, found: hash) }
    remember(HashRecord(sha256: hash, source: source), for: identity, at: recordFile(of: model))
    return hash
  }

  /// Keeps a hash for the next time; a cache that can't be written only costs the time to compute it again.
  func remember(_ record: HashRecord, for identity: FileIdentity, at url: URL) {
    try? AtomicFile.write(record.json(for: identity), to: url)
  }

  func missing(_ model: CatalogModel) -> HubError {
    HubError(
      model.name, "is not in the cache (\(folder.path))", remedy: "fetch it with `lorapress model pull \(model.name)`")
  }

  func wrongHash(_ path: String, _ model: CatalogModel, found: String) -> HubError {
    HubError(
      path, "has sha256 \(found), where \(model.sha256) was expected",
      remedy: "`lorapress model pull \(model.name)` fetches it again")
  }
}
