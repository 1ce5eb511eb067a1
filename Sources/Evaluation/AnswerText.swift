/// What an answer's text shows without looking at what it says.
public enum AnswerText {
  static let order = 4

  /// The share of the answer's word 4-grams that stood in it before: 1 − distinct ÷ all (seq-rep-4 of Welleck et al., 2020, over the words
  /// of ``ROUGETokenizer/unicode``). 0 below four words.
  public static func repetition(_ text: String) -> Double {
    let words = ROUGETokenizer.unicode.tokens(of: text)
    guard words.count >= order else { return 0 }
    let grams = (0...(words.count - order)).map { words[$0..<$0 + order] }
    return 1 - Double(Set(grams).count) / Double(grams.count)
  }

  /// The share of the answer's letters that are not Hangul, where at least half of the reference's are; nil for other references and for an
  /// answer without letters.
  public static func nonKorean(_ text: String, reference: String) -> Double? {
    let (ours, theirs) = (letters(text), letters(reference))
    guard theirs.all > 0, theirs.hangul * 2 >= theirs.all, ours.all > 0 else { return nil }
    return Double(ours.all - ours.hangul) / Double(ours.all)
  }

  private static func letters(_ text: String) -> (all: Int, hangul: Int) {
    var letters = (all: 0, hangul: 0)
    for scalar in text.unicodeScalars {
      let isHangul = scalar.isHangul
      if isHangul { letters.hangul += 1 }
      if isHangul || scalar.isLetter { letters.all += 1 }
    }
    return letters
  }
}
