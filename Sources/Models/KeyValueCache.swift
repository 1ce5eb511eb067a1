import Compute

/// The keys and values of the tokens seen so far, for every layer; each sequence has its own stretch of rows.
final class KeyValueCache {
  let keys: [Matrix]
  let values: [Matrix]
  /// The first row of each sequence's stretch and how many rows it holds already.
  private let starts: [Int]
  private(set) var lengths: [Int]
  let capacities: [Int]

  /// What one token takes: float32 keys and values of every layer.
  static func bytesPerToken(_ configuration: DecoderConfiguration) -> Int {
    2 * configuration.numHiddenLayers * configuration.numKeyValueHeads * configuration.headSize * 4
  }

  init(_ configuration: DecoderConfiguration, capacities: [Int]) {
    let rows = capacities.reduce(0, +)
    let width = configuration.numKeyValueHeads * configuration.headSize
    keys = (0..<configuration.numHiddenLayers).map { _ in Matrix(rows, width) }
    values = (0..<configuration.numHiddenLayers).map { _ in Matrix(rows, width) }
    var starts: [Int] = []
    var start = 0
    for capacity in capacities {
      starts.append(start)
      start += capacity
    }
    self.starts = starts
    self.capacities = capacities
    lengths = capacities.map { _ in 0 }
  }

  /// Reserves `count` new rows for a sequence; returns where they lie and where its keys then are.
  func extend(_ sequence: Int, by count: Int) -> (new: Range<Int>, all: Range<Int>) {
    precondition(lengths[sequence] + count <= capacities[sequence], "more tokens than the cache was made for")
    let first = starts[sequence] + lengths[sequence]
    lengths[sequence] += count
    return (first..<first + count, starts[sequence]..<first + count)
  }

  /// Forgets what a sequence holds from its token `length` on.
  func rewind(_ sequence: Int, to length: Int) {
    precondition(length <= lengths[sequence], "a sequence can't be rewound to tokens it doesn't hold")
    lengths[sequence] = length
  }

  /// A cache of one sequence with room for `capacity` tokens, which holds what the first sequence of this one holds.
  func grown(_ configuration: DecoderConfiguration, to capacity: Int) -> KeyValueCache {
    let grown = KeyValueCache(configuration, capacities: [capacity])
    let (new, _) = grown.extend(0, by: lengths[0])
    let old = starts[0]..<starts[0] + lengths[0]
    for layer in keys.indices {
      grown.keys[layer].rows(new).copy(from: keys[layer].rows(old))
      grown.values[layer].rows(new).copy(from: values[layer].rows(old))
    }
    return grown
  }
}

/// One layer's part of a cache, and the rows that this step's tokens go to.
struct CacheLayer {
  let keys: Matrix
  let values: Matrix
  /// Ranges of the step's rows and the cache rows they go to, of equal length.
  let places: [(from: Range<Int>, to: Range<Int>)]

  func store(k: Matrix, v: Matrix) {
    for place in places {
      keys.rows(place.to).copy(from: k.rows(place.from))
      values.rows(place.to).copy(from: v.rows(place.from))
    }
  }
}
