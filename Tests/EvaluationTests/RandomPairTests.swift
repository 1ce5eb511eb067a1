import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Evaluation

/// `fixtures/random-pairs.json`: 500 pairs as sacreBLEU, rouge-score and a second count of KorQuAD's scores see them, and sacreBLEU's paired
/// bootstrap. Made by `scripts/fixtures/random_pairs.py`, whose head tells the layout.
struct RandomPairs {
  struct Pair {
    let kind: String
    let texts: AnswerPair
    /// Whether rouge-score's own tokeniser loses nothing of it.
    let isLatin: Bool
    let values: [Double]
  }

  let columns: [String]
  let pairs: [Pair]
  let root: JSONValue

  init() throws {
    root = try JSONValue(parsing: Fixtures.data("Evaluation", "random-pairs.json"), file: "random-pairs.json")
    columns = try MetricFixture.need(root["columns"]?.array, "columns").compactMap(\.string)
    pairs = try MetricFixture.need(root["pairs"]?.array, "pairs").map { row in
      let cells = try MetricFixture.need(row.array, "pair")
      let texts = cells.prefix(3).compactMap(\.string)
      let numbers = cells.dropFirst(3).compactMap(\.double)
      try #require(texts.count == 3 && numbers.count == 13)
      return Pair(
        kind: texts[0], texts: AnswerPair(hypothesis: texts[1], reference: texts[2]), isLatin: numbers[0] == 1,
        values: Array(numbers.dropFirst()))
    }
  }

  static func numbers(_ value: JSONValue?, _ key: String) throws -> [Double] {
    try MetricFixture.need(value?[key]?.array, key).compactMap(\.double)
  }

  static func indices(_ value: JSONValue?, _ key: String) throws -> [Int] {
    try MetricFixture.need(value?[key]?.array, key).compactMap(\.integer)
  }

  /// Every metric, its scores in the order of ``columns``.
  static func metrics(_ rouge: ROUGETokenizer) -> [any Metric] {
    [BLEUTokenizer.mteval13a, .international, .character, .none].map { BLEU(tokenizer: $0) }
      + [ChrF(), ChrF(wordOrder: 2), ROUGE(tokenizer: rouge), KorQuAD()]
  }
}

@Suite struct RandomPairTests {
  let fixture: RandomPairs

  init() throws { fixture = try RandomPairs() }

  private func check(_ ours: [Double], _ theirs: [Double], _ name: String) {
    #expect(ours.count == theirs.count)
    for (column, values) in zip(fixture.columns, zip(ours, theirs)) {
      #expect(abs(values.0 - values.1) <= 1e-9, "\(name), \(column): \(values.0), not \(values.1)")
    }
  }

  @Test func everyPairScoresAsItsReferences() throws {
    #expect(
      fixture.columns == [
        "bleu_13a", "bleu_intl", "bleu_char", "bleu_none", "chrf", "chrf++", "rouge1", "rouge2", "rougeL", "rougeLsum",
        "exact_match", "f1",
      ])
    #expect(fixture.pairs.count == 500)
    for (index, pair) in fixture.pairs.enumerated() {
      // Where rouge-score's own tokeniser sees everything, both of ours do as it does.
      for rouge in pair.isLatin ? ROUGETokenizer.allCases : [.unicode] {
        let ours = RandomPairs.metrics(rouge).flatMap { $0.sentenceValues($0.counts(pair.texts)) }
        check(ours, pair.values, "\(index) \(pair.kind) \(rouge)")
      }
    }
    #expect(fixture.pairs.count { $0.isLatin } > 150)
  }

  @Test func everyCorpusScoresAsItsReferences() throws {
    let corpora = try MetricFixture.need(fixture.root["corpora"]?.array, "corpora")
    #expect(corpora.count > 10)
    for corpus in corpora {
      let pairs = try RandomPairs.indices(corpus, "indices").map { fixture.pairs[$0].texts }
      let ours = RandomPairs.metrics(.unicode).flatMap { CountTable($0, pairs).values }
      check(ours, try RandomPairs.numbers(corpus, "values"), corpus["name"]?.string ?? "")
    }
  }

  @Test func koreanHasItsROUGE() {
    let korean = fixture.pairs.filter { $0.kind == "ko" }.map(\.texts)
    #expect(korean.count == 150)
    for kind in ROUGE.Kind.allCases {
      #expect(ROUGE(tokenizer: .unicode).corpus(kind, korean) > 0.2)
      #expect(ROUGE(tokenizer: .rougeScore).corpus(kind, korean) < ROUGE(tokenizer: .unicode).corpus(kind, korean))
    }
  }

  @Test func drawsAreNumPys() throws {
    for draw in try MetricFixture.need(fixture.root["draws"]?.array, "draws") {
      let below = try #require(draw["below"]?.integer.flatMap { UInt32(exactly: $0) })
      var random = PCG64()
      let theirs = try RandomPairs.indices(draw, "numbers")
      #expect(theirs.count == 64)
      #expect(theirs.map { _ in random.next(below: below) } == theirs, "\(below)")
    }
  }

  /// p-values of sacreBLEU's `--paired-bs`, which sums in float32, and the intervals of the same draws in float64.
  @Test func pairedBootstrapEqualsSacreBLEUs() throws {
    let cases = try MetricFixture.need(fixture.root["paired"]?.array, "paired")
    #expect(cases.count == 6)
    for one in cases {
      let name = one["name"]?.string ?? ""
      let places = try RandomPairs.indices(one, "places")
      let first = places.map { fixture.pairs[$0].texts }
      let second = zip(first, try RandomPairs.indices(one, "second")).map { pair, other in
        AnswerPair(
          hypothesis: other < 0 ? pair.reference : fixture.pairs[other].texts.hypothesis, reference: pair.reference)
      }
      for (key, metric, tokenizer) in [
        ("bleu_13a", "bleu", BLEUTokenizer.mteval13a), ("bleu_char", "bleu", .character), ("chrf", "chrf", .none),
        ("chrf++", "chrf++", .none),
      ] {
        let scorer = Scorer(metrics: [.bleu, .chrf, .chrfPlusPlus], bleu: tokenizer, rouge: .unicode)
        let theirs = one["metrics"]?[key]
        func number(_ key: String) throws -> Double { try MetricFixture.number(theirs?[key], key) }
        let (scores, deltas) = scorer.compare(first, second)
        let delta = try #require(deltas[metric])
        #expect(abs(try number("first") - (scores.base[metric]?.value ?? .nan)) <= 1e-9)
        #expect(abs(try number("second") - (scores.tuned[metric]?.value ?? .nan)) <= 1e-9)
        #expect(abs(try number("second") - number("first") - delta.value) <= 1e-9)
        #expect(try delta.pValue == number("p"), "\(name), \(key)")
        let interval = try RandomPairs.numbers(theirs, "interval")
        let ours = try #require(delta.interval)
        #expect(zip(ours, interval).allSatisfy { abs($0 - $1) <= 1e-9 }, "\(name), \(key): \(ours), not \(interval)")
        // Half the width of the second system's own interval.
        let own = try #require(scores.tuned[metric]?.interval)
        #expect(abs((own[1] - own[0]) / 2 - (try number("ci"))) <= 1e-3, "\(name), \(key)")
      }
    }
  }

  /// sacreBLEU's count would give its least p-value for a model against itself.
  @Test func aModelAgainstItselfIsNoDifference() throws {
    let pairs = fixture.pairs.prefix(50).map(\.texts)
    let scorer = Scorer(metrics: EvaluationSettings.Metric.allCases, references: pairs.map(\.reference))
    let deltas = scorer.compare(pairs, pairs).deltas
    #expect(Set(deltas.keys) == Set(ScoreName.all))
    #expect(
      deltas.values.allSatisfy { $0.value == 0 && $0.interval == [0, 0] && $0.pValue == 1 && $0.isClear == false })
    let one = scorer.compare(Array(pairs.prefix(1)), Array(pairs.prefix(1))).deltas
    #expect(one.values.allSatisfy { $0.interval == nil && $0.pValue == nil && $0.isClear == nil })
  }
}

@Suite struct AnswerTextTests {
  @Test func korquadFormOfATexts() {
    #expect(KorQuAD.normalize("  ‘세종대왕’(1397~1450),  《훈민정음》을  창제! ") == "세종대왕 13971450 훈민정음 을 창제")
    #expect(KorQuAD.normalize("GPU's <b>ΟΔΟΣ</b>") == "gpu s b οδος b")
    let pair = AnswerPair(hypothesis: "서울특별시 입니다.", reference: "서울 특별시")
    #expect(KorQuAD.sentence(.exactMatch, pair) == 0)
    #expect(abs(KorQuAD.sentence(.f1, pair) - 100 * 2 * (5.0 / 8) / (5.0 / 8 + 1)) < 1e-9)
    #expect(KorQuAD.sentence(.exactMatch, AnswerPair(hypothesis: "\"서울\"", reference: "서울.")) == 100)
  }

  @Test func repetitionIsTheShareOfFourGramsSaidBefore() {
    #expect(AnswerText.repetition("") == 0)
    #expect(AnswerText.repetition("하나 둘 셋") == 0)
    #expect(AnswerText.repetition("하나 둘 셋 넷 다섯 여섯") == 0)
    // Eight words of one kind: five 4-grams, one of them new.
    #expect(abs(AnswerText.repetition(String(repeating: "네, ", count: 8)) - 0.8) < 1e-12)
    #expect(abs(AnswerText.repetition(String(repeating: "가 나 다 라 ", count: 2)) - 0.2) < 1e-12)
  }

  @Test func nonKoreanIsToldWhereTheReferenceIsKorean() throws {
    #expect(AnswerText.nonKorean("Seoul", reference: "Seoul is the capital") == nil)
    #expect(AnswerText.nonKorean("12", reference: "서울입니다") == nil)
    #expect(AnswerText.nonKorean("서울이다", reference: "서울입니다") == 0)
    #expect(AnswerText.nonKorean("Seoul 서울", reference: "서울입니다") == 5.0 / 7)
    #expect(AnswerText.nonKorean("首都는", reference: "수도는 Seoul입니다 그렇습니다") == 2.0 / 3)
    // Decomposed syllables are Hangul too.
    #expect(AnswerText.nonKorean("서울".decomposedStringWithCanonicalMapping, reference: "서울") == 0)
  }
}
