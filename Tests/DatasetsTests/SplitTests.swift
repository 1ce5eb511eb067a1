import Foundation
import Runs
import TestSupport
import Testing

@testable import Datasets

/// Groups kept whole, and splits that hardly move.
@Suite struct SplitTests {
  private func together(_ configure: (inout DatasetSettings) -> Void = { _ in }) throws -> Prepared {
    try prepareTextbook {
      $0.split?.testSeen = 0
      $0.split?.groups = .together
      configure(&$0)
    }
  }

  @Test func groupsKeptTogetherNeverStandInTwoSplits() throws {
    let dataset = try together()
    let groups = [dataset.train, dataset.validation, dataset.test].map { Set($0.compactMap(\.group)) }
    #expect(groups[0].isDisjoint(with: groups[1]) && groups[0].isDisjoint(with: groups[2]))
    #expect(groups[1].isDisjoint(with: groups[2]))
    #expect((10..<14).contains(dataset.test.count), "a whole group more at most")
    #expect(dataset.test.allSatisfy { $0.kind == nil })
    let counts = dataset.report.counts
    #expect(counts.kept == counts.train + counts.validation + counts.test)
    #expect(dataset.report.leakage == .init(exactQuestions: 0, untaughtGroupsInTrain: 0))
  }

  @Test func newRowsMoveWholeGroupsAndFewOfThem() throws {
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("extra.jsonl")
      let extra = (1...10).map { "{\"fact\": \"new-\($0)\", \"question\": \"새 질문 \($0)?\", \"answer\": \"답 \($0)\"}" }
      try Data(extra.joined(separator: "\n").utf8).write(to: file)
      func places(_ dataset: Prepared) -> [String: DatasetSplit] {
        var places: [String: DatasetSplit] = [:]
        for split in DatasetSplit.allCases { for row in dataset.rows(split) { places[row.group ?? ""] = split } }
        return places
      }
      let before = places(try together())
      let after = places(try together { $0.files.append(file.path) })
      #expect(after.count == before.count + 10)
      #expect(before.filter { after[$0.key] != $0.value }.count <= 6)
    }
  }

  @Test func tooFewGroupsToKeepWhole() {
    let rows = (0..<6).map { "{\"fact\": \"f\", \"question\": \"질문 \($0)\", \"answer\": \"답\"}" }
    let error = failure {
      try prepare(["a.jsonl": rows.joined(separator: "\n")]) {
        var split = SplitSettings()
        split.group = "fact"
        split.groups = .together
        $0.split = split
      }
    }
    #expect(
      error
        == "dataset.split: needs whole groups (by \"fact\") for 10 test, 1 validation and at least 1 training row, of 6 rows kept; add rows, or lower test, test_seen, validation or raise limit"
    )
  }

  /// What the main experiment prepared when its example was made, byte for byte.
  @Test func theExampleIsPreparedToTheSameBytes() throws {
    let example = RunFolder(Fixtures.root.appendingPathComponent("output/example/runs/korean-textbooks-qwen2.5-0.5b"))
    let experiment = try Experiment(file: example.config)
    try Fixtures.withTemporaryFolder { folder in
      let run = RunFolder(folder.appendingPathComponent(example.id))
      try Preparation(settings: experiment.settings.dataset, base: Fixtures.root, encode: measure).run().write(to: run)
      for split in DatasetSplit.allCases {
        #expect(try Data(contentsOf: run.dataset(split)) == Data(contentsOf: example.dataset(split)), "\(split)")
      }
      #expect(try Data(contentsOf: run.rejectedRows) == Data(contentsOf: example.rejectedRows))
      #expect(try Data(contentsOf: run.datasetCard) == Data(contentsOf: example.datasetCard))
      // The report differs in what only the tokenizer knows.
      var (made, kept) = (
        try RecordFile.read(DatasetReport.self, from: run.datasetReport),
        try RecordFile.read(DatasetReport.self, from: example.datasetReport)
      )
      made.tokenLengths = []
      kept.tokenLengths = []
      func plain(_ sample: DatasetReport.Sample) -> DatasetReport.Sample {
        var sample = sample
        (sample.rendered, sample.tokens, sample.supervisedTokens) = ("", 0, 0)
        return sample
      }
      made.samples = made.samples.map(plain)
      kept.samples = kept.samples.map(plain)
      #expect(made == kept)
    }
  }
}
