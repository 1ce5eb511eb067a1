/// chrF and chrF++ (Popović, 2015 and 2017), equal to sacreBLEU 2.6.0's digits: six character orders, beta 2, one reference.
public struct ChrF: Sendable, Equatable {
  static let characterOrder = 6
  static let beta = 2.0

  /// 0 for chrF, 2 for chrF++.
  public let wordOrder: Int

  public init(wordOrder: Int = 0) { self.wordOrder = max(0, wordOrder) }

  /// As sacreBLEU prints it; sentences and corpora share it.
  public var signature: String {
    "nrefs:1|case:mixed|eff:yes|nc:\(Self.characterOrder)|nw:\(wordOrder)|space:no|version:\(BLEU.version)"
  }

  /// The score of one answer, 0 to 100.
  public func sentence(_ pair: AnswerPair) -> Double { Self.score(counts(pair)) }

  /// The score of many answers by their summed counts, 0 to 100; 0 for none.
  public func corpus(_ pairs: [AnswerPair]) -> Double { CountTable(self, pairs).values[0] }

  /// Words with one ASCII punctuation mark cut off, at the end before the beginning.
  private static func words(_ line: Scalars) -> [Scalars] {
    line.words().flatMap { word -> [Scalars] in
      if word.count == 1 { return [word] }
      if word.last?.isASCIIPunctuation ?? false { return [Scalars(word.dropLast()), Scalars(word.suffix(1))] }
      if word.first?.isASCIIPunctuation ?? false { return [Scalars(word.prefix(1)), Scalars(word.dropFirst())] }
      return [word]
    }
  }

  /// For each order the n-grams of the answer, of the reference, and the matched ones.
  private static func counts(_ tokens: TokenPair, orders: Int) -> [Double] {
    let matches = NGrams.matches(tokens.hypothesis, tokens.reference, orders: orders)
    return (0..<orders).flatMap { order -> [Double] in
      let reference = max(0, tokens.reference.count - order)
      // Without n-grams in the reference those of the hypothesis are no misses.
      let hypothesis = reference == 0 ? 0 : max(0, tokens.hypothesis.count - order)
      return [Double(hypothesis), Double(reference), Double(matches[order])]
    }
  }

  /// F-beta of the mean precision and mean recall over the orders that both sides are long enough for.
  private static func score(_ sums: [Double]) -> Double {
    var precision = 0.0
    var recall = 0.0
    var used = 0.0
    for start in stride(from: 0, to: sums.count, by: 3) where sums[start] > 0 && sums[start + 1] > 0 {
      precision += sums[start + 2] / sums[start]
      recall += sums[start + 2] / sums[start + 1]
      used += 1
    }
    guard precision + recall > 0 else { return 0 }
    precision /= used
    recall /= used
    let factor = beta * beta
    return 100 * (1 + factor) * precision * recall / (factor * precision + recall)
  }
}

extension ChrF: Metric {
  var scores: [(name: String, signature: String)] { [(wordOrder > 0 ? "chrf++" : "chrf", signature)] }

  func counts(_ pair: AnswerPair) -> [Double] {
    let hypothesis = Scalars(pair.hypothesis.unicodeScalars)
    let reference = Scalars(pair.reference.unicodeScalars)
    let characters = TokenPair(
      hypothesis: hypothesis.filter { !$0.isPythonSpace }, reference: reference.filter { !$0.isPythonSpace })
    let counts = Self.counts(characters, orders: Self.characterOrder)
    guard wordOrder > 0 else { return counts }
    let words = TokenPair(hypothesis: Self.words(hypothesis), reference: Self.words(reference))
    return counts + Self.counts(words, orders: wordOrder)
  }

  func values(_ sums: [Double], answers: Int) -> [Double] { [Self.score(sums)] }
}
