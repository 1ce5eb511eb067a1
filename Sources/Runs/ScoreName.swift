/// The scores that an evaluation tells, as readers know them.
public enum ScoreName {
  /// The keys of all scores in records, in the order they are told in.
  public static let all = ["bleu", "chrf", "chrf++", "rouge1", "rouge2", "rougeL", "rougeLsum", "exact_match", "f1"]

  private static let labels = [
    "bleu": "BLEU", "chrf": "chrF", "chrf++": "chrF++", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L",
    "rougeLsum": "ROUGE-Lsum", "exact_match": "EM", "f1": "F1",
  ]

  /// "rougeL" is "ROUGE-L".
  public static func label(_ name: String) -> String { labels[name] ?? name }

  /// ROUGE is from 0 to 1, the others from 0 to 100.
  public static func decimals(_ name: String) -> Int { name.hasPrefix("rouge") ? 3 : 1 }
}
