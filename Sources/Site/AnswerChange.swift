import Runs

/// How an answer changed from base to tuned, by three signs: chrF, ROUGE-L and whether it ended by itself.
///
/// Signs measure the overlap with the reference and the end of the answer; whether an answer is right only a person can say.
enum AnswerChange: String, CaseIterable, Sendable {
  case better, worse, mixed, same

  /// Smaller changes of a score count as none: chrF in points of 0–100, ROUGE-L in 0–1.
  static let chrfStep = 5.0
  static let rougeStep = 0.05

  init(_ sample: AnswerSample) {
    func sign(_ metric: String, _ step: Double) -> Int {
      guard let base = sample.base.scores[metric], let tuned = sample.tuned.scores[metric] else { return 0 }
      // 0.30 − 0.25 is a little less than 0.05 in binary.
      let change = tuned - base
      return change.magnitude < step - 1e-9 ? 0 : change > 0 ? 1 : -1
    }
    let ends = (sample.tuned.stopReason == "stop" ? 1 : 0) - (sample.base.stopReason == "stop" ? 1 : 0)
    let signs = [sign("chrf", Self.chrfStep), sign("rougeL", Self.rougeStep), ends]
    switch (signs.contains(1), signs.contains(-1)) {
    case (true, false): self = .better
    case (false, true): self = .worse
    case (true, true): self = .mixed
    case (false, false): self = .same
    }
  }
}

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
