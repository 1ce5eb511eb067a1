import Charts
import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

/// Every regular file below a folder with its inode, date and bytes.
private struct Snapshot: Equatable {
  struct File: Equatable {
    var inode: UInt64
    var seconds: Int
    var nanoseconds: Int
    var data: Data
  }
  var files: [String: File] = [:]

  init(_ folder: URL, _ parts: [String] = ["site", "posts", "runs"]) throws {
    for part in parts {
      for path in try CodeRegions.files(below: folder.appendingPathComponent(part)) {
        let url = folder.appendingPathComponent("\(part)/\(path)")
        var status = stat()
        #expect(lstat(url.path, &status) == 0)
        files["\(part)/\(path)"] = File(
          inode: UInt64(status.st_ino), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec,
          data: try Data(contentsOf: url))
      }
    }
  }

  /// Files that are new, gone, or whose inode, date or bytes differ.
  func touched(since old: Snapshot) -> [String] {
    Set(files.keys).union(old.files.keys).filter { files[$0] != old.files[$0] }.sorted()
  }

  var bytes: [String: Data] { files.mapValues(\.data) }
}

@Suite struct StagingTests {
  private func copyRun(_ folder: URL, _ id: String) throws {
    let place = folder.appendingPathComponent("runs/\(id)")
    try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: Fixtures.url("Site", "run"), to: place)
    let record = place.appendingPathComponent("run.json")
    try String(contentsOf: record, encoding: .utf8).replacing("fixture-run", with: id)
      .write(to: record, atomically: true, encoding: .utf8)
  }

  private func addLine(_ folder: URL, _ id: String) throws {
    let log = RunFolder(output: folder, id: id).metricsLog
    let line = "{\"epoch\": 9.5, \"loss\": 1.25, \"split\": \"eval\", \"step\": 9999, \"time\": 1795009999.0}\n"
    try (String(contentsOf: log, encoding: .utf8) + line).write(to: log, atomically: true, encoding: .utf8)
  }

  @Test func unchangedLogsTouchNothing() throws {
    try Fixtures.withTemporaryFolder { folder in
      let builder = try Made.builder(folder)
      _ = try builder.render()
      let before = try Snapshot(folder)
      var folders: [UInt64] = []
      for part in ["site", "posts"] {
        var status = stat()
        #expect(stat(folder.appendingPathComponent(part).path, &status) == 0)
        folders.append(UInt64(status.st_ino))
      }
      let summary = try builder.render()
      #expect(summary.written == 0 && summary.removed == 0)
      #expect(try Snapshot(folder).touched(since: before) == [])
      for (part, inode) in zip(["site", "posts"], folders) {
        var status = stat()
        #expect(stat(folder.appendingPathComponent(part).path, &status) == 0 && UInt64(status.st_ino) == inode)
      }
    }
  }

  @Test(arguments: [true, false])
  func oneChangedRunTouchesItsPagesOnly(hasCache: Bool) throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder)
      try copyRun(folder, "other-run")
      let builder = SiteBuilder(
        output: folder, content: Made.project.appendingPathComponent("content"),
        templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project,
        cache: hasCache ? CacheStore(folder: folder.appendingPathComponent(".cache")) : nil, cards: false)
      _ = try builder.render()
      let before = try Snapshot(folder)
      try addLine(folder, "other-run")
      let summary = try builder.render()
      let touched = try Snapshot(folder).touched(since: before)
      #expect(touched.contains("site/runs/other-run/index.html") && touched.contains("site/runs/other-run/loss.png"))
      // The whole run changed, nothing of the other one or of the posts; a list of all runs may tell of it.
      for path in touched {
        #expect(
          path.contains("/other-run/") || !path.dropFirst("site/".count).contains("/"), "\(path) was touched")
      }
      #expect(summary.written == touched.filter { $0 != "runs/other-run/log/metrics.jsonl" }.count)
      // Unchanged files keep inode and date though their folder was replaced.
      #expect(!touched.contains("site/assets/style.css") && !touched.contains("site/posts/fixture/index.html"))
    }
  }

  private func plan(_ texts: [String: String]) throws -> SitePlan {
    try Fixtures.withTemporaryFolder { _ in
      var plan = try SitePlan(
        RenderedSite(posts: [], runs: [], comparisons: [], settings: SiteSettings()),
        pages: PageTemplates(folder: Fixtures.root.appendingPathComponent("templates")))
      plan.site = texts.mapValues { Data($0.utf8) }
      return plan
    }
  }

  /// Without hard links and without an exchange in one step the result is the same, dates included.
  @Test(arguments: [(true, true), (false, true), (true, false), (false, false)])
  func fallbacksGiveTheSameFolders(links: Bool, exchanges: Bool) throws {
    try Fixtures.withTemporaryFolder { folder in
      let staging = Staging(output: folder, linksFiles: links, exchangesFolders: exchanges)
      let first = try staging.install(plan(["a/same.html": "1", "changed.html": "2", "gone.html": "3"])).site
      #expect(first == Staging.Counts(written: 3, unchanged: 0, removed: 0))
      let before = try Snapshot(folder, ["site"])
      let second = try staging.install(plan(["a/same.html": "1", "changed.html": "20", "new.html": "4"])).site
      #expect(second == Staging.Counts(written: 2, unchanged: 1, removed: 1))
      let after = try Snapshot(folder, ["site"])
      #expect(
        after.bytes.mapValues { String(decoding: $0, as: UTF8.self) } == [
          "site/a/same.html": "1", "site/changed.html": "20", "site/new.html": "4",
        ])
      let (old, new) = (before.files["site/a/same.html"], after.files["site/a/same.html"])
      #expect(old?.seconds == new?.seconds && old?.nanoseconds == new?.nanoseconds)
      #expect(!links || old?.inode == new?.inode)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["posts", "site"])
    }
  }

  @Test func leftoversOfAKilledBuildAreCleared() throws {
    try Fixtures.withTemporaryFolder { folder in
      let staging = Staging(output: folder)
      _ = try staging.install(plan(["index.html": "old"]))
      let files = FileManager.default
      // Killed between the two renames of a file system without an exchange.
      try files.moveItem(
        at: folder.appendingPathComponent("site"), to: folder.appendingPathComponent(".site.before"))
      try files.createDirectory(
        at: folder.appendingPathComponent(".site-building-123/site"), withIntermediateDirectories: true)
      // Not ours: its name only begins so.
      try files.createDirectory(
        at: folder.appendingPathComponent(".site-building-notes"), withIntermediateDirectories: true)
      let before = try Snapshot(folder, [".site.before"])
      #expect(try staging.install(plan(["index.html": "old"])).site == Staging.Counts(unchanged: 1))
      #expect(
        try files.contentsOfDirectory(atPath: folder.path).sorted() == [".site-building-notes", "posts", "site"])
      #expect(try Snapshot(folder, ["site"]).files["site/index.html"] == before.files[".site.before/index.html"])
    }
  }

  @Test func aFolderThatCanNotBeReplacedLeavesAll() throws {
    try Fixtures.withTemporaryFolder { folder in
      let staging = Staging(output: folder)
      _ = try staging.install(plan(["index.html": "old"]))
      let before = try Snapshot(folder)
      // A file in the way of a folder: its name can't be built.
      #expect(throws: (any Error).self) { try staging.install(plan(["x": "1", "x/y": "2"])) }
      #expect(try Snapshot(folder) == before)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["posts", "site"])
    }
  }
}

@Suite struct CacheTests {
  private func builder(_ folder: URL) -> SiteBuilder {
    SiteBuilder(
      output: folder, content: Made.project.appendingPathComponent("content"),
      templates: Fixtures.root.appendingPathComponent("templates"), sources: Made.project,
      cache: CacheStore(folder: folder.appendingPathComponent(".cache")), cards: false)
  }

  private func entries(_ folder: URL, _ kind: String = "pictures") throws -> [URL] {
    let place = folder.appendingPathComponent(".cache/\(kind)")
    return try FileManager.default.contentsOfDirectory(atPath: place.path).sorted().map(place.appendingPathComponent)
  }

  @Test func aCachedBuildGivesTheSameBytes() throws {
    try Fixtures.withTemporaryFolder { folder in
      let plain = folder.appendingPathComponent("plain")
      let cached = folder.appendingPathComponent("cached")
      _ = try Made.builder(plain).render()
      _ = try Made.builder(cached)
      _ = try builder(cached).render()
      #expect(try !entries(cached).isEmpty && !entries(cached, "code").isEmpty)
      let first = try Snapshot(cached)
      #expect(try first.bytes == Snapshot(plain).bytes)
      // From the cache alone, into an empty place.
      for part in ["site", "posts"] { try FileManager.default.removeItem(at: cached.appendingPathComponent(part)) }
      _ = try builder(cached).render()
      #expect(try Snapshot(cached).bytes == first.bytes)
    }
  }

  /// A picture put into the cache is really used, or the cache would be for nothing; a damaged one is drawn again.
  @Test func damagedEntriesAreDrawnAgain() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder)
      _ = try builder(folder).render()
      let before = try Snapshot(folder)
      for (index, entry) in try entries(folder).enumerated() {
        var data = try Data(contentsOf: entry)
        switch index % 3 {
        case 0: data[data.count - 100] ^= 1
        case 1: data = data.prefix(data.count / 2)
        default: data = Data()
        }
        try data.write(to: entry)
      }
      for entry in try entries(folder, "code") { try Data("<script>".utf8).write(to: entry) }
      #expect(try builder(folder).render().written == 0)
      #expect(try Snapshot(folder).touched(since: before) == [])
    }
  }

  @Test func whatIsKeptIsUsedAndWhatIsNotUsedGoes() throws {
    try Fixtures.withTemporaryFolder { folder in
      let store = CacheStore(folder: folder)
      let (a, b) = (CacheStore.key(["ab", "c"]), CacheStore.key(["a", "bc"]))
      #expect(a != b)
      store.keep(Data("one".utf8), "pictures", a)
      store.keep(Data("two".utf8), "pictures", b)
      store.prune()
      #expect(store.data("pictures", a) == Data("one".utf8))
      store.prune()
      #expect(store.data("pictures", a) == Data("one".utf8) && store.data("pictures", b) == nil)
    }
  }
}

@Suite struct RecordUseTests {
  @Test func aListThatIsOnlyAskedForIsNotMade() {
    func use(_ text: String) -> String { "\(RecordUse(of: "events", in: text))" }
    #expect(use("글") == "none")
    #expect(use("{% if events %}{{ chart(\"loss\") }}{% endif %}{% if not events %}") == "asked")
    #expect(use("{% if events %}{{ events[0].loss }}{% endif %}") == "full")
    #expect(use("{% if events|length > 3 %}") == "full")
  }
}
