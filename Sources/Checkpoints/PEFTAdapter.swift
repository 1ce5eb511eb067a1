import Formats
import Foundation

/// The matrices of one adapted linear layer: y += scaling · B · (A · x).
public struct LoRAPair: Sendable, Equatable {
  /// The module's path in the model: `model.layers.0.self_attn.q_proj`.
  public let module: String
  public let rank: Int
  public let inputs: Int
  public let outputs: Int
  /// (rank, inputs), row-major.
  public let a: [Float]
  /// (outputs, rank), row-major.
  public let b: [Float]
  /// DoRA's magnitude, one number an output.
  public let magnitude: [Float]?

  public init(
    module: String, rank: Int, inputs: Int, outputs: Int, a: [Float], b: [Float], magnitude: [Float]? = nil
  ) {
    self.module = module
    self.rank = rank
    self.inputs = inputs
    self.outputs = outputs
    self.a = a
    self.b = b
    self.magnitude = magnitude
  }
}

/// The weight of a module that was trained whole (`modules_to_save`).
public struct PEFTModule: Sendable, Equatable {
  /// The module's path in the model: `lm_head`.
  public let module: String
  public let rows: Int
  public let columns: Int
  /// (rows, columns), row-major.
  public let weight: [Float]

  public init(module: String, rows: Int, columns: Int, weight: [Float]) {
    self.module = module
    self.rows = rows
    self.columns = columns
    self.weight = weight
  }
}

/// A LoRA adapter in PEFT's folder: `adapter_config.json` and `adapter_model.safetensors`.
public struct PEFTAdapter: Sendable, Equatable {
  public static let configurationName = "adapter_config.json"
  public static let weightsName = "adapter_model.safetensors"
  private static let prefix = "base_model.model."

  public var configuration: LoRAConfiguration
  /// Sorted by the modules' UTF-8 bytes when read.
  public var pairs: [LoRAPair]
  public var modules: [PEFTModule]

  public init(configuration: LoRAConfiguration, pairs: [LoRAPair], modules: [PEFTModule] = []) {
    self.configuration = configuration
    self.pairs = pairs
    self.modules = modules
  }

  /// Whether this folder is an adapter's.
  public static func isAdapter(_ folder: URL) -> Bool {
    FileManager.default.fileExists(atPath: folder.appendingPathComponent(configurationName).path)
  }

  /// Writes both files, the weights (F32) first; each is there whole or not at all.
  public func write(to folder: URL) throws {
    var tensors: [TensorOutput] = []
    for pair in pairs {
      let name = Self.prefix + pair.module
      tensors.append(TensorOutput(name: "\(name).lora_A.weight", shape: [pair.rank, pair.inputs], values: pair.a))
      tensors.append(TensorOutput(name: "\(name).lora_B.weight", shape: [pair.outputs, pair.rank], values: pair.b))
      if let magnitude = pair.magnitude {
        tensors.append(
          TensorOutput(name: "\(name).lora_magnitude_vector", shape: [pair.outputs], values: magnitude))
      }
    }
    for module in modules {
      tensors.append(
        TensorOutput(
          name: "\(Self.prefix)\(module.module).weight", shape: [module.rows, module.columns], values: module.weight))
    }
    try SafetensorsWriter.write(tensors, to: folder.appendingPathComponent(Self.weightsName))
    let output = try AtomicOutput(folder.appendingPathComponent(Self.configurationName))
    try output.write(Data((configuration.json().text(pretty: true) + "\n").utf8))
    try output.finish()
  }

  public static func read(_ folder: URL) throws -> PEFTAdapter {
    let configurationFile = folder.appendingPathComponent(configurationName)
    guard FileManager.default.fileExists(atPath: configurationFile.path) else {
      throw CheckpointError(
        file: folder.path, "holds no \(configurationName)",
        remedy: "give the folder of a PEFT adapter, a checkpoint or a run")
    }
    let data: Data
    do { data = try Data(contentsOf: configurationFile) } catch {
      throw CheckpointError.unreadable(configurationFile.path, code: EACCES)
    }
    let configuration = try LoRAConfiguration(
      reading: try JSONValue(parsing: data, file: configurationFile.path), file: configurationFile.path)
    let weights = folder.appendingPathComponent(weightsName)
    if !FileManager.default.fileExists(atPath: weights.path),
      FileManager.default.fileExists(atPath: folder.appendingPathComponent("adapter_model.bin").path)
    {
      throw CheckpointError(
        file: folder.path, "holds adapter_model.bin, a pickle, which is not read",
        remedy: "save the adapter again with PEFT's save_pretrained(…, safe_serialization=True)")
    }
    let file = try SafetensorsFile(weights.path)
    return try tensors(of: file, configuration)
  }

  // MARK: Keys

  private enum Side: String, CaseIterable {
    case a = ".lora_A.weight"
    case b = ".lora_B.weight"
    case magnitude = ".lora_magnitude_vector"
    case whole = ".weight"
  }

  private static func tensors(of file: SafetensorsFile, _ configuration: LoRAConfiguration) throws -> PEFTAdapter {
    var sides: [String: [Side: TensorInfo]] = [:]
    var whole: [PEFTModule] = []
    for info in file.tensors {
      let (module, side) = try parse(info.name, configuration, file: file.file)
      if side == .whole {
        guard info.shape.count == 2 else {
          throw CheckpointError(
            file: file.file, "'\(shown(info.name))' has the shape \(info.shape), where a matrix was expected",
            remedy: "save the adapter again, or take a whole copy")
        }
        whole.append(
          PEFTModule(
            module: module, rows: info.shape[0], columns: info.shape[1],
            weight: try file.floats(info.name, threads: 1)))
        continue
      }
      guard configuration.adapts(module) else {
        throw CheckpointError(
          file: file.file,
          "the key '\(shown(info.name))' belongs to none of the modules that target_modules of \(configurationName) chooses",
          remedy: "take both files from the same adapter")
      }
      sides[module, default: [:]][side] = info
    }
    guard !sides.isEmpty else {
      throw CheckpointError(file: file.file, "holds no LoRA weights", remedy: LoRAConfiguration.remedy)
    }
    let modules = sides.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    try checkNames(configuration, adapted: modules, whole: whole.map(\.module), file: file.file)
    return PEFTAdapter(
      configuration: configuration, pairs: try modules.map { try pair($0, sides[$0] ?? [:], in: file, configuration) },
      modules: whole)
  }

  /// Every pattern of the configuration and every module to save has to mean something in the file.
  private static func checkNames(
    _ configuration: LoRAConfiguration, adapted: [String], whole: [String], file: String
  ) throws {
    if let (setting, pattern) = try configuration.unmatchedPattern(among: adapted) {
      throw CheckpointError(
        file: file, "'\(shown(pattern))' of \(setting) matches no adapted module",
        remedy: "take both files from the same adapter")
    }
    for name in configuration.modulesToSave where !whole.contains(where: { TargetModules.names([name]).contains($0) }) {
      throw CheckpointError(
        file: file, "has no weights for '\(shown(name))', though modules_to_save names it",
        remedy: "take both files from the same adapter")
    }
  }

  private static func parse(
    _ key: String, _ configuration: LoRAConfiguration, file: String
  ) throws -> (module: String, side: Side) {
    for side in Side.allCases where key.hasPrefix(prefix) && key.hasSuffix(side.rawValue) {
      let module = String(key.dropFirst(prefix.count).dropLast(side.rawValue.count))
      let isExpected =
        switch side {
        case .a, .b: true
        case .magnitude: configuration.useDoRA
        case .whole: TargetModules.names(configuration.modulesToSave).contains(module)
        }
      if isExpected, !module.isEmpty { return (module, side) }
    }
    let why =
      key.hasSuffix(Side.magnitude.rawValue)
      ? " (of a DoRA adapter, but use_dora is not set)"
      : key.contains("lora_embedding_") ? " (an adapted embedding)" : ""
    throw CheckpointError(
      file: file, "the key '\(shown(key))' is not understood\(why)", remedy: LoRAConfiguration.remedy)
  }

  private static func pair(
    _ module: String, _ sides: [Side: TensorInfo], in file: SafetensorsFile, _ configuration: LoRAConfiguration
  ) throws -> LoRAPair {
    func failure(_ message: String) -> CheckpointError {
      CheckpointError(
        file: file.file, "module '\(shown(module))' \(message)", remedy: "save the adapter again, or take a whole copy")
    }
    let rank = try configuration.rank(of: module)
    guard let a = sides[.a] else { throw failure("has lora_B but no lora_A") }
    guard let b = sides[.b] else { throw failure("has lora_A but no lora_B") }
    guard a.shape.count == 2, b.shape.count == 2 else {
      throw failure("has A of shape \(a.shape) and B of shape \(b.shape)")
    }
    guard a.shape[0] == rank, b.shape[1] == rank else {
      throw failure(
        "has A of shape \(a.shape) and B of shape \(b.shape), which is not the rank \(rank) of \(configurationName)")
    }
    var magnitude: [Float]?
    if configuration.useDoRA {
      guard let info = sides[.magnitude] else { throw failure("has no lora_magnitude_vector, though use_dora is set") }
      guard info.shape == [b.shape[0]] else {
        throw failure("has a magnitude of shape \(info.shape) beside B of shape \(b.shape)")
      }
      magnitude = try file.floats(info.name, threads: 1)
    }
    return LoRAPair(
      module: module, rank: rank, inputs: a.shape[1], outputs: b.shape[0], a: try file.floats(a.name, threads: 1),
      b: try file.floats(b.name, threads: 1), magnitude: magnitude)
  }
}
