import Runs

/// What can be told only when all rows are there: near duplicates, and test questions among the rows to train on.
extension Intake {
  /// Drops rows that nearly say what an earlier row of their split says, where the experiment asks for it.
  func dropNearDuplicates() throws {
    guard let threshold = settings.cleaning.nearDuplicates else { return }
    let spool = try spool.flushed()
    var rejections: [Int: Rejection] = [:]
    for split in DatasetSplit.allCases {
      let places = kept.indices.filter { kept[$0].split == split }
      let search = NearDuplicates(count: places.count, threshold: threshold) { [kept] number in
        let messages = try spool.messages(kept[places[number]].line)
        return TextKey.normalized(messages.lazy.filter { $0.role != "system" }.map(\.content).joined(separator: "\n"))
      }
      for (number, finding) in try search.findings() {
        rejections[places[number]] = Rejection(
          "near_duplicate",
          "shares \(Self.share(finding.similarity)) of its 5-grams with \(name(of: kept[places[finding.original]]))")
      }
    }
    if !rejections.isEmpty { _ = try remove(rejections) }
  }

  /// Test questions among the rows to train on, and what became of those rows.
  struct Leaks {
    var splits: Splitter.Result
    /// Test questions that a row to train on nearly asks, whose group tests on purpose what it teaches not among them.
    var near: Int
    /// Test questions that a training row of their own group nearly asks.
    var nearInGroup: Int
  }

  /// Finds the training rows that ask, exactly or nearly, what a test row asks, and drops them where the experiment says so. A row of the
  /// test row's own group is there on purpose.
  func dropLeaks(_ splits: Splitter.Result) throws -> Leaks {
    let cleaning = settings.cleaning
    var leaks = Leaks(splits: splits, near: 0, nearInGroup: 0)
    guard !splits.test.isEmpty, !splits.train.isEmpty else { return leaks }
    var rejections: [Int: Rejection] = [:]
    if cleaning.leaks != .count {
      var askers: [Rank: Int] = [:]
      for (row, _) in splits.test where askers[kept[row].question] == nil { askers[kept[row].question] = row }
      for row in splits.train + splits.validation {
        guard let test = askers[kept[row].question] else { continue }
        rejections[row] = Rejection("leak", "asks what the test's \(name(of: kept[test])) asks")
      }
    }
    if let threshold = cleaning.nearLeaks {
      try findNearLeaks(threshold, &leaks, &rejections)
    }
    guard !rejections.isEmpty else { return leaks }
    let places = try remove(rejections)
    leaks.splits.train = splits.train.compactMap { places[$0] }
    leaks.splits.validation = splits.validation.compactMap { places[$0] }
    leaks.splits.test = splits.test.compactMap { row, kind in places[row].map { ($0, kind) } }
    if leaks.splits.train.isEmpty {
      throw DatasetsError(
        "dataset.cleaning.leaks: every row to train on asks a test question; give other test files, or write `leaks: count`"
      )
    }
    return leaks
  }

  private func findNearLeaks(
    _ threshold: Double, _ leaks: inout Leaks, _ rejections: inout [Int: Rejection]
  ) throws {
    let spool = try spool.flushed()
    func question(_ row: Int) throws -> String { TextKey.question(try spool.messages(kept[row].line)) }
    let test = leaks.splits.test.map(\.row)
    var index = ShingleIndex()
    for row in test { index.add(Shingles(try question(row))) }
    var near: Set<Int> = []
    var nearInGroup: Set<Int> = []
    for row in leaks.splits.train where rejections[row] == nil {
      for (number, similarity) in index.near(Shingles(try question(row)), threshold: threshold) {
        let asked = kept[test[number]]
        // The same question is an exact leak, counted on its own.
        if asked.question == kept[row].question { continue }
        if asked.isGrouped, asked.group == kept[row].group {
          nearInGroup.insert(number)
          continue
        }
        near.insert(number)
        if settings.cleaning.leaks == .dropNear {
          rejections[row] = Rejection(
            "near_leak",
            "its question shares \(Self.share(similarity)) of its 5-grams with the test's \(name(of: asked))")
        }
      }
    }
    leaks.near = near.count
    leaks.nearInGroup = nearInGroup.subtracting(near).count
  }

  /// Two digits, never rounded up to the whole.
  private static func share(_ similarity: Double) -> String {
    let hundredths = similarity < 1 ? min(99, Int((similarity * 100).rounded())) : 100
    return "\(hundredths)%"
  }
}
