import Formats
import Foundation
import Runs

/// One push: find or make the repository, compare, upload, commit.
struct PushWork {
  let files: [PushFile]
  let target: PushTarget
  let session: PushSession
  let upload: LFSUpload
  let progress: (PushEvent) -> Void

  private var repository: HubRepository { session.repository }

  /// Entries of one preupload request.
  private static let batch = 256

  /// The commit may or may not have been made, or another came in between: look again.
  private struct Unsure: Error {
    let reason: String
    let retryAfter: Int
  }

  func run() throws -> PushOutcome {
    let isPrivate = try repositoryIsPrivate()
    var changed: [String] = []
    var failures = 0
    while true {
      let head = try head()
      let there = try head.map { try tree($0) } ?? [:]
      if failures == 0, let head { try guardContent(there, head) }
      let wanted = files.filter { !$0.isSame(as: there[$0.path]) }
      let modes = try wanted.isEmpty ? [:] : preupload(wanted)
      let sent = wanted.filter { modes[$0.path] != .ignored }
      guard !sent.isEmpty else {
        return PushOutcome(page: try repository.page(), commit: head ?? "", isPrivate: isPrivate, changed: changed)
      }
      progress(
        .sending(files: sent.count, bytes: sent.reduce(0) { $0 + $1.bytes }, unchanged: files.count - wanted.count))
      try uploadLarge(sent.filter { modes[$0.path] == .large })
      changed = sent.map(\.path)
      do {
        let commit = try commit(sent, modes, parent: head)
        return PushOutcome(page: try repository.page(), commit: commit, isPrivate: isPrivate, changed: changed)
      } catch let error as Unsure {
        failures += 1
        if failures == repository.patience.tries {
          throw HubRepository.NotReached(reason: "\(error.reason), \(failures) times")
        }
        let pause = repository.patience.pause(after: failures, retryAfter: error.retryAfter)
        repository.retrying(error.reason, pause)
        try repository.patience.sleep(pause, isCancelled: repository.isCancelled)
      }
    }
  }

  // MARK: - The repository

  /// Nil where there is none, or the account may not see it.
  private func find() throws -> Bool? {
    let url = "\(try repository.endpoint())/api/\(target.kind.rawValue)s/\(target.path)"
    do {
      let info = try repository.answer(repository.ask(repository.access.request(url)).body, url)
      return info["private"]?.bool ?? false
    } catch let error as SourceFailure
      where error.refusal.map({ $0.status == 404 || $0.code == "RepoNotFound" }) ?? false
    {
      return nil
    } catch { throw session.failure(error, doing: "read \(target.path)") }
  }

  private func repositoryIsPrivate() throws -> Bool {
    if let isPrivate = try find() { return isPrivate }
    let parts = target.path.split(separator: "/").map(String.init)
    let url = "\(try repository.endpoint())/api/repos/create"
    let body: JSONValue = [
      "type": .string(target.kind.rawValue), "name": .string(parts.last ?? ""),
      "organization": .string(parts.first ?? ""), "private": .bool(target.isPrivate),
    ]
    var conflicts = 0
    while true {
      do {
        _ = try session.post(repository.access.request(url), body, url)
        break
      } catch let error as SourceFailure where error.refusal?.status == 409 {
        // Another program made it just now, or is at it.
        if let isPrivate = try find() { return isPrivate }
        conflicts += 1
        guard conflicts < repository.patience.tries else { throw session.failure(error, doing: "make it") }
        let pause = repository.patience.pause(after: conflicts, retryAfter: 0)
        try repository.patience.sleep(pause, isCancelled: repository.isCancelled)
      } catch { throw session.failure(error, doing: "make a repository of \(parts.first ?? "")") }
    }
    guard let isPrivate = try find() else {
      throw HubError(repository.subject, "the Hub made it and can't find it", remedy: "run the command again")
    }
    guard isPrivate == target.isPrivate else {
      throw HubError(
        repository.subject,
        "the Hub made it \(isPrivate ? "private" : "public"), which was not asked; nothing was uploaded",
        remedy: "change its visibility at \(try repository.page())/settings and run the command again")
    }
    progress(.created(isPrivate: isPrivate))
    return isPrivate
  }

  /// The branch's commit; the branch is made where it isn't there. Nil of a repository without any.
  private func head() throws -> String? {
    let url = try repository.api("revision/\(HubRepository.encoded(target.revision))")
    func ask() throws -> String? {
      try repository.answer(repository.ask(repository.access.request(url)).body, url)["sha"]?.string
    }
    do { return try ask() } catch let error as SourceFailure where error.refusal?.code == "RevisionNotFound" {
      if target.revision == "main" { return nil }
      let branch = try repository.api("branch/\(HubRepository.encoded(target.revision))")
      do { _ = try session.post(repository.access.request(branch), [:], branch) } catch let error as SourceFailure
        where error.refusal?.status == 409
      {
      } catch { throw session.failure(error, doing: "make the branch \(target.revision)") }
      do { return try ask() } catch { throw session.failure(error, doing: "read the branch \(target.revision)") }
    } catch { throw session.failure(error, doing: "read \(target.path)") }
  }

  private func tree(_ commit: String) throws -> [String: RepositoryFile] {
    Dictionary(try repository.files(at: commit).map { ($0.path, $0) }) { $1 }
  }

  private func guardContent(_ there: [String: RepositoryFile], _ head: String) throws {
    guard !target.overwrites, there.keys.contains(where: { $0 != ".gitattributes" }) else { return }
    func text(_ name: String) throws -> String? {
      guard there[name] != nil else { return nil }
      do {
        let body = try repository.ask(repository.access.request(repository.url(of: name, at: head))).body
        return String(decoding: body, as: UTF8.self)
      } catch { throw session.failure(error, doing: "read its \(name)") }
    }
    let own = try files.first { $0.path == "README.md" }.map { try String(contentsOf: $0.url, encoding: .utf8) }
    if let objection = RepositoryGuard.objection(there: try text("README.md"), own: own) {
      throw HubError(
        repository.subject, objection, remedy: "give another --repo, or --overwrite to put the files there all the same"
      )
    }
  }

  // MARK: - Files

  enum Mode { case regular, large, ignored }

  /// How the Hub wants each file: `POST …/preupload/REVISION`. Empty files can't be large ones.
  private func preupload(_ files: [PushFile]) throws -> [String: Mode] {
    let url = try repository.api("preupload/\(HubRepository.encoded(target.revision))")
    var modes: [String: Mode] = [:]
    for start in stride(from: 0, to: files.count, by: Self.batch) {
      let part = files[start..<min(start + Self.batch, files.count)]
      let body: JSONValue = [
        "files": .array(
          part.map {
            ["path": .string($0.path), "size": JSONValue($0.bytes), "sample": .string($0.sample.base64EncodedString())]
          })
      ]
      let answer = try session.post(url, body, doing: "write to it")
      let told = answer["files"]?.array ?? []
      for file in part {
        guard let entry = told.first(where: { $0["path"]?.string == file.path }) else {
          throw repository.strange("does not say how to send \(file.path)")
        }
        if entry["shouldIgnore"]?.bool == true {
          modes[file.path] = .ignored
          progress(.ignored(path: file.path))
        } else {
          modes[file.path] = entry["uploadMode"]?.string == "lfs" && file.bytes > 0 ? .large : .regular
        }
      }
    }
    return modes
  }

  private func uploadLarge(_ files: [PushFile]) throws {
    let total = files.reduce(0) { $0 + $1.bytes }
    var done = 0
    for file in files {
      let before = done
      do {
        try upload.upload(file) { progress(.progress(done: before + $0, total: total)) }
      } catch { throw session.failure(error, doing: "upload to it") }
      done += file.bytes
    }
  }

  /// `POST …/commit/REVISION`, a JSON object a line: the header, then each file. `parent` lets the Hub refuse it where another commit came in
  /// between, or this one was made already and its answer lost.
  private func commit(_ files: [PushFile], _ modes: [String: Mode], parent: String?) throws -> String {
    let url = try repository.api("commit/\(HubRepository.encoded(target.revision))")
    var header: JSONObject = ["summary": .string(target.message), "description": ""]
    if let parent { header["parentCommit"] = .string(parent) }
    var body = Data()
    func add(_ key: String, _ value: JSONValue) {
      body.append(Data((["key": .string(key), "value": value] as JSONValue).text().utf8))
      body.append(0x0A)
    }
    add("header", .object(header))
    for file in files { try add(modes[file.path] == .large ? "lfsFile" : "file", entry(file, modes[file.path])) }
    var request = repository.access.request(url)
    request.headers = ["Content-Type: application/x-ndjson"]
    request.body = .data(body)
    // The Hub may think for a while about a large commit.
    request.stallSeconds = 120
    var answer = Data()
    let outcome = try request.run(isCancelled: repository.isCancelled) { bytes, _ in answer.append(contentsOf: bytes) }
    if repository.isCancelled() { throw CancellationError() }
    switch outcome {
    case .finished:
      guard let commit = try repository.answer(answer, url)["commitOid"]?.string else {
        throw repository.strange("names no commit")
      }
      return commit
    case .nothingThere: throw repository.strange("has status 416")
    case .transient(let reason, let retryAfter): throw Unsure(reason: reason, retryAfter: retryAfter)
    case .refused(let refusal) where refusal.status == 409 || refusal.status == 412:
      throw Unsure(reason: "says that another commit came in between", retryAfter: 0)
    case .refused(let refusal):
      throw session.failure(SourceFailure(reason: refusal.reason, refusal: refusal), doing: "commit to it")
    }
  }

  private func entry(_ file: PushFile, _ mode: Mode?) throws -> JSONValue {
    if mode == .large {
      return [
        "path": .string(file.path), "algo": "sha256", "oid": .string(file.sha256), "size": JSONValue(file.bytes),
      ]
    }
    let content: Data
    do { content = try Data(contentsOf: file.url) } catch { throw RunsError.unreadable(file.url.path, error) }
    return ["path": .string(file.path), "content": .string(content.base64EncodedString()), "encoding": "base64"]
  }
}
