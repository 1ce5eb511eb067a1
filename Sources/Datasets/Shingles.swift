/// The set of a text's character 5-grams, each as a 64-bit hash.
struct Shingles {
  static let length = 5

  /// In ascending order, each once.
  let hashes: [UInt64]

  /// A text shorter than five characters is one shingle; the empty text has none.
  init(_ text: String) {
    let scalars = Array(text.unicodeScalars)
    guard !scalars.isEmpty else {
      hashes = []
      return
    }
    var all: [UInt64] = []
    let count = max(1, scalars.count - Self.length + 1)
    all.reserveCapacity(count)
    for start in 0..<count {
      var hash: UInt64 = 0
      for scalar in scalars[start..<min(start + Self.length, scalars.count)] {
        hash = SplitMix.mix(hash &+ UInt64(scalar.value))
      }
      all.append(hash)
    }
    all.sort()
    var unique: [UInt64] = []
    unique.reserveCapacity(all.count)
    for hash in all where unique.last != hash { unique.append(hash) }
    hashes = unique
  }

  /// Jaccard's similarity: shared shingles, as a share of all of either. 0 where one has none.
  func similarity(to other: Shingles) -> Double {
    var shared = 0
    var (i, j) = (0, 0)
    while i < hashes.count, j < other.hashes.count {
      if hashes[i] == other.hashes[j] {
        shared += 1
        i += 1
        j += 1
      } else if hashes[i] < other.hashes[j] {
        i += 1
      } else {
        j += 1
      }
    }
    let all = hashes.count + other.hashes.count - shared
    return all == 0 ? 0 : Double(shared) / Double(all)
  }
}

/// Which of given texts a text is near to, found exactly: by the shingles that they share.
struct ShingleIndex {
  private var holders: [UInt64: [Int32]] = [:]
  private var sizes: [Int] = []

  /// Texts are numbered from 0 in the order they are added.
  mutating func add(_ shingles: Shingles) {
    for hash in shingles.hashes { holders[hash, default: []].append(Int32(sizes.count)) }
    sizes.append(shingles.hashes.count)
  }

  /// The texts whose similarity is at least `threshold`, in their order.
  func near(_ shingles: Shingles, threshold: Double) -> [(text: Int, similarity: Double)] {
    var shared: [Int32: Int] = [:]
    for hash in shingles.hashes { for text in holders[hash] ?? [] { shared[text, default: 0] += 1 } }
    return shared.compactMap { text, count in
      let all = shingles.hashes.count + sizes[Int(text)] - count
      let similarity = Double(count) / Double(all)
      return similarity >= threshold ? (Int(text), similarity) : nil
    }.sorted { $0.text < $1.text }
  }
}
