import Foundation
import Runs
import TestSupport
import Testing

/// Data that can't be used, through the program: one line, and what was prepared before stays as it was.
@Suite struct BadDataTests {
  private static let hasDuckDB =
    ProcessInfo.processInfo.environment["LORAPRESS_DUCKDB"] != nil || SearchPath.program("duckdb") != nil

  private struct Fault: Sendable {
    let name: String
    let files: [String: Data]
    /// `dataset:` of the experiment.
    let dataset: String
    let message: String

    init(_ name: String, _ files: [String: Data], _ dataset: String, _ message: String) {
      self.name = name
      self.files = files
      self.dataset = dataset
      self.message = message
    }
  }

  private static func rows(
    _ count: Int, _ row: (Int) -> String = { "{\"question\": \"질문 \($0)?\", \"answer\": \"답\"}" }
  ) -> Data {
    Data((0..<count).map { row($0) + "\n" }.joined().utf8)
  }

  private static func reader(_ name: String) -> Data { (try? Fixtures.data("Datasets", "readers/\(name)")) ?? Data() }

  private static let faults: [Fault] = [
    Fault(
      "a CSV file with a quote that never closes", ["a.csv": Data("question,answer\n하나?,일\n\"둘?,이\n셋?,삼\n".utf8)],
      "{files: [a.csv]}", "a.csv:3: a double quote opened here is never closed; close it, or double it"),
    Fault(
      "two encodings in one file", ["a.csv": reader("rows.csv") + reader("cp949.csv").dropFirst(17)],
      "{files: [a.csv]}",
      "a.csv:6: is UTF-8 text before this line and something else in it (perhaps CP949)"),
    Fault(
      "a column that no row has", ["a.jsonl": rows(4)],
      "{files: [a.jsonl], format: {input: \"{question}\", output: \"{anser}\"}}",
      "a.jsonl: no row has the column \"anser\" of dataset.format.output; did you mean {answer}?"),
    Fault(
      "rows of which every one is rejected", ["a.jsonl": rows(4) { "{\"question\": \"질문 \($0)?\", \"answer\": \"\"}" }],
      "{files: [a.jsonl]}", "a.jsonl: all 4 rows were rejected (row 1: \"answer\" is empty)"),
    Fault(
      "an empty test file", ["a.jsonl": rows(4), "b.jsonl": Data()],
      "{files: [a.jsonl], test_files: [b.jsonl], split: none}",
      "b.jsonl: is empty; give it at least one question with its answer"),
    Fault(
      "a test split whose rows are all rejected",
      ["a.jsonl": rows(4), "b.jsonl": rows(2) { "{\"question\": \"\($0)\", \"answer\": \"\"}" }],
      "{files: [a.jsonl], test_files: [b.jsonl], split: none}",
      "b.jsonl: all 2 rows were rejected (row 1: \"answer\" is empty)"),
    Fault(
      "a test set larger than the data", ["a.jsonl": rows(8)], "{files: [a.jsonl], split: {test: 20}}",
      "dataset.split: needs 20 test rows whose question no other row asks, and there are 8, of 8 rows kept"),
    Fault(
      "no row left to train on", ["a.jsonl": rows(8)], "{files: [a.jsonl], split: {test: 7, validation: 0.5}}",
      "dataset.split: needs 7 test, 4 validation and at least 1 training row, of 8 rows kept"),
  ]

  private static let parquet = Fault(
    "a Parquet file that was cut off", ["a.parquet": reader("cut.parquet")], "{files: [a.parquet]}",
    "a.parquet: DuckDB can't read it (")

  private func check(_ faults: [Fault]) throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let model = try program.makeModel()
      let file = folder.appendingPathComponent("bad.yaml")
      let good = folder.appendingPathComponent("good.jsonl")
      try Self.rows(20).write(to: good)
      func prepare(_ dataset: String, _ id: String) throws -> Program.Result {
        try "name: tiny\nmodel: {name: \"\(model.path)\"}\ndataset: \(dataset)\n".write(
          to: file, atomically: true, encoding: .utf8)
        return try program.run(
          ["prepare", file.path, "--run-id", id, "--output", program.output.path])
      }
      let before = try prepare("{files: [\"\(good.path)\"], split: {test: 4}}", "kept")
      #expect(before.code == 0, "\(before.errors)")
      let kept = RunFolder(output: program.output, id: "kept")
      func contents() throws -> [String: Data] {
        var found: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: kept.at("dataset").path) {
          found[name] = try Data(contentsOf: kept.at("dataset/\(name)"))
        }
        return found
      }
      let whole = try contents()
      for fault in faults {
        for (name, data) in fault.files { try data.write(to: folder.appendingPathComponent(name)) }
        for id in ["fresh", "kept"] {
          let dataset = fault.files.keys.reduce(fault.dataset) { text, name in
            text.replacing("[\(name)]", with: "[\"\(folder.appendingPathComponent(name).path)\"]")
          }
          let result = try prepare(dataset, id)
          #expect(result.code == 1, "\(fault.name)")
          let lines = result.errors.split(separator: "\n").filter { $0.hasPrefix("lorapress: ") }
          #expect(lines.count == 1 && lines.first?.contains(fault.message) == true, "\(fault.name): \(result.errors)")
        }
        let fresh = RunFolder(output: program.output, id: "fresh").at("dataset").path
        #expect((try? FileManager.default.contentsOfDirectory(atPath: fresh)) ?? [] == [], "\(fault.name)")
        #expect(try contents() == whole, "\(fault.name)")
      }
    }
  }

  @Test func nothingIsHalfWritten() throws { try check(Self.faults) }

  @Test(.enabled(if: hasDuckDB, "DuckDB's command line is not here"))
  func norWhereParquetIsDamaged() throws { try check([Self.parquet]) }

  /// What the rest of the rows has is kept, and every other one is accounted for.
  @Test func aColumnThatHalfOfTheRowsLack() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let model = try program.makeModel()
      let data = folder.appendingPathComponent("half.jsonl")
      try Self.rows(40) {
        $0.isMultiple(of: 2) ? "{\"question\": \"질문 \($0)?\"}" : "{\"question\": \"질문 \($0)?\", \"answer\": \"답\"}"
      }
      .write(to: data)
      let file = folder.appendingPathComponent("half.yaml")
      try "name: tiny\nmodel: {name: \"\(model.path)\"}\ndataset: {files: [\"\(data.path)\"], split: {test: 4}}\n"
        .write(to: file, atomically: true, encoding: .utf8)
      let result = try program.run(["prepare", file.path, "--output", program.output.path])
      #expect(result.code == 0, "\(result.errors)")
      let report = try RecordFile.read(DatasetReport.self, from: program.run.datasetReport)
      #expect(report.counts.read == 40 && report.counts.kept == 20 && report.rejects == ["no_answer": 20])
    }
  }
}
