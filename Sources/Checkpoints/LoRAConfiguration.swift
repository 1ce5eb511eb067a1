import Formats
import Foundation

/// Which modules of a model carry an adapter.
public enum TargetModules: Sendable, Equatable {
  /// Every linear layer but the head.
  case allLinear
  /// Module names: each stands for every module whose path is it or ends in "." and it, as in PEFT.
  case names([String])
  /// A regular expression for the whole path, as in PEFT.
  case pattern(String)

  /// Whether the module of this path is among the targets (for ``allLinear``: whether it may be). What is no regular expression
  /// matches nothing; reading a configuration refuses it.
  public func contains(_ path: String) -> Bool {
    switch self {
    case .allLinear: true
    case .names(let names): names.contains { path == $0 || path.hasSuffix("." + $0) }
    case .pattern(let pattern): (try? Regex(pattern).wholeMatch(in: path)) ?? nil != nil
    }
  }

  fileprivate var json: JSONValue {
    switch self {
    case .allLinear: "all-linear"
    case .names(let names): .array(names.map { .string($0) })
    case .pattern(let pattern): .string(pattern)
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
  /// Targets that carry no adapter all the same.
  public var excludeModules: TargetModules?
  /// The decoder layers, from 0, whose targets carry one; nil for all.
  public var layersToTransform: [Int]?
  /// What stands before a layer's number in a path ("layers"), as regular expressions; empty for any name.
  public var layersPattern: [String] = []
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

  /// Whether the module of this path carries an adapter by `target_modules`, `exclude_modules` and `layers_to_transform`. As in PEFT,
  /// a name that is a whole path counts in every layer.
  public func adapts(_ path: String) -> Bool {
    if excludeModules?.contains(path) == true { return false }
    guard targetModules.contains(path) else { return false }
    guard let layersToTransform else { return true }
    if case .names(let names) = targetModules, names.contains(path) { return true }
    return layerNumber(in: path).map(layersToTransform.contains) ?? false
  }

  /// The last number in a path between two dots that follows a name of ``layersPattern``, itself after a dot.
  private func layerNumber(in path: String) -> Int? {
    let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 4 else { return nil }
    for place in (2..<parts.count - 1).reversed() {
      guard let number = Int(parts[place]), number >= 0 else { continue }
      if layersPattern.isEmpty
        || layersPattern.contains(where: { TargetModules.pattern($0).contains(parts[place - 1]) })
      {
        return number
      }
    }
    return nil
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
    return [
      "alpha_pattern": object(alphaPattern, Self.number), "auto_mapping": .null,
      "base_model_name_or_path": baseModel.map { .string($0) } ?? .null,
      "bias": "none", "exclude_modules": excludeModules?.json ?? .null, "fan_in_fan_out": false, "inference_mode": true,
      "init_lora_weights": true, "layer_replication": .null,
      "layers_pattern": layersPattern.isEmpty ? .null : .array(layersPattern.map { .string($0) }),
      "layers_to_transform": layersToTransform.map { .array($0.map { JSONValue($0) }) } ?? .null,
      "lora_alpha": Self.number(alpha),
      "lora_bias": false, "lora_dropout": Self.number(dropout),
      "modules_to_save": modulesToSave.isEmpty ? .null : .array(modulesToSave.map { .string($0) }),
      "peft_type": "LORA", "r": JSONValue(r), "rank_pattern": object(rankPattern) { JSONValue($0) }, "revision": .null,
      "target_modules": targetModules.json, "task_type": "CAUSAL_LM",
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
    excludeModules = try reader.selection("exclude_modules")
    layersToTransform = try reader.layers()
    layersPattern =
      try reader.selection("layers_pattern").map { selection in
        switch selection {
        case .names(let names): names
        case .pattern(let pattern): [pattern]
        case .allLinear: []
        }
      } ?? []
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
      if object["target_modules"] == .string("all-linear") { return .allLinear }
      guard let selection = try selection("target_modules") else {
        throw refusal("target_modules", "a list of module names, a pattern or \"all-linear\" was expected")
      }
      return selection
    }

    /// A list of names or a regular expression; nil where there is none.
    func selection(_ key: String) throws -> TargetModules? {
      switch object[key] {
      case nil, .null?: return nil
      case .array(let elements)? where elements.isEmpty: return nil
      case .string(let pattern)?:
        guard (try? Regex(pattern)) != nil else { throw refusal(key, "this is no regular expression") }
        return .pattern(pattern)
      case .array(let elements)?:
        let names = elements.compactMap(\.string)
        guard names.count == elements.count else { throw refusal(key, "a list of names was expected") }
        // PEFT writes a set, in no particular order.
        return .names(names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
      default: throw refusal(key, "a list of names was expected")
      }
    }

    func layers() throws -> [Int]? {
      guard let node = object["layers_to_transform"], !node.isNull, node.array?.isEmpty != true else { return nil }
      let numbers = (node.array ?? [node]).map(\.integer)
      guard !numbers.contains(where: { $0 == nil || ($0 ?? 0) < 0 }) else {
        throw refusal("layers_to_transform", "a list of layers, counted from 0, was expected")
      }
      return numbers.compactMap { $0 }
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
