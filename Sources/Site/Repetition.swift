/// Text that goes round in circles: a phrase of 2 to 60 characters four times in a row.
enum Repetition {
  static func isFound(in text: String) -> Bool {
    // A cut-off answer shows itself long before this; a huge text must not cost seconds.
    let scalars = Array(text.unicodeScalars.prefix(20_000))
    for period in 2...60 where scalars.count >= max(12, period * 4) {
      var run = 0
      for index in period..<scalars.count {
        run = scalars[index] == scalars[index - period] ? run + 1 : 0
        guard run >= max(period * 3, 12 - period) else { continue }
        // A rule of dashes or a column of digits is no phrase.
        if scalars[(index - period + 1)...index].contains(where: { $0.properties.isAlphabetic }) { return true }
      }
    }
    return false
  }
}
