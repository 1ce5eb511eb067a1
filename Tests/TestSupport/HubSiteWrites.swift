import Foundation
import Formats
import Runs

/// One request to the hub: what is written.
extension HubSite {
  private var sent: JSONValue { (try? JSONValue(parsing: request.body, file: "request")) ?? .null }

  func post(_ path: String) -> LocalServer.Answer {
    if path == "/api/validate-yaml" { return json(["errors": [], "warnings": []]) }
    guard state.account(token) != nil else { return refusal(401, "", message: "Invalid username or password.") }
    if path == "/api/repos/create" { return create() }
    if let end = path.range(of: ".git/info/lfs/objects/batch") {
      let name = String(path[..<end.lowerBound])
      return writable(name.hasPrefix("/datasets/") ? String(name.dropFirst()) : "models" + name) { _ in batch() }
    }
    if path == "/lfs/verify" { return verify() }
    guard path.hasPrefix("/api/"), let (name, words) = place(String(path.dropFirst("/api/".count))), words.count >= 2
    else { return refusal(404, "") }
    return writable(name) { name in
      let revision = words[1...].joined(separator: "/")
      if words[0] == "branch" { return makeBranch(name, revision) }
      guard let (branch, repository) = self.branch(name, revision) else { return refusal(404, "RevisionNotFound") }
      switch words[0] {
      case "preupload": return preupload()
      case "commit": return commit(name, branch, repository)
      default: return refusal(404, "")
      }
    }
  }

  private func writable(_ name: String, _ body: (String) -> LocalServer.Answer) -> LocalServer.Answer {
    guard branch(name, "main") != nil else { return noRepository }
    return owns(name) ? body(name) : forbidden
  }

  private var forbidden: LocalServer.Answer {
    refusal(403, "Forbidden", message: "You don't have the rights to do this with \(token ?? "")")
  }

  private func create() -> LocalServer.Answer {
    let name = "\(sent["type"]?.string ?? "model")s/\(sent["organization"]?.string ?? "")/\(sent["name"]?.string ?? "")"
    guard owns(name) else { return forbidden }
    let address: JSONValue = ["url": .string("\(state.hub)/\(name.replacingOccurrences(of: "models/", with: ""))")]
    if state[name, "main"] != nil { return json(address, status: 409) }
    var repository = HubServer.Repository(
      commit: GitBlob.hex(of: Data(name.utf8)), files: [".gitattributes": Data("*.safetensors filter=lfs\n".utf8)])
    repository.isPrivate = sent["private"]?.bool ?? (sent["visibility"]?.string == "private")
    state[name, "main"] = repository
    return json(address)
  }

  private func makeBranch(_ name: String, _ branch: String) -> LocalServer.Answer {
    if state[name, branch] != nil { return refusal(409, "") }
    state[name, branch] = state[name, "main"]
    return json([:])
  }

  /// What holds a zero byte at its start is no text.
  private func preupload() -> LocalServer.Answer {
    let files = (sent["files"]?.array ?? []).map { file -> JSONValue in
      let sample = Data(base64Encoded: file["sample"]?.string ?? "") ?? Data()
      let isLarge = sample.contains(0) || (file["size"]?.integer ?? 0) > 10 << 20
      return [
        "path": file["path"] ?? .null, "uploadMode": isLarge ? "lfs" : "regular", "shouldIgnore": false, "oid": .null,
      ]
    }
    return json(["files": .array(files)])
  }

  // MARK: - LFS

  private func batch() -> LocalServer.Answer {
    let objects = (sent["objects"]?.array ?? []).map { object -> JSONValue in
      let oid = object["oid"]?.string ?? ""
      let size = object["size"]?.integer ?? 0
      var answer: JSONObject = ["oid": .string(oid), "size": JSONValue(size)]
      if !state.has(oid) { answer["actions"] = actions(oid, size) }
      return .object(answer)
    }
    return json(["transfer": "basic", "objects": .array(objects)])
  }

  private func actions(_ oid: String, _ size: Int) -> JSONValue {
    let verify: JSONValue = ["href": .string("\(state.hub)/lfs/verify")]
    guard size > state.partBytes else {
      return ["upload": ["href": .string("\(state.storage)/put/\(oid)")], "verify": verify]
    }
    var header: JSONObject = ["chunk_size": .string("\(state.partBytes)")]
    for number in 1...(size + state.partBytes - 1) / state.partBytes {
      header[String(format: "%05d", number)] = .string("\(state.storage)/put/\(oid)/\(number)")
    }
    return [
      "upload": ["href": .string("\(state.storage)/complete/\(oid)"), "header": .object(header)], "verify": verify,
    ]
  }

  private func verify() -> LocalServer.Answer {
    let data = state.object(sent["oid"]?.string ?? "")
    return data.map { $0.count == sent["size"]?.integer ? json([:]) : refusal(422, "") } ?? refusal(404, "")
  }

  // MARK: - Commits

  private func commit(_ name: String, _ branch: String, _ before: HubServer.Repository) -> LocalServer.Answer {
    var repository = before
    for line in request.body.split(separator: 0x0A) {
      guard let entry = try? JSONValue(parsing: Data(line), file: "commit"), let value = entry["value"] else {
        return refusal(400, "")
      }
      let path = value["path"]?.string ?? ""
      switch entry["key"]?.string {
      case "header":
        if let parent = value["parentCommit"]?.string, parent != before.commit {
          return refusal(412, "", message: "A commit has happened since.")
        }
        repository.commits.append(value["summary"]?.string ?? "")
      case "file":
        repository.files[path] = Data(base64Encoded: value["content"]?.string ?? "")
        repository.large.remove(path)
      case "lfsFile":
        guard let data = state.object(value["oid"]?.string ?? "") else { return refusal(400, "", message: "no object") }
        repository.files[path] = data
        repository.large.insert(path)
      case "deletedFile": repository.files[path] = nil
      default: return refusal(400, "")
      }
    }
    repository.commit = GitBlob.hex(of: Data(before.commit.utf8) + request.body)
    state[name, branch] = repository
    return json([
      "success": true, "commitOid": .string(repository.commit),
      "commitUrl": .string("\(state.hub)/\(name)/commit/\(repository.commit)"), "pullRequestUrl": .null,
      "hookOutput": "",
    ])
  }
}
