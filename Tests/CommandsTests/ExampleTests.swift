import Charts
import Foundation
import Runs
import Site
import TestSupport
import Testing

/// The committed example is what `render` makes of its logs: texts byte for byte, pictures by their decoded pixels (PNG bytes
/// may differ from one zlib to another).
@Suite struct ExampleTests {
  private static let example = Fixtures.root.appendingPathComponent("output/example")

  @Test func renderMakesTheExampleOfItsLogs() throws {
    try Fixtures.withTemporaryFolder { folder in
      try FileManager.default.copyItem(
        at: Self.example.appendingPathComponent("runs"), to: folder.appendingPathComponent("runs"))
      let root = Fixtures.root
      let summary = try SiteBuilder(
        output: folder, content: root.appendingPathComponent("content"),
        templates: root.appendingPathComponent("templates"),
        sources: root, cards: false
      ).render()
      #expect(Set(summary.posts) == ["korean-textbooks", "korean-textbooks-1.5b"])
      let committed = try Self.files(Self.example)
      let rendered = try Self.files(folder)
      #expect(Set(committed) == Set(rendered), "run scripts/example and commit what it makes")
      #expect(committed.contains("site/index.html") && committed.contains { $0.hasSuffix("loss.png") })
      for path in committed where rendered.contains(path) {
        let old = try Data(contentsOf: Self.example.appendingPathComponent(path))
        let new = try Data(contentsOf: folder.appendingPathComponent(path))
        if path.hasSuffix(".png") {
          let (a, b) = (try PNGFile.decode([UInt8](old)), try PNGFile.decode([UInt8](new)))
          #expect(a.width == b.width && a.height == b.height && a.rgba == b.rgba && a.texts == b.texts, "\(path)")
        } else if path == "site/provenance.json" {
          // The bytes of pictures may differ, and so may their hashes.
          func lines(_ data: Data) -> [Substring] {
            String(decoding: data, as: UTF8.self).split(separator: "\n").filter { !$0.contains(".png\"") }
          }
          #expect(
            lines(old) == lines(new) && lines(new).count > 8, "\(path): run scripts/example and commit what it makes")
        } else {
          #expect(old == new, "\(path): run scripts/example and commit what it makes")
        }
      }
    }
  }

  /// Every file that the record lists is there with its hash, or is marked as left out.
  @Test func theRecordTellsWhatIsThere() throws {
    let ids = try FileManager.default.contentsOfDirectory(atPath: Self.example.appendingPathComponent("runs").path)
    #expect(ids.sorted() == ["korean-textbooks-qwen2.5-0.5b", "korean-textbooks-qwen2.5-1.5b"])
    for id in ids {
      let run = RunFolder(output: Self.example, id: id)
      let record = try RecordFile.read(RunRecord.self, from: run.record)
      #expect(record.status == .evaluated)
      for artifact in record.artifacts {
        if artifact.kept == false {
          #expect(!FileManager.default.fileExists(atPath: run.at(artifact.path).path))
        } else {
          #expect(try SHA256.hex(ofFile: run.at(artifact.path)) == artifact.sha256, "\(artifact.path)")
        }
      }
    }
  }

  @Test func theExampleIsSmall() throws {
    let bytes = try Self.files(Self.example).reduce(0) { sum, path in
      sum
        + ((try FileManager.default.attributesOfItem(atPath: Self.example.appendingPathComponent(path).path)[.size]
          as? Int) ?? 0)
    }
    #expect(bytes < 10_000_000)
  }

  private static func files(_ folder: URL) throws -> [String] {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    return paths.filter { path in
      if path.hasPrefix(".cache") { return false }  // A render's own, never committed.
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: folder.appendingPathComponent(path).path, isDirectory: &isFolder)
        && !isFolder.boolValue && !path.hasPrefix(".cache/")
    }.sorted()
  }
}
