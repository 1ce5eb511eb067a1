import Checkpoints
import Runs

extension LoRAConfiguration {
  /// What an experiment's `lora` section asks for. A pattern that is no regular expression is an error that names `file`.
  init(_ settings: LoraSettings, baseModel: String, file: String) throws {
    self.init(
      r: settings.r, alpha: settings.loraAlpha, dropout: settings.loraDropout,
      targetModules: settings.targetModules == ["all-linear"] ? .allLinear : .names(settings.targetModules),
      rankPattern: try settings.rankPattern.entries.map {
        try ModulePattern($0.pattern, $0.value, setting: "lora.rank_pattern", file: file)
      },
      alphaPattern: try settings.alphaPattern.entries.map {
        try ModulePattern($0.pattern, $0.value, setting: "lora.alpha_pattern", file: file)
      },
      useRSLoRA: settings.useRslora, useDoRA: settings.useDora, modulesToSave: settings.modulesToSave ?? [],
      baseModel: baseModel)
  }
}
