import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Datasets

/// The prepared folder, opened by the Hub's own `datasets`.
@Suite struct OutputTests {
  /// Every row of every split, as `load_dataset` gives it.
  private func loaded(_ run: RunFolder, _ folder: URL) throws -> JSONValue {
    let program = """
      import json, sys
      from datasets import load_dataset
      loaded = load_dataset(sys.argv[1])
      print(json.dumps({"rows": {split: list(rows) for split, rows in loaded.items()}}, ensure_ascii=False))
      """
    let text = try PeerPython.run(
      program, [run.at("dataset").path], folder: folder, environment: ["HF_HUB_OFFLINE": "1"])
    return try JSONValue(parsing: Data(text.utf8), file: "load_dataset")
  }

  private func expectSame(_ rows: JSONValue?, _ expected: [ChatRow], sourceLocation: SourceLocation = #_sourceLocation)
  {
    func messages(_ row: JSONValue) -> [ChatRow.Message] {
      (row["messages"]?.array ?? []).map { .init(role: $0["role"]?.string ?? "", content: $0["content"]?.string ?? "") }
    }
    let found = (rows?.array ?? []).map { row in
      ChatRow(
        messages: messages(row),
        source: .init(file: row["source"]?["file"]?.string ?? "", row: row["source"]?["row"]?.integer ?? -1),
        group: row["group"]?.string, kind: row["kind"]?.string, rule: row["rule"]?.string,
        overLong: row["over_long"]?.string)
    }
    #expect(found == expected, sourceLocation: sourceLocation)
  }

  @Test(
    .enabled(if: PeerPython.isHere && hasDuckDB, "the tests' Python tools or DuckDB are not here"),
    arguments: DatasetSettings.Output.allCases)
  func theFolderOpensWithLoadDataset(_ output: DatasetSettings.Output) throws {
    try Fixtures.withTemporaryFolder { folder in
      let run = RunFolder(folder.appendingPathComponent("prepared"))
      let textbook = try prepareTextbook { $0.output = output }
      try textbook.write(to: run)
      let rows = try loaded(run, folder)["rows"]
      for split in DatasetSplit.allCases { expectSame(rows?[split.rawValue], textbook.rows(split)) }

      // Columns that only some data have, and no test split.
      let lectures = RunFolder(folder.appendingPathComponent("lectures"))
      var settings = DatasetSettings()
      settings.files = ["content/data/korean-lectures.jsonl"]
      settings.output = output
      settings.maxTokens = 200
      settings.cleaning.overLong = .split
      settings.split?.test = 0
      let texts = try Prepared(Preparation(settings: settings, base: Fixtures.root, encode: measure).run())
      try texts.write(to: lectures)
      #expect(texts.train.contains { $0.overLong == "split" } && texts.train.allSatisfy { $0.rule != nil })
      let found = try loaded(lectures, folder)["rows"]
      #expect(found?.object?.keys == ["train", "validation"])
      expectSame(found?["train"], texts.train)
      expectSame(found?["validation"], texts.validation)
    }
  }

  @Test(.enabled(if: hasDuckDB, "DuckDB's command line is not here"))
  func parquetStandsBesideTheLinesAndComesBackAsTheSameRows() throws {
    try Fixtures.withTemporaryFolder { folder in
      let run = RunFolder(folder.appendingPathComponent("run"))
      let rows = (1...30).map {
        "{\"question\": \"질문 \($0)\\n'\\\"\", \"answer\": \"답 \(String(repeating: "가", count: $0 * 2000))\"}"
      }
      let dataset = try prepare(["a.jsonl": rows.joined(separator: "\n")]) {
        $0.output = .parquet
        $0.maxTokens = 1 << 20
      }
      try dataset.write(to: run)
      let names = try FileManager.default.contentsOfDirectory(atPath: run.at("dataset").path).sorted()
      #expect(
        names == [
          "README.md", "rejected.jsonl", "report.json", "test.jsonl", "train.jsonl", "train.parquet",
          "validation.jsonl",
        ])
      let table = try TableReader.read(run.datasetParquet(.train), name: "train.parquet")
      #expect(
        table.rows.map { $0.columns?["messages"]?[1]?["content"]?.string } == dataset.train.map(\.messages[1].content))
      let again = try Data(contentsOf: run.datasetParquet(.train))
      try dataset.write(to: run)
      #expect(try Data(contentsOf: run.datasetParquet(.train)) == again)

      // Without the setting they go.
      try prepare(["a.jsonl": rows.joined(separator: "\n")]) { $0.maxTokens = 1 << 20 }.write(to: run)
      #expect(!FileManager.default.fileExists(atPath: run.datasetParquet(.train).path))
      #expect(try String(contentsOf: run.datasetCard, encoding: .utf8).contains("path: train.jsonl"))
    }
  }

  /// A prepared card has no tag; one that was given some keeps them.
  @Test func publishedCardsNameTheirRepositoryAndMaker() throws {
    func published(_ text: String) throws -> String {
      PublishedDataset.published(text, try YAMLNode(frontMatterOf: text, file: "README.md"), "kim/rows")
    }
    #expect(
      try published("---\npretty_name: x\n---\nload_dataset(\"path/to/this/folder\")\n")
        == "---\ntags: [lorapress]\npretty_name: x\n---\nload_dataset(\"kim/rows\")\n")
    #expect(try published("---\ntags: [lorapress, qa]\n---\n") == "---\ntags: [lorapress, qa]\n---\n")
  }

  @Test func withoutDuckDBTheErrorComesFirst() {
    #expect(
      throws: DatasetsError(
        "dataset.output: parquet is written by DuckDB's command line, which is not here; install it (`pip install duckdb-cli`) and put `duckdb` on PATH, or name it in LORAPRESS_DUCKDB"
      )
    ) { try ParquetWriter.program(["PATH": "/nowhere"]) }
  }
}
