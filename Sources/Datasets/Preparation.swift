import Formats
import Foundation
import Runs

/// What only the caller's tokenizer knows of conversations.
public struct ChatMeasure {
  public struct Length: Sendable, Equatable {
    /// Tokens up to the answer.
    public var prompt: Int
    /// Tokens that are supervised.
    public var answer: Int
    var tokens: Int { prompt + answer }

    public init(prompt: Int, answer: Int) {
      self.prompt = prompt
      self.answer = answer
    }
  }

  let lengths: ([[ChatRow.Message]]) throws -> [Length]
  let rendered: ([ChatRow.Message]) throws -> String

  /// - Parameter lengths: of many conversations, in their order.
  /// - Parameter rendered: the chat template's text of one.
  public init(
    lengths: @escaping ([[ChatRow.Message]]) throws -> [Length],
    rendered: @escaping ([ChatRow.Message]) throws -> String
  ) {
    self.lengths = lengths
    self.rendered = rendered
  }

  func length(_ messages: [ChatRow.Message]) throws -> Length {
    try lengths([messages]).first ?? Length(prompt: 0, answer: 0)
  }
}

/// Raw files → chat rows in three splits, with an account of every row.
public struct Preparation {
  /// How far the reading is.
  public struct Progress: Sendable {
    /// Rows taken so far.
    public var rows: Int
    /// Of the files' own bytes.
    public var bytes: Int
    public var totalBytes: Int
  }

  let settings: DatasetSettings
  let files: DataSources
  let measure: ChatMeasure

  public init(settings: DatasetSettings, files: DataSources, measure: ChatMeasure) {
    self.settings = settings
    self.files = files
    self.measure = measure
  }

  /// Reads, converts, rejects, splits and reports. Rows wait on the disk, so that memory holds little of each.
  public func run(progress: (Progress) -> Void = { _ in }) throws -> PreparedDataset {
    // Told before the work, not after it.
    if settings.output == .parquet { _ = try ParquetWriter.program() }
    var sources = [Source(split: .train, tables: try open(files.train))]
    if settings.split == nil {
      sources.append(Source(split: .validation, tables: try open(files.validation)))
      sources.append(Source(split: .test, tables: try open(files.test)))
    }
    let tables = sources.flatMap(\.tables)
    let intake = try Intake(settings: settings, tables: tables, measure: measure)
    var report = Progress(rows: 0, bytes: 0, totalBytes: tables.reduce(0) { $0 + $1.size })
    for source in sources {
      try take(source, intake) {
        report.rows = intake.done
        report.bytes = tables.reduce(0) { $0 + $1.bytesRead }
        progress(report)
      }
    }
    try intake.dropNearDuplicates()
    let leaks = try intake.dropLeaks(try intake.split())
    return try PreparedDataset(try intake.finish(), leaks, settings: settings, measure: measure)
  }

  /// The files of one setting, and where their rows go when they are split already.
  private struct Source {
    var split: DatasetSplit
    var tables: [Table]
  }

  private func open(_ files: [DataFiles.File]) throws -> [Table] {
    try Table.open(files, format: settings.format, group: settings.split?.group)
  }

  private func take(_ source: Source, _ intake: Intake, progress: () -> Void) throws {
    let before = intake.counts
    intake.firstRejected = nil
    // Offset, sample and limit choose among the rows to train on; validation and test files are read as they are.
    var selection = source.split == .train ? Selection(settings) : Selection(DatasetSettings())
    var read = 0
    for table in source.tables {
      let place = intake.place(of: table)
      while let row = try table.next() {
        let candidate = Selection.Candidate(table: place, row: row, mapping: table.mapping)
        try selection.offer(candidate) { try intake.take($0, source.split) }
        read += 1
        if read.isMultiple(of: 256) { progress() }
      }
    }
    try selection.finish { try intake.take($0, source.split) }
    try intake.settle()
    progress()
    let rejected = intake.counts.rejected - before.rejected
    if rejected > 0, intake.counts.kept == before.kept, let first = intake.firstRejected?.row {
      throw DatasetsError(
        file: source.tables.map(\.file).joined(separator: ", "),
        "all \(rejected) rows were rejected (row \(first.source.row): \(first.detail))",
        remedy: "correct the rows, dataset.format or dataset.max_tokens")
    }
    if rejected == 0, intake.counts.kept == before.kept, !source.tables.isEmpty {
      throw DatasetsError(
        "dataset.offset: \(settings.offset) leaves none of the \(read) rows; lower it")
    }
  }
}
