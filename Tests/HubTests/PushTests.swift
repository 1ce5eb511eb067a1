import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Hub

private let secret = PushBench.secret
private let name = PushBench.name
private let files = PushBench.files

@Suite struct PushTests {
  @Test func makesAPrivateRepositoryAndCommitsOnce() throws {
    try PushBench.with { bench in
      let outcome = try bench.push()
      bench.expectWhole()
      #expect(bench.there?.isPrivate == true && bench.there?.commits == ["첫 올리기"])
      #expect(
        outcome.isPrivate && outcome.commit == bench.there?.commit && outcome.page == "\(bench.server.url)/\(name)")
      #expect(outcome.changed == files.keys.sorted())
      #expect(bench.server.state.uploads.count == 2)
      #expect(bench.events.prefix(2) == [.signedIn(account: "kim"), .created(isPrivate: true)])
      let bytes = files.filter { PushBench.large.contains($0.key) }.values.reduce(0) { $0 + $1.count }
      #expect(bench.events.last == .progress(done: bytes, total: bytes))
    }
  }

  @Test func publicWhereAskedFor() throws {
    try PushBench.with { bench in
      bench.target?.isPrivate = false
      let outcome = try bench.push()
      #expect(!outcome.isPrivate && bench.there?.isPrivate == false)
    }
  }

  /// A server that does not heed the wish must not publish anything.
  @Test func whatIsPublicAgainstTheWishGetsNothing() throws {
    try PushBench.with { bench in
      let state = bench.server.state
      state.inject {
        if $0.method == "GET", $0.path == "/api/\(PushBench.key)" { state[PushBench.key, "main"]?.isPrivate = false }
        return nil
      }
      #expect(
        bench.failure().hasPrefix(
          "hub:\(name): the Hub made it public, which was not asked; nothing was uploaded; change its visibility at "))
      #expect(bench.there?.commits.isEmpty == true && bench.server.storageRequests.isEmpty)
    }
  }

  @Test func nothingChangedIsNoCommit() throws {
    try PushBench.with { bench in
      let first = try bench.push()
      let before = bench.server.requests.count
      let again = try bench.push()
      #expect(again.changed.isEmpty && again.commit == first.commit)
      bench.expectWhole()
      #expect(bench.server.requests[before...].allSatisfy { $0.method == "GET" })
    }
  }

  @Test func onlyWhatChangedIsSent() throws {
    try PushBench.with { bench in
      try bench.push()
      try bench.put("adapter_config.json", Data("{\"r\": 8}\n".utf8))
      #expect(try bench.push().changed == ["adapter_config.json"])
      #expect(bench.there?.files["adapter_config.json"] == Data("{\"r\": 8}\n".utf8))
      #expect(bench.there?.commits.count == 2 && bench.server.state.uploads.count == 2)
      #expect(bench.events.last == .sending(files: 1, bytes: 9, unchanged: 4))
    }
  }

  @Test func largeFilesGoInParts() throws {
    try PushBench.with(partBytes: 70_000) { bench in
      try bench.push()
      bench.expectWhole()
      let oid = SHA256.hex(of: files["adapter_model.safetensors"] ?? Data())
      #expect(bench.server.state.uploads.filter { $0.hasPrefix(oid) } == (1...5).map { "\(oid)/\($0)" })
      let kept = try FileManager.default.contentsOfDirectory(
        atPath: bench.folder.appendingPathComponent("cache/uploads").path)
      #expect(kept.isEmpty)
    }
  }

  @Test func anotherBranchIsMade() throws {
    try PushBench.with { bench in
      try bench.push()
      bench.target?.revision = "시험/v2"
      try bench.put("adapter_config.json", Data("{}".utf8))
      try bench.push()
      #expect(bench.server.state[PushBench.key, "시험/v2"]?.files["adapter_config.json"] == Data("{}".utf8))
      bench.expectWhole()
    }
  }

  // MARK: - The token

  @Test func theTokenGoesToTheHubAloneAndIntoNoText() throws {
    try PushBench.with(partBytes: 70_000) { bench in
      try bench.push()
      #expect(bench.server.requests.allSatisfy { $0.headers["authorization"] == "Bearer \(secret)" })
      #expect(bench.server.storageRequests.count == 7)
      #expect(bench.server.storageRequests.allSatisfy { $0.headers["authorization"] == nil })
      // The server says the token back when it refuses.
      bench.target = PushTarget(path: "lee/other", kind: .model, message: "x")
      let refused = bench.failure()
      #expect(refused.contains("(token)") && !refused.contains(secret))
      #expect(!bench.events.contains { "\($0)".contains(secret) })
      for case let path as String in FileManager.default.enumerator(atPath: bench.folder.path) ?? .init() {
        let data = (try? Data(contentsOf: bench.folder.appendingPathComponent(path))) ?? Data()
        #expect(data.range(of: Data(secret.utf8)) == nil, "\(path)")
      }
    }
  }

  @Test func refusalsSayWhatToDo() throws {
    try PushBench.with { bench in
      bench.environment["HF_TOKEN"] = nil
      #expect(
        bench.failure()
          == "hub:\(name): no token is given; make one with write access at \(bench.server.url)/settings/tokens and set HF_TOKEN to it (or run `hf auth login`)"
      )
      bench.environment["HF_TOKEN"] = "hf_wrong"
      #expect(
        bench.failure()
          == "hub:\(name): the Hub does not know the token (status 401); set HF_TOKEN to a valid one with write access from \(bench.server.url)/settings/tokens"
      )
      bench.environment["HF_TOKEN"] = "hf_lee"
      #expect(bench.failure().hasPrefix("hub:\(name): the token of lee may not make a repository of kim (status 403"))
      bench.environment["HF_ENDPOINT"] = "http://example.invalid:80"
      #expect(bench.failure().contains("the token is not sent to http://example.invalid:80"))
      bench.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
      #expect(bench.failure().hasPrefix("hub:\(name): the Hub can't be reached ("))
      bench.environment["HF_HUB_OFFLINE"] = "1"
      #expect(bench.failure().contains("HF_HUB_OFFLINE is set"))
      #expect(bench.server.state.names.isEmpty && bench.server.storageRequests.isEmpty)
    }
  }

  @Test func anotherCannotWriteToARepositoryThatIsSeen() throws {
    try PushBench.with { bench in
      bench.target?.isPrivate = false
      try bench.push()
      bench.environment["HF_TOKEN"] = "hf_lee"
      try bench.put("adapter_config.json", Data("{}".utf8))
      #expect(bench.failure().hasPrefix("hub:\(name): the token of lee may not write to it (status 403"))
      bench.expectWhole()
    }
  }

  // MARK: - What is there already

  @Test(
    arguments: [
      (nil, "holds files and no README.md, so LoraPress did not make it"),
      (
        PushBench.card(tags: "lora"),
        "holds something that LoraPress did not make (its README.md lacks the tag \"lorapress\")"
      ),
      (PushBench.card(base: "meta/other"), "holds a model of another base (meta/other, not Qwen/Qwen2.5-0.5B)"),
    ] as [(Data?, String)]) func othersWorkIsLeftAlone(_ readme: Data?, _ reason: String) throws
  {
    try PushBench.with { bench in
      var other = HubServer.Repository(files: ["model.bin": Data("their work".utf8), PushBench.gitattributes: Data()])
      other.files["README.md"] = readme
      bench.server.state[PushBench.key, "main"] = other
      #expect(
        bench.failure()
          == "hub:\(name): \(reason); give another --repo, or --overwrite to put the files there all the same")
      #expect(bench.there?.files == other.files && bench.server.storageRequests.isEmpty)
      bench.target?.overwrites = true
      try bench.push()
      #expect(bench.there?.files["README.md"] == files["README.md"] && bench.there?.files["model.bin"] != nil)
    }
  }
}
