import Formats
import Foundation
import Runs

/// What happens while a data set is fetched.
public enum DatasetPullEvent: Sendable, Equatable {
  /// So many files are missing in the cache, and are asked for.
  case fetching(files: Int, bytes: Int)
  /// Bytes of all the files that are there.
  case progress(done: Int, total: Int)
  case retrying(reason: String, seconds: Double)
  /// The Hub can't be reached; what the cache has of this commit is used.
  case offline(reason: String, commit: String)
}

/// The files of some splits of a data set, as one commit has them.
public struct HubSnapshot: Sendable, Equatable {
  public struct File: Sendable, Equatable {
    /// "hub:OWNER/NAME@COMMIT/PATH"
    public let name: String
    public let url: URL
  }

  public let commit: String
  /// By split, in the order they were asked for.
  public let splits: [[File]]
}

/// Data sets of the Hub in the user's cache.
///
/// `datasets/OWNER--NAME/COMMIT/files/PATH` is there only when its hash was right; `PATH.partial` grows until then. `COMMIT/index.json` lists the
/// commit's files, `refs/REVISION` holds the commit that a revision meant last: with them all is read again without a network.
public struct DatasetStore: Sendable {
  let folder: URL
  let access: HubAccess
  var patience = Patience()

  public init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    folder = try CacheFolder.url(environment).appendingPathComponent("datasets")
    access = HubAccess(environment: environment)
  }

  /// Fetches what is missing of the splits' files.
  ///
  /// - Parameter family: what a file's name says it is ("json", "parquet"); nil where it can't be read.
  /// - Parameter isCancelled: asked several times a second; true ends the work with an error whose `isCancelled` is set.
  public func pull(
    _ settings: HubSettings, splits: [String], family: (String) -> String?,
    isCancelled: @escaping @Sendable () -> Bool = { false }, progress: @escaping (DatasetPullEvent) -> Void
  ) throws -> HubSnapshot {
    let repository = HubRepository(
      path: settings.path, access: access, patience: patience, isCancelled: isCancelled)
    let place = folder.appendingPathComponent(settings.path.replacing("/", with: "--"))
    try CacheFolder.make(place)
    let lock = try FolderLock(place, subject: repository.subject)
    return try withExtendedLifetime(lock) {
      let pull = DatasetPull(repository: repository, place: place, progress: progress)
      do {
        let commit = try pull.commit(of: settings.revision)
        let files = try pull.files(of: commit)
        let readme = try files.first { $0.path == "README.md" }.map { try pull.text(of: $0, commit) }
        let layout = try DatasetLayout(
          files: files.map(\.path), readme: readme, subject: repository.subject, family: family)
        let paths = try layout.files(config: settings.name, splits: splits, subject: repository.subject)
        let wanted = Set(paths.joined())
        try pull.fetch(files.filter { wanted.contains($0.path) }, commit)
        return HubSnapshot(
          commit: commit,
          splits: paths.map { split in
            split.map { .init(name: "\(repository.subject)@\(commit)/\($0)", url: pull.url(of: $0, commit)) }
          })
      } catch is CancellationError {
        throw HubError.cancelled(repository.subject, again: "the same command")
      } catch let error as HubRepository.NotReached {
        throw HubError(
          repository.subject, "the Hub can't be reached (\(error.reason))",
          remedy: "check the network or HF_ENDPOINT; what was fetched once is read without it")
      }
    }
  }
}

/// One fetching of a data set into its folder of the cache.
struct DatasetPull {
  let repository: HubRepository
  let place: URL
  let progress: (DatasetPullEvent) -> Void

  func url(of path: String, _ commit: String) -> URL { place.appendingPathComponent("\(commit)/files/\(path)") }

  private func index(of commit: String) -> URL { place.appendingPathComponent("\(commit)/index.json") }

  // MARK: - What there is

  /// The commit of a revision: asked for, unless it is one that is here, or nobody answers and it was asked for before.
  func commit(of revision: String) throws -> String {
    if HubRepository.isCommit(revision), FileIdentity(index(of: revision).path) != nil { return revision }
    let reference = place.appendingPathComponent("refs/\(HubRepository.encoded(revision))")
    do {
      let commit = try repository.commit(of: revision)
      try keep(Data("\(commit)\n".utf8), at: reference)
      return commit
    } catch let error as HubRepository.NotReached {
      // A reference that can't be read is as good as none.
      let known = (try? String(contentsOf: reference, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
      guard let known, HubRepository.isCommit(known), FileIdentity(index(of: known).path) != nil else {
        throw error
      }
      progress(.offline(reason: error.reason, commit: known))
      return known
    }
  }

  func files(of commit: String) throws -> [RepositoryFile] {
    let index = index(of: commit)
    // A damaged list is asked for again.
    if let data = try? Data(contentsOf: index), let entries = (try? JSONValue(parsing: data, file: index.path))?.array {
      let files = entries.compactMap(RepositoryFile.init(tree:))
      if files.count == entries.count { return files }
    }
    let files = try repository.files(at: commit)
    try keep(Data((JSONValue.array(files.map(\.json)).text(pretty: true) + "\n").utf8), at: index)
    return files
  }

  /// A small text of the repository.
  func text(of file: RepositoryFile, _ commit: String) throws -> String {
    try fetch([file], commit, tells: false)
    let url = url(of: file.path, commit)
    do { return try String(contentsOf: url, encoding: .utf8) } catch {
      throw HubError(url.path, "can't be read (\(RunsError.reason(error)))", remedy: "remove it, it is fetched again")
    }
  }

  private func keep(_ data: Data, at url: URL) throws {
    try CacheFolder.make(url.deletingLastPathComponent())
    try AtomicFile.write(data, to: url)
  }

  // MARK: - Fetching

  func fetch(_ files: [RepositoryFile], _ commit: String, tells: Bool = true) throws {
    let total = files.reduce(0) { $0 + $1.bytes }
    var done = 0
    var missing: [RepositoryFile] = []
    for file in files {
      if try isThere(file, commit) { done += file.bytes } else { missing.append(file) }
    }
    guard !missing.isEmpty else { return }
    try repository.requireNetwork()
    if tells { progress(.fetching(files: missing.count, bytes: total - done)) }
    for file in missing {
      let target = url(of: file.path, commit)
      try CacheFolder.make(target.deletingLastPathComponent())
      let partial = try PartialFile(target.path + ".partial")
      if partial.count > file.bytes { try partial.truncate(to: 0) }
      try partial.requireRoom(for: total - done - partial.count)
      let before = done
      try download(file, commit, into: partial) { done in
        if tells { progress(.progress(done: before + done, total: total)) }
      }
      try accept(file, commit, partial)
      done += file.bytes
    }
  }

  private func download(
    _ file: RepositoryFile, _ commit: String, into partial: PartialFile, progress report: @escaping (Int) -> Void
  ) throws {
    let url = try repository.url(of: file.path, at: commit)
    let download = HTTPDownload(
      request: repository.access.request(url), limit: file.bytes, patience: repository.patience,
      isCancelled: repository.isCancelled)
    do {
      try download.complete(partial, progress: report) { progress(.retrying(reason: $0, seconds: $1)) }
    } catch let failure as SourceFailure {
      if let refusal = failure.refusal { throw repository.failure(refusal, revision: commit) }
      throw HubError(
        "\(repository.subject)/\(file.path)", "the Hub \(failure.reason)",
        remedy: "check the network and run the command again; it goes on where it was")
    }
  }

  /// Hashes what came and gives it its name, or deletes it.
  private func accept(_ file: RepositoryFile, _ commit: String, _ partial: PartialFile) throws {
    try partial.flush()
    let (found, wanted) = try Self.hashes(of: URL(fileURLWithPath: partial.path), file)
    guard found == wanted else {
      unlink(partial.path)
      throw HubError(
        "\(repository.subject)/\(file.path)",
        "what came has the hash \(found), where \(wanted) was expected; it was deleted",
        remedy: "run the command again; if that does not help, something between here and the Hub changes files")
    }
    let target = url(of: file.path, commit).path
    guard rename(partial.path, target) == 0 else { throw HubError.storage(target, code: errno) }
    remember(found, target, file, commit)
  }

  /// Whether a file with the right hash is there. What another program did to it is undone.
  private func isThere(_ file: RepositoryFile, _ commit: String) throws -> Bool {
    let target = url(of: file.path, commit)
    guard let identity = FileIdentity(target.path) else { return false }
    if identity.bytes == file.bytes {
      if case .sha256(let wanted) = file.hash, HashRecord(record(file, commit), for: identity)?.sha256 == wanted {
        return true
      }
      let (found, wanted) = try Self.hashes(of: target, file)
      if found == wanted {
        remember(found, target.path, file, commit)
        return true
      }
    }
    guard unlink(target.path) == 0 else { throw HubError.storage(target.path, code: errno) }
    return false
  }

  private static func hashes(of url: URL, _ file: RepositoryFile) throws -> (found: String, wanted: String) {
    switch file.hash {
    case .sha256(let wanted): (try SHA256.hex(ofFile: url), wanted)
    case .gitBlob(let wanted): (try GitBlob.hex(ofFile: url), wanted)
    }
  }

  private func record(_ file: RepositoryFile, _ commit: String) -> URL {
    place.appendingPathComponent("\(commit)/verified/\(file.path).json")
  }

  /// Keeps a large file's hash for the next time; losing it only costs the time to compute it again.
  private func remember(_ hash: String, _ path: String, _ file: RepositoryFile, _ commit: String) {
    guard case .sha256 = file.hash, let identity = FileIdentity(path) else { return }
    try? AtomicFile.write(HashRecord(sha256: hash, source: nil).json(for: identity), to: record(file, commit))
  }
}
