import Models

/// Which rows go together: filled sequences, and batches of like length.
enum RowOrder {
  /// Rows in sequences of up to `capacity` tokens, by TRL's "bfd" (best fit decreasing; Ding et al., "Fewer Truncations Improve Language
  /// Modeling", 2024): the longest row first, each into the fullest sequence that still has room for it, else into a new one.
  /// Of equal rows, and of equally full sequences, the earlier one is first. A row longer than the capacity stands alone.
  static func packed(_ lengths: [Int], capacity: Int) -> [[Int]] {
    let descending = lengths.indices.sorted { (lengths[$1], $0) < (lengths[$0], $1) }
    var sequences: [[Int]] = []
    // Open sequences by the room they have left, those that came first in front.
    var open: [[Int]] = Array(repeating: [], count: capacity)
    for row in descending {
      let length = min(lengths[row], capacity)
      let sequence: Int
      let room: Int
      if let found = (length..<capacity).first(where: { !open[$0].isEmpty }) {
        sequence = open[found].removeFirst()
        room = found
      } else {
        sequence = sequences.count
        sequences.append([])
        room = capacity
      }
      sequences[sequence].append(row)
      if room - length > 0 { open[room - length].append(sequence) }
    }
    return sequences
  }

  /// A shuffled order rearranged so that each run of `batchSize` has like lengths, as transformers' `get_length_grouped_indices` does:
  /// blocks of up to fifty batches are each sorted by length, the longest first, and the longest of all comes first, so that memory
  /// runs out at once if it ever does.
  static func grouped(_ order: [Int], lengths: [Int], batchSize: Int) -> [Int] {
    let size = max(min(order.count / (batchSize * 4), 50), 1) * batchSize
    var blocks = stride(from: 0, to: order.count, by: size).map { start in
      order[start..<min(start + size, order.count)].enumerated()
        .sorted { (lengths[$1.element], $0.offset) < (lengths[$0.element], $1.offset) }.map(\.element)
    }
    var longest = 0
    for index in blocks.indices where lengths[blocks[index][0]] > lengths[blocks[longest][0]] { longest = index }
    if longest > 0 {
      let first = blocks[0][0]
      blocks[0][0] = blocks[longest][0]
      blocks[longest][0] = first
    }
    return blocks.flatMap { $0 }
  }
}
