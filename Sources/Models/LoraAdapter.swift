import Checkpoints
import Compute
import Foundation

/// The adapter of one linear layer: y = W·x + scaling · B·A·x (Hu et al., "LoRA", 2021).
public struct LoraLayer: Sendable {
  /// The layer's path in the checkpoint: "model.layers.0.self_attn.q_proj".
  public let path: String
  /// A (r, in) and B (out, r), and their gradients.
  public let a: Matrix
  public let b: Matrix
  public let gradientA: Matrix
  public let gradientB: Matrix
}

/// The adapters of all chosen layers. Parameters and gradients each lie in one flat buffer, so that the optimizer, the gradient's
/// norm and a future all-reduce are one call each.
public final class LoraAdapter: Sendable {
  public let configuration: LoRAConfiguration
  /// In the order of the model's layers.
  public let layers: [LoraLayer]
  /// All A and B, as one row.
  public let parameters: Matrix
  public let gradients: Matrix
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
    }
  }
  // endregion: attach-lora

  /// An adapter of zeros, to be filled from a file.
  init(_ configuration: LoRAConfiguration, on decoder: Decoder) throws {
    let targets = try Self.matching(configuration.targetModules, in: decoder.linearLayers)
    let count = targets.reduce(0) { $0 + configuration.r * ($1.inputSize + $1.outputSize) }
    let parameterStorage = Storage(count: count)
    let gradientStorage = Storage(count: count)
    var offset = 0
    var layers: [LoraLayer] = []
    for target in targets {
      func view(_ storage: Storage, at offset: Int, _ rows: Int, _ columns: Int) -> Matrix {
        Matrix(storage, offset: offset, rows: rows, columns: columns)
      }
      let sizeA = configuration.r * target.inputSize
      layers.append(
        LoraLayer(
          path: target.path,
          a: view(parameterStorage, at: offset, configuration.r, target.inputSize),
          b: view(parameterStorage, at: offset + sizeA, target.outputSize, configuration.r),
          gradientA: view(gradientStorage, at: offset, configuration.r, target.inputSize),
          gradientB: view(gradientStorage, at: offset + sizeA, target.outputSize, configuration.r)))
      offset += sizeA + target.outputSize * configuration.r
    }
    self.configuration = configuration
    self.layers = layers
    parameters = Matrix(parameterStorage, offset: 0, rows: 1, columns: count)
    gradients = Matrix(gradientStorage, offset: 0, rows: 1, columns: count)
    places = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1.path, $0) })
  }

  public func layer(_ path: String) -> LoraLayer? { places[path].map { layers[$0] } }

  public var parameterCount: Int { parameters.columns }

  /// The lowest decoder layer that has an adapter; no gradient is needed below it.
  var lowestLayer: Int {
    layers.compactMap { layer in layer.path.split(separator: ".").dropFirst(2).first.flatMap { Int($0) } }.min() ?? 0
  }

  /// The layers that carry an adapter; a target that matches nothing is an error.
  private static func matching(_ targets: TargetModules, in all: [LinearDescription]) throws -> [LinearDescription] {
    if case .names(let names) = targets {
      for name in names where !all.contains(where: { TargetModules.names([name]).contains($0.path) }) {
        let known = Set(all.compactMap { $0.path.split(separator: ".").last.map(String.init) }).sorted()
        throw ModelError(
          "target_modules: '\(name)' matches no layer of the model; its layers: \(known.joined(separator: ", ")), or all-linear"
        )
      }
    }
    return all.filter { targets.contains($0.path) }
  }
}

// MARK: - Files

extension LoraAdapter {
  /// The adapter of a PEFT folder, for this decoder. A module that the decoder lacks, a target without its tensors, or a shape that
  /// doesn't fit is an error.
  public convenience init(folder: URL, on decoder: Decoder) throws {
    let saved = try PEFTAdapter.read(folder)
    try self.init(saved.configuration, on: decoder)
    var missing = Set(layers.map(\.path))
    for pair in saved.pairs {
      guard let layer = layer(pair.module) else {
        throw ModelError(
          "\(folder.path): the adapter has weights for '\(pair.module)', which this model lacks; use the model it was trained on"
        )
      }
      guard pair.rank == configuration.r, pair.inputs == layer.a.columns, pair.outputs == layer.b.rows else {
        throw ModelError(
          "\(folder.path): the adapter's '\(pair.module)' is \(pair.inputs) → \(pair.rank) → \(pair.outputs), the model needs "
            + "\(layer.a.columns) → \(configuration.r) → \(layer.b.rows); use the model it was trained on")
      }
      layer.a.copy(from: Matrix(pair.rank, pair.inputs, pair.a))
      layer.b.copy(from: Matrix(pair.outputs, pair.rank, pair.b))
      missing.remove(pair.module)
    }
    if let path = missing.min() {
      throw ModelError(
        "\(folder.path): the adapter has no weights for '\(path)', though its target_modules name it; the file is incomplete"
      )
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
          module: layer.path, rank: configuration.r, inputs: layer.a.columns, outputs: layer.b.rows,
          a: layer.a.elements,
          b: layer.b.elements)
      })
  }
}

/// What an adapter has to know of a linear layer.
public struct LinearDescription: Sendable, Equatable {
  public let path: String
  public let inputSize: Int
  public let outputSize: Int
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
