import Runs

/// Which metrics are told, and with which tokenisers: the same for base and tuned model, and for every set of questions.
public struct Scorer: Sendable {
  public let bleu: BLEU
  public let rouge: ROUGE
  private let metrics: [any Metric]

  public init(metrics asked: [EvaluationSettings.Metric], bleu: BLEUTokenizer, rouge: ROUGETokenizer) {
    self.bleu = BLEU(tokenizer: bleu)
    let kinds = ROUGE.Kind.allCases.filter { kind in
      asked.contains { $0.rawValue == kind.rawValue } || (asked.contains(.rouge) && kind != .rougeLsum)
    }
    self.rouge = ROUGE(tokenizer: rouge, kinds: kinds)
    var metrics: [any Metric] = []
    if asked.contains(.bleu) { metrics.append(self.bleu) }
    if asked.contains(.chrf) { metrics.append(ChrF()) }
    if asked.contains(.chrfPlusPlus) { metrics.append(ChrF(wordOrder: 2)) }
    if !kinds.isEmpty { metrics.append(self.rouge) }
    let matches = KorQuAD.Score.allCases.filter { score in asked.contains { $0.rawValue == score.rawValue } }
    if !matches.isEmpty { metrics.append(KorQuAD(matches)) }
    self.metrics = metrics
  }

  /// Chooses the tokenisers by the references alone, so that no answer can change how it is measured.
  ///
  /// Where at least a tenth of their letters are not Latin, ROUGE takes Unicode words (rouge-score would see nothing); where a tenth are
  /// Hangul, kana or Han, BLEU takes characters, otherwise sacreBLEU's default 13a, unless `bleu` names one. The signatures tell what was
  /// chosen.
  public init(metrics: [EvaluationSettings.Metric], references: [String], bleu: BLEUTokenizer? = nil) {
    var letters = (all: 0, otherThanLatin: 0, eastAsian: 0)
    for scalar in references.lazy.flatMap(\.unicodeScalars) where scalar.isLetter {
      letters.all += 1
      if !Self.isLatin(scalar) { letters.otherThanLatin += 1 }
      if Self.isEastAsian(scalar) { letters.eastAsian += 1 }
    }
    self.init(
      metrics: metrics,
      bleu: bleu ?? (letters.eastAsian > 0 && letters.eastAsian * 10 >= letters.all ? .character : .mteval13a),
      rouge: letters.otherThanLatin > 0 && letters.otherThanLatin * 10 >= letters.all ? .unicode : .rougeScore)
  }

  /// The scores of one answer by name; ROUGE from 0 to 1, the others from 0 to 100. Never NaN.
  public func scores(answer: String, reference: String) -> [String: Double] {
    let pair = AnswerPair(hypothesis: answer, reference: reference)
    var scores: [String: Double] = [:]
    for metric in metrics {
      for ((name, _), value) in zip(metric.scores, metric.sentenceValues(metric.counts(pair))) { scores[name] = value }
    }
    return scores
  }

  /// The scores of a set of answers by the same names, each with its signature and its interval.
  public func corpusScores(_ pairs: [AnswerPair]) -> [String: EvaluationRecord.Score] {
    records(metrics.map { draw(CountTable($0, pairs)) })
  }

  /// The scores of a set of answers alone.
  public func corpusValues(_ pairs: [AnswerPair]) -> [String: Double] {
    var values: [String: Double] = [:]
    for metric in metrics {
      for ((name, _), value) in zip(metric.scores, CountTable(metric, pairs).values) { values[name] = value }
    }
    return values
  }

  /// The scores of two models' answers to the same questions, and what changed from the first to the second.
  public func compare(
    _ first: [AnswerPair], _ second: [AnswerPair]
  ) -> (
    scores: EvaluationRecord.Pair<[String: EvaluationRecord.Score]>, deltas: [String: EvaluationRecord.Delta]
  ) {
    let (base, tuned) = (metrics.map { draw(CountTable($0, first)) }, metrics.map { draw(CountTable($0, second)) })
    var deltas: [String: EvaluationRecord.Delta] = [:]
    for (base, tuned) in zip(base, tuned) {
      for (index, (name, _)) in base.scores.enumerated() {
        let delta = tuned.values[index] - base.values[index]
        let draws = zip(tuned.draws, base.draws).map { $0[index] - $1[index] }
        deltas[name] = EvaluationRecord.Delta(
          value: delta, interval: Bootstrap.interval(draws), pValue: Bootstrap.pValue(of: delta, draws))
      }
    }
    return (EvaluationRecord.Pair(base: records(base), tuned: records(tuned)), deltas)
  }

  /// A metric's scores of all answers and of each draw from them.
  private struct Drawn {
    var scores: [(name: String, signature: String)]
    var values: [Double]
    var draws: [[Double]]
  }

  private func draw(_ table: CountTable) -> Drawn {
    Drawn(
      scores: table.metric.scores, values: table.values,
      draws: Bootstrap(count: table.answers).draws { table.values($0) })
  }

  private func records(_ drawn: [Drawn]) -> [String: EvaluationRecord.Score] {
    var scores: [String: EvaluationRecord.Score] = [:]
    for metric in drawn {
      for (index, (name, signature)) in metric.scores.enumerated() {
        scores[name] = EvaluationRecord.Score(
          value: metric.values[index], signature: signature,
          interval: Bootstrap.interval(metric.draws.map { $0[index] }))
      }
    }
    return scores
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
