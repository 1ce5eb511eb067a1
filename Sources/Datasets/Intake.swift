import Formats
import Foundation
import Runs

/// Takes raw rows in: converts them one by one, measures them by the block, and sorts them into kept and rejected.
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
    /// Conversations that texts and long answers made beyond one each: read + added = kept + rejected.
    var added: Int
  }

  /// A conversation whose length is not known yet.
  private struct Waiting {
    var row: RawRow
    /// The row as JSON, and where it lies.
    var raw: String
    var rawPlace: Spool.Place
    var table: Int
    var split: DatasetSplit
    var order: Int
    var cleaned: Cleaned
    var rule: TextRule?
    var language: LanguageShare
  }

  /// So many conversations are measured together, or fewer long ones: enough for all cores and for the words that come again.
  private static let blockRows = 2048
  private static let blockBytes = 1 << 22

  let settings: DatasetSettings
  let tables: [Table]
  let spool: SpoolWriter
  private let measure: ChatMeasure
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
  private var waiting: [Waiting] = []
  private var waitingBytes = 0
  /// The first row of those that were rejected since the caller last made it nil.
  var firstRejected: (order: Int, row: RejectedRow)?

  init(settings: DatasetSettings, tables: [Table], measure: ChatMeasure) throws {
    self.settings = settings
    self.tables = tables
    self.measure = measure
    spool = try SpoolWriter()
  }

  var counts: (kept: Int, rejected: Int) { (kept.count, rejected.count) }

  func place(of table: Table) -> Int { tables.firstIndex { $0 === table } ?? 0 }

  /// Takes one row; `split` is where it goes when the files are split already. It is counted as kept or rejected after ``settle()`` at the
  /// latest.
  func take(_ candidate: Selection.Candidate, _ split: DatasetSplit) throws {
    let row = candidate.row
    let raw = row.value.text()
    done += 1
    if let columns = row.columns { categories.see(columns) }
    let conversations: [Conversation]
    do { conversations = try candidate.mapping.conversations(of: row) } catch {
      return try reject(row.source, raw, order: done, error)
    }
    added += conversations.count - 1
    let rawPlace = try spool.append(raw.utf8)
    for conversation in conversations {
      do throws(Rejection) {
        let cleaned = try cleaned(conversation.messages)
        waiting.append(
          Waiting(
            row: row, raw: raw, rawPlace: rawPlace, table: candidate.table, split: split, order: done, cleaned: cleaned,
            rule: conversation.rule, language: try language(of: cleaned.messages)))
      } catch { try reject(row.source, raw, order: done, error) }
    }
    waitingBytes += raw.utf8.count
    if waiting.count >= Self.blockRows || waitingBytes >= Self.blockBytes { try settle() }
  }

  private func reject(_ source: ChatRow.Source, _ raw: String, order: Int, _ rejection: Rejection) throws {
    let line = RejectedRow(source: source, reason: rejection.reason, detail: rejection.detail, raw: raw)
    if firstRejected.map({ order < $0.order }) ?? true { firstRejected = (order, line) }
    rejected.add(rejection.reason, order: order, try spool.append(try lines.line(line)))
  }

  private func reject(_ row: Waiting, _ reason: String, _ detail: String) throws {
    try reject(row.row.source, row.raw, order: row.order, Rejection(reason, detail))
  }

  private func language(of messages: [ChatRow.Message]) throws(Rejection) -> LanguageShare {
    let language = LanguageShare(messages.lazy.filter { $0.role != "system" }.map(\.content))
    if let least = settings.cleaning.minKorean, language.korean < least {
      let (share, wanted) = (Self.percent(language.korean), Self.percent(least))
      throw Rejection(
        "not_korean", "\(share) of its letters are Hangul, less than dataset.cleaning.min_korean, \(wanted)")
    }
    return language
  }

  private static func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))%" }

  // MARK: - Lengths

  /// Measures the conversations that wait, and keeps or rejects one after the other.
  func settle() throws {
    let block = waiting
    waiting = []
    waitingBytes = 0
    let lengths = try measure.lengths(block.map(\.cleaned.messages))
    for (row, length) in zip(block, lengths) {
      if length.tokens <= settings.maxTokens {
        try keep(row, row.cleaned.messages, length)
      } else {
        try shorten(row, length)
      }
    }
  }

  /// What the experiment says of a conversation that is too long.
  private func shorten(_ row: Waiting, _ length: ChatMeasure.Length) throws {
    let rule = settings.cleaning.overLong
    var messages = row.cleaned.messages
    let answer = messages.removeLast()
    func with(_ text: String) -> [ChatRow.Message] { messages + [.init(role: answer.role, content: text)] }
    let shortening = Shortening(limit: settings.maxTokens) { [measure] in try measure.length(with($0)).tokens }
    let parts: [String] =
      switch rule {
      case .drop: []
      case .truncate: try shortening.beginning(of: answer.content).map { [$0] } ?? []
      case .split: try shortening.parts(of: answer.content)
      }
    if parts.isEmpty {
      let more =
        switch rule {
        case .drop: ""
        case .truncate: ", and what comes before the answer leaves no room"
        case .split: ", and so is a sentence of the answer with its question"
        }
      return try reject(
        row, "too_long", "\(length.tokens) tokens, more than dataset.max_tokens, \(settings.maxTokens)\(more)")
    }
    added += parts.count - 1
    for part in parts {
      let messages = with(part)
      try keep(row, messages, try measure.length(messages), overLong: rule)
    }
  }

  private func keep(
    _ row: Waiting, _ messages: [ChatRow.Message], _ length: ChatMeasure.Length,
    overLong: CleaningSettings.OverLong? = nil
  ) throws {
    let cleaning = settings.cleaning
    let source = row.row.source
    let said = TextKey.conversation(messages)
    let split = settings.split ?? SplitSettings()
    let conversationRank = Rank(seed: split.seed, purpose: "sample", said)
    if cleaning.duplicates == .drop {
      if let first = seen[row.split]?[conversationRank] {
        return try reject(row, "duplicate", "the same as \(name(of: kept[Int(first)]))")
      }
    }
    if length.answer < 1 {
      return try reject(row, "no_supervised_tokens", "the answer makes no token to learn from")
    }
    if cleaning.duplicates == .drop { seen[row.split, default: [:]][conversationRank] = Int32(kept.count) }
    let group = row.row.group(settings.split?.group)
    let question = TextKey.question(messages)
    let line = try lines.line(
      ChatRow(
        messages: messages, source: source, group: group, rule: row.rule?.rawValue, overLong: overLong?.rawValue))
    kept.append(
      Kept(
        line: try spool.append(line), raw: row.rawPlace, table: Int32(row.table), row: Int32(source.row),
        order: Int32(row.order), promptTokens: Int32(length.prompt), answerTokens: Int32(length.answer),
        split: row.split, rule: row.rule, overLong: overLong, isKorean: messages.contains { $0.content.hasHangul },
        language: row.language.name, isGrouped: group != nil, question: Splitter.rowRank(split, question: question),
        conversation: conversationRank, group: groupRank(group, question: question, conversation: said)))
    if row.cleaned.isNormalized { changes.normalized += 1 }
    if row.cleaned.hadControlCharacters { changes.controlCharacters += 1 }
    if let columns = row.row.columns { categories.add(columns) }
  }

  /// Messages in form C and without control characters, as far as the settings want it.
  struct Cleaned {
    var messages: [ChatRow.Message]
    var isNormalized = false
    var hadControlCharacters = false
  }

  private func cleaned(_ messages: [ChatRow.Message]) throws(Rejection) -> Cleaned {
    var cleaned = Cleaned(messages: messages)
    for (index, message) in messages.enumerated() {
      var text = message.content
      if settings.cleaning.controlCharacters == .remove {
        let plain = TextCleaning.withoutControlCharacters(text)
        if !TextCleaning.isSame(plain, text) {
          cleaned.hadControlCharacters = true
          text = plain
        }
        if text.trimmingWhitespace().isEmpty {
          let what = ["user": "question", "assistant": "answer"][message.role] ?? message.role
          throw Rejection("empty_\(what)", "message \(index + 1) holds nothing but control characters")
        }
      }
      if settings.cleaning.unicode == .nfc {
        let composed = UnicodeText.nfc(text)
        if !TextCleaning.isSame(composed, text) {
          cleaned.isNormalized = true
          text = composed
        }
      }
      cleaned.messages[index].content = text
    }
    return cleaned
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
