import Foundation
import Formats
import Runs

/// The part of huggingface.co that data sets are read through and repositories are written through, on 127.0.0.1: its API, `resolve`, and a
/// second server that holds large files, as its storage does. The Hub's own client understands it, as tests show.
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
    /// Only tokens of its owner see it.
    public var isPrivate = false
    /// Messages of the commits made here.
    public var commits: [String] = []

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

  /// Something that goes wrong at a request.
  public enum Fault: Sendable {
    /// This answer instead of the right one; nothing is done.
    case answer(LocalServer.Answer)
    /// The connection breaks before anything is done.
    case hangUp
    /// The connection breaks when it is done.
    case doAndHangUp
    /// It waits for ``release()`` before anything is done, and then hangs up.
    case hold
    /// It is done, then as `hold`.
    case doAndHold
  }

  public let state: HubState
  private let hub: LocalServer
  private let storage: LocalServer

  public var url: String { hub.url }
  public var requests: [LocalServer.Request] { hub.requests }
  public var storageRequests: [LocalServer.Request] { storage.requests }

  /// - Parameters:
  ///   - repositories: data sets by their names.
  ///   - cuts: after how many bytes the storage breaks its connections off, one after the other.
  ///   - busy: how many of the hub's first requests are answered with status 503.
  ///   - accounts: the owner of each token; without any, nobody may write.
  ///   - partBytes: larger files are uploaded in parts of so many bytes.
  public init(
    _ repositories: [String: Repository] = [:], pageSize: Int = 1000, cuts: [Int] = [], busy: Int = 0,
    accounts: [String: String] = [:], partBytes: Int = .max
  ) throws {
    let state = HubState(accounts: accounts, partBytes: partBytes)
    self.state = state
    for (name, repository) in repositories { state["datasets/\(name)", "main"] = repository }
    let limit: @Sendable (LocalServer.Request) -> Int? = { state.bodyLimit($0) }
    storage = try LocalServer(bodyLimit: limit) { request, number in
      state.answer(request) {
        if request.method == "PUT" { return state.store(request) }
        if request.method == "POST" { return state.complete(request) }
        let path = String(request.path.dropFirst()).removingPercentEncoding ?? ""
        guard let (name, file) = HubServer.place(path), let data = state.content(name, file) else {
          return .init(status: 404)
        }
        return .file(data, request, cutAfter: number < cuts.count ? cuts[number] : nil)
      }
    }
    hub = try LocalServer(bodyLimit: limit) { request, number in
      if number < busy { return .init(status: 503, body: Data("busy".utf8)) }
      return state.answer(request) { HubSite(state: state, pageSize: pageSize, request: request).answer() }
    }
    // What they have to say of themselves in the links that they give.
    state.place(hub: hub.url, storage: storage.url)
  }

  public func stop() {
    state.release()
    hub.stop()
    storage.stop()
  }

  /// "KIND/OWNER/NAME" and the rest of a path.
  static func place(_ path: String) -> (name: String, rest: String)? {
    let parts = path.split(separator: "/", maxSplits: 3).map(String.init)
    return parts.count == 4 ? (parts[0...2].joined(separator: "/"), parts[3]) : nil
  }
}

extension HubServer.Repository {
  func content(_ path: String) -> Data? {
    guard var data = files[path] else { return nil }
    if spoilt.contains(path), !data.isEmpty { data[data.startIndex] ^= 1 }
    return data
  }

  var tree: [JSONValue] {
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
