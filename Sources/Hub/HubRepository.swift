import Formats
import Foundation

/// A repository, asked through the Hub's HTTP API.
struct HubRepository {
  /// "maywell/korean_textbooks"
  let path: String
  var kind = RepositoryKind.dataset
  let access: HubAccess
  let patience: Patience
  let isCancelled: () -> Bool
  /// Hears of a try that failed and of the pause before the next.
  var retrying: (_ reason: String, _ seconds: Double) -> Void = { _, _ in }

  /// How messages call it.
  var subject: String { "hub:\(path)" }

  /// Nobody answered, or only with excuses: what is in the cache may serve.
  struct NotReached: Error { let reason: String }

  private static let longestAnswer = 1 << 26

  /// The commit that a branch, a tag or a commit means now.
  func commit(of revision: String) throws -> String {
    let (answer, _) = try get(api("revision/\(Self.encoded(revision))"), revision: revision)
    guard let commit = answer["sha"]?.string, Self.isCommit(commit) else { throw strange("names no commit") }
    return commit
  }

  /// All files of a commit.
  func files(at commit: String) throws -> [RepositoryFile] {
    let first = try api("tree/\(commit)?recursive=true")
    var next: String? = first
    var files: [RepositoryFile] = []
    var seen: Set<String> = []
    while let url = next, seen.insert(url).inserted {
      let (answer, following) = try get(url, revision: commit)
      guard let entries = answer.array else { throw strange("lists no files") }
      for entry in entries where entry["type"]?.string == "file" {
        guard let file = RepositoryFile(tree: entry) else { throw strange("lists a file without name, size or hash") }
        files.append(file)
      }
      // A token goes nowhere else.
      next = following.flatMap { $0.hasPrefix(first.prefix(while: { $0 != "?" })) ? $0 : nil }
    }
    return files
  }

  func url(of file: String, at commit: String) throws -> String {
    let name = file.split(separator: "/").map { Self.encoded(String($0)) }.joined(separator: "/")
    return "\(try page())/resolve/\(commit)/\(name)"
  }

  // MARK: - Asking

  /// Throws where HF_HUB_OFFLINE forbids to ask.
  func requireNetwork() throws(NotReached) {
    if access.isOffline { throw NotReached(reason: "HF_HUB_OFFLINE is set") }
  }

  func endpoint() throws -> String {
    do { return try access.endpoint() } catch {
      throw HubError(subject, error.reason, remedy: "correct it, or leave it unset for huggingface.co")
    }
  }

  /// Where a person looks at it.
  func page() throws -> String { "\(try endpoint())/\(kind.folder)\(path)" }

  func api(_ rest: String) throws -> String { "\(try endpoint())/api/\(kind.rawValue)s/\(path)/\(rest)" }

  private func get(_ url: String, revision: String) throws -> (JSONValue, next: String?) {
    do {
      let (body, reply) = try ask(access.request(url))
      return (try answer(body, url), reply.next)
    } catch let error as SourceFailure {
      guard let refusal = error.refusal else { throw strange(error.reason) }
      throw failure(refusal, revision: revision)
    }
  }

  func answer(_ body: Data, _ url: String) throws -> JSONValue {
    guard let answer = try? JSONValue(parsing: body, file: url) else { throw strange("is no JSON") }
    return answer
  }

  /// Sends a request until it is answered, with pauses. Throws ``NotReached``, or a ``SourceFailure`` with the refusal.
  func ask(
    _ request: HTTPRequest, sent: @escaping (Int) -> Void = { _ in }
  ) throws -> (body: Data, reply: HTTPRequest.Reply) {
    try requireNetwork()
    var failures = 0
    while true {
      var body = Data()
      let outcome = try request.run(isCancelled: isCancelled, sent: sent) { bytes, _ in
        guard body.count + bytes.count <= Self.longestAnswer else { throw strange("is longer than 64 MiB") }
        body.append(contentsOf: bytes)
      }
      if isCancelled() { throw CancellationError() }
      switch outcome {
      case .finished(let reply): return (body, reply)
      case .nothingThere: throw SourceFailure(reason: "has status 416")
      case .refused(let refusal): throw SourceFailure(reason: refusal.reason, refusal: refusal)
      case .transient(let reason, let retryAfter):
        failures += 1
        if failures == patience.tries { throw NotReached(reason: "\(reason), \(failures) times") }
        let pause = patience.pause(after: failures, retryAfter: retryAfter)
        retrying(reason, pause)
        try patience.sleep(pause, isCancelled: isCancelled)
      }
    }
  }

  /// A refusal in words, with the way out.
  func failure(_ refusal: HTTPRequest.Refusal, revision: String) -> any Error {
    if refusal.status == 0 { return NotReached(reason: refusal.reason) }
    let endpoint = (try? endpoint()) ?? ""
    let hasToken = access.token(for: endpoint + "/") != nil
    let page = "\(endpoint)/\(kind.folder)\(path)"
    switch (refusal.code, refusal.status) {
    case ("GatedRepo", _):
      return HubError(
        subject, "is gated, and \(hasToken ? "the token's account has no access yet" : "no token is given")",
        remedy: "ask for access at \(page), then set HF_TOKEN to a token of that account (or run `hf auth login`)")
    case ("RevisionNotFound", _):
      return HubError(
        subject, "has no revision \"\(revision)\"",
        remedy: "give a branch, a tag or a commit of \(page)/tree/main as dataset.hub.revision")
    case ("EntryNotFound", _): return HubError(subject, "lacks a file that it lists", remedy: "run the command again")
    case (_, 401) where hasToken, (_, 403):
      return HubError(
        subject, "the Hub refuses the token (status \(refusal.status))",
        remedy: "set HF_TOKEN to a token that may read this data set")
    case (_, 401), (_, 404):
      return HubError(
        subject, "the Hub has no such data set, or it is private",
        remedy: "check dataset.hub.path; for a private one set HF_TOKEN to a token that may read it")
    default:
      return HubError(subject, "the Hub \(refusal.reason)", remedy: "run the command again, or check HF_ENDPOINT")
    }
  }

  func strange(_ what: String) -> HubError {
    HubError(subject, "the Hub's answer \(what)", remedy: "check HF_ENDPOINT, and whether a proxy answers in its place")
  }

  // MARK: - Names

  static func isCommit(_ text: String) -> Bool {
    text.utf8.count == 40 && text.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
  }

  /// A text as one part of an address.
  static func encoded(_ text: String) -> String {
    var allowed = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    allowed.insert(charactersIn: "-._~")
    return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
  }
}

/// What a repository holds, as the Hub's API names it.
public enum RepositoryKind: String, Sendable {
  case model, dataset

  /// What stands before OWNER/NAME in its address.
  var folder: String { self == .dataset ? "datasets/" : "" }
}

/// A file as a repository's tree lists it.
struct RepositoryFile: Equatable {
  enum Hash: Equatable {
    /// Of a large file (LFS).
    case sha256(String)
    /// Git's own, of a small one.
    case gitBlob(String)
  }

  let path: String
  let bytes: Int
  let hash: Hash

  /// An entry of the API's tree, or of our copy of it; nil where something is missing or the path would lead out of its folder.
  init?(tree entry: JSONValue) {
    let large = entry["lfs"]?["oid"]?.string
    guard let path = entry["path"]?.string, let bytes = entry["size"]?.integer, bytes >= 0,
      let hash = large ?? entry["oid"]?.string, hash.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }),
      !path.hasPrefix("/"), !path.utf8.contains(0),
      !path.split(separator: "/", omittingEmptySubsequences: false).contains(where: { ["", ".", ".."].contains($0) })
    else { return nil }
    self.path = path
    self.bytes = bytes
    self.hash = large != nil ? .sha256(hash) : .gitBlob(hash)
  }

  var json: JSONValue {
    switch hash {
    case .sha256(let hash): ["path": .string(path), "size": JSONValue(bytes), "lfs": ["oid": .string(hash)]]
    case .gitBlob(let hash): ["path": .string(path), "size": JSONValue(bytes), "oid": .string(hash)]
    }
  }
}
