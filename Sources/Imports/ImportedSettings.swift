import Formats
import Foundation
import Runs

/// Settings from elsewhere, put under the names that an experiment has for them; what has no such name is kept under `imported`.
struct ImportedSettings {
  private(set) var model: String?
  /// The model's name was a path of the machine it was trained on.
  private(set) var isLocalModel = false
  private var lora: [(String, YAMLNode)] = []
  private var training: [(String, YAMLNode)] = []
  private var imported: [(String, [(String, YAMLNode)])] = []
  /// How many modules the source named by their paths; 0 where it gave names.
  private(set) var modulePaths = 0
  /// Settings that were left out: they look like a password.
  private(set) var secrets = 0

  private static let whole: Set<String> = [
    "r", "per_device_train_batch_size", "gradient_accumulation_steps", "max_steps", "max_seq_length", "warmup_steps",
    "eval_steps",
    "save_steps", "save_total_limit", "seed",
  ]
  private static let numbers: Set<String> = [
    "lora_alpha", "lora_dropout", "learning_rate", "num_train_epochs", "warmup_ratio", "weight_decay", "adam_beta1",
    "adam_beta2",
    "adam_epsilon", "max_grad_norm",
  ]
  private static let words: Set<String> = ["lr_scheduler_type", "metric_for_best_model"]
  private static let loraNames: [String: String] = [
    "r": "r", "lora_rank": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout",
    "target_modules": "target_modules",
    "lora_target": "target_modules", "use_rslora": "use_rslora",
  ]
  /// Other tools' names for settings of `training`.
  private static let trainingNames: [String: String] = [
    "max_length": "max_seq_length", "cutoff_len": "max_seq_length", "num_epochs": "num_train_epochs",
    "training_steps": "max_steps",
    "lr_scheduler_warmup_ratio": "warmup_ratio", "lr_scheduler_warmup_steps": "warmup_steps",
  ]
  private static let modelNames: Set<String> = ["base_model_name_or_path", "model_name_or_path", "base_model"]

  func has(_ path: String) -> Bool {
    let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return false }
    return (parts[0] == "lora" ? lora : training).contains { $0.0 == parts[1] }
  }

  var hasLora: Bool { lora.contains { $0.0 == "r" } }

  var seed: Int? { training.first { $0.0 == "seed" }?.1.integer }

  /// Takes settings from one source; what an earlier source has given stays as it is. Only a word as a key is taken at all.
  mutating func take(_ entries: [(String, YAMLNode)], from source: String, interprets: Bool = true) {
    var rest: [(String, YAMLNode)] = []
    for (key, node) in entries where !node.isNull && Self.isWord(key) {
      if Self.isSecret(key) {
        if let text = node.string, !text.isEmpty, !text.hasPrefix("<") { secrets += 1 }
        continue
      }
      if interprets, claim(key, node) { continue }
      rest.append((key, node))
    }
    keep(rest, under: source)
  }

  /// Keeps settings that are shown and not interpreted.
  mutating func keep(_ entries: [(String, YAMLNode)], under source: String) {
    var kept: [(String, YAMLNode)] = imported.first { $0.0 == source }?.1 ?? []
    for (key, node) in entries where Self.isWord(key) && !Self.isSecret(key) {
      guard !kept.contains(where: { $0.0 == key }), let node = Self.shown(node) else { continue }
      kept.append((key, node))
    }
    imported.removeAll { $0.0 == source }
    if !kept.isEmpty { imported.append((source, kept)) }
  }

  /// True where the key is a setting of ours, given here or before.
  private mutating func claim(_ key: String, _ node: YAMLNode) -> Bool {
    if Self.modelNames.contains(key) {
      guard let text = node.string, !text.isEmpty, text != "None" else { return true }
      if model == nil { setModel(text) }
      return true
    }
    if key == "target_modules", let names = node.sequence?.compactMap(\.string), names.count == node.sequence?.count {
      return addModules(names)
    }
    if let name = Self.loraNames[key] { return Self.add(name, node, to: &lora) }
    let name = Self.trainingNames[key] ?? key
    // The Trainer writes -1 for "as many as the epochs have".
    if name == "max_steps", node.integer.map({ $0 < 1 }) ?? false { return true }
    return Self.add(name, node, to: &training)
  }

  /// PEFT writes "all-linear" out as one path a module, 168 of them for 24 layers: the names are what a setting has.
  private mutating func addModules(_ modules: [String]) -> Bool {
    guard !modules.isEmpty, !lora.contains(where: { $0.0 == "target_modules" }) else { return true }
    var names = modules
    if modules.allSatisfy({ $0.contains(".") }) {
      names = Set(modules.map { String($0.split(separator: ".").last ?? "") }).sorted()
      modulePaths = modules.count
    }
    lora.append(("target_modules", YAMLNode(.sequence(names.map { .text($0) }))))
    return true
  }

  private mutating func setModel(_ text: String) {
    let parts = text.split(whereSeparator: { $0 == "/" || $0 == "\\" }).map(String.init)
    isLocalModel =
      text.hasPrefix("/") || text.hasPrefix(".") || text.hasPrefix("~") || text.contains("\\") || parts.count > 2
    model = isLocalModel ? parts.last ?? text : text
  }

  private static func add(_ name: String, _ node: YAMLNode, to section: inout [(String, YAMLNode)]) -> Bool {
    guard let value = value(name, node) else { return false }
    if !section.contains(where: { $0.0 == name }) { section.append((name, value)) }
    return true
  }

  /// The node where it is of the kind that the setting has; numbers in quotes are numbers. Nil for other names and kinds.
  private static func value(_ name: String, _ node: YAMLNode) -> YAMLNode? {
    let plain = node.string.map { YAMLNode.plain($0) } ?? node
    if whole.contains(name) { return plain.integer == nil ? nil : plain }
    if numbers.contains(name) { return plain.double == nil ? nil : plain }
    if words.contains(name) { return node.string.map { .text($0) } }
    switch name {
    case "use_rslora": return node.bool == nil ? nil : node
    case "target_modules":
      let names = (node.sequence ?? [node]).map(\.string)
      return names.isEmpty || names.contains(nil) ? nil : YAMLNode(.sequence(names.compactMap { $0 }.map { .text($0) }))
    default: return nil
    }
  }

  /// As it stands under `imported`: scalars and lists of scalars as they are, all else as JSON text; empty ones and null not at all.
  private static func shown(_ node: YAMLNode) -> YAMLNode? {
    switch node.content {
    case .scalar(let text, let quoted):
      if node.isNull || text.isEmpty { return nil }
      return quoted
        ? .text(withoutFolders(text)) : node.bool != nil || node.double != nil ? node : .text(withoutFolders(text))
    case .sequence(let nodes):
      if nodes.isEmpty { return nil }
      guard nodes.allSatisfy({ if case .scalar = $0.content { true } else { false } }) else {
        return .text(shortened(node.json.text()))
      }
      return YAMLNode(.sequence(nodes.map { shown($0) ?? .plain("null") }))
    case .mapping(let entries): return entries.isEmpty ? nil : .text(shortened(node.json.text()))
    }
  }

  /// A path of the machine it was trained on names its user; its last part is enough here.
  private static func withoutFolders(_ text: String) -> String {
    let isPath = text.hasPrefix("/") || text.hasPrefix("~/") || text.dropFirst().hasPrefix(":\\")
    let parts = text.split(whereSeparator: { $0 == "/" || $0 == "\\" })
    guard isPath, parts.count > 1, let last = parts.last else { return shortened(text) }
    return shortened("…/" + last)
  }

  private static func shortened(_ text: String) -> String { text.count > 500 ? text.prefix(500) + "…" : text }

  private static func isWord(_ key: String) -> Bool {
    (1...100).contains(key.utf8.count)
      && key.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
          || byte == 0x2D
      }
  }

  private static func isSecret(_ key: String) -> Bool {
    let key = key.lowercased()
    return key.hasSuffix("_token") || key == "token" || ["api_key", "password", "secret"].contains { key.contains($0) }
  }

  /// Adds what another collection has and this one lacks.
  mutating func merge(_ other: ImportedSettings) {
    if model == nil { (model, isLocalModel) = (other.model, other.isLocalModel) }
    for entry in other.lora where !lora.contains(where: { $0.0 == entry.0 }) { lora.append(entry) }
    for entry in other.training where !training.contains(where: { $0.0 == entry.0 }) { training.append(entry) }
    for (source, entries) in other.imported { keep(entries, under: source) }
    modulePaths = max(modulePaths, other.modulePaths)
    secrets += other.secrets
  }

  /// `config.yaml` of the run.
  func yaml(name: String) throws -> String {
    var sections: [(String, YAMLNode)] = [("name", .text(name))]
    if let model { sections.append(("model", .mapping([("name", .text(model))]))) }
    if !lora.isEmpty { sections.append(("lora", .mapping(lora))) }
    if !training.isEmpty { sections.append(("training", .mapping(training))) }
    if !imported.isEmpty { sections.append(("imported", .mapping(imported.map { ($0.0, .mapping($0.1)) }))) }
    let text = YAMLNode.mapping(sections).yaml()
    // What can't be read again would take the whole page with it.
    _ = try YAMLNode(parsing: text, file: "config.yaml")
    return text
  }
}
