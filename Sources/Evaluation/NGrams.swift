/// The n-grams that two texts share, counted order by order.
enum NGrams {
  /// For the orders from 1 to `orders`, how many n-grams of `left` are matched in `right`, each at most as often as it stands there.
  ///
  /// An n-gram is known by the classes of the two of order n−1 that it begins and ends with, so each order costs one look at each place,
  /// and what the other text lacks is left out of all orders above.
  static func matches(_ left: [UInt32], _ right: [UInt32], orders: Int) -> [Int] {
    var matches = [Int](repeating: 0, count: orders)
    var left = left.map { UInt64($0) }
    var right = right.map { UInt64($0) }
    for order in 0..<orders {
      matches[order] = share(&left, &right)
      if matches[order] == 0 { break }
      left = joined(left)
      right = joined(right)
    }
    return matches
  }

  /// Stands for an n-gram that the other text lacks.
  private static let none = UInt64.max

  /// Gives equal n-grams of both texts one class, and counts those that match.
  private static func share(_ left: inout [UInt64], _ right: inout [UInt64]) -> Int {
    var classes = Classes(capacity: right.count)
    for place in right.indices where right[place] != none { right[place] = classes.insert(right[place]) }
    var unmatched = [Int32](repeating: 0, count: classes.count)
    var isShared = [Bool](repeating: false, count: classes.count)
    for gram in right where gram != none { unmatched[Int(gram)] += 1 }
    var matches = 0
    for place in left.indices where left[place] != none {
      left[place] = classes.find(left[place])
      guard left[place] != none else { continue }
      let place = Int(left[place])
      isShared[place] = true
      guard unmatched[place] > 0 else { continue }
      unmatched[place] -= 1
      matches += 1
    }
    for place in right.indices where right[place] != none && !isShared[Int(right[place])] { right[place] = none }
    return matches
  }

  /// The n-grams of the next order.
  private static func joined(_ grams: [UInt64]) -> [UInt64] {
    zip(grams, grams.dropFirst()).map { $0 == none || $1 == none ? none : $0 << 32 | $1 }
  }

  /// Keys numbered in the order they come, by open addressing.
  private struct Classes {
    private var keys: [UInt64]
    private var numbers: [UInt32]
    private let shift: Int
    private(set) var count = 0

    init(capacity: Int) {
      let bits = max(4, Int.bitWidth - (2 * capacity).leadingZeroBitCount)
      keys = Array(repeating: NGrams.none, count: 1 << bits)
      numbers = Array(repeating: 0, count: 1 << bits)
      shift = 64 - bits
    }

    /// The place of a key, or the free one it would take.
    private func place(of key: UInt64) -> Int {
      // Fibonacci hashing: the upper bits of the product depend on all of the key.
      var place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> UInt64(shift))
      while keys[place] != key, keys[place] != NGrams.none { place = (place + 1) & (keys.count - 1) }
      return place
    }

    mutating func insert(_ key: UInt64) -> UInt64 {
      let place = place(of: key)
      if keys[place] == NGrams.none {
        keys[place] = key
        numbers[place] = UInt32(count)
        count += 1
      }
      return UInt64(numbers[place])
    }

    func find(_ key: UInt64) -> UInt64 {
      let place = place(of: key)
      return keys[place] == NGrams.none ? NGrams.none : UInt64(numbers[place])
    }
  }
}

/// The tokens of an answer and of its reference as numbers: equal tokens have equal ones.
struct TokenPair {
  var hypothesis: [UInt32]
  var reference: [UInt32]

  init(hypothesis: [Scalars], reference: [Scalars]) {
    var numbers: [Scalars: UInt32] = [:]
    numbers.reserveCapacity(reference.count)
    func number(_ token: Scalars) -> UInt32 {
      if let known = numbers[token] { return known }
      let next = UInt32(numbers.count)
      numbers[token] = next
      return next
    }
    self.reference = reference.map(number)
    self.hypothesis = hypothesis.map(number)
  }

  /// Characters are their own numbers.
  init(hypothesis: Scalars, reference: Scalars) {
    self.hypothesis = hypothesis.map(\.value)
    self.reference = reference.map(\.value)
  }
}
