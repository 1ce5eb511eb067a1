import Checkpoints
import Compute
import Foundation

/// The adapter of one linear layer: y = W·x + scaling · B·A·x (Hu et al., "LoRA", 2021).
public struct LoraLayer: Sendable {
  /// The layer's path in the checkpoint: "model.layers.0.self_attn.q_proj".
  public let path: String
  /// alpha / r of this layer, or alpha / √r.
  public let scaling: Float
  /// A (r, in) and B (out, r), and their gradients.
  public let a: Matrix
  public let b: Matrix
  public let gradientA: Matrix
  public let gradientB: Matrix
  /// DoRA's magnitude (1, out) and its gradient.
  public let magnitude: Matrix?
  public let gradientMagnitude: Matrix?
  /// DoRA: ‖w‖² of each row of the frozen weight.
  let weightSquares: [Double]
}

/// A module that is trained whole beside the adapter: PEFT's `modules_to_save`.
public struct SavedModule: Sendable {
  /// "lm_head" or "model.embed_tokens"
  public let path: String
  /// (V, D), a copy that starts from the model's own numbers, and its gradient.
  public let weight: Matrix
  public let gradient: Matrix
  /// The same numbers as a weight that products take.
  let held: Weight
}

/// The adapters of all chosen layers. Parameters and gradients each lie in one flat buffer, so that the optimizer, the gradient's
/// norm and a future all-reduce are one call each.
public final class LoraAdapter: Sendable {
  public let configuration: LoRAConfiguration
  /// In the order of the model's layers.
  public let layers: [LoraLayer]
  public let savedModules: [SavedModule]
  /// All A, B and magnitudes, then the modules trained whole, as one row.
  public let parameters: Matrix
  public let gradients: Matrix
  /// The lowest decoder layer that needs a gradient: that of the lowest adapter, the first where the embedding is trained.
  let lowestLayer: Int
  private let places: [String: Int]

  // region: attach-lora
  /// A fresh adapter on the layers of `decoder` that `configuration` names: A uniform in ±1/√in (Kaiming with a = √5, as PEFT),
  /// B zero, so that training starts from the base model exactly. The same seed gives the same numbers, bit for bit.
  public convenience init(_ configuration: LoRAConfiguration, on decoder: Decoder, seed: UInt64) throws {
    try self.init(configuration, on: decoder)
    var random = RandomNumbers(seed: seed)
    for layer in layers {
      let bound = 1 / Float(layer.a.columns).squareRoot()
      layer.a.withElements { elements in
        for index in elements.indices { elements[index] = (2 * random.nextUnit() - 1) * bound }
      }
      // ‖W + B·A‖ with B zero.
      for (row, square) in layer.weightSquares.enumerated() { layer.magnitude?[0, row] = Float(square.squareRoot()) }
    }
    for module in savedModules {
      let weight = module.path == "lm_head" ? decoder.lmHead : decoder.embedTokens
      decoder.backend.gather(weight, rows: (0..<weight.rows).map(Int32.init), into: module.weight)
    }
  }
  // endregion: attach-lora

  /// An adapter of zeros, to be filled from a file.
  init(_ configuration: LoRAConfiguration, on decoder: Decoder) throws {
    let targets = try Self.matching(configuration, in: decoder.layers.flatMap(\.linears))
    let modules = try Self.modules(configuration.modulesToSave)
    let (vocabulary, width) = (decoder.embedTokens.rows, decoder.embedTokens.columns)
    let ranks = try targets.map { try configuration.rank(of: $0.path) }
    var count = modules.count * vocabulary * width
    for (target, rank) in zip(targets, ranks) {
      count += rank * (target.weight.rows + target.weight.columns)
      if configuration.useDoRA { count += target.weight.rows }
    }
    var buffers = FlatBuffers(count: count)
    layers = try zip(targets, ranks).map { target, rank in
      let (a, gradientA) = buffers.next(rank, target.weight.columns)
      let (b, gradientB) = buffers.next(target.weight.rows, rank)
      let magnitude = configuration.useDoRA ? buffers.next(1, target.weight.rows) : nil
      return LoraLayer(
        path: target.path, scaling: Float(try configuration.scaling(of: target.path)), a: a, b: b,
        gradientA: gradientA, gradientB: gradientB, magnitude: magnitude?.parameter,
        gradientMagnitude: magnitude?.gradient,
        weightSquares: configuration.useDoRA ? DoRAScale.rowSquares(target.weight, backend: decoder.backend) : [])
    }
    savedModules = modules.map { path in
      let (weight, gradient) = buffers.next(vocabulary, width)
      return SavedModule(path: path, weight: weight, gradient: gradient, held: Weight(weight))
    }
    self.configuration = configuration
    parameters = Matrix(buffers.parameters, offset: 0, rows: 1, columns: count)
    gradients = Matrix(buffers.gradients, offset: 0, rows: 1, columns: count)
    let numbers = layers.compactMap { $0.path.split(separator: ".").dropFirst(2).first.flatMap { Int($0) } }
    lowestLayer = modules.contains("model.embed_tokens") ? 0 : numbers.min() ?? 0
    places = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1.path, $0) })
  }

  public func layer(_ path: String) -> LoraLayer? { places[path].map { layers[$0] } }

  public var parameterCount: Int { parameters.columns }

  /// Every tensor by its name in PEFT's file, less the prefix, with its gradient; in the order of the flat buffers.
  public var tensors: [(name: String, parameter: Matrix, gradient: Matrix)] {
    var tensors: [(String, Matrix, Matrix)] = []
    for layer in layers {
      tensors.append(("\(layer.path).lora_A.weight", layer.a, layer.gradientA))
      tensors.append(("\(layer.path).lora_B.weight", layer.b, layer.gradientB))
      if let magnitude = layer.magnitude, let gradient = layer.gradientMagnitude {
        tensors.append(("\(layer.path).lora_magnitude_vector", magnitude, gradient))
      }
    }
    return tensors + savedModules.map { ("\($0.path).weight", $0.weight, $0.gradient) }
  }

  /// Whether both have the same tensors in the same shapes, so that the parameters of one may become the other's.
  public func hasShape(of other: LoraAdapter) -> Bool {
    tensors.elementsEqual(other.tensors) {
      $0.name == $1.name && $0.parameter.rows == $1.parameter.rows && $0.parameter.columns == $1.parameter.columns
    }
  }

  /// The head and the embedding that this adapter trains, if it does.
  var lmHead: SavedModule? { savedModules.first { $0.path == "lm_head" } }
  var embedTokens: SavedModule? { savedModules.first { $0.path == "model.embed_tokens" } }

  /// The layers that carry an adapter; a target or a pattern that matches nothing is an error.
  private static func matching(_ configuration: LoRAConfiguration, in all: [Linear]) throws -> [Linear] {
    if case .names(let names) = configuration.targetModules {
      for name in names where !all.contains(where: { TargetModules.names([name]).contains($0.path) }) {
        let known = Set(all.compactMap { $0.path.split(separator: ".").last.map(String.init) }).sorted()
        throw ModelError(
          "target_modules: '\(name)' matches no layer of the model; its layers: \(known.joined(separator: ", ")), or all-linear"
        )
      }
    }
    let targets = all.filter { configuration.adapts($0.path) }
    guard !targets.isEmpty else {
      throw ModelError(
        "target_modules: no layer of the model is left to adapt; see target_modules, exclude_modules and layers_to_transform"
      )
    }
    if let (setting, pattern) = try configuration.unmatchedPattern(among: targets.map(\.path)) {
      throw ModelError(
        "\(setting): '\(pattern)' matches no adapted layer; write a layer's path or its end, such as q_proj, of one that target_modules names"
      )
    }
    return targets
  }

  /// The paths of the modules to train whole.
  private static func modules(_ names: [String]) throws -> [String] {
    let known = ["model.embed_tokens", "lm_head"]
    for name in names where !known.contains(where: { TargetModules.names([name]).contains($0) }) {
      throw ModelError("modules_to_save: '\(name)' can't be trained whole; only lm_head and embed_tokens can")
    }
    return known.filter { TargetModules.names(names).contains($0) }
  }
}

/// Hands out views of one flat buffer of parameters and, at the same places, of one of gradients.
private struct FlatBuffers {
  let parameters: Storage
  let gradients: Storage
  private var used = 0

  init(count: Int) {
    parameters = Storage(count: count)
    gradients = Storage(count: count)
  }

  mutating func next(_ rows: Int, _ columns: Int) -> (parameter: Matrix, gradient: Matrix) {
    defer { used += rows * columns }
    return (
      Matrix(parameters, offset: used, rows: rows, columns: columns),
      Matrix(gradients, offset: used, rows: rows, columns: columns)
    )
  }
}

// MARK: - Files

extension LoraAdapter {
  /// The adapter of a PEFT folder, for this decoder. A module that the decoder lacks, a target without its tensors, or a shape that
  /// doesn't fit is an error.
  public convenience init(folder: URL, on decoder: Decoder) throws {
    let saved = try PEFTAdapter.read(folder)
    let remedy = "use the model it was trained on"
    try self.init(saved.configuration, on: decoder)
    var missing = Set(layers.map(\.path))
    for pair in saved.pairs {
      guard let layer = layer(pair.module) else {
        throw ModelError(
          "\(folder.path): the adapter has weights for '\(pair.module)', which this model lacks; \(remedy)")
      }
      guard pair.rank == layer.a.rows, pair.inputs == layer.a.columns, pair.outputs == layer.b.rows else {
        throw ModelError(
          "\(folder.path): the adapter's '\(pair.module)' is \(pair.inputs) → \(pair.rank) → \(pair.outputs), the model needs "
            + "\(layer.a.columns) → \(layer.a.rows) → \(layer.b.rows); \(remedy)")
      }
      layer.a.copy(from: Matrix(pair.rank, pair.inputs, pair.a))
      layer.b.copy(from: Matrix(pair.outputs, pair.rank, pair.b))
      if let magnitude = pair.magnitude { layer.magnitude?.copy(from: Matrix(1, pair.outputs, magnitude)) }
      missing.remove(pair.module)
    }
    if let path = missing.min() {
      throw ModelError(
        "\(folder.path): the adapter has no weights for '\(path)', though its target_modules name it; the file is incomplete"
      )
    }
    for module in savedModules {
      guard let whole = saved.modules.first(where: { $0.module == module.path }) else {
        throw ModelError("\(folder.path): the adapter has no weights for '\(module.path)'; the file is incomplete")
      }
      guard whole.rows == module.weight.rows, whole.columns == module.weight.columns else {
        throw ModelError(
          "\(folder.path): the adapter's '\(module.path)' is \(whole.rows) × \(whole.columns), the model needs "
            + "\(module.weight.rows) × \(module.weight.columns); \(remedy)")
      }
      module.weight.copy(from: Matrix(whole.rows, whole.columns, whole.weight))
    }
  }

  /// The adapter as PEFT's files hold it. `all-linear` is written out as the layers' names, as PEFT itself does.
  public var saved: PEFTAdapter {
    var configuration = configuration
    if configuration.targetModules == .allLinear {
      configuration.targetModules = .names(
        Set(layers.compactMap { $0.path.split(separator: ".").last.map(String.init) }).sorted())
    }
    return PEFTAdapter(
      configuration: configuration,
      pairs: layers.map { layer in
        LoRAPair(
          module: layer.path, rank: layer.a.rows, inputs: layer.a.columns, outputs: layer.b.rows,
          a: layer.a.elements, b: layer.b.elements, magnitude: layer.magnitude?.elements)
      },
      modules: savedModules.map {
        PEFTModule(module: $0.path, rows: $0.weight.rows, columns: $0.weight.columns, weight: $0.weight.elements)
      })
  }
}

/// A seeded stream of random numbers (SplitMix64; Steele, Lea & Flood, 2014) whose state is one number, so that a checkpoint can keep it.
public struct RandomNumbers: RandomNumberGenerator, Sendable, Equatable {
  public var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  /// Uniform in [0, 1) with 24 bits.
  public mutating func nextUnit() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// SplitMix64's output function: a bijection whose every output bit depends on every input bit.
  public static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
