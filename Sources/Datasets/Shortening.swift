/// Answers that make a conversation longer than it may be.
struct Shortening {
  /// The most tokens of a conversation.
  let limit: Int
  /// How many a conversation has with this text as its last answer.
  let tokens: (String) throws -> Int

  /// As many words from the beginning as fit, or characters where not even the first word does; nil where nothing fits.
  func beginning(of answer: String) throws -> String? {
    for ends in [Self.wordEnds(in: answer), Array(answer.indices.dropFirst())] {
      if let end = try last(of: ends, fitting: { String(answer[..<$0]).trimmingWhitespace() }) {
        return String(answer[..<end]).trimmingWhitespace()
      }
    }
    return nil
  }

  /// Parts that fit, each as long as it can be: whole paragraphs, and of a paragraph that is too long whole sentences. Empty where a sentence
  /// alone does not fit.
  func parts(of answer: String) throws -> [String] {
    var parts: [String] = []
    var start = answer.startIndex
    let paragraphs = Sentences.paragraphEnds(in: answer) + [answer.endIndex]
    let sentences = Sentences.ends(in: answer) + [answer.endIndex]
    while start < answer.endIndex {
      var found: String.Index?
      for ends in [paragraphs, sentences] where found == nil {
        found = try last(of: ends.filter { $0 > start }) { String(answer[start..<$0]).trimmingWhitespace() }
      }
      guard let end = found else { return [] }
      let part = String(answer[start..<end]).trimmingWhitespace()
      if !part.isEmpty { parts.append(part) }
      start = end
    }
    return parts
  }

  private static func wordEnds(in text: String) -> [String.Index] {
    var ends: [String.Index] = []
    var isWord = false
    for at in text.indices {
      let isSpace = text[at].isWhitespace
      if isSpace, isWord { ends.append(at) }
      isWord = !isSpace
    }
    return ends
  }

  /// The last of some places, in order, up to which the text fits; nil where none does.
  ///
  /// Each try costs a tokenising, so the place is guessed from how many tokens the tries so far had; every third one halves what is left.
  private func last(of ends: [String.Index], fitting text: (String.Index) -> String) throws -> String.Index? {
    // Places below `fits` fit, those from `fails` on don't; `low` and `high` are the tokens there.
    var (fits, fails) = (0, ends.count)
    var (low, high): (Int, Int?) = (0, nil)
    var tries = 0
    while fits < fails {
      tries += 1
      var guess = (fits + fails) / 2
      if let high, high > low, !tries.isMultiple(of: 3) {
        guess = fits + Int(Double(fails - fits) * Double(limit - low) / Double(high - low))
      } else if tries == 1 {
        // Nothing is known yet: about three tokens a word.
        guess = limit / 3
      }
      guess = min(max(guess, fits), fails - 1)
      let count = try tokens(text(ends[guess]))
      if count <= limit { (fits, low) = (guess + 1, count) } else { (fails, high) = (guess, count) }
    }
    return fits > 0 ? ends[fits - 1] : nil
  }
}
