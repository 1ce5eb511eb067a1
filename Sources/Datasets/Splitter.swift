import Runs

/// Shares kept rows out between training, validation and test, by seeded hashes of what the rows say.
struct Splitter {
  /// What the split needs to know of a row.
  struct Row {
    /// Normalised; rows are ranked by it.
    var question: String
    var conversation: String
    /// The group column's value; a row without one is a group of its own.
    var group: String?
  }

  /// The rows' places in the list that was given, each list in that order; test rows with "taught", "untaught" or nil.
  struct Result: Equatable {
    var train: [Int] = []
    var validation: [Int] = []
    var test: [(row: Int, kind: String?)] = []
    var untaughtGroups: Set<String> = []

    static func == (left: Result, right: Result) -> Bool {
      left.train == right.train && left.validation == right.validation && left.untaughtGroups == right.untaughtGroups
        && left.test.map(\.row) == right.test.map(\.row) && left.test.map(\.kind) == right.test.map(\.kind)
    }
  }

  struct Group {
    var key: String
    var rank: Rank
    /// By rank.
    var rows: [Int]
  }

  let settings: SplitSettings
  let rows: [Row]
  /// By place: the order of the seed. The conversation decides between rows that ask the same.
  let ranks: [Rank]
  private let order: [Int]
  /// Places of rows whose question no other row asks: only these can test, since the others' answers could have been learned.
  private let unique: Set<Int>

  init(settings: SplitSettings, rows: [Row]) {
    self.settings = settings
    self.rows = rows
    let ranks = rows.map { Rank(seed: settings.seed, purpose: "row", $0.question) }
    self.ranks = ranks
    order = rows.indices.sorted { left, right in
      if ranks[left] != ranks[right] { return ranks[left] < ranks[right] }
      let (a, b) = (rows[left].conversation, rows[right].conversation)
      return a == b ? left < right : a < b
    }
    var askers: [String: Int] = [:]
    for row in rows { askers[row.question, default: 0] += 1 }
    unique = Set(rows.indices.filter { askers[rows[$0].question] == 1 })
  }

  /// The groups by their own rank.
  func groups() -> [Group] {
    var places: [String: Int] = [:]
    var groups: [Group] = []
    for index in order {
      let key = Self.key(rows[index])
      if let place = places[key] {
        groups[place].rows.append(index)
      } else {
        places[key] = groups.count
        groups.append(Group(key: key, rank: Rank(seed: settings.seed, purpose: "group", key), rows: [index]))
      }
    }
    return groups.sorted { $0.rank == $1.rank ? $0.key < $1.key : $0.rank < $1.rank }
  }

  private static func key(_ row: Row) -> String {
    row.group.map { "group\u{1F}\($0)" } ?? "row\u{1F}\(row.question)\u{1F}\(row.conversation)"
  }

  /// The first rows of the seed's order, at most `limit` of them; groups come whole or not at all, at least one of them.
  ///
  /// A split takes its test rows from the beginning of the same order, so that a short run asks the questions of the full one.
  func first(_ limit: Int) -> Set<Int> {
    let units = settings.group == nil ? order.map { [$0] } : groups().map(\.rows)
    var taken: Set<Int> = []
    for unit in units {
      if !taken.isEmpty, taken.count + unit.count > limit { break }
      taken.formUnion(unit)
    }
    return taken
  }

  func split() throws(DatasetsError) -> Result {
    settings.group == nil ? try plainSplit() : try groupedSplit()
  }

  // MARK: - Without groups

  private func plainSplit() throws(DatasetsError) -> Result {
    let candidates = order.filter(unique.contains)
    guard candidates.count >= settings.test else {
      throw tooFew("\(settings.test) test rows whose question no other row asks, and there are \(candidates.count)")
    }
    var result = Result()
    result.test = candidates.prefix(settings.test).map { ($0, nil) }
    let taken = Set(result.test.map(\.row))
    let rest = order.filter { !taken.contains($0) }
    let wanted = validationRows()
    guard rest.count > wanted else {
      throw tooFew("\(settings.test) test, \(wanted) validation and at least 1 training row")
    }
    result.validation = Array(rest.prefix(wanted))
    result.train = Array(rest.dropFirst(wanted))
    return inFileOrder(result)
  }

  // MARK: - With groups

  private func groupedSplit() throws(DatasetsError) -> Result {
    let groups = groups()
    var result = Result()
    let untaughtWanted = settings.test - settings.testSeen
    let untaught = Array(groups.filter { $0.rows.contains(where: unique.contains) }.prefix(untaughtWanted))
    let untaughtKeys = Set(untaught.map(\.key))
    let taught = groups.filter { group in
      !untaughtKeys.contains(group.key) && group.rows.count >= 2 && group.rows.contains(where: unique.contains)
    }.prefix(settings.testSeen)
    guard untaught.count == untaughtWanted, taught.count == settings.testSeen else {
      let name = settings.group ?? ""
      throw tooFew(
        "\(untaughtWanted) groups (by \"\(name)\") that are never taught and \(settings.testSeen) others with two rows or more, "
          + "and there are \(groups.count) groups, \(groups.count { $0.rows.count >= 2 }) of them with two rows or more"
      )
    }
    var leftInTraining: [String: Int] = [:]
    for group in groups { leftInTraining[group.key] = group.rows.count }
    for (group, kind) in untaught.map({ ($0, "untaught") }) + taught.map({ ($0, "taught") }) {
      guard let row = group.rows.first(where: unique.contains) else { continue }
      result.test.append((row, kind))
      leftInTraining[group.key, default: 0] -= 1
      // An untaught group's other rows can't train; they still tell the validation loss something.
      if kind == "untaught" { result.validation += group.rows.filter { $0 != row } }
    }
    result.untaughtGroups = Set(untaught.compactMap { group in group.rows.first.flatMap { rows[$0].group } })
    let taken = Set(result.test.map(\.row) + result.validation)
    let wanted = validationRows()
    for index in order where !taken.contains(index) {
      let key = Self.key(rows[index])
      if result.validation.count < wanted, leftInTraining[key, default: 0] > 1 || rows[index].group == nil {
        result.validation.append(index)
        leftInTraining[key, default: 0] -= 1
      } else {
        result.train.append(index)
      }
    }
    guard !result.train.isEmpty else {
      throw tooFew("\(settings.test) test, \(wanted) validation and at least 1 training row")
    }
    guard wanted == 0 || !result.validation.isEmpty else {
      throw tooFew("a validation row whose group keeps another for training")
    }
    return inFileOrder(result)
  }

  // MARK: - Both

  /// A share of all rows, at least one where any is asked for.
  private func validationRows() -> Int {
    settings.validation > 0 ? max(1, Int((settings.validation * Double(rows.count)).rounded())) : 0
  }

  private func inFileOrder(_ result: Result) -> Result {
    var result = result
    result.train.sort()
    result.validation.sort()
    result.test.sort { $0.row < $1.row }
    return result
  }

  private func tooFew(_ need: String) -> DatasetsError {
    DatasetsError(
      "dataset.split: needs \(need), of \(rows.count) rows kept; add rows, or lower test, test_seen, validation or raise limit"
    )
  }
}
