import Datasets
import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Hub

/// Rows that no two files share.
private func rows(_ name: String, _ count: Int) -> Data {
  Data((0..<count).map { "{\"question\": \"\(name) 질문 \($0)\", \"answer\": \"답 \($0)\"}\n" }.joined().utf8)
}

private let card = """
  ---
  configs:
  - config_name: claude_evol
    data_files:
    - {split: train, path: claude_evol/train-*}
    - {split: test, path: claude_evol/test.jsonl}
  - config_name: tiny
    data_files: tiny.jsonl
  ---
  # 교과서
  """

private let first = "claude_evol/train-00000-of-00002.jsonl"
private let second = "claude_evol/train-00001-of-00002.jsonl"
private let files = [
  "README.md": Data(card.utf8), first: rows("가", 3000), second: rows("나", 3000), "claude_evol/test.jsonl": rows("다", 5),
  "tiny.jsonl": rows("라", 2), ".gitattributes": Data("* text\n".utf8),
]
private let bytes = [first, second].reduce(0) { $0 + (files[$1]?.count ?? 0) }
private let textbooks = "maywell/korean_textbooks"

private func repository(_ change: (inout HubServer.Repository) -> Void = { _ in }) -> HubServer.Repository {
  var repository = HubServer.Repository(files: files, large: [first, second])
  change(&repository)
  return repository
}

private func settings(_ change: (inout HubSettings) -> Void = { _ in }) -> HubSettings {
  var settings = HubSettings()
  settings.path = textbooks
  settings.name = "claude_evol"
  change(&settings)
  return settings
}

/// A server, a cache of its own, and what was heard.
private final class Bench {
  let folder: URL
  let server: HubServer
  var environment: [String: String]
  var events: [DatasetPullEvent] = []

  init(_ folder: URL, _ server: HubServer) {
    self.folder = folder
    self.server = server
    environment = [
      "LORAPRESS_CACHE": folder.appendingPathComponent("cache").path, "HF_ENDPOINT": server.url, "HOME": folder.path,
    ]
  }

  var cache: URL { folder.appendingPathComponent("cache/datasets/maywell--korean_textbooks") }

  func pull(
    _ settings: HubSettings = settings(), _ splits: [String] = ["train"],
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) throws -> HubSnapshot {
    var store = try DatasetStore(environment: environment)
    store.patience.backOff = 0.01
    return try store.pull(settings, splits: splits, family: DataFiles.family, isCancelled: isCancelled) {
      self.events.append($0)
    }
  }

  func failure(_ settings: HubSettings = settings(), _ splits: [String] = ["train"]) -> String {
    do { return "\(try pull(settings, splits))" } catch { return "\(error)" }
  }
}

private func with(
  _ repository: HubServer.Repository = repository(), pageSize: Int = 1000, cuts: [Int] = [], busy: Int = 0,
  _ body: (Bench) throws -> Void
) throws {
  let server = try HubServer([textbooks: repository], pageSize: pageSize, cuts: cuts, busy: busy)
  defer { server.stop() }
  try Fixtures.withTemporaryFolder { try body(Bench($0, server)) }
}

@Suite struct DatasetPullTests {
  @Test func fetchesTheFilesOfASplitAndNoOthers() throws {
    try with { bench in
      let snapshot = try bench.pull(settings(), ["train", "test"])
      let commit = repository().commit
      #expect(snapshot.commit == commit)
      let paths = [[first, second], ["claude_evol/test.jsonl"]]
      #expect(snapshot.splits.map { $0.map(\.name) } == paths.map { $0.map { "hub:\(textbooks)@\(commit)/\($0)" } })
      for file in snapshot.splits.joined() {
        let path = String(file.name.split(separator: "/", maxSplits: 2)[2])
        #expect(try Data(contentsOf: file.url) == files[path])
      }
      let asked = bench.server.requests.map(\.path)
      #expect(asked[0] == "/api/datasets/\(textbooks)/revision/main")
      #expect(asked[1] == "/api/datasets/\(textbooks)/tree/\(commit)?recursive=true")
      let fetched = asked.dropFirst(2).compactMap { $0.components(separatedBy: "/resolve/\(commit)/").last }
      #expect(fetched.sorted() == (["README.md"] + paths.joined()).sorted())
      #expect(bench.server.storageRequests.count == 2)

      // Again: the branch is looked up, nothing is fetched. By its commit not even that.
      let before = bench.server.requests.count
      #expect(try bench.pull(settings(), ["train", "test"]) == snapshot)
      #expect(bench.server.requests.count == before + 1)
      #expect(try bench.pull(settings { $0.revision = commit }, ["train", "test"]) == snapshot)
      #expect(bench.server.requests.count == before + 1)
    }
  }

  /// The storage is another server: the token stays with the Hub.
  @Test func theTokenGoesToTheHubAlone() throws {
    let secret = "hf_secretsecret"
    try with(repository { $0.gatedBy = secret }) { bench in
      bench.environment["HF_TOKEN"] = secret
      _ = try bench.pull()
      #expect(bench.server.requests.allSatisfy { $0.headers["authorization"] == "Bearer \(secret)" })
      #expect(bench.server.storageRequests.count == 2)
      #expect(bench.server.storageRequests.allSatisfy { $0.headers["authorization"] == nil })
      #expect(!bench.events.contains { "\($0)".contains(secret) })
      for case let path as String in FileManager.default.enumerator(atPath: bench.folder.path) ?? .init() {
        let data = (try? Data(contentsOf: bench.folder.appendingPathComponent(path))) ?? Data()
        #expect(data.range(of: Data(secret.utf8)) == nil, "\(path)")
      }
    }
  }

  @Test func theTokenOfTheHubsOwnClientIsTaken() throws {
    try with(repository { $0.gatedBy = "hf_saved" }) { bench in
      let file = bench.folder.appendingPathComponent(".cache/huggingface/token")
      try AtomicFile.write("hf_saved\n", to: file)
      let snapshot = try bench.pull()
      #expect(snapshot.splits[0].count == 2)
    }
  }

  @Test func gatedDataSetsSayHowToGetAccess() throws {
    try with(repository { $0.gatedBy = "hf_right" }) { bench in
      let remedy =
        "; ask for access at \(bench.server.url)/datasets/\(textbooks), then set HF_TOKEN to a token of that account (or run `hf auth login`)"
      #expect(bench.failure() == "hub:\(textbooks): is gated, and no token is given" + remedy)
      bench.environment["HF_TOKEN"] = "hf_wrong"
      #expect(bench.failure() == "hub:\(textbooks): is gated, and the token's account has no access yet" + remedy)
    }
  }

  @Test func whatDoesNotExistIsNamed() throws {
    try with { bench in
      #expect(
        bench.failure(settings { $0.path = "maywell/nothing" })
          == "hub:maywell/nothing: the Hub has no such data set, or it is private; check dataset.hub.path; for a private one set HF_TOKEN to a token that may read it"
      )
      bench.environment["HF_TOKEN"] = "hf_x"
      #expect(
        bench.failure(settings { $0.path = "maywell/nothing" }).contains("has no such data set, or it is private"))
      #expect(
        bench.failure(settings { $0.revision = "v9" })
          == "hub:\(textbooks): has no revision \"v9\"; give a branch, a tag or a commit of \(bench.server.url)/datasets/\(textbooks)/tree/main as dataset.hub.revision"
      )
      #expect(
        bench.failure(settings { $0.name = "claude" })
          == "hub:\(textbooks): has no config \"claude\"; dataset.hub.name may be claude_evol, tiny")
      #expect(
        bench.failure(settings(), ["valid"])
          == "hub:\(textbooks): the config \"claude_evol\" has no split \"valid\"; it has train, test")
      #expect(bench.failure(settings { $0.name = nil }).contains("choose with dataset.hub.name: claude_evol, tiny"))
    }
  }

  @Test func goesOnAfterConnectionsThatBreak() throws {
    try with(cuts: [50_000, 40_000]) { bench in
      let snapshot = try bench.pull()
      #expect(try Data(contentsOf: snapshot.splits[0][0].url) == files[first])
      #expect(bench.server.storageRequests.map(\.start) == [0, 50_000, 90_000, 0])
      #expect(bench.events.filter { if case .retrying = $0 { true } else { false } }.count == 2)
      #expect(bench.events.contains(.fetching(files: 2, bytes: bytes)))
      #expect(bench.events.last == .progress(done: bytes, total: bytes))
    }
  }

  @Test func anInterruptedFetchGoesOnTheNextTime() throws {
    let flag = Flag()
    try with { bench in
      let store = try DatasetStore(environment: bench.environment)
      let error = #expect(throws: HubError.self) {
        try store.pull(settings(), splits: ["train"], family: DataFiles.family, isCancelled: { flag.isUp }) { event in
          if case .progress(let done, _) = event, done > 30_000 { flag.raise() }
        }
      }
      #expect(error?.isCancelled == true)
      let partial = bench.cache.appendingPathComponent("\(repository().commit)/files/\(first).partial")
      let bytes = try Data(contentsOf: partial).count
      #expect(bytes > 30_000 && bytes < (files[first]?.count ?? 0))
      #expect(try Data(contentsOf: bench.pull().splits[0][0].url) == files[first])
      #expect(bench.server.storageRequests.map(\.start) == [0, bytes, 0])
      #expect(!FileManager.default.fileExists(atPath: partial.path))
    }
  }

  @Test func waitsForABusyHub() throws {
    try with(busy: 3) { bench in
      let snapshot = try bench.pull()
      #expect(snapshot.splits[0].count == 2)
      #expect(bench.server.requests.map(\.path).count { $0.contains("/revision/") } == 4)
    }
  }

  @Test(arguments: [first, "claude_evol/test.jsonl"]) func filesOfTheWrongHashAreDeleted(_ path: String) throws {
    try with(repository { $0.spoilt = [path] }) { bench in
      let error = bench.failure(settings(), ["train", "test"])
      #expect(error.hasPrefix("hub:\(textbooks)/\(path): what came has the hash "))
      #expect(error.contains("; it was deleted; run the command again"))
      let place = bench.cache.appendingPathComponent("\(repository().commit)/files/\(path)")
      #expect(!FileManager.default.fileExists(atPath: place.path))
      #expect(!FileManager.default.fileExists(atPath: place.path + ".partial"))
    }
  }

  @Test func aChangedFileOfTheCacheIsFetchedAgain() throws {
    try with { bench in
      let file = try bench.pull().splits[0][0].url
      try Data("[]".utf8).write(to: file)
      #expect(try Data(contentsOf: bench.pull().splits[0][0].url) == files[first])
      #expect(bench.server.storageRequests.count == 3)
    }
  }

  @Test func longListsComeInPages() throws {
    try with(pageSize: 2) { bench in
      let snapshot = try bench.pull()
      #expect(snapshot.splits[0].count == 2)
      let pages = bench.server.requests.map(\.path).filter { $0.contains("/tree/") }
      #expect(pages.count == 3 && pages[2].hasSuffix("cursor=4"))
    }
  }

  @Test func aDiskWithoutRoomIsToldBeforeAnythingIsFetched() throws {
    let huge = "claude_evol/train-00002-of-00002.jsonl"
    try with(repository { $0.claims = [huge: 1 << 49] }) { bench in
      #expect(bench.failure().contains("free some space, or set LORAPRESS_CACHE to a folder on another disk"))
      #expect(bench.server.storageRequests.isEmpty)
    }
  }

  @Test func pathsThatLeadOutOfTheFolderAreRefused() throws {
    for path in ["../../up.jsonl", "/etc/up.jsonl", "a//b.jsonl"] {
      try with(repository { $0.claims = [path: 3] }) { bench in
        #expect(bench.failure().hasPrefix("hub:\(textbooks): the Hub's answer lists a file without name"))
      }
    }
  }

  @Test func aPageInThePlaceOfTheHubIsRefused() throws {
    let server = try LocalServer { _, _ in .init(status: 200, body: Data("<html>Please log in</html>".utf8)) }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let store = try DatasetStore(environment: ["LORAPRESS_CACHE": folder.path, "HF_ENDPOINT": server.url])
      #expect(
        throws: HubError(
          "hub:\(textbooks)", "the Hub's answer is no JSON",
          remedy: "check HF_ENDPOINT, and whether a proxy answers in its place")
      ) { try store.pull(settings(), splits: ["train"], family: DataFiles.family) { _ in } }
    }
  }

  // MARK: - Without a network

  @Test func whatWasFetchedIsReadWithoutANetwork() throws {
    try with { bench in
      let snapshot = try bench.pull()
      bench.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
      bench.events = []
      #expect(try bench.pull() == snapshot)
      guard case .offline(_, let commit)? = bench.events.first else {
        Issue.record("nothing was said: \(bench.events)")
        return
      }
      #expect(commit == snapshot.commit && bench.events.count == 1)
      let missing = bench.failure(settings(), ["test"])
      #expect(missing.hasPrefix("hub:\(textbooks): the Hub can't be reached ("))
      #expect(missing.hasSuffix("; check the network or HF_ENDPOINT; what was fetched once is read without it"))
    }
  }

  @Test func withHFHubOfflineNobodyIsAsked() throws {
    try with { bench in
      bench.environment["HF_HUB_OFFLINE"] = "1"
      #expect(bench.failure().contains("can't be reached (HF_HUB_OFFLINE is set)"))
      #expect(bench.server.requests.isEmpty)
      bench.environment["HF_HUB_OFFLINE"] = nil
      let snapshot = try bench.pull()
      let asked = bench.server.requests.count
      bench.environment["HF_HUB_OFFLINE"] = "1"
      #expect(try bench.pull() == snapshot)
      #expect(bench.server.requests.count == asked)
    }
  }

  // MARK: - The server

  /// What these tests talk to speaks as the Hub does: its own client lists and fetches the same from it.
  @Test(.enabled(if: PeerPython.isHere, "the tests' Python tools are not here"))
  func theHubsOwnClientUnderstandsTheServer() throws {
    let program = """
      import hashlib, sys
      from huggingface_hub import HfApi, hf_hub_download
      repo, cache = sys.argv[1:]
      commit = HfApi().dataset_info(repo, revision="main").sha
      for file in HfApi().list_repo_tree(repo, repo_type="dataset", recursive=True, revision=commit):
          path = hf_hub_download(repo, file.path, repo_type="dataset", revision=commit, cache_dir=cache)
          data = open(path, "rb").read()
          print(file.path, file.size == len(data), file.lfs is None or file.lfs.sha256 == hashlib.sha256(data).hexdigest())
      """
    try with { bench in
      let told = try PeerPython.run(
        program, [textbooks, bench.folder.appendingPathComponent("hf").path], folder: bench.folder,
        environment: ["HF_ENDPOINT": bench.server.url])
      let lines = told.split(separator: "\n").map(String.init)
      #expect(lines == files.keys.sorted().map { "\($0) True True" })
    }
  }
}
