import Formats
import Foundation
import Runs

/// The three splits, what was left out, and the report: all that `dataset/` of a run folder holds. Rows wait on the disk.
public struct PreparedDataset: Sendable {
  public let report: DatasetReport
  let output: DatasetSettings.Output
  private let spool: Spool
  private let places: [DatasetSplit: [Spool.Place]]
  /// Of the test rows, in their order.
  private let kinds: [String?]
  private let rejectedPlaces: [Spool.Place]
  /// The files that rows of the splits are from, in the order of their first row.
  let files: [String]
  /// Whether a row to train on holds Hangul.
  let isKorean: Bool

  init(
    _ intake: Intake.Result, _ leaks: Intake.Leaks, settings: DatasetSettings, measure: ChatMeasure
  ) throws {
    output = settings.output
    let splits = leaks.splits
    let kept = intake.kept
    spool = intake.spool
    let test = splits.test.map(\.row)
    places = [
      .train: splits.train.map { kept[$0].line }, .validation: splits.validation.map { kept[$0].line },
      .test: test.map { kept[$0].line },
    ]
    kinds = splits.test.map(\.kind)
    rejectedPlaces = intake.rejected.lines
    var tables: [Int32] = []
    for row in [splits.train, splits.validation, test].joined() where !tables.contains(kept[row].table) {
      tables.append(kept[row].table)
    }
    files = tables.map { intake.tables[Int($0)].file }
    isKorean = splits.train.contains { kept[$0].isKorean }
    report = try Reporter(intake: intake, leaks: leaks, settings: settings).report(measure)
  }

  // MARK: - Rows

  /// How many rows a split has.
  public func count(_ split: DatasetSplit) -> Int { places[split]?.count ?? 0 }

  /// The rows of a split, read back one by one.
  public func forEach(_ split: DatasetSplit, _ body: (ChatRow) throws -> Void) throws {
    for (index, place) in (places[split] ?? []).enumerated() {
      var row = try spool.chat(place)
      if split == .test { row.kind = kinds[index] }
      try body(row)
    }
  }

  public func rows(_ split: DatasetSplit) throws -> [ChatRow] {
    var rows: [ChatRow] = []
    try forEach(split) { rows.append($0) }
    return rows
  }

  public func rejected() throws -> [RejectedRow] {
    try rejectedPlaces.map { try RecordFile.decode(RejectedRow.self, line: try spool.bytes($0)) }
  }

  // MARK: - Writing

  /// What a row's line can hold, in the order of the columns elsewhere. Only rows made of text have a rule, and only long ones were shortened.
  var columns: [String] {
    ["messages", "source", "group", "kind"] + (report.rules == nil ? [] : ["rule"])
      + (report.cleaning?.overLong == nil ? [] : ["over_long"])
  }

  /// Writes the files of `dataset/`, each whole or not at all, the report last. Parquet files stand beside the JSONL ones, which the later
  /// stages read.
  public func write(to run: RunFolder) throws {
    for split in DatasetSplit.allCases {
      let places = places[split] ?? []
      try AtomicFile.write(to: run.dataset(split)) { file in
        for (index, place) in places.enumerated() {
          guard split == .test, let kind = kinds[index] else {
            try file.write(try spool.bytes(place))
            try file.write(Self.lineEnd)
            continue
          }
          var row = try spool.chat(place)
          row.kind = kind
          try file.write(Data(try RecordFile.line(row).utf8))
          try file.write(Self.lineEnd)
        }
      }
    }
    try AtomicFile.write(to: run.rejectedRows) { file in
      for place in rejectedPlaces {
        try file.write(try spool.bytes(place))
        try file.write(Self.lineEnd)
      }
    }
    for split in DatasetSplit.allCases {
      let parquet = run.datasetParquet(split)
      if output == .parquet, count(split) > 0 {
        try ParquetWriter.write(run.dataset(split), columns: columns, to: parquet)
      } else if unlink(parquet.path) != 0, errno != ENOENT, errno != ENOTDIR {
        throw RunsError.unwritable(parquet.path, code: errno)
      }
    }
    try AtomicFile.write(DatasetCard(dataset: self, name: run.id).text, to: run.datasetCard)
    try RecordFile.write(report, to: run.datasetReport)
  }

  private static let lineEnd = Data([0x0A])
}

extension Spool {
  /// A kept row's line, read back.
  func chat(_ place: Place) throws -> ChatRow { try RecordFile.decode(ChatRow.self, line: try bytes(place)) }

  /// A kept row's messages alone, which takes a fraction of the time.
  func messages(_ place: Place) throws -> [ChatRow.Message] {
    let row = try JSONValue(parsing: try bytes(place), file: "row")
    return (row["messages"]?.array ?? []).map {
      .init(role: $0["role"]?.string ?? "", content: $0["content"]?.string ?? "")
    }
  }
}
