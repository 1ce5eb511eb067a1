import Foundation
import Formats
import Runs

/// The part of huggingface.co that data sets are read through, on 127.0.0.1: its API, `resolve`, and a second server that holds large files, as its
/// storage does. The Hub's own client understands it, as a test shows.
public final class HubServer: Sendable {
  public struct Repository: Sendable {
    public var commit: String
    public var files: [String: Data]
    /// Files that lie in the storage (LFS); the others are sent at once.
    public var large: Set<String>
    /// Only this token may read the files.
    public var gatedBy: String?
    /// Paths and sizes that the tree claims besides.
    public var claims: [String: Int]
    /// Files that are sent with a byte changed.
    public var spoilt: Set<String>

    public init(
      commit: String = String(repeating: "a1", count: 20), files: [String: Data], large: Set<String> = [],
      gatedBy: String? = nil, claims: [String: Int] = [:], spoilt: Set<String> = []
    ) {
      self.commit = commit
      self.files = files
      self.large = large
      self.gatedBy = gatedBy
      self.claims = claims
      self.spoilt = spoilt
    }
  }

  private let hub: LocalServer
  private let storage: LocalServer

  public var url: String { hub.url }
  public var requests: [LocalServer.Request] { hub.requests }
  public var storageRequests: [LocalServer.Request] { storage.requests }

  /// - Parameter cuts: after how many bytes the storage breaks its connections off, one after the other.
  /// - Parameter busy: how many of the hub's first requests are answered with status 503.
  public init(_ repositories: [String: Repository], pageSize: Int = 1000, cuts: [Int] = [], busy: Int = 0) throws {
    let storage = try LocalServer { request, number in
      let path = String(request.path.dropFirst()).removingPercentEncoding ?? ""
      guard let (name, file) = Self.place(path), let repository = repositories[name],
        let data = repository.content(file)
      else { return .init(status: 404) }
      return .file(data, request, cutAfter: number < cuts.count ? cuts[number] : nil)
    }
    self.storage = storage
    // What the hub has to say of itself in the links that it gives.
    let address = Address()
    hub = try LocalServer { request, number in
      if number < busy { return .init(status: 503, body: Data("busy".utf8)) }
      let site = Site(
        repositories: repositories, pageSize: pageSize, hub: address.url, storage: storage.url, request: request)
      return site.answer()
    }
    address.url = hub.url
  }

  public func stop() {
    hub.stop()
    storage.stop()
  }

  private final class Address: @unchecked Sendable {
    private let lock = NSLock()
    private var text = ""
    var url: String {
      get { lock.withLock { text } }
      set { lock.withLock { text = newValue } }
    }
  }

  /// "OWNER/NAME" and the rest of a path.
  fileprivate static func place(_ path: String) -> (name: String, rest: String)? {
    let parts = path.split(separator: "/", maxSplits: 2).map(String.init)
    return parts.count == 3 ? (parts[0...1].joined(separator: "/"), parts[2]) : nil
  }
}

extension HubServer.Repository {
  fileprivate func content(_ path: String) -> Data? {
    guard var data = files[path] else { return nil }
    if spoilt.contains(path), !data.isEmpty { data[data.startIndex] ^= 1 }
    return data
  }

  fileprivate var tree: [JSONValue] {
    let sizes = files.mapValues(\.count).merging(claims) { $1 }
    return sizes.sorted { $0.key < $1.key }.map { path, size in
      let data = files[path] ?? Data()
      guard large.contains(path) || files[path] == nil else {
        return ["type": "file", "oid": .string(GitBlob.hex(of: data)), "size": JSONValue(size), "path": .string(path)]
      }
      let pointer: JSONValue = [
        "oid": .string(SHA256.hex(of: data)), "size": JSONValue(size), "pointerSize": 130,
      ]
      return [
        "type": "file", "oid": .string(GitBlob.hex(of: Data("pointer".utf8))), "size": JSONValue(size), "lfs": pointer,
        "path": .string(path),
      ]
    }
  }
}

/// One request to the hub.
private struct Site {
  let repositories: [String: HubServer.Repository]
  let pageSize: Int
  let hub: String
  let storage: String
  let request: LocalServer.Request

  private var token: String? { request.headers["authorization"]?.replacingOccurrences(of: "Bearer ", with: "") }

  func answer() -> LocalServer.Answer {
    let parts = request.path.split(separator: "?", maxSplits: 1).map(String.init)
    let path = parts[0]
    let query = parts.count > 1 ? parts[1] : ""
    if path.hasPrefix("/api/datasets/") { return api(String(path.dropFirst("/api/datasets/".count)), query) }
    if path.hasPrefix("/datasets/") { return resolve(String(path.dropFirst("/datasets/".count))) }
    return refusal(404, "")
  }

  private func refusal(_ status: Int, _ code: String) -> LocalServer.Answer {
    .init(
      status: status, headers: code.isEmpty ? [:] : ["X-Error-Code": code, "X-Error-Message": code],
      body: Data("{\"error\":\"\(code)\"}".utf8))
  }

  private func json(_ value: JSONValue, _ headers: [String: String] = [:]) -> LocalServer.Answer {
    .init(
      status: 200, headers: headers.merging(["Content-Type": "application/json; charset=utf-8"]) { $1 },
      body: Data(value.text().utf8))
  }

  /// "OWNER/NAME/VERB/REVISION…" of a repository that is there.
  private func parts(_ path: String) -> (name: String, repository: HubServer.Repository, rest: [String])? {
    guard let (name, rest) = HubServer.place(path), let repository = repositories[name] else { return nil }
    let words = rest.split(separator: "/").map { String($0).removingPercentEncoding ?? "" }
    return words.count >= 2 ? (name, repository, words) : nil
  }

  private var noRepository: LocalServer.Answer { refusal(token == nil ? 401 : 404, "RepoNotFound") }

  private func isKnown(_ revision: String, _ repository: HubServer.Repository) -> Bool {
    [repository.commit, "main", "refs/convert/parquet"].contains(revision)
  }

  private func api(_ path: String, _ query: String) -> LocalServer.Answer {
    guard let (name, repository, words) = parts(path) else { return noRepository }
    guard isKnown(words[1], repository) else { return refusal(404, "RevisionNotFound") }
    if words[0] == "revision" {
      let siblings = repository.files.keys.sorted().map { path -> JSONValue in ["rfilename": .string(path)] }
      return json([
        "id": .string(name), "sha": .string(repository.commit), "private": false,
        "gated": repository.gatedBy == nil ? false : "auto", "siblings": .array(siblings), "tags": [],
      ])
    }
    guard words[0] == "tree" else { return refusal(404, "") }
    let cursor = query.split(separator: "&").first { $0.hasPrefix("cursor=") }.flatMap { Int($0.dropFirst(7)) } ?? 0
    let all = repository.tree
    let end = min(all.count, cursor + pageSize)
    let address = "\(hub)\(request.path.split(separator: "?")[0])?recursive=true&cursor=\(end)"
    return json(
      .array(Array(all[min(cursor, end)..<end])), end < all.count ? ["Link": "<\(address)>; rel=\"next\""] : [:])
  }

  private func resolve(_ path: String) -> LocalServer.Answer {
    guard let (name, repository, words) = parts(path), words[0] == "resolve" else { return noRepository }
    guard isKnown(words[1], repository) else { return refusal(404, "RevisionNotFound") }
    if let wanted = repository.gatedBy, token != wanted { return refusal(token == nil ? 401 : 403, "GatedRepo") }
    let file = words[2...].joined(separator: "/")
    guard let data = repository.content(file) else { return refusal(404, "EntryNotFound") }
    var headers = [
      "X-Repo-Commit": repository.commit, "ETag": "\"\(GitBlob.hex(of: repository.files[file] ?? data))\"",
    ]
    guard repository.large.contains(file) else {
      var answer = LocalServer.Answer.file(data, request)
      answer.headers.merge(headers) { $1 }
      return answer
    }
    headers["X-Linked-Etag"] = "\"\(SHA256.hex(of: repository.files[file] ?? data))\""
    headers["X-Linked-Size"] = "\(data.count)"
    headers["Location"] =
      "\(storage)/\(name)/\(file)".addingPercentEncoding(withAllowedCharacters: .urlPathAllowed.union([":"]))
    return .init(status: 302, headers: headers)
  }
}
