import Formats
import Foundation
import Runs

/// Raw files → chat rows in three splits, with an account of every row.
public struct Preparation {
  /// Measures and renders one conversation as the model will see it: tokens up to the answer, tokens of the answer (those that are
  /// supervised), and the chat template's text. Only the caller knows the tokenizer.
  public typealias Encode = (_ messages: [ChatRow.Message]) throws -> (
    promptTokens: Int, answerTokens: Int, rendered: String
  )

  let settings: DatasetSettings
  let base: URL
  let encode: Encode

  /// Relative paths in `settings` are taken from `base`.
  public init(settings: DatasetSettings, base: URL, encode: @escaping Encode) {
    self.settings = settings
    self.base = base
    self.encode = encode
  }

  /// Reads, converts, rejects, splits and reports. `progress` hears rows done and rows in all.
  public func run(progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws -> PreparedDataset {
    var sources = [Source(split: .train, tables: try read(settings.files))]
    if settings.split == nil {
      sources.append(Source(split: .validation, tables: try read(settings.validationFiles)))
      sources.append(Source(split: .test, tables: try read(settings.testFiles)))
    }
    if let limit = settings.limit { sources[0].tables = limited(sources[0].tables, to: limit) }
    var intake = Intake(total: sources.reduce(0) { $0 + $1.tables.reduce(0) { $0 + $1.rows.count } })
    for source in sources { try take(source, into: &intake, progress: progress) }
    return try PreparedDataset(intake: intake, splits: split(intake.kept), settings: settings, encode: encode)
  }

  // MARK: - Reading

  struct MappedTable {
    var table: RawTable
    var mapping: ColumnMapping
    var rows: [RawRow] { table.rows }
  }

  struct Source {
    var split: DatasetSplit
    var tables: [MappedTable]
  }

  private func read(_ files: [String]) throws -> [MappedTable] {
    try files.map { file in
      let url = file.hasPrefix("/") ? URL(fileURLWithPath: file) : base.appendingPathComponent(file)
      let table = try TableReader.read(url, name: file)
      if let group = settings.split?.group, !table.columnNames.contains(group) {
        let columns = table.columnNames.map { "\"\($0)\"" }.joined(separator: ", ")
        throw DatasetsError(
          file: file, "no row has the column \"\(group)\" of dataset.split.group",
          remedy: "change it to one that exists (columns: \(columns)), or leave it out")
      }
      let mapping = try ColumnMapping(columns: table.columnNames, file: table.file, format: settings.format)
      return MappedTable(table: table, mapping: mapping)
    }
  }

  private func group(of row: RawRow) -> String? {
    guard let column = settings.split?.group, let value = row.columns?[column] else { return nil }
    switch value {
    case .null, .array, .object: return nil
    case .string(let text): return text.isEmpty ? nil : text
    case .number(let number): return number.text
    case .bool(let bool): return String(bool)
    }
  }

  /// The rows that `dataset.limit` leaves. It counts raw rows, so that rejects are among them.
  private func limited(_ tables: [MappedTable], to limit: Int) -> [MappedTable] {
    let all = tables.flatMap { table in table.rows.map { (row: $0, mapping: table.mapping) } }
    let entries = all.map { row, mapping in
      // A row that can't be converted is ranked by its raw text.
      let messages = (try? mapping.conversations(of: row))?.first?.messages
      return Splitter.Row(
        question: messages.map(TextKey.question) ?? row.value.text(),
        conversation: messages.map(TextKey.conversation) ?? row.value.text(), group: group(of: row))
    }
    let taken = Splitter(settings: settings.split ?? SplitSettings(), rows: entries).first(limit)
    var place = 0
    return tables.map { table in
      var table = table
      table.table.rows = table.rows.filter { _ in
        defer { place += 1 }
        return taken.contains(place)
      }
      return table
    }
  }

  // MARK: - Converting

  /// A row that made it, with what the report wants to know.
  struct Kept {
    var row: ChatRow
    var raw: RawRow
    var split: DatasetSplit
    var question: String
    var conversation: String
    var promptTokens: Int
    var answerTokens: Int
    var tokens: Int { promptTokens + answerTokens }
  }

  /// All rows that were read, sorted into kept and rejected, in file order.
  struct Intake {
    var kept: [Kept] = []
    var rejected: [RejectedRow] = []
    var total: Int
    var done = 0
    var sources: [Source] = []
    /// Per split: conversation → the row that said it first.
    var seen: [DatasetSplit: [String: ChatRow.Source]] = [:]

    init(total: Int) { self.total = total }
  }

  private func take(_ source: Source, into intake: inout Intake, progress: (Int, Int) -> Void) throws {
    guard !source.tables.isEmpty else { return }
    intake.sources.append(source)
    let before = (kept: intake.kept.count, rejected: intake.rejected.count)
    for table in source.tables {
      for row in table.rows {
        do throws(RowFailure) {
          intake.kept.append(try convert(row, table.mapping, source.split, &intake.seen))
        } catch {
          switch error {
          case .rejected(let rejection):
            intake.rejected.append(
              RejectedRow(source: row.source, reason: rejection.reason, detail: rejection.detail, raw: row.value.text())
            )
          case .encoding(let error): throw error
          }
        }
        intake.done += 1
        progress(intake.done, intake.total)
      }
    }
    if intake.kept.count == before.kept, let first = intake.rejected.dropFirst(before.rejected).first {
      let files = source.tables.map(\.table.file).joined(separator: ", ")
      throw DatasetsError(
        file: files,
        "all \(intake.rejected.count - before.rejected) rows were rejected (row \(first.source.row): \(first.detail))",
        remedy: "correct the rows, dataset.format or dataset.max_tokens")
    }
  }

  private enum RowFailure: Error {
    case rejected(Rejection)
    /// The caller's own failure: a template that can't render is no fault of a row's.
    case encoding(any Error)
  }

  private func convert(
    _ row: RawRow, _ mapping: ColumnMapping, _ split: DatasetSplit,
    _ seen: inout [DatasetSplit: [String: ChatRow.Source]]
  ) throws(RowFailure) -> Kept {
    let made: Conversation?
    do { made = try mapping.conversations(of: row).first } catch { throw .rejected(error) }
    guard let made else { throw .rejected(Rejection("no_rule", "no rule makes a conversation of it")) }
    let messages = made.messages
    let conversation = TextKey.conversation(messages)
    if let first = seen[split]?[conversation] {
      throw .rejected(Rejection("duplicate", "the same as row \(first.row) of \(first.file)"))
    }
    let length: (promptTokens: Int, answerTokens: Int, rendered: String)
    do { length = try encode(messages) } catch { throw .encoding(error) }
    let tokens = length.promptTokens + length.answerTokens
    if tokens > settings.maxTokens {
      throw .rejected(Rejection("too_long", "\(tokens) tokens, more than dataset.max_tokens, \(settings.maxTokens)"))
    }
    if length.answerTokens < 1 {
      throw .rejected(Rejection("no_supervised_tokens", "the answer makes no token to learn from"))
    }
    seen[split, default: [:]][conversation] = row.source
    return Kept(
      row: ChatRow(messages: messages, source: row.source, group: group(of: row), rule: made.rule?.rawValue), raw: row,
      split: split,
      question: TextKey.question(messages), conversation: conversation, promptTokens: length.promptTokens,
      answerTokens: length.answerTokens)
  }

  // MARK: - Splitting

  private func split(_ kept: [Kept]) throws -> Splitter.Result {
    if let split = settings.split {
      let rows = kept.map { Splitter.Row(question: $0.question, conversation: $0.conversation, group: $0.row.group) }
      return try Splitter(settings: split, rows: rows).split()
    }
    var result = Splitter.Result()
    for (index, row) in kept.enumerated() {
      switch row.split {
      case .train: result.train.append(index)
      case .validation: result.validation.append(index)
      case .test: result.test.append((index, nil))
      }
    }
    return result
  }
}
