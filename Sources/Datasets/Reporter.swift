import Formats
import Runs

/// Makes `dataset/report.json` out of what a preparation kept and left out.
struct Reporter {
  private static let mostSamples = 5
  /// Among so many training rows, the first by rank, samples of different categories are looked for.
  private static let mostRowsLookedAt = 10_000

  let intake: Intake.Result
  let leaks: Intake.Leaks
  let settings: DatasetSettings
  private var splits: Splitter.Result { leaks.splits }

  init(intake: Intake.Result, leaks: Intake.Leaks, settings: DatasetSettings) {
    self.intake = intake
    self.leaks = leaks
    self.settings = settings
  }

  func report(_ measure: ChatMeasure) throws -> DatasetReport {
    let rules = intake.rules
    var excluded = Set(intake.tables.flatMap(\.mapping.columns))
    if let group = settings.split?.group { excluded.insert(group) }
    let categories = intake.categories.categories(excluding: excluded)
    return DatasetReport(
      schema: schema(), mapping: mapping(), counts: counts(), rejects: intake.rejected.reasons,
      categories: Dictionary(uniqueKeysWithValues: categories.map { ($0.column, $0.rows) }),
      maxTokens: settings.maxTokens,
      tokenLengths: lengths(), samples: try samples(varying: categories, measure), leakage: leakage(),
      rules: rules.isEmpty ? nil : rules, cleaning: cleaning())
  }

  /// Only where something was changed, or asked for.
  private func cleaning() -> DatasetReport.Cleaning? {
    guard intake.changes != Changes() || settings.cleaning != CleaningSettings() else { return nil }
    return DatasetReport.Cleaning(
      normalized: intake.changes.normalized, controlCharacters: intake.changes.controlCharacters,
      languages: intake.languages, overLong: intake.overLong.isEmpty ? nil : intake.overLong)
  }

  /// "json array of objects, question/answer"; several kinds of files are told one after the other.
  private func schema() -> String {
    var kinds: [String] = []
    for table in intake.tables {
      let kind = "\(table.container), \(table.mapping.name)"
      if !kinds.contains(kind) { kinds.append(kind) }
    }
    return kinds.joined(separator: "; ")
  }

  /// Role → column or template; where files differ, the later ones' roles carry their file.
  private func mapping() -> [String: String] {
    var mapping: [String: String] = [:]
    for table in intake.tables {
      for (role, template) in table.mapping.description where mapping[role] != template {
        mapping[mapping[role] == nil ? role : "\(role) (\(table.file))"] = template
      }
    }
    return mapping
  }

  private func counts() -> DatasetReport.Counts {
    DatasetReport.Counts(
      read: intake.read, kept: intake.kept.count, rejected: intake.rejected.count,
      train: splits.train.count, validation: splits.validation.count, test: splits.test.count,
      testTaught: splits.test.count { $0.kind == "taught" }, testUntaught: splits.test.count { $0.kind == "untaught" },
      groups: Set(intake.kept.lazy.filter(\.isGrouped).compactMap(\.group)).count,
      added: intake.added == 0 ? nil : intake.added)
  }

  private func lengths() -> [DatasetReport.LengthCount] {
    var rows: [Int: Int] = [:]
    for kept in intake.kept { rows[kept.tokens, default: 0] += 1 }
    return rows.keys.sorted().map { DatasetReport.LengthCount(tokens: $0, rows: rows[$0] ?? 0) }
  }

  private func leakage() -> DatasetReport.Leakage {
    let kept = intake.kept
    let asked = Set(splits.test.map { kept[$0.row].question })
    let learned = Set([splits.train, splits.validation].joined().lazy.map { kept[$0].question }.filter(asked.contains))
    let taughtGroups = Set(splits.train.lazy.compactMap { kept[$0].group }.filter(splits.untaughtGroups.contains))
    return DatasetReport.Leakage(
      exactQuestions: splits.test.count { learned.contains(kept[$0.row].question) },
      untaughtGroupsInTrain: taughtGroups.count, nearQuestions: leaks.near == 0 ? nil : leaks.near,
      nearQuestionsInGroup: leaks.nearInGroup == 0 ? nil : leaks.nearInGroup)
  }

  // MARK: - Samples

  /// Training rows in a seeded order, each of another category first (by the column with the most of them), then told in file order.
  private func samples(
    varying categories: [CategoryCounter.Category], _ measure: ChatMeasure
  ) throws -> [DatasetReport.Sample] {
    let kept = intake.kept
    let ranked = splits.train.sorted {
      kept[$0].conversation == kept[$1].conversation ? $0 < $1 : kept[$0].conversation < kept[$1].conversation
    }
    let most = categories.map(\.rows.count).max()
    let column = categories.first { $0.rows.count == most }?.column
    var chosen: [Int] = []
    var seen: Set<String> = []
    for place in ranked.prefix(Self.mostRowsLookedAt) where chosen.count < Self.mostSamples {
      let category = try column.flatMap { try intake.raw(kept[place])[$0] }.flatMap(CategoryCounter.text)
      if category.map({ seen.insert($0).inserted }) ?? true { chosen.append(place) }
    }
    for place in ranked.prefix(2 * Self.mostSamples) where chosen.count < Self.mostSamples && !chosen.contains(place) {
      chosen.append(place)
    }
    return try chosen.sorted().map { try sample(kept[$0], measure) }
  }

  private func sample(_ kept: Kept, _ measure: ChatMeasure) throws -> DatasetReport.Sample {
    let row = try intake.spool.chat(kept.line)
    return DatasetReport.Sample(
      source: row.source, before: try intake.fields(kept), after: row.messages,
      rendered: try measure.rendered(row.messages),
      tokens: kept.tokens, supervisedTokens: Int(kept.answerTokens))
  }
}
