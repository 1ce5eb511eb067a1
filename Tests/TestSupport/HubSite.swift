import Foundation
import Formats
import Runs

/// One request to the hub: what is read.
struct HubSite {
  let state: HubState
  let pageSize: Int
  let request: LocalServer.Request

  var token: String? { request.headers["authorization"]?.replacingOccurrences(of: "Bearer ", with: "") }

  func answer() -> LocalServer.Answer {
    let parts = request.path.split(separator: "?", maxSplits: 1).map(String.init)
    let path = parts[0]
    let query = parts.count > 1 ? parts[1] : ""
    if request.method == "POST" { return post(path) }
    if path == "/api/whoami-v2" { return whoami() }
    if path.hasPrefix("/api/") { return api(String(path.dropFirst("/api/".count)), query) }
    return resolve(path.hasPrefix("/datasets/") ? String(path.dropFirst()) : "models" + path)
  }

  func refusal(_ status: Int, _ code: String, message: String? = nil) -> LocalServer.Answer {
    .init(
      status: status, headers: code.isEmpty ? [:] : ["X-Error-Code": code, "X-Error-Message": message ?? code],
      body: Data("{\"error\":\"\(message ?? code)\"}".utf8))
  }

  func json(_ value: JSONValue, status: Int = 200, _ headers: [String: String] = [:]) -> LocalServer.Answer {
    .init(
      status: status, headers: headers.merging(["Content-Type": "application/json; charset=utf-8"]) { $1 },
      body: Data(value.text().utf8))
  }

  private func whoami() -> LocalServer.Answer {
    guard let name = state.account(token) else { return refusal(401, "", message: "Invalid username or password.") }
    return json(["type": "user", "name": .string(name), "orgs": []])
  }

  /// "KIND/OWNER/NAME/VERB/REVISION…" as its parts.
  func place(_ path: String) -> (name: String, words: [String])? {
    guard let (name, rest) = HubServer.place(path) else { return nil }
    return (name, rest.split(separator: "/").map { String($0).removingPercentEncoding ?? "" })
  }

  /// A repository that the token may see.
  func branch(_ name: String, _ revision: String) -> (name: String, repository: HubServer.Repository)? {
    guard let found = state.branch(name, revision), !found.repository.isPrivate || owns(name) else { return nil }
    return found
  }

  func owns(_ name: String) -> Bool {
    let parts = name.split(separator: "/")
    return parts.count == 3 && state.account(token) == String(parts[1])
  }

  var noRepository: LocalServer.Answer { refusal(token == nil ? 401 : 404, "RepoNotFound") }

  private func info(_ name: String, _ repository: HubServer.Repository) -> LocalServer.Answer {
    let siblings = repository.files.keys.sorted().map { path -> JSONValue in ["rfilename": .string(path)] }
    return json([
      "id": .string(name.split(separator: "/").dropFirst().joined(separator: "/")), "sha": .string(repository.commit),
      "private": .bool(repository.isPrivate), "gated": repository.gatedBy == nil ? false : "auto",
      "siblings": .array(siblings), "tags": [],
    ])
  }

  private func api(_ path: String, _ query: String) -> LocalServer.Answer {
    if path.split(separator: "/").count == 3 {
      return branch(path, "main").map { info(path, $0.repository) } ?? noRepository
    }
    guard let (name, words) = place(path), words.count >= 2, branch(name, "main") != nil else { return noRepository }
    guard let (_, repository) = branch(name, words[1]) else { return refusal(404, "RevisionNotFound") }
    if words[0] == "revision" { return info(name, repository) }
    guard words[0] == "tree" else { return refusal(404, "") }
    let cursor = query.split(separator: "&").first { $0.hasPrefix("cursor=") }.flatMap { Int($0.dropFirst(7)) } ?? 0
    let all = repository.tree
    let end = min(all.count, cursor + pageSize)
    let address = "\(state.hub)\(request.path.split(separator: "?")[0])?recursive=true&cursor=\(end)"
    return json(
      .array(Array(all[min(cursor, end)..<end])), end < all.count ? ["Link": "<\(address)>; rel=\"next\""] : [:])
  }

  private func resolve(_ path: String) -> LocalServer.Answer {
    guard let (name, words) = place(path), words.count >= 2, words[0] == "resolve", branch(name, "main") != nil else {
      return noRepository
    }
    guard let (_, repository) = branch(name, words[1]) else { return refusal(404, "RevisionNotFound") }
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
      "\(state.storage)/\(name)/\(file)".addingPercentEncoding(withAllowedCharacters: .urlPathAllowed.union([":"]))
    return .init(status: 302, headers: headers)
  }
}
