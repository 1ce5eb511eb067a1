import Formats
import Foundation
import Runs

/// What a data file is taken for, and what would become of its rows: `prepare` without a model, a split or anything written.
public struct Inspection: Sendable {
  /// One kind of file among those that were given, with its mapping.
  public struct Layout: Sendable, Equatable {
    /// "csv (CP949)"
    public var container: String
    /// "question/answer"
    public var schema: String
    /// Role and the column or template it is made from: system, user, assistant; messages; text, rules.
    public var mapping: [(role: String, template: String)]
    public var files: [String]

    public static func == (left: Layout, right: Layout) -> Bool {
      left.container == right.container && left.schema == right.schema && left.files == right.files
        && left.mapping.map(\.role) == right.mapping.map(\.role)
        && left.mapping.map(\.template) == right.mapping.map(\.template)
    }
  }

  /// A reason for which rows are left out, with one of them.
  public struct Reject: Sendable, Equatable {
    public var reason: String
    public var rows: Int
    public var example: RejectedRow
  }

  public struct Sample: Sendable, Equatable {
    public var row: ChatRow
    public var before: [DatasetReport.Sample.Field]
  }

  private static let roles = ["system", "user", "assistant", "messages", "text", "rules"]
  private static let mostSamples = 3

  public private(set) var layouts: [Layout] = []
  /// Of all files.
  public private(set) var bytes = 0
  /// Rows read; the files may hold more.
  public let read: Int
  /// Whether all rows were read.
  public private(set) var isWhole = true
  public let kept: Int
  /// Conversations that texts made beyond one each: read + added = kept + rejected.
  public let added: Int
  public let rejects: [Reject]
  /// Kept rows changed on their way in.
  public let normalized: Int
  public let controlCharacters: Int
  /// "ko", "en", "other", "none" → kept rows.
  public let languages: [String: Int]
  /// Rule → kept rows, where rows are made of text.
  public let rules: [String: Int]
  /// Characters of question and answer together, of the kept rows in ascending order.
  public let lengths: [Int]
  /// A column's values → kept rows, for columns with few values, in the order of the columns.
  public let categories: [(column: String, rows: [String: Int])]
  public let samples: [Sample]

  /// Reads the first `limit` rows, or all.
  public init(_ files: [DataFiles.File], format: FormatSettings? = nil, limit: Int?) throws {
    var settings = DatasetSettings()
    settings.format = format
    settings.split = nil
    settings.maxTokens = Int(Int32.max)
    let tables = try Table.open(files, format: format)
    let measure = ChatMeasure { conversations in
      conversations.map { messages in
        let prompt = messages.dropLast().reduce(0) { $0 + $1.content.unicodeScalars.count }
        return .init(prompt: prompt, answer: messages.last?.content.unicodeScalars.count ?? 0)
      }
    } rendered: { _ in
      ""
    }
    let intake = try Intake(settings: settings, tables: tables, measure: measure)
    reading: for (place, table) in tables.enumerated() {
      while true {
        if let limit, intake.done >= limit {
          isWhole = try table.next() == nil && place == tables.count - 1
          break reading
        }
        guard let row = try table.next() else { break }
        try intake.take(.init(table: place, row: row, mapping: table.mapping), .train)
      }
    }
    try intake.settle()
    let result = try intake.finish()
    read = result.read
    kept = result.kept.count
    added = result.added
    normalized = result.changes.normalized
    controlCharacters = result.changes.controlCharacters
    languages = result.languages
    rules = result.rules
    lengths = result.kept.map(\.tokens).sorted()
    categories = result.categories.categories(excluding: Set(tables.flatMap(\.mapping.columns)))
      .map { ($0.column, $0.rows) }
    rejects = try Self.rejects(result)
    samples = try Self.samples(result)
    for table in tables {
      bytes += table.size
      add(table)
    }
  }

  private mutating func add(_ table: Table) {
    let description = table.mapping.description
    let mapping = Self.roles.compactMap { role in description[role].map { (role: role, template: $0) } }
    var layout = Layout(
      container: table.container, schema: table.mapping.name, mapping: mapping, files: [table.file])
    for (index, known) in layouts.enumerated() {
      layout.files = known.files
      if layout == known {
        layouts[index].files.append(table.file)
        return
      }
    }
    layout.files = [table.file]
    layouts.append(layout)
  }

  /// The most frequent reason first, each with its first row.
  private static func rejects(_ result: Intake.Result) throws -> [Reject] {
    var examples: [String: RejectedRow] = [:]
    for place in result.rejected.lines where examples.count < result.rejected.reasons.count {
      let row = try RecordFile.decode(RejectedRow.self, line: try result.spool.bytes(place))
      if examples[row.reason] == nil { examples[row.reason] = row }
    }
    return result.rejected.reasons
      .compactMap { reason, rows in examples[reason].map { Reject(reason: reason, rows: rows, example: $0) } }
      .sorted { $0.rows == $1.rows ? $0.reason < $1.reason : $0.rows > $1.rows }
  }

  /// Kept rows from the beginning, the middle and the end.
  private static func samples(_ result: Intake.Result) throws -> [Sample] {
    let count = result.kept.count
    var places: [Int] = []
    for number in 0..<mostSamples where count > 0 {
      let place = number * (count - 1) / (mostSamples - 1)
      if !places.contains(place) { places.append(place) }
    }
    return try places.map { place in
      let kept = result.kept[place]
      return Sample(row: try result.spool.chat(kept.line), before: try result.fields(kept))
    }
  }
}
