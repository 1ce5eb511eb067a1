import Formats
import Foundation
import Runs

/// What happens while files are pushed; a command turns it into words and a progress bar.
public enum PushEvent: Sendable, Equatable {
  case signedIn(account: String)
  case created(isPrivate: Bool)
  /// What differs from the repository, and is sent.
  case sending(files: Int, bytes: Int, unchanged: Int)
  /// Bytes of the large files that are in the storage.
  case progress(done: Int, total: Int)
  case retrying(reason: String, seconds: Double)
  /// The repository's .gitignore leaves the file out.
  case ignored(path: String)
}

/// Where files are pushed, and how.
public struct PushTarget: Sendable {
  /// "USER/NAME"
  public var path: String
  public var kind: RepositoryKind
  public var revision = "main"
  /// Of a repository that is made; one that is there keeps its own.
  public var isPrivate = true
  public var message: String
  /// Write to a repository that LoraPress did not make.
  public var overwrites = false

  /// Nil where `path` is no OWNER/NAME as the Hub allows it.
  public init?(path: String, kind: RepositoryKind, message: String) {
    guard path.contains("/"), HubSettings.isPath(path) else { return nil }
    self.path = path
    self.kind = kind
    self.message = message
  }
}

/// The state of the repository after a push.
public struct PushOutcome: Sendable, Equatable {
  /// The address for a browser.
  public let page: String
  public let commit: String
  public let isPrivate: Bool
  /// The files that this push changed; none where all was there already.
  public let changed: [String]
}

/// Puts files into a repository of the Hub, in one commit: private unless told otherwise, only what is not there yet.
///
/// The protocol is the one of huggingface.co/.well-known/openapi.json: `repos/create`, `tree`, `preupload`, the LFS batch and `commit`.
/// Whenever it is cut off, the same call goes on: what the storage has is not sent again, and what is committed not committed again.
public struct HubPush: Sendable {
  let access: HubAccess
  let journals: URL
  var patience = Patience()

  public init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    access = HubAccess(environment: environment)
    journals = try CacheFolder.url(environment).appendingPathComponent("uploads")
  }

  /// - Parameter isCancelled: asked several times a second; true ends the work with an error whose `isCancelled` is set.
  public func push(
    _ files: [PushFile], to target: PushTarget, isCancelled: @escaping @Sendable () -> Bool = { false },
    progress: @escaping (PushEvent) -> Void
  ) throws -> PushOutcome {
    let repository = HubRepository(
      path: target.path, kind: target.kind, access: access, patience: patience, isCancelled: isCancelled,
      retrying: { progress(.retrying(reason: $0, seconds: $1)) })
    if access.isOffline {
      throw HubError(repository.subject, "HF_HUB_OFFLINE is set", remedy: "unset it to push")
    }
    var session = PushSession(repository: repository)
    do {
      try session.signIn()
      progress(.signedIn(account: session.account))
      let journal = UploadJournal(folder: journals, repository: try repository.page())
      return try PushWork(
        files: files, target: target, session: session,
        upload: LFSUpload(revision: target.revision, journal: journal, session: session), progress: progress
      ).run()
    } catch is CancellationError {
      throw HubError.cancelled(repository.subject, again: "the same command")
    } catch let error as HubRepository.NotReached {
      throw HubError(
        repository.subject, "the Hub can't be reached (\(session.clean(error.reason)))",
        remedy: "check the network or HF_ENDPOINT and run the command again; what is there is not sent again")
    }
  }
}
