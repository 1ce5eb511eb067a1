import Datasets
import Foundation
import Formats
import TestSupport
import Testing

@testable import Hub

/// Files by config and split, as the Hub's own `datasets` takes them (scripts/fixtures/hub_layouts.py).
@Suite struct LayoutTests {
  private static let layouts: [(name: String, layout: JSONValue)] = {
    let data = (try? Fixtures.data("Hub", "layouts.json")) ?? Data()
    let value = try? JSONValue(parsing: data, file: "layouts.json")
    return value?.object?.entries.map { ($0.key, $0.value) } ?? []
  }()

  private func layout(_ files: [String], _ readme: String? = nil) throws -> DatasetLayout {
    try DatasetLayout(files: files, readme: readme, subject: "hub:a/b", family: DataFiles.family)
  }

  @Test func theFixtureIsThere() { #expect(Self.layouts.count == 14) }

  @Test(arguments: layouts) func asTheLibraryTakesThem(_ name: String, _ expected: JSONValue) throws {
    let layout = try layout(
      (expected["files"]?.array ?? []).compactMap(\.string), expected["readme"]?.string)
    func check(_ config: String?, _ splits: JSONValue) throws {
      for entry in splits.object?.entries ?? [] {
        let files = try layout.files(config: config, splits: [entry.key], subject: "hub:a/b")
        #expect(files == [(entry.value.array ?? []).compactMap(\.string)], "\(name), \(config ?? "-"), \(entry.key)")
      }
    }
    for entry in expected["configs"]?.object?.entries ?? [] {
      try check(entry.key, entry.value)
      let splits = layout.configs.first { $0.name == entry.key }?.splits.filter { !$0.files.isEmpty }.map(\.name)
      #expect(Set(splits ?? []) == Set(entry.value.object?.keys ?? []), "\(name), \(entry.key)")
    }
    if let whole = expected["default"], !whole.isNull {
      try check(nil, whole)
    } else {
      #expect(throws: HubError.self) { try layout.files(config: nil, splits: ["train"], subject: "hub:a/b") }
    }
  }

  /// The Parquet copy that the Hub makes (refs/convert/parquet) has folders in the place of a card.
  @Test func foldersNameTheConfigsOfAParquetCopy() throws {
    let layout = try layout([
      "ko/train/0000.parquet", "ko/train/0001.parquet", "ko/test/0000.parquet", "en/train/0000.parquet",
    ])
    #expect(
      try layout.files(config: "ko", splits: ["train", "test"], subject: "x")
        == [["ko/train/0000.parquet", "ko/train/0001.parquet"], ["ko/test/0000.parquet"]])
  }

  @Test func whatIsMissingIsToldWithWhatIsThere() throws {
    let card = """
      ---
      configs:
      - {config_name: ko, data_files: [{split: train, path: ko.jsonl}, {split: test, path: none.jsonl}]}
      - {config_name: en, data_files: en.jsonl}
      ---
      """
    let layout = try layout(["ko.jsonl", "en.jsonl"], card)
    func error(_ config: String?, _ split: String) -> String {
      do {
        return "\(try layout.files(config: config, splits: [split], subject: "hub:a/b"))"
      } catch { return "\(error)" }
    }
    #expect(error(nil, "train") == "hub:a/b: has 2 configs and no default one; choose with dataset.hub.name: ko, en")
    #expect(error("kr", "train") == "hub:a/b: has no config \"kr\"; dataset.hub.name may be ko, en")
    #expect(error("ko", "valid") == "hub:a/b: the config \"ko\" has no split \"valid\"; it has train")
    #expect(error("ko", "test") == "hub:a/b: the config \"ko\" has no split \"test\"; it has train")
    #expect(error("en", "train") == "[[\"en.jsonl\"]]")
  }

  @Test func dataThatCannotBeReadAndCardsThatAreBroken() {
    #expect(
      throws: HubError(
        "hub:a/b", "holds no file that can be read (its files end in arrow, md)",
        remedy: "look for its Parquet copy: dataset.hub.revision: refs/convert/parquet")
    ) { try layout(["x.arrow", "README.md"]) }
    let error = #expect(throws: HubError.self) { try layout(["x.json"], "---\nconfigs: [\n---\n") }
    #expect(error?.description.hasPrefix("hub:a/b/README.md:") == true && error?.description.contains("\n") == false)
  }
}
