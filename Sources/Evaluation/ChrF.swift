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
  public func sentence(_ pair: AnswerPair) -> Double { corpus([pair]) }

  /// The score of many answers by their summed counts, 0 to 100; 0 for none.
  public func corpus(_ pairs: [AnswerPair]) -> Double { scoring(pairs)(Array(pairs.indices)) }

  /// The corpus's score of any of these answers, by their places; one may count several times. Each answer is looked at once.
  func scoring(_ pairs: [AnswerPair]) -> ([Int]) -> Double {
    let each = pairs.map(statistics)
    let none = [OrderCounts](repeating: OrderCounts(), count: Self.characterOrder + wordOrder)
    return { places in
      var orders = none
      for place in places {
        for (index, counts) in each[place].enumerated() { orders[index].add(counts) }
      }
      return Self.score(orders)
    }
  }

  /// n-grams of one order: in the hypothesis, in the reference, and matched.
  private struct OrderCounts {
    var hypothesis = 0
    var reference = 0
    var matched = 0

    init() {}

    init<Element: Hashable>(_ hypothesis: [Element], _ reference: [Element], order: Int) {
      self.reference = max(0, reference.count - order + 1)
      // Without n-grams in the reference those of the hypothesis are no misses.
      self.hypothesis = self.reference == 0 ? 0 : max(0, hypothesis.count - order + 1)
      matched = NGrams.matches(NGrams.counts(of: hypothesis, order: order), NGrams.counts(of: reference, order: order))
    }

    mutating func add(_ other: OrderCounts) {
      hypothesis += other.hypothesis
      reference += other.reference
      matched += other.matched
    }
  }

  private func statistics(_ pair: AnswerPair) -> [OrderCounts] {
    let hypothesis = Scalars(pair.hypothesis.unicodeScalars)
    let reference = Scalars(pair.reference.unicodeScalars)
    let characters = (hypothesis.filter { !$0.isPythonSpace }, reference.filter { !$0.isPythonSpace })
    var orders = (1...Self.characterOrder).map { OrderCounts(characters.0, characters.1, order: $0) }
    if wordOrder > 0 {
      let words = (Self.words(hypothesis), Self.words(reference))
      orders += (1...wordOrder).map { OrderCounts(words.0, words.1, order: $0) }
    }
    return orders
  }

  /// Words with one ASCII punctuation mark cut off, at the end before the beginning.
  private static func words(_ line: Scalars) -> [Scalars] {
    func isMark(_ scalar: Unicode.Scalar?) -> Bool {
      guard let scalar else { return false }
      return ("!"..."/").contains(scalar) || (":"..."@").contains(scalar) || ("["..."`").contains(scalar)
        || ("{"..."~").contains(scalar)
    }
    return line.words().flatMap { word -> [Scalars] in
      if word.count == 1 { return [word] }
      if isMark(word.last) { return [Scalars(word.dropLast()), Scalars(word.suffix(1))] }
      if isMark(word.first) { return [Scalars(word.prefix(1)), Scalars(word.dropFirst())] }
      return [word]
    }
  }

  /// F-beta of the mean precision and mean recall over the orders that both sides are long enough for.
  private static func score(_ orders: [OrderCounts]) -> Double {
    var precision = 0.0
    var recall = 0.0
    var used = 0.0
    for order in orders where order.hypothesis > 0 && order.reference > 0 {
      precision += Double(order.matched) / Double(order.hypothesis)
      recall += Double(order.matched) / Double(order.reference)
      used += 1
    }
    guard precision + recall > 0 else { return 0 }
    precision /= used
    recall /= used
    let factor = beta * beta
    return 100 * (1 + factor) * precision * recall / (factor * precision + recall)
  }
}
