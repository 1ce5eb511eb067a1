import Formats
import Runs

/// The rows of an experiment's `files` that are taken at all: those after `offset`, of them a random `sample`, of them the first `limit` in
/// the order of the split's seed. Rows come in one by one, and no more are held than are taken, twice over.
struct Selection {
  /// A raw row with the place of its table, and what it becomes.
  struct Candidate {
    var table: Int
    var row: RawRow
    var mapping: ColumnMapping
  }

  private let settings: DatasetSettings
  private var seen = 0
  private var random: SplitMix
  private var sample: [(order: Int, candidate: Candidate)] = []
  private var first: FirstByRank?

  init(_ settings: DatasetSettings) {
    self.settings = settings
    random = SplitMix(seed: settings.split?.seed ?? SplitSettings().seed)
    first = settings.limit.map { FirstByRank(limit: $0, split: settings.split ?? SplitSettings()) }
  }

  /// Whether rows are taken as they come.
  private var isPassing: Bool { settings.sample == nil && settings.limit == nil }

  /// Hears of every row in order; gives those to `take` that are taken for sure.
  mutating func offer(_ candidate: Candidate, _ take: (Candidate) throws -> Void) rethrows {
    seen += 1
    let order = seen - settings.offset
    guard order > 0 else { return }
    if isPassing { return try take(candidate) }
    guard let size = settings.sample else {
      first?.offer(candidate, order: order)
      return
    }
    // Reservoir sampling (Vitter's algorithm R): each row so far has the same chance to be in the sample.
    if sample.count < size {
      sample.append((order, candidate))
    } else {
      let place = random.below(order)
      if place < size { sample[place] = (order, candidate) }
    }
  }

  /// Gives the rows that were held back, in the order they came in.
  mutating func finish(_ take: (Candidate) throws -> Void) rethrows {
    sample.sort { $0.order < $1.order }
    if first == nil {
      for (_, candidate) in sample { try take(candidate) }
    } else {
      for (order, candidate) in sample { first?.offer(candidate, order: order) }
      for candidate in first?.taken() ?? [] { try take(candidate) }
    }
    sample = []
    first = nil
  }
}

/// The first rows of the seed's order, at most `limit` of them; groups come whole or not at all, at least one of them.
///
/// A split takes its test rows from the beginning of the same order, so that a short run asks the questions of the full one.
private struct FirstByRank {
  private struct Entry {
    /// Of the group, where rows are grouped, else of the row.
    var unit: Rank
    var conversation: String
    var order: Int
    var candidate: Selection.Candidate
  }

  let limit: Int
  let split: SplitSettings
  private var entries: [Entry] = []
  /// Behind this rank nothing can be taken any more.
  private var bound: Rank?

  init(limit: Int, split: SplitSettings) {
    self.limit = limit
    self.split = split
  }

  mutating func offer(_ candidate: Selection.Candidate, order: Int) {
    // A row that can't be converted is ranked by its raw text.
    let messages = (try? candidate.mapping.conversations(of: candidate.row))?.first?.messages
    let raw = messages == nil ? candidate.row.value.text() : ""
    let question = messages.map(TextKey.question) ?? raw
    let conversation = messages.map(TextKey.conversation) ?? raw
    let unit: Rank
    if split.group != nil {
      unit = Splitter.groupRank(
        split, group: candidate.row.group(split.group), question: question, conversation: conversation)
    } else {
      unit = Splitter.rowRank(split, question: question)
    }
    if let bound, unit > bound { return }
    entries.append(Entry(unit: unit, conversation: conversation, order: order, candidate: candidate))
    // Now and then, so that the sorting costs little and no more than twice the limit is held.
    if (entries.count - 1000) / 2 >= limit { prune() }
  }

  private mutating func sort() {
    let isGrouped = split.group != nil
    entries.sort { left, right in
      if left.unit != right.unit { return left.unit < right.unit }
      if isGrouped || left.conversation == right.conversation { return left.order < right.order }
      return left.conversation < right.conversation
    }
  }

  /// Drops what stands behind enough rows: more of them can only come in before it.
  private mutating func prune() {
    sort()
    guard entries.count > limit else { return }
    var end = limit
    if split.group != nil {
      // The group that the limit falls into stays whole.
      while end < entries.count, entries[end].unit == entries[end - 1].unit { end += 1 }
    }
    guard end < entries.count else { return }
    entries.removeSubrange(end...)
    bound = entries.last?.unit
  }

  /// The rows that are taken, in the order they came in.
  mutating func taken() -> [Selection.Candidate] {
    sort()
    var end = 0
    while end < entries.count {
      var next = end + 1
      if split.group != nil {
        while next < entries.count, entries[next].unit == entries[end].unit { next += 1 }
      }
      if end > 0, next > limit { break }
      end = next
    }
    return entries[..<end].sorted { $0.order < $1.order }.map(\.candidate)
  }
}

/// Sebastiano Vigna's SplitMix64: a small generator whose numbers follow from the seed alone.
struct SplitMix {
  private var state: UInt64

  init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) }

  mutating func next() -> UInt64 {
    defer { state &+= Self.step }
    return Self.mix(state)
  }

  private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// The number that follows a state: every bit of the one moves every bit of the other.
  static func mix(_ state: UInt64) -> UInt64 {
    var word = state &+ step
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  /// From 0 to below `count`; the product's high half is even enough for counts far below 2^64.
  mutating func below(_ count: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(max(1, count))).high) }
}
