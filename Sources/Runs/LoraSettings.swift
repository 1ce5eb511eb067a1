/// PEFT's `LoraConfig`, by its names.
public struct LoraSettings: SettingsSection, Sendable, Equatable {
  public var r = 16
  public var loraAlpha = 32.0
  public var loraDropout = 0.0
  /// Layer names (`q_proj`), or the one word `all-linear`.
  public var targetModules = ["all-linear"]
  /// Ranks and alphas of their own for some layers, by PEFT's patterns: `{q_proj: 8, "layers\\.0\\..*": 4}`. The first that matches counts.
  public var rankPattern = PatternSetting<Int>()
  public var alphaPattern = PatternSetting<Double>()
  public var useRslora = false
  public var useDora = false
  /// `lm_head` and `embed_tokens` can be trained whole.
  public var modulesToSave: [String]?
  public var bias = Bias.none

  public enum Bias: String, CaseIterable, SettingValue, Sendable { case none }

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("r", &r) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("lora_alpha", &loraAlpha) { $0 > 0 ? nil : "more than 0" }
    try binder.bind("lora_dropout", &loraDropout) { (0..<1).contains($0) ? nil : "from 0 to below 1" }
    try binder.bind("target_modules", &targetModules) { $0.isEmpty ? "at least one layer name, or all-linear" : nil }
    try binder.bind("rank_pattern", &rankPattern) {
      $0.entries.allSatisfy { $0.value >= 1 } ? nil : "ranks of at least 1"
    }
    try binder.bind("alpha_pattern", &alphaPattern) {
      $0.entries.allSatisfy { $0.value > 0 } ? nil : "numbers of more than 0"
    }
    try binder.bind("use_rslora", &useRslora)
    try binder.bind("use_dora", &useDora)
    try binder.bind("modules_to_save", &modulesToSave)
    try binder.bind("bias", &bias)
  }
}
