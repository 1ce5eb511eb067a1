extension Typesetter {
  /// Breaks a line at spaces into at most `lines` lines of `width`, the last ending in `…` where text is left over.
  ///
  /// Korean breaks between 어절, as on the page, which Pango's own wrapping does not; a word wider than a line breaks
  /// between characters.
  func wrap(_ text: String, _ style: TypeStyle, width: Double, lines: Int) -> (lines: [String], isCut: Bool) {
    var done: [String] = []
    var current = ""
    var words = clean(text).split(separator: " ").map(String.init)[...]
    while let word = words.first {
      let candidate = current.isEmpty ? word : current + " " + word
      if self.width(candidate, style) <= width {
        current = candidate
        words = words.dropFirst()
        continue
      }
      if current.isEmpty {
        current = longestPrefix(of: word, style, width: width)
        words[words.startIndex] = String(word.dropFirst(current.count))
      }
      if done.count == lines - 1 {
        return (done + [shortened(current, style, width: width)], true)
      }
      done.append(current)
      current = ""
    }
    if !current.isEmpty { done.append(current) }
    return (done, false)
  }

  private func longestPrefix(of word: String, _ style: TypeStyle, width: Double) -> String {
    var prefix = String(word.prefix(1))
    for character in word.dropFirst() {
      guard self.width(prefix + String(character), style) <= width else { break }
      prefix.append(character)
    }
    return prefix
  }

  /// The line with `…` after the last word that leaves room for it.
  private func shortened(_ line: String, _ style: TypeStyle, width: Double) -> String {
    var words = line.split(separator: " ")
    while words.count > 1, self.width(words.joined(separator: " ") + "…", style) > width { words.removeLast() }
    var text = words.joined(separator: " ")
    while text.count > 1, self.width(text + "…", style) > width { text.removeLast() }
    return text + "…"
  }
}
