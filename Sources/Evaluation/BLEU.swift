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
  public func sentence(_ pair: AnswerPair) -> Score { Statistics(pair, tokenizer).score(effectiveOrder: true) }

  /// The score of many answers by their summed counts; 0 for none.
  public func corpus(_ pairs: [AnswerPair]) -> Score {
    Statistics(sum: pairs.lazy.map { Statistics($0, tokenizer) }).score(effectiveOrder: false)
  }

  /// The corpus's score of any of these answers, by their places; one may count several times. Each answer is looked at once.
  func scoring(_ pairs: [AnswerPair]) -> ([Int]) -> Double {
    let each = pairs.map { Statistics($0, tokenizer) }
    return { places in Statistics(sum: places.lazy.map { each[$0] }).score(effectiveOrder: false).score }
  }

  private struct Statistics {
    var counts = [Int](repeating: 0, count: order)
    var totals = [Int](repeating: 0, count: order)
    var hypothesisLength = 0
    var referenceLength = 0

    init(_ pair: AnswerPair, _ tokenizer: BLEUTokenizer) {
      let hypothesis = tokenizer.tokens(of: pair.hypothesis)
      let reference = tokenizer.tokens(of: pair.reference)
      hypothesisLength = hypothesis.count
      referenceLength = reference.count
      for n in 1...order {
        let grams = NGrams.counts(of: hypothesis, order: n)
        counts[n - 1] = NGrams.matches(grams, NGrams.counts(of: reference, order: n))
        totals[n - 1] = max(0, hypothesis.count - n + 1)
      }
    }

    init(sum parts: some Sequence<Statistics>) {
      for part in parts {
        for n in 0..<order {
          counts[n] += part.counts[n]
          totals[n] += part.totals[n]
        }
        hypothesisLength += part.hypothesisLength
        referenceLength += part.referenceLength
      }
    }

    /// bp · exp(mean of ln p_n), where an order without a match counts as half a match, the next such one as a quarter …
    func score(effectiveOrder: Bool) -> Score {
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
}
