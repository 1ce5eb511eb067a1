import Foundation
import Formats
import Runs
import TestSupport
import Testing

/// Data sets of the Hub through the program, from a server that speaks as the Hub does.
@Suite struct HubDataTests {
  private static let name = "lora/press"

  private func rows(_ name: String, _ count: Int) -> Data {
    Data((0..<count).map { "{\"question\": \"\(name) \($0)번은?\", \"answer\": \"\($0 * 7)입니다.\"}\n" }.joined().utf8)
  }

  private func inProgram(_ body: (Program, HubServer) throws -> Void) throws {
    let card = """
      ---
      configs:
      - config_name: ko
        data_files: [{split: train, path: ko/train*}, {split: dev, path: ko/dev.jsonl}, {split: test, path: ko/test.jsonl}]
      - config_name: en
        data_files: en.jsonl
      ---
      """
    let server = try HubServer([
      Self.name: .init(
        files: [
          "README.md": Data(card.utf8), "ko/train-0.jsonl": rows("가", 30), "ko/train-1.jsonl": rows("나", 20),
          "ko/dev.jsonl": rows("다", 4), "ko/test.jsonl": rows("라", 3), "en.jsonl": rows("x", 2),
        ], large: ["ko/train-0.jsonl"])
    ])
    defer { server.stop() }
    try Fixtures.withTemporaryFolder { try body(Program(folder: $0), server) }
  }

  private func experiment(_ program: Program, _ dataset: String) throws -> URL {
    let model = program.folder.appendingPathComponent("model")
    if !FileManager.default.fileExists(atPath: model.path) { _ = try program.makeModel() }
    let file = program.folder.appendingPathComponent("hub.yaml")
    try "name: tiny\nmodel: {name: \"\(model.path)\"}\ndataset: \(dataset)\n"
      .write(to: file, atomically: true, encoding: .utf8)
    return file
  }

  @Test func anExperimentReadsTheHubAndSaysWhichCommit() throws {
    try inProgram { program, server in
      let file = try experiment(program, "{hub: {path: \(Self.name), name: ko}, split: {test: 5, validation: 0.1}}")
      let arguments = ["prepare", file.path, "--output", program.output.path]
      let first = try program.run(arguments, environment: ["HF_ENDPOINT": server.url])
      #expect(first.code == 0, "\(first.errors)")
      let record = try RecordFile.read(RunRecord.self, from: program.run.record)
      let commit = String(repeating: "a1", count: 20)
      #expect(
        record.datasetFiles.map(\.path)
          == ["ko/train-0.jsonl", "ko/train-1.jsonl"].map { "hub:\(Self.name)@\(commit)/\($0)" })
      #expect(record.datasetFiles[0].sha256 == SHA256.hex(of: rows("가", 30)))
      let report = try RecordFile.read(DatasetReport.self, from: program.run.datasetReport)
      #expect(report.counts.read == 50 && report.counts.kept == 50 && report.counts.test == 5)
      let config = try Experiment(file: program.run.config)
      #expect(config.settings.dataset.hub?.path == Self.name && config.settings.dataset.hub?.name == "ko")

      // Without the Hub the copy in the cache serves, and nothing has changed.
      let second = try program.run(arguments, environment: ["HF_ENDPOINT": "http://127.0.0.1:9"])
      #expect(second.code == 0 && second.errors.contains("prepare: unchanged, skipped"), "\(second.errors)")
      #expect(second.errors.contains("reading commit \(commit.prefix(12)) of \(Self.name) from the cache"))
    }
  }

  @Test func splitsThatAreThereKeepTheirPlaces() throws {
    try inProgram { program, server in
      let file = try experiment(
        program, "{hub: {path: \(Self.name), name: ko, validation_split: dev, test_split: test}, split: none}")
      let result = try program.run(
        ["prepare", file.path, "--output", program.output.path], environment: ["HF_ENDPOINT": server.url])
      #expect(result.code == 0, "\(result.errors)")
      let counts = try RecordFile.read(DatasetReport.self, from: program.run.datasetReport).counts
      #expect(counts.train == 50 && counts.validation == 4 && counts.test == 3)
    }
  }

  @Test func inspectTakesADataSetOfTheHub() throws {
    try inProgram { program, server in
      func inspect(_ words: String...) throws -> Program.Result {
        try program.run(["dataset", "inspect"] + words, environment: ["HF_ENDPOINT": server.url])
      }
      let found = try inspect("hub:\(Self.name)/ko/test", "--json")
      #expect(found.code == 0, "\(found.errors)")
      let json = try JSONValue(parsing: found.output, file: "inspect")
      #expect(json["read"] == 3 && json["kept"] == 3)
      #expect(json["layouts"]?[0]?["files"]?[0]?.string?.hasSuffix("/ko/test.jsonl") == true)
      #expect(try inspect("hub:\(Self.name)/ko@main").output.contains("50"))
      #expect(try inspect("hub:lora").code == 64)
    }
  }

  @Test func whatIsWrongIsOneLine() throws {
    try inProgram { program, server in
      for (dataset, message, endpoint) in [
        (
          "{hub: {path: \(Self.name)}}", "has 2 configs and no default one; choose with dataset.hub.name: ko, en",
          server.url
        ),
        ("{hub: {path: \(Self.name), name: kr}}", "has no config \"kr\"; dataset.hub.name may be ko, en", server.url),
        (
          "{hub: {path: \(Self.name), name: ko, split: valid}}", "has no split \"valid\"; it has train, dev, test",
          server.url
        ),
        ("{hub: {path: \(Self.name), name: ko, revision: v2}}", "has no revision \"v2\"", server.url),
        ("{hub: {path: lora/none}}", "has no such data set, or it is private", server.url),
        ("{hub: {path: \(Self.name), name: ko}}", "the Hub can't be reached", "http://127.0.0.1:9"),
        ("{hub: {path: \(Self.name), config: ko}}", "unknown setting 'dataset.hub.config'", server.url),
        ("{hub: {path: ../etc}}", "'dataset.hub.path' must be a repository's OWNER/NAME", server.url),
        ("{hub: {name: ko}}", "'dataset.hub.path' is missing", server.url),
        ("{hub: {path: \(Self.name)}, files: [a.json]}", "exclude each other", server.url),
        ("{hub: {path: \(Self.name), test_split: test}}", "write `split: none`", server.url),
      ] {
        let file = try experiment(program, dataset)
        let result = try program.run(
          ["prepare", file.path, "--output", program.output.path], environment: ["HF_ENDPOINT": endpoint])
        #expect(result.code == 1)
        let lines = result.errors.split(separator: "\n").filter { $0.hasPrefix("lorapress: ") }
        #expect(lines.count == 1 && lines.first?.contains(message) == true, "\(dataset): \(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: program.output.path))
      }
    }
  }
}
