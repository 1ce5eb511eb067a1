import Runs

/// Shares kept rows out between training, validation and test, by seeded hashes of what the rows say.
struct Splitter {
  /// What the split needs to know of a row.
  struct Row {
    /// Of the normalised question: rows are ordered by it, and rows that ask the same have the same.
    var question: Rank
    /// Of the group, or of the row that is a group of its own; nil where the split has no groups.
    var group: Rank?
    /// Whether the row has a value in the group column.
    var isGrouped = false
  }

  /// The rows' places in the list that was given, each list in that order; test rows with "taught", "untaught" or nil.
  struct Result: Equatable {
    var train: [Int] = []
    var validation: [Int] = []
    var test: [(row: Int, kind: String?)] = []
    /// Of groups that no training row may share.
    var untaughtGroups: Set<Rank> = []

    static func == (left: Result, right: Result) -> Bool {
      left.train == right.train && left.validation == right.validation && left.untaughtGroups == right.untaughtGroups
        && left.test.map(\.row) == right.test.map(\.row) && left.test.map(\.kind) == right.test.map(\.kind)
    }
  }

  struct Group {
    var rank: Rank
    /// By rank.
    var rows: [Int]
  }

  let settings: SplitSettings
  let rows: [Row]
  /// Places in the order of the seed. What the rows say decides between those that ask the same.
  private let order: [Int]
  /// By place, whether no other row asks the same: only these can test, since the others' answers could have been learned.
  private let isUnique: [Bool]

  /// `conversation` gives the normalised text of a row, asked for where rows ask the same.
  init(settings: SplitSettings, rows: [Row], conversation: (Int) throws -> String) rethrows {
    self.settings = settings
    self.rows = rows
    var order = Array(rows.indices)
    order.sort { rows[$0].question == rows[$1].question ? $0 < $1 : rows[$0].question < rows[$1].question }
    var isUnique = [Bool](repeating: false, count: rows.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, rows[order[end]].question == rows[order[start]].question { end += 1 }
      if end == start + 1 {
        isUnique[order[start]] = true
      } else {
        var texts: [(row: Int, text: String)] = []
        for row in order[start..<end] { texts.append((row, try conversation(row))) }
        texts.sort { $0.text == $1.text ? $0.row < $1.row : $0.text < $1.text }
        order.replaceSubrange(start..<end, with: texts.map(\.row))
      }
      start = end
    }
    self.order = order
    self.isUnique = isUnique
  }

  // MARK: - Ranks

  static func rowRank(_ settings: SplitSettings, question: String) -> Rank {
    Rank(seed: settings.seed, purpose: "row", question)
  }

  /// A row without a group is a group of its own.
  static func groupRank(_ settings: SplitSettings, group: String?, question: String, conversation: String) -> Rank {
    let key = group.map { "group\u{1F}\($0)" } ?? "row\u{1F}\(question)\u{1F}\(conversation)"
    return Rank(seed: settings.seed, purpose: "group", key)
  }

  /// The groups by their own rank.
  private func groups() -> [Group] {
    var places: [Rank: Int] = [:]
    var groups: [Group] = []
    for index in order {
      let rank = rows[index].group ?? rows[index].question
      if let place = places[rank] {
        groups[place].rows.append(index)
      } else {
        places[rank] = groups.count
        groups.append(Group(rank: rank, rows: [index]))
      }
    }
    return groups.sorted { $0.rank < $1.rank }
  }

  func split() throws(DatasetsError) -> Result {
    if settings.group == nil { return try plainSplit() }
    return settings.groups == .together ? try wholeGroupsSplit() : try spreadSplit()
  }

  // MARK: - Without groups

  private func plainSplit() throws(DatasetsError) -> Result {
    let candidates = order.filter { isUnique[$0] }
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

  // MARK: - Groups kept together

  /// Groups go to one split each, in the order of their ranks: to the test until it has its rows, then to validation, the others train.
  private func wholeGroupsSplit() throws(DatasetsError) -> Result {
    var result = Result()
    let wanted = validationRows()
    for group in groups() {
      if result.test.count < settings.test, group.rows.allSatisfy({ isUnique[$0] }) {
        result.test += group.rows.map { ($0, nil) }
      } else if result.validation.count < wanted {
        result.validation += group.rows
      } else {
        result.train += group.rows
      }
    }
    guard result.test.count >= settings.test, result.validation.count >= wanted, !result.train.isEmpty else {
      throw tooFew(
        "whole groups (by \"\(settings.group ?? "")\") for \(settings.test) test, \(wanted) validation and at least 1 training row"
      )
    }
    return inFileOrder(result)
  }

  // MARK: - Groups spread

  private func spreadSplit() throws(DatasetsError) -> Result {
    let groups = groups()
    var result = Result()
    func canTest(_ group: Group) -> Bool { group.rows.contains { isUnique[$0] } }
    let untaughtWanted = settings.test - settings.testSeen
    let untaught = Array(groups.filter(canTest).prefix(untaughtWanted))
    let untaughtRanks = Set(untaught.map(\.rank))
    let taught = groups.filter { group in
      !untaughtRanks.contains(group.rank) && group.rows.count >= 2 && canTest(group)
    }.prefix(settings.testSeen)
    guard untaught.count == untaughtWanted, taught.count == settings.testSeen else {
      let name = settings.group ?? ""
      throw tooFew(
        "\(untaughtWanted) groups (by \"\(name)\") that are never taught and \(settings.testSeen) others with two rows or more, "
          + "and there are \(groups.count) groups, \(groups.count { $0.rows.count >= 2 }) of them with two rows or more"
      )
    }
    var leftInTraining: [Rank: Int] = [:]
    for group in groups { leftInTraining[group.rank] = group.rows.count }
    for (group, kind) in untaught.map({ ($0, "untaught") }) + taught.map({ ($0, "taught") }) {
      guard let row = group.rows.first(where: { isUnique[$0] }) else { continue }
      result.test.append((row, kind))
      leftInTraining[group.rank, default: 0] -= 1
      // An untaught group's other rows can't train; they still tell the validation loss something.
      if kind == "untaught" { result.validation += group.rows.filter { $0 != row } }
    }
    result.untaughtGroups = Set(untaught.filter { $0.rows.contains { rows[$0].isGrouped } }.map(\.rank))
    let taken = Set(result.test.map(\.row) + result.validation)
    let wanted = validationRows()
    for index in order where !taken.contains(index) {
      let key = rows[index].group ?? rows[index].question
      if result.validation.count < wanted, leftInTraining[key, default: 0] > 1 || !rows[index].isGrouped {
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
