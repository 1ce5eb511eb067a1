import Runs

/// Which metrics are told, and with which tokenisers: the same for base and tuned model, and for every set of questions.
public struct Scorer: Sendable, Equatable {
  public let metrics: [EvaluationSettings.Metric]
  public let bleu: BLEU
  public let rouge: ROUGE
  public let chrf = ChrF()

  public init(metrics: [EvaluationSettings.Metric], bleu: BLEUTokenizer, rouge: ROUGETokenizer) {
    self.metrics = metrics
    self.bleu = BLEU(tokenizer: bleu)
    self.rouge = ROUGE(tokenizer: rouge)
  }

  /// Chooses the tokenisers by the references alone, so that no answer can change how it is measured.
  ///
  /// Where at least a tenth of their letters are not Latin, ROUGE takes Unicode words (rouge-score would see nothing); where a tenth are
  /// Hangul, kana or Han, BLEU takes characters, otherwise sacreBLEU's default 13a. The signatures tell what was chosen.
  public init(metrics: [EvaluationSettings.Metric], references: [String]) {
    var letters = (all: 0, otherThanLatin: 0, eastAsian: 0)
    for scalar in references.lazy.flatMap(\.unicodeScalars) where scalar.isLetter {
      letters.all += 1
      if !Self.isLatin(scalar) { letters.otherThanLatin += 1 }
      if Self.isEastAsian(scalar) { letters.eastAsian += 1 }
    }
    self.init(
      metrics: metrics,
      bleu: letters.eastAsian > 0 && letters.eastAsian * 10 >= letters.all ? .character : .mteval13a,
      rouge: letters.otherThanLatin > 0 && letters.otherThanLatin * 10 >= letters.all ? .unicode : .rougeScore)
  }

  private static let rougeKinds = [ROUGE.Kind.rouge1, .rouge2, .rougeL]

  /// The scores of one answer by name: "bleu", "chrf" (0–100), "rouge1", "rouge2", "rougeL" (0–1, F1). Never NaN.
  public func scores(answer: String, reference: String) -> [String: Double] {
    let pair = AnswerPair(hypothesis: answer, reference: reference)
    var scores: [String: Double] = [:]
    for metric in metrics {
      switch metric {
      case .bleu: scores["bleu"] = bleu.sentence(pair).score
      case .chrf: scores["chrf"] = chrf.sentence(pair)
      case .rouge: for kind in Self.rougeKinds { scores[kind.rawValue] = rouge.sentence(kind, pair).f1 }
      }
    }
    return scores
  }

  /// The scores of a set of answers by the same names, each with its signature and its interval.
  public func corpusScores(_ pairs: [AnswerPair]) -> [String: EvaluationRecord.Score] {
    let bootstrap = Bootstrap(count: pairs.count)
    func score(_ signature: String, _ scoring: ([Int]) -> Double) -> EvaluationRecord.Score {
      EvaluationRecord.Score(
        value: scoring(Array(pairs.indices)), signature: signature, interval: bootstrap.interval(scoring))
    }
    var scores: [String: EvaluationRecord.Score] = [:]
    for metric in metrics {
      switch metric {
      case .bleu: scores["bleu"] = score(bleu.signature(), bleu.scoring(pairs))
      case .chrf: scores["chrf"] = score(chrf.signature, chrf.scoring(pairs))
      case .rouge:
        for kind in Self.rougeKinds { scores[kind.rawValue] = score(rouge.signature, rouge.scoring(kind, pairs)) }
      }
    }
    return scores
  }

  /// What `evaluation/metrics.json` says of one model on one set of questions. `stopped` is how many answers ended by themselves.
  public func corpus(_ pairs: [AnswerPair], stopped: Int) -> EvaluationRecord.Corpus {
    EvaluationRecord.Corpus(questions: pairs.count, stopped: stopped, scores: corpusScores(pairs))
  }

  /// The Latin blocks, from ASCII through Latin Extended-E, with the letter-like and full-width ones.
  private static func isLatin(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x2AF, 0x1D00...0x1DBF, 0x1E00...0x1EFF, 0x2100...0x214F, 0x2C60...0x2C7F, 0xA720...0xA7FF,
      0xAB30...0xAB6F,
      0xFB00...0xFB06, 0xFF21...0xFF5A:
      true
    default: false
    }
  }

  /// Hangul, kana and Han.
  private static func isEastAsian(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1100...0x11FF, 0x2E80...0x2FDF, 0x3005...0x30FF, 0x3130...0x318F, 0x31A0...0x31FF, 0x3400...0x4DBF,
      0x4E00...0x9FFF,
      0xA960...0xA97F, 0xAC00...0xD7FF, 0xF900...0xFAFF, 0xFF66...0xFFDC, 0x20000...0x3FFFF:
      true
    default: false
    }
  }
}
