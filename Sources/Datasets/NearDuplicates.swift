/// Finds texts that are nearly the same as an earlier one, by Jaccard's similarity of their character 5-grams.
///
/// Few texts are compared exactly. Of many, MinHash signatures cut into bands (locality-sensitive hashing) name the pairs worth comparing;
/// each of those is then compared exactly, so what is found is near for sure, and of what is near a thousandth is missed at most.
struct NearDuplicates {
  struct Finding: Equatable {
    /// The earlier text that stays.
    var original: Int
    var similarity: Double
  }

  /// Up to so many texts are compared exactly.
  static let fewTexts = 5_000
  private static let signatureLength = 128
  /// The share of pairs at the threshold that the bands must find.
  private static let leastRecall = 0.999
  /// In one bucket a text is compared with so many different ones at most.
  private static let mostCompared = 64

  let count: Int
  let threshold: Double
  /// The text of each number.
  private let text: (Int) throws -> String

  init(count: Int, threshold: Double, text: @escaping (Int) throws -> String) {
    self.count = count
    self.threshold = threshold
    self.text = text
  }

  /// By number: the texts that are near to an earlier one that itself is not.
  func findings(exactlyUpTo few: Int = fewTexts) throws -> [Int: Finding] {
    count <= few ? try exactly() : try byBands()
  }

  private func exactly() throws -> [Int: Finding] {
    var index = ShingleIndex()
    var originals: [Int] = []
    var findings: [Int: Finding] = [:]
    for number in 0..<count {
      let shingles = Shingles(try text(number))
      if let (place, similarity) = index.near(shingles, threshold: threshold).first {
        findings[number] = Finding(original: originals[place], similarity: similarity)
      } else {
        index.add(shingles)
        originals.append(number)
      }
    }
    return findings
  }

  // MARK: - MinHash

  /// How many rows of the signature make a band: as many as the wanted recall allows, since longer bands name fewer pairs in vain.
  private var bandLength: Int {
    func recall(_ rows: Int) -> Double {
      var miss = 1.0
      var all = 1.0
      for _ in 0..<rows { all *= threshold }
      for _ in 0..<(Self.signatureLength / rows) { miss *= 1 - all }
      return 1 - miss
    }
    return (1...16).last { recall($0) >= Self.leastRecall } ?? 1
  }

  private func byBands() throws -> [Int: Finding] {
    let rows = bandLength
    let bands = Self.signatureLength / rows
    let keys = try bandKeys(rows: rows, bands: bands)
    var findings: [Int: Finding] = [:]
    var order = Array(0..<count)
    for band in 0..<bands {
      let key = { (number: Int) in keys[number * bands + band] }
      order.sort { key($0) == key($1) ? $0 < $1 : key($0) < key($1) }
      var start = 0
      while start < count {
        var end = start + 1
        while end < count, key(order[end]) == key(order[start]) { end += 1 }
        if end - start > 1 { try compare(order[start..<end], &findings) }
        start = end
      }
    }
    return try withoutChains(findings)
  }

  /// Of every text a 32-bit hash of each band of its signature, text after text.
  private func bandKeys(rows: Int, bands: Int) throws -> [UInt32] {
    var random = SplitMix(seed: 5)
    // h(x) = the high half of a·x + b, each with odd a: one permutation of the shingles a row.
    let factors = (0..<(rows * bands)).map { _ in (a: random.next() | 1, b: random.next()) }
    var keys: [UInt32] = []
    keys.reserveCapacity(count * bands)
    var signature = [UInt32](repeating: 0, count: factors.count)
    for number in 0..<count {
      let hashes = Shingles(try text(number)).hashes
      for row in factors.indices {
        let (a, b) = factors[row]
        var least = UInt32.max
        for hash in hashes { least = min(least, UInt32(truncatingIfNeeded: (a &* hash &+ b) >> 32)) }
        signature[row] = least
      }
      for band in 0..<bands {
        var key: UInt64 = UInt64(band)
        for row in signature[(band * rows)..<((band + 1) * rows)] {
          key = (key ^ UInt64(row)) &* 0x9E37_79B9_7F4A_7C15 ^ (key >> 29)
        }
        keys.append(UInt32(truncatingIfNeeded: key >> 32))
      }
    }
    return keys
  }

  /// Compares texts of one bucket, in ascending order, with those before them that are not near to another.
  private func compare(_ bucket: ArraySlice<Int>, _ findings: inout [Int: Finding]) throws {
    var originals: [(number: Int, shingles: Shingles)] = []
    for number in bucket where findings[number] == nil {
      let shingles = Shingles(try text(number))
      var finding: Finding?
      for original in originals where finding == nil {
        let similarity = original.shingles.similarity(to: shingles)
        if similarity >= threshold { finding = Finding(original: original.number, similarity: similarity) }
      }
      if let finding {
        findings[number] = finding
      } else if originals.count < Self.mostCompared {
        originals.append((number, shingles))
      }
    }
  }

  /// A text that was near to one that a later band found near to a third is measured against that third, and stays if it is not near.
  private func withoutChains(_ findings: [Int: Finding]) throws -> [Int: Finding] {
    var result = findings
    for (number, finding) in findings.sorted(by: { $0.key < $1.key }) {
      guard let further = result[finding.original] else { continue }
      let similarity = Shingles(try text(number)).similarity(to: Shingles(try text(further.original)))
      result[number] = similarity >= threshold ? Finding(original: further.original, similarity: similarity) : nil
    }
    return result
  }
}
