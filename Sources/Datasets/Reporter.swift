import Formats
import Runs

/// Makes `dataset/report.json` out of what a preparation kept and left out.
struct Reporter {
  private static let mostSamples = 5
  /// A column with more different values than this is no category.
  private static let mostCategories = 40

  let intake: Preparation.Intake
  let splits: Splitter.Result
  let settings: DatasetSettings

  func report(encode: Preparation.Encode) throws -> DatasetReport {
    let categories = categories()
    return DatasetReport(
      schema: schema(), mapping: mapping(), counts: counts(),
      rejects: intake.rejected.reduce(into: [:]) { $0[$1.reason, default: 0] += 1 },
      categories: Dictionary(uniqueKeysWithValues: categories.map { ($0.column, $0.rows) }),
      maxTokens: settings.maxTokens,
      tokenLengths: lengths(), samples: try samples(varying: categories, encode: encode), leakage: leakage(),
      rules: rules())
  }

  private func rules() -> [String: Int]? {
    let rules = intake.kept.reduce(into: [String: Int]()) { if let rule = $1.row.rule { $0[rule, default: 0] += 1 } }
    return rules.isEmpty ? nil : rules
  }

  private var tables: [Preparation.MappedTable] { intake.sources.flatMap(\.tables) }

  /// "json array of objects, question/answer"; several kinds of files are told one after the other.
  private func schema() -> String {
    var kinds: [String] = []
    for table in tables {
      let kind = "\(table.table.container), \(table.mapping.name)"
      if !kinds.contains(kind) { kinds.append(kind) }
    }
    return kinds.joined(separator: "; ")
  }

  /// Role → column or template; where files differ, the later ones' roles carry their file.
  private func mapping() -> [String: String] {
    var mapping: [String: String] = [:]
    for table in tables {
      for (role, template) in table.mapping.description where mapping[role] != template {
        mapping[mapping[role] == nil ? role : "\(role) (\(table.table.file))"] = template
      }
    }
    return mapping
  }

  private func counts() -> DatasetReport.Counts {
    DatasetReport.Counts(
      read: intake.kept.count + intake.rejected.count, kept: intake.kept.count, rejected: intake.rejected.count,
      train: splits.train.count, validation: splits.validation.count, test: splits.test.count,
      testTaught: splits.test.count { $0.kind == "taught" }, testUntaught: splits.test.count { $0.kind == "untaught" },
      groups: Set(intake.kept.compactMap(\.row.group)).count)
  }

  private func lengths() -> [DatasetReport.LengthCount] {
    var rows: [Int: Int] = [:]
    for kept in intake.kept { rows[kept.tokens, default: 0] += 1 }
    return rows.keys.sorted().map { DatasetReport.LengthCount(tokens: $0, rows: rows[$0] ?? 0) }
  }

  private func leakage() -> DatasetReport.Leakage {
    let kept = intake.kept
    let learned = Set((splits.train + splits.validation).map { kept[$0].question })
    let taughtGroups = Set(splits.train.compactMap { kept[$0].row.group })
    return DatasetReport.Leakage(
      exactQuestions: splits.test.count { learned.contains(kept[$0.row].question) },
      untaughtGroupsInTrain: splits.untaughtGroups.intersection(taughtGroups).count)
  }

  // MARK: - Categories

  struct Category {
    var column: String
    var rows: [String: Int]
  }

  /// Columns with few, short values that repeat, in the order of the columns. What became a message, and the group, is none.
  private func categories() -> [Category] {
    var excluded = Set(tables.flatMap(\.mapping.columns))
    if let group = settings.split?.group { excluded.insert(group) }
    var names: [String] = []
    for table in tables {
      for name in table.table.columnNames where !excluded.contains(name) && !names.contains(name) { names.append(name) }
    }
    return names.compactMap { name in
      var rows: [String: Int] = [:]
      for kept in intake.kept {
        guard let value = kept.raw.columns?[name], value != .null else { continue }
        guard let text = Self.categoryText(value) else { return nil }
        if text.isEmpty { continue }
        rows[text, default: 0] += 1
        if rows.count > Self.mostCategories { return nil }
      }
      let total = rows.values.reduce(0, +)
      return total >= 50 || (total > 0 && total >= 2 * rows.count) ? Category(column: name, rows: rows) : nil
    }
  }

  private static func categoryText(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text.unicodeScalars.count <= 60 ? text.trimmingWhitespace() : nil
    case .number(let number): number.text
    case .bool(let value): String(value)
    case .null, .array, .object: nil
    }
  }

  // MARK: - Samples

  /// Training rows in a seeded order, each of another category first (by the column with the most of them), then told in file order.
  private func samples(varying categories: [Category], encode: Preparation.Encode) throws -> [DatasetReport.Sample] {
    let seed = settings.split?.seed ?? SplitSettings().seed
    let ranked = splits.train
      .map { (place: $0, rank: Rank(seed: seed, purpose: "sample", intake.kept[$0].conversation)) }
      .sorted { $0.rank == $1.rank ? $0.place < $1.place : $0.rank < $1.rank }
    let most = categories.map(\.rows.count).max()
    let column = categories.first { $0.rows.count == most }?.column
    var chosen: [Int] = []
    var seen: Set<String> = []
    for (place, _) in ranked where chosen.count < Self.mostSamples {
      let category = column.flatMap { intake.kept[place].raw.columns?[$0] }.flatMap(Self.categoryText)
      if category.map({ seen.insert($0).inserted }) ?? true { chosen.append(place) }
    }
    for (place, _) in ranked where chosen.count < Self.mostSamples && !chosen.contains(place) { chosen.append(place) }
    return try chosen.sorted().map { try sample(intake.kept[$0], encode: encode) }
  }

  private func sample(_ kept: Preparation.Kept, encode: Preparation.Encode) throws -> DatasetReport.Sample {
    let fields = (kept.raw.columns?.entries ?? []).map { entry in
      DatasetReport.Sample.Field(name: entry.key, value: entry.value.string ?? entry.value.text())
    }
    return DatasetReport.Sample(
      source: kept.row.source, before: fields, after: kept.row.messages,
      rendered: try encode(kept.row.messages).rendered,
      tokens: kept.tokens, supervisedTokens: kept.answerTokens)
  }
}
