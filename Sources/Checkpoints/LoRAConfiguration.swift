import Formats
import Foundation

/// Which modules of a model carry an adapter.
public enum TargetModules: Sendable, Equatable {
  /// Every linear layer but the head.
  case allLinear
  /// Module names: each stands for every module whose path is it or ends in "." and it, as in PEFT.
  case names([String])

  /// Whether the module of this path is among the targets (for ``allLinear``: whether it may be).
  public func contains(_ path: String) -> Bool {
    switch self {
    case .allLinear: true
    case .names(let names): names.contains { path == $0 || path.hasSuffix("." + $0) }
    }
  }
}

/// A value for the modules that a pattern matches, as in PEFT's `rank_pattern`.
///
/// The pattern is a regular expression for a module's whole path or for its end after a dot: "q_proj", "layers\\.[01]\\..*".
public struct ModulePattern<Value: Sendable & Equatable>: Sendable, Equatable {
  public let pattern: String
  public let value: Value

  /// A pattern that is no regular expression is an error that names `setting` in `file`.
  public init(_ pattern: String, _ value: Value, setting: String, file: String) throws {
    self.pattern = pattern
    self.value = value
    do { _ = try expression() } catch {
      throw CheckpointError(
        file: file, "'\(shown(pattern))' of \(setting) is no regular expression (\(error))",
        remedy: "write a module's path or its end, such as q_proj")
    }
  }

  public func matches(_ path: String) throws -> Bool { try expression().wholeMatch(in: path) != nil }

  /// PEFT's `get_pattern_key`.
  private func expression() throws -> Regex<AnyRegexOutput> { try Regex("(.*\\.)?(\(pattern))") }
}

/// What `adapter_config.json` says of a LoRA adapter.
public struct LoRAConfiguration: Sendable, Equatable {
  public var r: Int
  /// The product of A and B counts alpha / r times (alpha / √r with ``useRSLoRA``).
  public var alpha: Double
  public var dropout: Double
  public var targetModules: TargetModules
  /// Ranks and alphas of their own for some modules; the first pattern that matches counts.
  public var rankPattern: [ModulePattern<Int>]
  public var alphaPattern: [ModulePattern<Double>]
  public var useRSLoRA: Bool
  public var useDoRA: Bool
  /// Modules that are trained whole and saved beside the adapter.
  public var modulesToSave: [String]
  public var baseModel: String?

  public init(
    r: Int, alpha: Double, dropout: Double, targetModules: TargetModules, rankPattern: [ModulePattern<Int>] = [],
    alphaPattern: [ModulePattern<Double>] = [], useRSLoRA: Bool = false, useDoRA: Bool = false,
    modulesToSave: [String] = [], baseModel: String? = nil
  ) {
    self.r = r
    self.alpha = alpha
    self.dropout = dropout
    self.targetModules = targetModules
    self.rankPattern = rankPattern
    self.alphaPattern = alphaPattern
    self.useRSLoRA = useRSLoRA
    self.useDoRA = useDoRA
    self.modulesToSave = modulesToSave
    self.baseModel = baseModel
  }

  /// The rank of a module's adapter.
  public func rank(of path: String) throws -> Int { try rankPattern.first { try $0.matches(path) }?.value ?? r }

  /// What the product of a module's B and A is multiplied by.
  public func scaling(of path: String) throws -> Double {
    let alpha = try alphaPattern.first { try $0.matches(path) }?.value ?? alpha
    let rank = Double(try rank(of: path))
    return useRSLoRA ? alpha / rank.squareRoot() : alpha / rank
  }

  /// The first pattern that matches none of these modules, and the setting it stands in.
  public func unmatchedPattern(among paths: [String]) throws -> (setting: String, pattern: String)? {
    for entry in rankPattern where try !paths.contains(where: { try entry.matches($0) }) {
      return ("rank_pattern", entry.pattern)
    }
    for entry in alphaPattern where try !paths.contains(where: { try entry.matches($0) }) {
      return ("alpha_pattern", entry.pattern)
    }
    return nil
  }
}

// MARK: - Writing

extension LoRAConfiguration {
  /// The object that PEFT writes, keys in its order (sorted).
  public func json() -> JSONValue {
    let targets: JSONValue =
      switch targetModules {
      case .allLinear: "all-linear"
      case .names(let names): .array(names.map { .string($0) })
      }
    return [
      "alpha_pattern": object(alphaPattern, Self.number), "auto_mapping": .null,
      "base_model_name_or_path": baseModel.map { .string($0) } ?? .null,
      "bias": "none", "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true,
      "layer_replication": .null, "layers_pattern": .null, "layers_to_transform": .null,
      "lora_alpha": Self.number(alpha),
      "lora_bias": false, "lora_dropout": Self.number(dropout),
      "modules_to_save": modulesToSave.isEmpty ? .null : .array(modulesToSave.map { .string($0) }),
      "peft_type": "LORA", "r": JSONValue(r), "rank_pattern": object(rankPattern) { JSONValue($0) }, "revision": .null,
      "target_modules": targets, "task_type": "CAUSAL_LM",
      "use_dora": JSONValue(useDoRA), "use_rslora": JSONValue(useRSLoRA),
    ]
  }

  private func object<Value>(_ patterns: [ModulePattern<Value>], _ json: (Value) -> JSONValue) -> JSONValue {
    .object(JSONObject(patterns.map { .init(key: $0.pattern, value: json($0.value)) }))
  }

  /// Whole numbers without a fraction, as PEFT's own files have them.
  private static func number(_ value: Double) -> JSONValue {
    Int(exactly: value).map { JSONValue($0) } ?? JSONValue(value)
  }
}

// MARK: - Reading

extension LoRAConfiguration {
  /// Reads an `adapter_config.json`; a setting that would change the result and is not implemented here is refused by
  /// its name.
  public init(reading json: JSONValue, file: String) throws {
    guard let object = json.object else {
      throw CheckpointError(file: file, "is \(json.kind), where an object was expected", remedy: Self.remedy)
    }
    let reader = Reader(object: object, file: file)
    guard object["peft_type"]?.string == "LORA" else {
      throw reader.refusal("peft_type", "only LORA adapters are supported")
    }
    if let task = object["task_type"], !task.isNull, task != "CAUSAL_LM" {
      throw reader.refusal("task_type", "only CAUSAL_LM adapters are supported")
    }
    guard let r = object["r"]?.integer, r > 0, r <= 65_536 else {
      throw reader.refusal("r", "a whole number above 0 was expected")
    }
    self.r = r
    alpha = try reader.number("lora_alpha", default: 8)
    dropout = try reader.number("lora_dropout", default: 0)
    guard (0..<1).contains(dropout) else {
      throw reader.refusal("lora_dropout", "a number from 0 up to 1 was expected")
    }
    useRSLoRA = try reader.flag("use_rslora")
    useDoRA = try reader.flag("use_dora")
    rankPattern = try reader.patterns("rank_pattern") { value in
      value.integer.flatMap { (1...65_536).contains($0) ? $0 : nil }
    }
    alphaPattern = try reader.patterns("alpha_pattern") { value in value.double.flatMap { $0.isFinite ? $0 : nil } }
    modulesToSave = try reader.modules()
    baseModel = object["base_model_name_or_path"]?.string
    targetModules = try reader.targets()
    try reader.refuseUnknown()
  }

  static let remedy = "use a plain LoRA adapter saved by PEFT or by lorapress"

  private struct Reader {
    let object: JSONObject
    let file: String

    /// Settings read above, and those that leave the meaning of the saved A and B alone.
    static let harmless: Set<String> = [
      "peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "rank_pattern",
      "alpha_pattern", "modules_to_save", "base_model_name_or_path", "target_modules", "auto_mapping", "revision",
      "inference_mode", "peft_version", "megatron_core",
      "layers_to_transform",
      "layers_pattern", "exclude_modules", "qalora_group_size", "eva_config", "runtime_config",
    ]
    /// Ways to initialise that leave the base weights as they were; the others (PiSSA, OLoRA, LoftQ …) change them.
    static let plainInitialisations: Set<String> = ["gaussian", "eva", "orthogonal"]

    func refusal(_ key: String, _ why: String) -> CheckpointError {
      let value = object[key].map { shown($0.text()) } ?? "missing"
      return CheckpointError(
        file: file, "the setting '\(shown(key))' is \(value): \(why)", remedy: LoRAConfiguration.remedy)
    }

    func number(_ key: String, default value: Double) throws -> Double {
      guard let node = object[key], !node.isNull else { return value }
      guard let number = node.double, number.isFinite else { throw refusal(key, "a number was expected") }
      return number
    }

    func flag(_ key: String) throws -> Bool {
      guard let node = object[key], !node.isNull else { return false }
      guard let flag = node.bool else { throw refusal(key, "true or false was expected") }
      return flag
    }

    func patterns<Value>(_ key: String, _ read: (JSONValue) -> Value?) throws -> [ModulePattern<Value>] {
      guard let node = object[key], !node.isNull else { return [] }
      guard let entries = node.object?.entries else { throw refusal(key, "an object was expected") }
      return try entries.map { entry in
        guard let value = read(entry.value) else {
          throw refusal(key, "'\(shown(entry.key))' needs a number, for a rank a whole one above 0")
        }
        return try ModulePattern(entry.key, value, setting: key, file: file)
      }
    }

    func modules() throws -> [String] {
      guard let node = object["modules_to_save"], !node.isNull else { return [] }
      let names = (node.array ?? []).compactMap(\.string)
      guard let count = node.array?.count, names.count == count else {
        throw refusal("modules_to_save", "a list of module names was expected")
      }
      return names
    }

    func targets() throws -> TargetModules {
      switch object["target_modules"] {
      case .string("all-linear"): return .allLinear
      case .array(let elements)?:
        let names = elements.compactMap(\.string)
        guard names.count == elements.count, !names.isEmpty else {
          throw refusal("target_modules", "a list of module names was expected")
        }
        // PEFT writes a set, in no particular order.
        return .names(names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
      case .string?:
        throw refusal("target_modules", "a pattern is not supported, only a list of names or \"all-linear\"")
      default: throw refusal("target_modules", "a list of module names or \"all-linear\" was expected")
      }
    }

    func refuseUnknown() throws {
      for entry in object.entries where !Self.harmless.contains(entry.key) && !Self.isUnset(entry.value) {
        switch entry.key {
        case "bias" where entry.value == "none": continue
        case "init_lora_weights":
          if entry.value.bool != nil || Self.plainInitialisations.contains(entry.value.string ?? "") { continue }
          throw refusal(entry.key, "this initialisation changes the base weights and is not supported")
        default: throw refusal(entry.key, "this is not supported")
        }
      }
    }

    private static func isUnset(_ value: JSONValue) -> Bool {
      switch value {
      case .null, .bool(false): true
      case .array(let elements): elements.isEmpty
      case .object(let object): object.entries.isEmpty
      default: false
      }
    }
  }
}
