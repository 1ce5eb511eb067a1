import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Hub

/// A server, a folder with files, and what was heard.
final class PushBench {
  static let secret = "hf_secretsecret"
  static let name = "kim/textbooks-lora"
  static let key = "models/" + name

  static func card(tags: String = "lora, lorapress", base: String = "Qwen/Qwen2.5-0.5B") -> Data {
    Data("---\nbase_model: \(base)\ntags: [\(tags)]\n---\n# 어댑터\n".utf8)
  }

  /// Bytes that no text editor would take for text.
  static func binary(_ count: Int, seed: UInt8) -> Data {
    Data((0..<count).map { UInt8(($0 * 7 + $0 / 251) & 255) ^ seed })
  }

  static let files = [
    "README.md": card(), "adapter_config.json": Data("{\"r\": 16}\n".utf8),
    "adapter_model.safetensors": binary(300_000, seed: 0),
    "charts/loss.png": binary(20_000, seed: 9), "empty.txt": Data(),
  ]
  static let large: Set = ["adapter_model.safetensors", "charts/loss.png"]
  static let gitattributes = ".gitattributes"

  let folder: URL
  let server: HubServer
  var environment: [String: String]
  var events: [PushEvent] = []
  var target = PushTarget(path: PushBench.name, kind: .model, message: "첫 올리기")

  init(_ folder: URL, _ server: HubServer) throws {
    self.folder = folder
    self.server = server
    environment = [
      "LORAPRESS_CACHE": folder.appendingPathComponent("cache").path, "HF_ENDPOINT": server.url, "HOME": folder.path,
      "HF_TOKEN": Self.secret,
    ]
    for (name, data) in Self.files { try put(name, data) }
  }

  var source: URL { folder.appendingPathComponent("adapter") }

  func put(_ name: String, _ data: Data) throws { try AtomicFile.write(data, to: source.appendingPathComponent(name)) }

  @discardableResult
  func push(isCancelled: @escaping @Sendable () -> Bool = { false }) throws -> PushOutcome {
    var push = try HubPush(environment: environment)
    push.patience.backOff = 0.01
    return try push.push(PushFile.all(in: source), to: #require(target), isCancelled: isCancelled) {
      self.events.append($0)
    }
  }

  func failure() -> String {
    do { return "\(try push())" } catch { return "\(error)" }
  }

  var there: HubServer.Repository? { server.state[Self.key, "main"] }

  /// What the repository holds is what the folder holds, each large object sent once, in so many commits.
  func expectWhole(commits: Int = 1, _ place: SourceLocation = #_sourceLocation) {
    var found = there?.files ?? [:]
    found[Self.gitattributes] = nil
    #expect(found == Self.files, sourceLocation: place)
    #expect(there?.large == Self.large, sourceLocation: place)
    #expect(there?.commits.count == commits, sourceLocation: place)
    let uploads = server.state.uploads
    #expect(Set(uploads).count == uploads.count, "sent twice: \(uploads)", sourceLocation: place)
  }

  static func with(
    partBytes: Int = .max, accounts: [String: String] = [secret: "kim", "hf_lee": "lee"],
    _ body: (PushBench) throws -> Void
  ) throws {
    let server = try HubServer(accounts: accounts, partBytes: partBytes)
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { try body(PushBench($0, server)) }
  }
}

/// Lets the first so many requests fail that `isMeant`.
final class Times: @unchecked Sendable {
  private let lock = NSLock()
  private var left: Int
  init(_ count: Int) { left = count }
  func next() -> Bool {
    lock.withLock {
      left -= 1
      return left >= 0
    }
  }
}
