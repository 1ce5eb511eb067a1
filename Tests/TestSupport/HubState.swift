import Foundation
import Formats
import Runs

/// What a ``HubServer`` holds: repositories, the storage's objects, and what is to go wrong.
public final class HubState: @unchecked Sendable {
  private let lock = NSLock()
  private let accounts: [String: String]
  let partBytes: Int
  private var hubURL = ""
  private var storageURL = ""
  /// By "KIND/OWNER/NAME", then by branch.
  private var repositories: [String: [String: HubServer.Repository]] = [:]
  private var objects: [String: Data] = [:]
  private var parts: [String: [Int: Data]] = [:]
  private var taken: [String] = []
  private var fault: (@Sendable (LocalServer.Request) -> HubServer.Fault?)?
  private var limit: (@Sendable (LocalServer.Request) -> Int?)?
  private var isWaiting = false

  init(accounts: [String: String], partBytes: Int) {
    self.accounts = accounts
    self.partBytes = partBytes
  }

  func place(hub: String, storage: String) {
    lock.withLock { (hubURL, storageURL) = (hub, storage) }
  }

  var hub: String { lock.withLock { hubURL } }
  var storage: String { lock.withLock { storageURL } }

  /// - Parameter name: "models/OWNER/NAME" or "datasets/OWNER/NAME".
  public subscript(name: String, branch: String) -> HubServer.Repository? {
    get { lock.withLock { repositories[name]?[branch] } }
    set { lock.withLock { repositories[name, default: [:]][branch] = newValue } }
  }

  public var names: [String] { lock.withLock { repositories.keys.sorted() } }

  /// What the storage has taken: an object's hash, with the number of a part.
  public var uploads: [String] { lock.withLock { taken } }

  /// The branch that a revision means: its name, its commit, or the Parquet copy of main.
  func branch(_ name: String, _ revision: String) -> (name: String, repository: HubServer.Repository)? {
    lock.withLock {
      let all = repositories[name] ?? [:]
      let wanted = revision == "refs/convert/parquet" ? "main" : revision
      if let found = all[wanted] { return (wanted, found) }
      return all.first { $0.value.commit == revision }.map { ($0.key, $0.value) }
    }
  }

  func account(_ token: String?) -> String? { token.flatMap { accounts[$0] } }

  func content(_ name: String, _ file: String) -> Data? {
    lock.withLock {
      (repositories[name] ?? [:]).sorted { $0.key > $1.key }.lazy.compactMap { $0.value.content(file) }.first
    }
  }

  // MARK: - Faults

  /// Asked at every request of both servers.
  public func inject(_ fault: @escaping @Sendable (LocalServer.Request) -> HubServer.Fault?) {
    lock.withLock { self.fault = fault }
  }

  /// After how many bytes of its body a request's connection breaks; nothing is done then.
  public func cut(_ limit: @escaping @Sendable (LocalServer.Request) -> Int?) { lock.withLock { self.limit = limit } }

  public func heal() { lock.withLock { (fault, limit) = (nil, nil) } }

  /// Whether a request waits for ``release()``.
  public var isHolding: Bool { lock.withLock { isWaiting } }

  public func release() { lock.withLock { isWaiting = false } }

  private func hold() -> LocalServer.Answer {
    lock.withLock { isWaiting = true }
    while isHolding { usleep(2000) }
    return silence
  }

  private var silence: LocalServer.Answer {
    var answer = LocalServer.Answer(status: 500)
    answer.hangsUp = true
    return answer
  }

  func bodyLimit(_ request: LocalServer.Request) -> Int? {
    lock.withLock { limit }?(request)
  }

  func answer(_ request: LocalServer.Request, _ work: () -> LocalServer.Answer) -> LocalServer.Answer {
    switch lock.withLock({ fault })?(request) {
    case nil: return work()
    case .answer(let answer)?: return answer
    case .hangUp?: return silence
    case .hold?: return hold()
    case .doAndHangUp?:
      _ = work()
      return silence
    case .doAndHold?:
      _ = work()
      return hold()
    }
  }

  // MARK: - The storage

  func has(_ oid: String) -> Bool { lock.withLock { objects[oid] != nil } }

  func object(_ oid: String) -> Data? { lock.withLock { objects[oid] } }

  /// `PUT /put/OID` of a whole object, `PUT /put/OID/N` of a part.
  func store(_ request: LocalServer.Request) -> LocalServer.Answer {
    let words = request.path.split(separator: "/").map(String.init)
    guard words.count >= 2, words[0] == "put" else { return .init(status: 404) }
    return lock.withLock {
      taken.append(words.dropFirst().joined(separator: "/"))
      if words.count == 2 {
        guard SHA256.hex(of: request.body) == words[1] else { return .init(status: 400) }
        objects[words[1]] = request.body
      } else if let number = Int(words[2]) {
        parts[words[1], default: [:]][number] = request.body
      }
      return .init(status: 200, headers: ["ETag": "\"\(GitBlob.hex(of: request.body))\""])
    }
  }

  /// `POST /complete/OID`: puts an object together where the parts' ETags are right.
  func complete(_ request: LocalServer.Request) -> LocalServer.Answer {
    guard let sent = try? JSONValue(parsing: request.body, file: "request"), let oid = sent["oid"]?.string else {
      return .init(status: 400)
    }
    var etags: [Int: String] = [:]
    for part in sent["parts"]?.array ?? [] { etags[part["partNumber"]?.integer ?? 0] = part["etag"]?.string }
    return lock.withLock {
      let there = parts[oid] ?? [:]
      guard !there.isEmpty, etags == there.mapValues({ "\"\(GitBlob.hex(of: $0))\"" }) else {
        return .init(status: 400)
      }
      let whole = there.sorted { $0.key < $1.key }.reduce(Data()) { $0 + $1.value }
      guard SHA256.hex(of: whole) == oid else { return .init(status: 400) }
      objects[oid] = whole
      return .init(status: 200, body: Data("{}".utf8))
    }
  }
}
