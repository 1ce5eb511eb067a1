import Formats
import Foundation

/// Large files on their way to the Hub's storage: the Git LFS batch API with the transfers `basic` and `multipart`.
///
/// github.com/git-lfs/git-lfs, docs/api/batch.md and basic-transfers.md; `multipart` is the Hub's own: the batch answer's header holds
/// `chunk_size` and an address a part, and `href` takes the list of the parts' ETags.
struct LFSUpload {
  let revision: String
  let journal: UploadJournal
  let session: PushSession

  private var repository: HubRepository { session.repository }

  private static let headers = [
    "Accept: application/vnd.git-lfs+json", "Content-Type: application/vnd.git-lfs+json",
  ]

  /// Where an object goes.
  private struct Action {
    let href: String
    let header: JSONObject
    let verify: String?
  }

  /// The storage did not take what was sent.
  private struct StorageFailure: Error {
    let reason: String
    var retryAfter = 0
    /// The addresses are no longer good.
    var isStale = false
  }

  /// Uploads what the server lacks; `sent` hears the bytes of the file that are there. Returns the bytes that had to be sent.
  @discardableResult
  func upload(_ file: PushFile, sent: @escaping (Int) -> Void) throws -> Int {
    var failures = 0
    let patience = repository.patience
    while true {
      guard let action = try action(for: file) else {
        journal.drop(file.sha256)
        sent(file.bytes)
        return 0
      }
      do {
        let count = try send(file, action, sent: sent)
        sent(file.bytes)
        if let verify = action.verify { try confirm(file, verify) }
        journal.drop(file.sha256)
        return count
      } catch let failure as StorageFailure {
        // The addresses of an earlier upload last an hour or a day; then it begins anew.
        if failure.isStale { journal.drop(file.sha256) }
        failures += 1
        guard failures < patience.tries else {
          throw HubError(
            "\(repository.subject)/\(file.path)", "the Hub's storage \(failure.reason), \(failures) times",
            remedy: "run the command again; it goes on where it was")
        }
        let pause = patience.pause(after: failures, retryAfter: failure.retryAfter)
        repository.retrying(failure.reason, pause)
        try patience.sleep(pause, isCancelled: repository.isCancelled)
      }
    }
  }

  // MARK: - The batch

  /// nil where the server has the object.
  private func action(for file: PushFile) throws -> Action? {
    let url = "\(try repository.page()).git/info/lfs/objects/batch"
    let object: JSONValue = ["oid": .string(file.sha256), "size": JSONValue(file.bytes)]
    let body: JSONValue = [
      "operation": "upload", "transfers": ["basic", "multipart"], "objects": [object], "hash_algo": "sha256",
      "ref": ["name": .string(revision)],
    ]
    var request = repository.access.request(url)
    request.headers = Self.headers
    let answer = try session.post(request, body, url)
    guard let found = answer["objects"]?.array?.first(where: { $0["oid"]?.string == file.sha256 }) else {
      throw repository.strange("to the LFS batch lacks \(file.path)")
    }
    if let error = found["error"] {
      let message = session.clean(error["message"]?.string ?? "without a reason")
      throw HubError(
        "\(repository.subject)/\(file.path)", "the Hub's storage refuses it (\(message))",
        remedy: "check the account's space and the file's size at \(try repository.page())")
    }
    guard let upload = found.value(at: "/actions/upload") else { return nil }
    guard let href = upload["href"]?.string, try isSafe(href) else {
      throw repository.strange("to the LFS batch names no address for \(file.path)")
    }
    return Action(
      href: href, header: upload["header"]?.object ?? JSONObject(),
      verify: found.value(at: "/actions/verify/href")?.string)
  }

  /// Data go over plain http only to a Hub that is asked so itself.
  private func isSafe(_ address: String) throws -> Bool {
    let isPlain = try repository.endpoint().hasPrefix("http://")
    return address.hasPrefix("https://") || (isPlain && address.hasPrefix("http://"))
  }

  private func confirm(_ file: PushFile, _ address: String) throws {
    // The token stays with the Hub.
    let isHub = address.hasPrefix(try repository.endpoint() + "/")
    let isSafe = try isSafe(address)
    guard isHub || isSafe else { throw repository.strange("names no address to verify \(file.path)") }
    var request = isHub ? repository.access.request(address) : repository.access.plainRequest(address)
    request.headers = Self.headers
    request.body = .data(Data((["oid": .string(file.sha256), "size": JSONValue(file.bytes)] as JSONValue).text().utf8))
    do { _ = try repository.ask(request) } catch let error as SourceFailure {
      if error.refusal?.status == 404 { throw StorageFailure(reason: "lost the file") }
      throw session.failure(error, doing: "upload to it")
    }
  }

  // MARK: - The storage

  private func send(_ file: PushFile, _ action: Action, sent: @escaping (Int) -> Void) throws -> Int {
    let descriptor = open(file.url.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw HubError.storage(file.url.path, code: errno) }
    defer { close(descriptor) }
    guard action.header["chunk_size"] != nil else {
      var request = repository.access.plainRequest(action.href)
      request.headers = action.header.entries.compactMap { Self.line($0.key, $0.value.string) }
      _ = try put(request, .file(descriptor: descriptor, offset: 0, count: file.bytes), sent: sent)
      return file.bytes
    }
    return try sendParts(of: file, descriptor, action, sent: sent)
  }

  /// A header line, unless it would be more than one.
  private static func line(_ name: String, _ value: String?) -> String? {
    guard let value, (name + value).utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), !name.contains(":") else {
      return nil
    }
    return "\(name): \(value)"
  }

  private func sendParts(
    of file: PushFile, _ descriptor: Int32, _ action: Action, sent: @escaping (Int) -> Void
  ) throws -> Int {
    var plan = try journal.plan(file.sha256, bytes: file.bytes) ?? plan(file, action)
    var count = 0
    func size(_ part: Int) -> Int { min(plan.partBytes, file.bytes - part * plan.partBytes) }
    for part in plan.parts.indices where plan.etags[part] == nil {
      let before = plan.etags.indices.reduce(0) { $0 + (plan.etags[$1] == nil ? 0 : size($1)) }
      let etag = try put(
        repository.access.plainRequest(plan.parts[part]),
        .file(descriptor: descriptor, offset: part * plan.partBytes, count: size(part)), sent: { sent(before + $0) })
      guard !etag.isEmpty else { throw repository.strange("to part \(part + 1) of \(file.path) has no ETag") }
      count += size(part)
      plan.etags[part] = etag
      try journal.keep(plan, file.sha256)
    }
    try complete(plan, file)
    return count
  }

  private func plan(_ file: PushFile, _ action: Action) throws -> UploadJournal.Plan {
    let size = action.header["chunk_size"]
    let parts = action.header.entries.compactMap { entry in
      Int(entry.key).flatMap { number in entry.value.string.map { (number: number, address: $0) } }
    }.sorted { $0.number < $1.number }
    guard let bytes = size?.string.flatMap(Int.init) ?? size?.integer, bytes > 0,
      parts.map(\.number) == Array(1...max(1, (file.bytes + bytes - 1) / bytes)),
      try parts.allSatisfy({ try isSafe($0.address) })
    else { throw repository.strange("lays \(file.path) out in parts that do not cover it") }
    return .init(completion: action.href, partBytes: bytes, parts: parts.map(\.address))
  }

  private func complete(_ plan: UploadJournal.Plan, _ file: PushFile) throws {
    let parts = zip(1..., plan.etags).map { number, etag -> JSONValue in
      ["partNumber": JSONValue(number), "etag": .string(etag ?? "")]
    }
    let body: JSONValue = ["oid": .string(file.sha256), "parts": .array(parts)]
    var request = repository.access.plainRequest(plan.completion)
    request.headers = Self.headers
    request.method = "POST"
    request.body = .data(Data(body.text().utf8))
    _ = try finish(request) { _ in }
  }

  /// Returns the ETag.
  private func put(_ request: HTTPRequest, _ body: HTTPRequest.Body, sent: @escaping (Int) -> Void) throws -> String {
    var request = request
    request.method = "PUT"
    request.body = body
    return try finish(request, sent: sent)
  }

  private func finish(_ request: HTTPRequest, sent: @escaping (Int) -> Void) throws -> String {
    let outcome = try request.run(isCancelled: repository.isCancelled, sent: sent) { _, _ in }
    if repository.isCancelled() { throw CancellationError() }
    switch outcome {
    case .finished(let reply): return reply.etag
    case .nothingThere: throw StorageFailure(reason: "answers with status 416")
    case .transient(let reason, let retryAfter): throw StorageFailure(reason: reason, retryAfter: retryAfter)
    case .refused(let refusal) where refusal.status == 0: throw StorageFailure(reason: refusal.reason)
    case .refused(let refusal): throw StorageFailure(reason: "answers with status \(refusal.status)", isStale: true)
    }
  }
}
