/// Exact match and F1 as KorQuAD 1.0's evaluation script (evaluate-v1.0.py; Lim et al., 2019) counts them, with one reference.
///
/// A text is first brought into one form: quotation marks, parentheses and angle brackets become spaces, letters lower case, ASCII
/// punctuation goes, white space is one space. F1 is over the characters of what is left, as often as they stand in both, without spaces.
public struct KorQuAD: Sendable, Equatable {
  public enum Score: String, Sendable, CaseIterable {
    case exactMatch = "exact_match"
    case f1
  }

  /// Which of the two are told.
  let kinds: [Score]

  public init(_ kinds: [Score] = Score.allCases) { self.kinds = kinds }

  /// In sacreBLEU's form, which the script has no counterpart of.
  public static func signature(_ score: Score) -> String {
    "nrefs:1|case:lower|norm:korquad-1.0" + (score == .f1 ? "|unit:character" : "")
  }

  /// The score of one answer, 0 to 100.
  public static func sentence(_ score: Score, _ pair: AnswerPair) -> Double {
    value(score, normalized(pair.hypothesis), normalized(pair.reference))
  }

  /// The form that texts are compared in.
  public static func normalize(_ text: String) -> String { String(normalized(text)) }

  private static let spaced: Set<Unicode.Scalar> = ["'", "\"", "《", "》", "<", ">", "〈", "〉", "(", ")", "‘", "’"]

  private static func normalized(_ text: String) -> Scalars {
    let line = Scalars(text.unicodeScalars.map { spaced.contains($0) ? " " : $0 })
    return Scalars(line.lowercased().filter { !$0.isASCIIPunctuation }.words().joined(separator: [" "]))
  }

  private static func value(_ score: Score, _ hypothesis: Scalars, _ reference: Scalars) -> Double {
    if score == .exactMatch { return hypothesis == reference ? 100 : 0 }
    let characters = TokenPair(hypothesis: hypothesis.filter { $0 != " " }, reference: reference.filter { $0 != " " })
    let same = Double(NGrams.matches(characters.hypothesis, characters.reference, orders: 1)[0])
    guard same > 0 else { return 0 }
    let precision = same / Double(characters.hypothesis.count)
    let recall = same / Double(characters.reference.count)
    return 100 * 2 * precision * recall / (precision + recall)
  }
}

extension KorQuAD: Metric {
  var scores: [(name: String, signature: String)] { kinds.map { ($0.rawValue, Self.signature($0)) } }

  func counts(_ pair: AnswerPair) -> [Double] {
    let (hypothesis, reference) = (Self.normalized(pair.hypothesis), Self.normalized(pair.reference))
    return kinds.map { Self.value($0, hypothesis, reference) }
  }

  func values(_ sums: [Double], answers: Int) -> [Double] { sums.map { $0 / Double(answers) } }
}
