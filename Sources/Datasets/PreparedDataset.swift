import Formats
import Foundation
import Runs

/// The three splits, what was left out, and the report: all that `dataset/` of a run folder holds.
public struct PreparedDataset: Sendable, Equatable {
  public let train: [ChatRow]
  public let validation: [ChatRow]
  public let test: [ChatRow]
  public let rejected: [RejectedRow]
  public let report: DatasetReport

  init(
    intake: Preparation.Intake, splits: Splitter.Result, settings: DatasetSettings, encode: Preparation.Encode
  ) throws {
    let kept = intake.kept
    train = splits.train.map { kept[$0].row }
    validation = splits.validation.map { kept[$0].row }
    test = splits.test.map { place, kind in
      var row = kept[place].row
      row.kind = kind
      return row
    }
    rejected = intake.rejected
    let reporter = Reporter(intake: intake, splits: splits, settings: settings)
    report = try reporter.report(encode: encode)
  }

  public func rows(_ split: DatasetSplit) -> [ChatRow] {
    switch split {
    case .train: train
    case .validation: validation
    case .test: test
    }
  }

  /// Writes the files of `dataset/`, each whole or not at all, the report last.
  public func write(to run: RunFolder) throws {
    for split in DatasetSplit.allCases { try RecordFile.writeLines(rows(split), to: run.dataset(split)) }
    try RecordFile.writeLines(rejected, to: run.rejectedRows)
    try AtomicFile.write(DatasetCard(dataset: self, name: run.id).text, to: run.datasetCard)
    try RecordFile.write(report, to: run.datasetReport)
  }
}
