import Foundation

/// One answer of a model and what it should have been.
public struct AnswerPair: Sendable, Equatable {
  public var hypothesis: String
  public var reference: String
  public init(hypothesis: String, reference: String) {
    self.hypothesis = hypothesis
    self.reference = reference
  }
}

/// BLEU (Papineni et al., 2002), equal to sacreBLEU 2.6.0's digits: order 4, exponential smoothing, one reference.
public struct BLEU: Sendable, Equatable {
  static let order = 4
  /// The sacreBLEU release whose digits these are.
  static let version = "2.6.0"

  /// A score from 0 to 100 with what it was made of; lists are by n-gram order from 1 to 4.
  public struct Score: Sendable, Equatable {
    public var score: Double
    public var brevityPenalty: Double
    /// Matched n-grams, and n-grams of the hypothesis.
    public var counts: [Int]
    public var totals: [Int]
    /// In percent, smoothed.
    public var precisions: [Double]
    /// Tokens of the hypotheses and of the references.
    public var hypothesisLength: Int
    public var referenceLength: Int
  }

  public let tokenizer: BLEUTokenizer

  public init(tokenizer: BLEUTokenizer) { self.tokenizer = tokenizer }

  /// As sacreBLEU prints it. A sentence's score uses the effective order, a corpus's does not.
  public func signature(sentence: Bool = false) -> String {
    "nrefs:1|case:mixed|eff:\(sentence ? "yes" : "no")|tok:\(tokenizer.rawValue)|smooth:exp|version:\(Self.version)"
  }

  /// The score of one answer, over the orders that it is long enough for.
  public func sentence(_ pair: AnswerPair) -> Score { Self.score(counts(pair), effectiveOrder: true) }

  /// The score of many answers by their summed counts; 0 for none.
  public func corpus(_ pairs: [AnswerPair]) -> Score {
    var sums = [Double](repeating: 0, count: 2 * Self.order + 2)
    for pair in pairs { for (index, count) in counts(pair).enumerated() { sums[index] += count } }
    return Self.score(sums, effectiveOrder: false)
  }

  /// bp · exp(mean of ln p_n), where an order without a match counts as half a match, the next such one as a quarter …
  private static func score(_ sums: [Double], effectiveOrder: Bool) -> Score {
    let counts = sums[..<order].map { Int($0) }
    let totals = sums[order..<2 * order].map { Int($0) }
    let (hypothesisLength, referenceLength) = (Int(sums[2 * order]), Int(sums[2 * order + 1]))
    var brevityPenalty = 1.0
    if hypothesisLength < referenceLength {
      brevityPenalty = hypothesisLength > 0 ? exp(1 - Double(referenceLength) / Double(hypothesisLength)) : 0
    }
    var precisions = [Double](repeating: 0, count: order)
    var orders = order
    var score = 0.0
    if counts.contains(where: { $0 > 0 }) {
      var halving = 1.0
      for n in 1...order where totals[n - 1] > 0 {
        if effectiveOrder { orders = n }
        if counts[n - 1] == 0 {
          halving *= 2
          precisions[n - 1] = 100 / (halving * Double(totals[n - 1]))
        } else {
          precisions[n - 1] = 100 * Double(counts[n - 1]) / Double(totals[n - 1])
        }
      }
      // An order that the hypotheses are too short for has precision 0, and so has the whole corpus.
      let used = precisions.prefix(orders)
      if used.allSatisfy({ $0 > 0 }) {
        score = brevityPenalty * exp(used.reduce(0) { $0 + log($1) } / Double(orders))
      }
    }
    return Score(
      score: score, brevityPenalty: brevityPenalty, counts: counts, totals: totals, precisions: precisions,
      hypothesisLength: hypothesisLength, referenceLength: referenceLength)
  }
}

extension BLEU: Metric {
  var scores: [(name: String, signature: String)] { [("bleu", signature())] }

  /// Matched n-grams by order, n-grams of the answer by order, tokens of the answer and of the reference.
  func counts(_ pair: AnswerPair) -> [Double] {
    let tokens = tokenizer.tokens(of: pair)
    let matches = NGrams.matches(tokens.hypothesis, tokens.reference, orders: Self.order)
    let totals = (0..<Self.order).map { max(0, tokens.hypothesis.count - $0) }
    return (matches + totals + [tokens.hypothesis.count, tokens.reference.count]).map(Double.init)
  }

  func values(_ sums: [Double], answers: Int) -> [Double] { [Self.score(sums, effectiveOrder: false).score] }

  func sentenceValues(_ counts: [Double]) -> [Double] { [Self.score(counts, effectiveOrder: true).score] }
}
