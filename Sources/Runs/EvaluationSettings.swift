import Formats

public struct EvaluationSettings: SettingsSection, Sendable, Equatable {
  public enum Metric: String, CaseIterable, SettingValue, Sendable {
    case bleu
    /// rouge1, rouge2 and rougeL.
    case rouge
    case chrf
    case chrfPlusPlus = "chrf++"
    case rouge1, rouge2, rougeL, rougeLsum
    case exactMatch = "exact_match"
    case f1
    /// e to the power of the validation loss.
    case perplexity
  }

  /// How BLEU cuts texts into tokens, by sacreBLEU's names; `auto` takes `char` for Korean, Chinese and Japanese, `13a` for the rest.
  public enum BLEUTokenize: String, CaseIterable, SettingValue, Sendable {
    case auto
    case mteval13a = "13a"
    case char, intl, none
  }

  public var maxNewTokens = 128
  /// Whether answers are drawn by `temperature`, `top_k`, `top_p` and `seed`; otherwise each token is the most probable one (greedy).
  public var doSample = false
  public var temperature = 1.0
  /// 0 leaves all tokens.
  public var topK = 50
  public var topP = 1.0
  public var seed = 42
  /// 1 is off; greedy answers heed it too.
  public var repetitionPenalty = 1.0
  /// Texts that end an answer before them.
  public var stopStrings: [String] = []
  public var metrics = [Metric.bleu, .rouge, .chrf]
  public var bleuTokenize = BLEUTokenize.auto

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("max_new_tokens", &maxNewTokens) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("do_sample", &doSample)
    try binder.bind("temperature", &temperature) { $0 > 0 ? nil : "more than 0; do_sample: false is greedy" }
    try binder.bind("top_k", &topK) { $0 >= 0 ? nil : "0 (all tokens) or more" }
    try binder.bind("top_p", &topP) { $0 > 0 && $0 <= 1 ? nil : "more than 0 and at most 1" }
    try binder.bind("seed", &seed)
    try binder.bind("repetition_penalty", &repetitionPenalty) { $0 > 0 ? nil : "more than 0 (1 is off)" }
    try binder.bind("stop_strings", &stopStrings) { $0.contains("") ? "texts that are not empty" : nil }
    try binder.bind("metrics", &metrics)
    try binder.bind("bleu_tokenize", &bleuTokenize)
  }

  /// How answers are decoded, as a record tells it: "greedy", "greedy, repetition_penalty 1.1", "sampling, temperature 0.7, …".
  public var decoding: String {
    var parts = ["greedy"]
    if doSample {
      parts = ["sampling", "temperature \(temperature)"]
      if topK > 0 { parts.append("top_k \(topK)") }
      if topP < 1 { parts.append("top_p \(topP)") }
      parts.append("seed \(seed)")
    }
    if repetitionPenalty != 1 { parts.append("repetition_penalty \(repetitionPenalty)") }
    if !stopStrings.isEmpty { parts.append("stop_strings \(JSONValue.array(stopStrings.map { .string($0) }).text())") }
    return parts.joined(separator: ", ")
  }

  /// A setting that another one rules out, by its key, and what to do about it.
  var contradiction: (key: String, message: String)? {
    let plain = EvaluationSettings()
    let changed = [
      ("temperature", temperature != plain.temperature), ("top_k", topK != plain.topK), ("top_p", topP != plain.topP),
    ]
    guard !doSample, let (key, _) = changed.first(where: \.1) else { return nil }
    return (
      key, "'evaluation.\(key)' belongs to do_sample: true, and greedy answers draw nothing; write that, or take it out"
    )
  }
}
