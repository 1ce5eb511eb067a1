/// Byte pair encoding of one piece of text: of the pairs that merge, the one learned first goes first, the leftmost of
/// equals; until none merges.
struct BytePairEncoder: Sendable {
  let vocabulary: Vocabulary
  let merges: Merges
  /// The token of each single byte, -1 where the vocabulary has none (such a byte is left out, as Hugging Face does).
  let byteTokens: [Int32]
  /// A piece that is a token as a whole is that token, whatever the merges say (Llama 3).
  let ignoresMerges: Bool

  /// Working memory that is used again from piece to piece.
  struct Scratch {
    var ids: [Int32] = []
    var pairs: [UInt64] = []
    var next: [Int32] = []
    var previous: [Int32] = []
    var heap: [UInt64] = []
  }

  /// Up to this many bytes a plain search for the best pair is faster than a heap.
  static let longest = 64

  func encode(_ piece: UnsafeBufferPointer<UInt8>, into out: inout [Int32], _ scratch: inout Scratch) {
    if ignoresMerges, let id = vocabulary.find(piece) { return out.append(id) }
    scratch.ids.removeAll(keepingCapacity: true)
    for byte in piece {
      let id = byteTokens[Int(byte)]
      if id >= 0 { scratch.ids.append(id) }
    }
    if scratch.ids.count < 2 { return out.append(contentsOf: scratch.ids) }
    if scratch.ids.count <= Self.longest { mergeShort(&scratch) } else { mergeLong(&scratch) }
    out.append(contentsOf: scratch.ids)
  }

  private func mergeShort(_ scratch: inout Scratch) {
    scratch.pairs.removeAll(keepingCapacity: true)
    for index in 1..<scratch.ids.count {
      scratch.pairs.append(merges.find(scratch.ids[index - 1], scratch.ids[index]))
    }
    while !scratch.pairs.isEmpty {
      var best = Merges.none
      var place = 0
      for index in scratch.pairs.indices where scratch.pairs[index] >> 32 < best >> 32 {
        best = scratch.pairs[index]
        place = index
      }
      if best == Merges.none { return }
      let merged = Int32(truncatingIfNeeded: best)
      scratch.ids[place] = merged
      scratch.ids.remove(at: place + 1)
      scratch.pairs.remove(at: place)
      if place > 0 { scratch.pairs[place - 1] = merges.find(scratch.ids[place - 1], merged) }
      if place < scratch.pairs.count { scratch.pairs[place] = merges.find(merged, scratch.ids[place + 1]) }
    }
  }

  /// The same in n log n: a linked list of tokens, and a heap of pairs by rank and place.
  private func mergeLong(_ scratch: inout Scratch) {
    let count = scratch.ids.count
    scratch.next = (0..<Int32(count)).map { $0 + 1 }
    scratch.previous = (0..<Int32(count)).map { $0 - 1 }
    scratch.next[count - 1] = -1
    scratch.heap.removeAll(keepingCapacity: true)
    func push(_ left: Int32, _ scratch: inout Scratch) {
      guard left >= 0, scratch.next[Int(left)] >= 0 else { return }
      let found = merges.find(scratch.ids[Int(left)], scratch.ids[Int(scratch.next[Int(left)])])
      guard found != Merges.none else { return }
      Heap.push(found & 0xFFFF_FFFF_0000_0000 | UInt64(UInt32(bitPattern: left)), &scratch.heap)
    }
    for index in 0..<Int32(count) { push(index, &scratch) }
    while let top = Heap.pop(&scratch.heap) {
      let left = Int(top & 0xFFFF_FFFF)
      // Entries that a later merge made stale: the token is gone, or its pair is another by now.
      guard scratch.ids[left] >= 0, scratch.next[left] >= 0 else { continue }
      let right = Int(scratch.next[left])
      let found = merges.find(scratch.ids[left], scratch.ids[right])
      guard found != Merges.none, found >> 32 == top >> 32 else { continue }
      scratch.ids[left] = Int32(truncatingIfNeeded: found)
      scratch.ids[right] = -1
      scratch.next[left] = scratch.next[right]
      if scratch.next[left] >= 0 { scratch.previous[Int(scratch.next[left])] = Int32(left) }
      push(scratch.previous[left], &scratch)
      push(Int32(left), &scratch)
    }
    scratch.ids.removeAll { $0 < 0 }
  }
}

/// A binary heap, least first.
private enum Heap {
  static func push(_ value: UInt64, _ heap: inout [UInt64]) {
    heap.append(value)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent] <= heap[child] { return }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  static func pop(_ heap: inout [UInt64]) -> UInt64? {
    guard let top = heap.first, let last = heap.popLast() else { return nil }
    if heap.isEmpty { return top }
    heap[0] = last
    var parent = 0
    while true {
      var child = parent * 2 + 1
      guard child < heap.count else { return top }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      if heap[parent] <= heap[child] { return top }
      heap.swapAt(parent, child)
      parent = child
    }
  }
}
