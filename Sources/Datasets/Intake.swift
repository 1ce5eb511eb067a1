import Formats
import Foundation
import Runs

/// A row that made it: what splitting and reporting ask of it. Its texts wait in the spool.
struct Kept: Sendable {
  /// The row as a line of a split file.
  var line: Spool.Place
  /// The raw row as JSON.
  var raw: Spool.Place
  /// The table it is from, and its row there.
  var table: Int32
  var row: Int32
  /// Its place among all rows that were taken.
  var order: Int32
  var promptTokens: Int32
  var answerTokens: Int32
  var split: DatasetSplit
  var rule: TextRule?
  /// Whether a syllable of Hangul is in it.
  var isKorean: Bool
  /// What most letters are, for the report.
  var language: LanguageShare.Name
  var isGrouped: Bool
  /// Of the normalised question.
  var question: Rank
  /// Of all that is said: rows with the same are duplicates.
  var conversation: Rank
  var group: Rank?

  var tokens: Int { Int(promptTokens) + Int(answerTokens) }
}

/// Takes raw rows in, one by one: converts them, measures them, and sorts them into kept and rejected.
final class Intake {
  /// All rows that were taken, in their order.
  struct Result {
    var tables: [Table]
    var spool: Spool
    var kept: [Kept]
    var rejected: RejectedRows
    var categories: CategoryCounter
    var changes: Changes
    /// Rows that were taken.
    var read: Int
    /// Conversations that texts made beyond one each: read + added = kept + rejected.
    var added: Int
  }

  let settings: DatasetSettings
  let tables: [Table]
  let spool: SpoolWriter
  private let encode: Preparation.Encode
  private let lines = RecordLines()
  var kept: [Kept] = []
  private var rejected = RejectedRows()
  private(set) var categories = CategoryCounter()
  private var changes = Changes()
  /// Per split: conversation → the kept row that said it first.
  private var seen: [DatasetSplit: [Rank: Int32]] = [:]
  private var groupRanks: [String: Rank] = [:]
  /// Rows taken so far.
  private(set) var done = 0
  private var added = 0
  /// The first row that was rejected since the caller last made it nil.
  var firstRejected: RejectedRow?

  init(settings: DatasetSettings, tables: [Table], encode: @escaping Preparation.Encode) throws {
    self.settings = settings
    self.tables = tables
    self.encode = encode
    spool = try SpoolWriter()
  }

  var counts: (kept: Int, rejected: Int) { (kept.count, rejected.count) }

  func place(of table: Table) -> Int { tables.firstIndex { $0 === table } ?? 0 }

  /// Takes one row; `split` is where it goes when the files are split already.
  func take(_ candidate: Selection.Candidate, _ split: DatasetSplit) throws {
    let row = candidate.row
    let raw = row.value.text()
    done += 1
    if let columns = row.columns { categories.see(columns) }
    let conversations: [Conversation]
    do { conversations = try candidate.mapping.conversations(of: row) } catch { return try reject(row, raw, error) }
    added += conversations.count - 1
    let rawPlace = try spool.append(raw.utf8)
    for conversation in conversations {
      do throws(RowFailure) {
        try keep(conversation, candidate, split, raw: rawPlace)
      } catch {
        switch error {
        case .rejected(let rejection): try reject(row, raw, rejection)
        case .other(let error): throw error
        }
      }
    }
  }

  private enum RowFailure: Error {
    case rejected(Rejection)
    /// Not the row's fault: a template that can't render, a full disk.
    case other(any Error)
  }

  private func reject(_ row: RawRow, _ raw: String, _ rejection: Rejection) throws {
    let line = RejectedRow(source: row.source, reason: rejection.reason, detail: rejection.detail, raw: raw)
    if firstRejected == nil { firstRejected = line }
    rejected.add(rejection.reason, order: done, try spool.append(try lines.line(line)))
  }

  private func keep(
    _ conversation: Conversation, _ candidate: Selection.Candidate, _ split: DatasetSplit, raw: Spool.Place
  ) throws(RowFailure) {
    let row = candidate.row
    let cleaning = settings.cleaning
    let cleaned = try cleaned(conversation.messages)
    let messages = cleaned.messages
    let said = TextKey.conversation(messages)
    let seed = settings.split?.seed ?? SplitSettings().seed
    let conversationRank = Rank(seed: seed, purpose: "sample", said)
    if cleaning.duplicates == .drop, let first = seen[split]?[conversationRank] {
      throw .rejected(Rejection("duplicate", "the same as \(name(of: kept[Int(first)]))"))
    }
    let language = LanguageShare(messages.lazy.filter { $0.role != "system" }.map(\.content))
    if let least = cleaning.minKorean, language.korean < least {
      let (share, wanted) = (Self.percent(language.korean), Self.percent(least))
      throw .rejected(
        Rejection("not_korean", "\(share) of its letters are Hangul, less than dataset.cleaning.min_korean, \(wanted)"))
    }
    let length: (promptTokens: Int, answerTokens: Int, rendered: String)
    do { length = try encode(messages) } catch { throw .other(error) }
    let tokens = length.promptTokens + length.answerTokens
    if tokens > settings.maxTokens {
      throw .rejected(Rejection("too_long", "\(tokens) tokens, more than dataset.max_tokens, \(settings.maxTokens)"))
    }
    if length.answerTokens < 1 {
      throw .rejected(Rejection("no_supervised_tokens", "the answer makes no token to learn from"))
    }
    if cleaning.duplicates == .drop { seen[split, default: [:]][conversationRank] = Int32(kept.count) }
    let group = row.group(settings.split?.group)
    let question = TextKey.question(messages)
    do {
      let line = try lines.line(
        ChatRow(messages: messages, source: row.source, group: group, rule: conversation.rule?.rawValue))
      kept.append(
        Kept(
          line: try spool.append(line), raw: raw, table: Int32(candidate.table), row: Int32(row.source.row),
          order: Int32(done), promptTokens: Int32(length.promptTokens), answerTokens: Int32(length.answerTokens),
          split: split, rule: conversation.rule, isKorean: messages.contains { $0.content.hasHangul },
          language: language.name, isGrouped: group != nil,
          question: Splitter.rowRank(settings.split ?? SplitSettings(), question: question),
          conversation: conversationRank, group: groupRank(group, question: question, conversation: said)))
    } catch { throw .other(error) }
    if cleaned.isNormalized { changes.normalized += 1 }
    if cleaned.hadControlCharacters { changes.controlCharacters += 1 }
    if let columns = row.columns { categories.add(columns) }
  }

  private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))%" }

  /// The messages in form C and without control characters, as far as the settings want it.
  private func cleaned(
    _ messages: [ChatRow.Message]
  ) throws(RowFailure) -> (messages: [ChatRow.Message], isNormalized: Bool, hadControlCharacters: Bool) {
    var messages = messages
    var isNormalized = false
    var hadControlCharacters = false
    for (index, message) in messages.enumerated() {
      var text = message.content
      if settings.cleaning.controlCharacters == .remove {
        let plain = TextCleaning.withoutControlCharacters(text)
        if !TextCleaning.isSame(plain, text) {
          hadControlCharacters = true
          text = plain
        }
        if text.trimmingWhitespace().isEmpty {
          let what = ["user": "question", "assistant": "answer"][message.role] ?? message.role
          throw .rejected(Rejection("empty_\(what)", "message \(index + 1) holds nothing but control characters"))
        }
      }
      if settings.cleaning.unicode == .nfc {
        let composed = UnicodeText.nfc(text)
        if !TextCleaning.isSame(composed, text) {
          isNormalized = true
          text = composed
        }
      }
      messages[index].content = text
    }
    return (messages, isNormalized, hadControlCharacters)
  }

  /// Takes kept rows out again, each with its reason; the others keep their order. Returns the new place of each, nil where it is gone.
  func remove(_ rejections: [Int: Rejection]) throws -> [Int?] {
    var places: [Int?] = []
    var left: [Kept] = []
    let spooled = try spool.flushed()
    for (place, row) in kept.enumerated() {
      guard let rejection = rejections[place] else {
        places.append(left.count)
        left.append(row)
        continue
      }
      places.append(nil)
      let raw = try spooled.bytes(row.raw)
      let file = tables[Int(row.table)].file
      if let columns = try JSONValue(parsing: raw, file: file).object { categories.remove(columns) }
      let line = RejectedRow(
        source: .init(file: file, row: Int(row.row)), reason: rejection.reason, detail: rejection.detail,
        raw: String(decoding: raw, as: UTF8.self))
      rejected.add(rejection.reason, order: Int(row.order), try spool.append(try lines.line(line)))
    }
    kept = left
    return places
  }

  /// "row 3 of a.jsonl"
  func name(of kept: Kept) -> String { "row \(kept.row) of \(tables[Int(kept.table)].file)" }

  private func groupRank(_ group: String?, question: String, conversation: String) -> Rank? {
    guard let split = settings.split, split.group != nil else { return nil }
    if let group, let known = groupRanks[group] { return known }
    let rank = Splitter.groupRank(split, group: group, question: question, conversation: conversation)
    if let group { groupRanks[group] = rank }
    return rank
  }

  /// Shares the kept rows out: by the experiment's split, or to where their files belong.
  func split() throws -> Splitter.Result {
    if let split = settings.split {
      let rows = kept.map { Splitter.Row(question: $0.question, group: $0.group, isGrouped: $0.isGrouped) }
      let spool = try spool.flushed()
      return try Splitter(settings: split, rows: rows) { place in
        TextKey.conversation(try spool.messages(kept[place].line))
      }.split()
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

  /// What was taken.
  func finish() throws -> Result {
    Result(
      tables: tables, spool: try spool.flushed(), kept: kept, rejected: rejected, categories: categories,
      changes: changes, read: done, added: added)
  }
}

extension Intake.Result {
  /// "ko", "en" … → kept rows.
  var languages: [String: Int] { kept.reduce(into: [:]) { $0[$1.language.rawValue, default: 0] += 1 } }

  /// Rule → kept rows, where rows are made of text.
  var rules: [String: Int] {
    kept.reduce(into: [:]) { if let rule = $1.rule { $0[rule.rawValue, default: 0] += 1 } }
  }

  /// The raw row of a kept one.
  func raw(_ kept: Kept) throws -> JSONValue {
    try JSONValue(parsing: try spool.bytes(kept.raw), file: tables[Int(kept.table)].file)
  }

  /// The same as a sample shows it, column by column.
  func fields(_ kept: Kept) throws -> [DatasetReport.Sample.Field] {
    (try raw(kept).object?.entries ?? []).map { .init(name: $0.key, value: $0.value.string ?? $0.value.text()) }
  }
}

/// How many kept rows were changed on their way in.
struct Changes: Sendable, Equatable {
  /// Brought to Unicode's form C.
  var normalized = 0
  var controlCharacters = 0
}

/// Where the rejected rows' lines wait, and how many there are of each reason.
struct RejectedRows: Sendable {
  private var places: [(order: Int, place: Spool.Place)] = []
  private(set) var reasons: [String: Int] = [:]

  var count: Int { places.count }

  /// `order` is the row's place among all that were taken.
  mutating func add(_ reason: String, order: Int, _ place: Spool.Place) {
    places.append((order, place))
    reasons[reason, default: 0] += 1
  }

  /// In the order the rows were taken.
  var lines: [Spool.Place] {
    places.enumerated().sorted { ($0.element.order, $0.offset) < ($1.element.order, $1.offset) }.map(\.element.place)
  }
}

extension RawRow {
  /// The value of the group column; nil without one.
  func group(_ column: String?) -> String? {
    guard let column, let value = columns?.column(column) else { return nil }
    switch value {
    case .null, .array, .object: return nil
    case .string(let text): return text.isEmpty ? nil : text
    case .number(let number): return number.text
    case .bool(let bool): return String(bool)
    }
  }
}

extension String {
  /// Whether a syllable of Hangul is in it.
  var hasHangul: Bool { unicodeScalars.contains { (0xAC00...0xD7A3).contains($0.value) } }
}
