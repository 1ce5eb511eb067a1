import Formats
import Foundation
import Runs
import Testing

@testable import Evaluation

/// Digits that agree to the last but the very last few bits of a double.
private func agree(_ ours: Double, _ theirs: Double) -> Bool { abs(ours - theirs) <= 1e-9 }

private func agree(_ ours: BLEU.Score, _ value: JSONValue?) throws -> Bool {
  let value = try MetricFixture.need(value, "bleu")
  let precisions = try MetricFixture.need(value["precisions"]?.array, "precisions")
  return try agree(ours.score, MetricFixture.number(value["score"], "score"))
    && agree(ours.brevityPenalty, MetricFixture.number(value["bp"], "bp"))
    && value["counts"]?.array?.map(\.integer) == ours.counts.map(Optional.init)
    && value["totals"]?.array?.map(\.integer) == ours.totals.map(Optional.init)
    && value["sys_len"]?.integer == ours.hypothesisLength
    && value["ref_len"]?.integer == ours.referenceLength
    && precisions.count == ours.precisions.count
    && zip(precisions, ours.precisions).allSatisfy { agree($1, $0.double ?? .nan) }
}

@Suite struct MetricTests {
  let fixture: MetricFixture

  init() throws { fixture = try MetricFixture() }

  @Test(arguments: BLEUTokenizer.allCases) func bleuEqualsSacreBLEU(_ tokenizer: BLEUTokenizer) throws {
    let bleu = BLEU(tokenizer: tokenizer)
    let key = "bleu_\(tokenizer.rawValue)"
    for pair in fixture.pairs {
      let ours = bleu.sentence(pair.texts)
      #expect(try agree(ours, pair.values[key]), "\(pair.name): \(ours)")
    }
    for corpus in fixture.corpora {
      let ours = bleu.corpus(corpus.pairs)
      #expect(try agree(ours, corpus.values[key]), "\(corpus.name): \(ours)")
    }
    #expect(fixture.values["signatures"]?[key]?["corpus"]?.string == bleu.signature())
    #expect(fixture.values["signatures"]?[key]?["sentence"]?.string == bleu.signature(sentence: true))
  }

  @Test(arguments: [BLEUTokenizer.mteval13a, .international]) func tokensEqualSacreBLEU(_ tokenizer: BLEUTokenizer)
    throws
  {
    for pair in fixture.pairs {
      let expected = try MetricFixture.need(pair.values["tokenized_\(tokenizer.rawValue)"], "tokens")
      for (side, text) in [("hypothesis", pair.texts.hypothesis), ("reference", pair.texts.reference)] {
        let ours = tokenizer.tokenize(text).joined(separator: " ")
        let theirs = try MetricFixture.need(expected[side]?.string, side)
        #expect(Array(ours.unicodeScalars) == Array(theirs.unicodeScalars), "\(pair.name), \(side)")
      }
    }
  }

  @Test(arguments: [("chrf", 0), ("chrf++", 2)]) func chrfEqualsSacreBLEU(_ key: String, _ wordOrder: Int) throws {
    let chrf = ChrF(wordOrder: wordOrder)
    for pair in fixture.pairs {
      #expect(agree(chrf.sentence(pair.texts), try MetricFixture.number(pair.values[key], key)), "\(pair.name)")
    }
    for corpus in fixture.corpora {
      #expect(agree(chrf.corpus(corpus.pairs), try MetricFixture.number(corpus.values[key], key)), "\(corpus.name)")
    }
    #expect(fixture.values["signatures"]?[key]?["corpus"]?.string == chrf.signature)
    #expect(fixture.values["signatures"]?[key]?["sentence"]?.string == chrf.signature)
  }

  /// Both tokenisers: on text that rouge-score loses no letter of, they are the same.
  @Test(arguments: ROUGETokenizer.allCases, ROUGE.Kind.allCases)
  func rougeEqualsRougeScore(_ tokenizer: ROUGETokenizer, _ kind: ROUGE.Kind) throws {
    let rouge = ROUGE(tokenizer: tokenizer)
    var compared = 0
    for pair in fixture.pairs {
      guard let expected = pair.values["rouge"]?[kind.rawValue] else { continue }
      let ours = rouge.sentence(kind, pair.texts)
      #expect(agree(ours.precision, try MetricFixture.number(expected["precision"], "precision")), "\(pair.name)")
      #expect(agree(ours.recall, try MetricFixture.number(expected["recall"], "recall")), "\(pair.name)")
      #expect(agree(ours.f1, try MetricFixture.number(expected["fmeasure"], "fmeasure")), "\(pair.name)")
      compared += 1
    }
    #expect(compared >= 25)
    for corpus in fixture.corpora {
      guard let expected = corpus.values["rouge"]?[kind.rawValue]?.double else { continue }
      #expect(agree(rouge.corpus(kind, corpus.pairs), expected), "\(corpus.name)")
    }
  }

  @Test func rougeSeesKorean() {
    let pair = AnswerPair(hypothesis: "대한민국의 수도는 부산입니다.", reference: "대한민국의 수도는 서울입니다.")
    #expect(ROUGE(tokenizer: .rougeScore).sentence(.rouge1, pair).f1 == 0)
    #expect(agree(ROUGE(tokenizer: .unicode).sentence(.rouge1, pair).f1, 2.0 / 3))
    #expect(agree(ROUGE(tokenizer: .unicode).sentence(.rouge2, pair).f1, 0.5))
    #expect(agree(ROUGE(tokenizer: .unicode).sentence(.rougeL, pair).f1, 2.0 / 3))
  }

  @Test func unicodeTokensAreComposedWords() {
    let decomposed = "세종대왕이 1443년에, 한글(훈민정음)을!".decomposedStringWithCanonicalMapping
    #expect(ROUGETokenizer.unicode.tokenize(decomposed) == ["세종대왕이", "1443년에", "한글", "훈민정음", "을"])
    #expect(ROUGETokenizer.unicode.tokenize("GPU는 Café에서 π≈3.14 ㅋㅋ") == ["gpu는", "café에서", "π", "3", "14", "ㅋㅋ"])
    #expect(ROUGETokenizer.rougeScore.tokenize("GPU는 Café π≈3.14") == ["gpu", "caf", "3", "14"])
  }
}

@Suite struct ScorerTests {
  private let all = ["bleu", "chrf", "rouge1", "rouge2", "rougeL"]

  @Test func choosesTokenisersByTheReferences() {
    let korean = Scorer(
      metrics: [.bleu, .rouge, .chrf], references: ["대한민국의 수도는 서울입니다.", "GPU(Graphics Processing Unit)"])
    #expect(korean.bleu.tokenizer == .character)
    #expect(korean.rouge.tokenizer == .unicode)
    let english = Scorer(metrics: [.bleu, .rouge, .chrf], references: ["The capital of Korea is Seoul (서울), déjà vu."])
    #expect(english.bleu.tokenizer == .mteval13a)
    #expect(english.rouge.tokenizer == .rougeScore)
    let russian = Scorer(metrics: [.bleu, .rouge, .chrf], references: ["Столица Кореи — Сеул."])
    #expect(russian.bleu.tokenizer == .mteval13a)
    #expect(russian.rouge.tokenizer == .unicode)
    let nothing = Scorer(metrics: [.bleu], references: ["", "1 + 1"])
    #expect(nothing.bleu.tokenizer == .mteval13a)
  }

  @Test func everyScoreHasItsSignature() {
    let scorer = Scorer(metrics: [.bleu, .rouge, .chrf], references: ["서울"])
    let pairs = [AnswerPair(hypothesis: "서울입니다", reference: "서울이다"), AnswerPair(hypothesis: "파리", reference: "파리")]
    let scores = scorer.corpusScores(pairs)
    #expect(scores.keys.sorted() == all)
    #expect(scores["bleu"]?.signature == "nrefs:1|case:mixed|eff:no|tok:char|smooth:exp|version:2.6.0")
    #expect(scores["chrf"]?.signature == "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0")
    #expect(
      scores["rougeL"]?.signature
        == "nrefs:1|case:lower|score:f1|agg:mean|stem:no|tok:unicode|like:rouge-score-0.1.2")
    #expect(agree(scores["rouge1"]?.value ?? .nan, 0.5))
  }

  @Test func onlyTheMetricsThatWereAskedFor() {
    let scorer = Scorer(metrics: [.chrf], references: ["서울"])
    #expect(Array(scorer.scores(answer: "서울", reference: "서울").keys) == ["chrf"])
    #expect(Array(scorer.corpusScores([]).keys) == ["chrf"])
    let kinds = Scorer(metrics: [.rougeLsum, .exactMatch, .perplexity, .rouge1], references: ["서울"])
    #expect(kinds.scores(answer: "서울", reference: "서울") == ["rougeLsum": 1, "rouge1": 1, "exact_match": 100])
    let every = Scorer(metrics: EvaluationSettings.Metric.allCases, references: ["서울"])
    #expect(Set(every.scores(answer: "서울", reference: "서울").keys) == Set(ScoreName.all))
    #expect(every.corpusValues([AnswerPair(hypothesis: "가", reference: "가")])["f1"] == 100)
  }

  @Test func aTokeniserCanBeNamed() {
    for setting in EvaluationSettings.BLEUTokenize.allCases where setting != .auto {
      let scorer = Scorer(metrics: [.bleu], references: ["서울"], bleu: BLEUTokenizer(setting))
      #expect(scorer.bleu.tokenizer.rawValue == setting.rawValue)
    }
    #expect(BLEUTokenizer(.auto) == nil)
  }

  @Test func nothingIsNeverNaN() {
    let texts = ["", " ", "\n", ".", "서울", "a b c d e"]
    for bleu in BLEUTokenizer.allCases {
      for rouge in ROUGETokenizer.allCases {
        let scorer = Scorer(metrics: [.bleu, .rouge, .chrf], bleu: bleu, rouge: rouge)
        for answer in texts {
          for reference in texts {
            let scores = scorer.scores(answer: answer, reference: reference)
            #expect(scores.keys.sorted() == all)
            #expect(scores.values.allSatisfy { $0.isFinite && $0 >= 0 && $0 <= 100 + 1e-9 }, "\(answer)|\(reference)")
            let corpus = scorer.corpusScores([AnswerPair(hypothesis: answer, reference: reference)])
            #expect(corpus.values.allSatisfy { $0.value.isFinite })
          }
        }
        #expect(scorer.corpusScores([]).values.allSatisfy { $0.value == 0 })
      }
    }
  }
}

@Suite struct BootstrapTests {
  private static func pairs(_ count: Int) -> [AnswerPair] {
    (0..<count).map { place in
      AnswerPair(hypothesis: place.isMultiple(of: 3) ? "대한민국의 수도는 서울이다." : "부산입니다.", reference: "대한민국의 수도는 서울입니다.")
    }
  }

  /// Scores of drawn answers are those of a corpus of these answers, repetitions and all.
  @Test func drawsAreScoredAsTheirCorpus() throws {
    let pairs = try MetricFixture().pairs.map(\.texts)
    try #require(pairs.count > 3)
    let places = [2, 0, 2, 3, 2]
    let drawn = places.map { pairs[$0] }
    for tokenizer in BLEUTokenizer.allCases {
      let bleu = BLEU(tokenizer: tokenizer)
      #expect(CountTable(bleu, pairs).values(places) == [bleu.corpus(drawn).score])
    }
    for order in [0, 2] {
      let chrf = ChrF(wordOrder: order)
      #expect(CountTable(chrf, pairs).values(places) == [chrf.corpus(drawn)])
    }
    let rouge = ROUGE(tokenizer: .unicode)
    #expect(CountTable(rouge, pairs).values(places) == ROUGE.Kind.allCases.map { rouge.corpus($0, drawn) })
  }

  /// The mean of n draws of 0 and 1 with share p has about the interval p ± 1.96 √(p(1−p)/n).
  @Test func theIntervalOfAShareIsTheBinomials() throws {
    let count = 400
    let draws = Bootstrap(count: count).draws { places in
      Double(places.count { $0.isMultiple(of: 4) }) / Double(places.count)
    }
    let interval = try #require(Bootstrap.interval(draws))
    let half = 1.96 * (0.25 * 0.75 / Double(count)).squareRoot()
    #expect(abs(interval[0] - (0.25 - half)) < 0.006 && abs(interval[1] - (0.25 + half)) < 0.006)
  }

  @Test func everyScoreLiesInItsInterval() throws {
    let scorer = Scorer(metrics: [.bleu, .chrf, .rouge], bleu: .character, rouge: .unicode)
    let scores = scorer.corpusScores(Self.pairs(12))
    #expect(scores.count == 5)
    for (name, score) in scores {
      let ends = try #require(score.interval)
      #expect(ends.count == 2 && ends[0] <= score.value && score.value <= ends[1] && ends[0] < ends[1], "\(name)")
    }
    // The same questions give the same interval, one question none.
    #expect(scorer.corpusScores(Self.pairs(12)) == scores)
    #expect(scorer.corpusScores(Self.pairs(1)).values.allSatisfy { $0.interval == nil })
    #expect(scorer.corpusScores([]).values.allSatisfy { $0.interval == nil && $0.value == 0 })
  }
}
