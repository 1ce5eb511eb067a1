/// How an answer changed from base to tuned, by four signs: chrF, ROUGE-L, exact match, and whether it ended by itself. A sign that was not
/// measured is none.
///
/// Signs measure the overlap with the reference and the end of the answer; whether an answer is right only a person can say.
public enum AnswerChange: String, CaseIterable, Codable, Sendable {
  case better, worse, mixed, same

  /// Smaller changes of a score count as none: chrF in points of 0–100, ROUGE-L in 0–1.
  public static let chrfStep = 5.0
  public static let rougeStep = 0.05

  public init(from base: AnswerSample.Answer, to tuned: AnswerSample.Answer) {
    func sign(_ metric: String, _ step: Double) -> Int {
      guard let base = base.scores[metric], let tuned = tuned.scores[metric] else { return 0 }
      // 0.30 − 0.25 is a little less than 0.05 in binary.
      let change = tuned - base
      return change.magnitude < step - 1e-9 ? 0 : change > 0 ? 1 : -1
    }
    let ends = (tuned.stopReason == "stop" ? 1 : 0) - (base.stopReason == "stop" ? 1 : 0)
    // An exact match is 0 or 100.
    let signs = [sign("chrf", Self.chrfStep), sign("rougeL", Self.rougeStep), sign("exact_match", 50), ends]
    switch (signs.contains(1), signs.contains(-1)) {
    case (true, false): self = .better
    case (false, true): self = .worse
    case (true, true): self = .mixed
    case (false, false): self = .same
    }
  }

  public init(_ sample: AnswerSample) { self.init(from: sample.base, to: sample.tuned) }
}
