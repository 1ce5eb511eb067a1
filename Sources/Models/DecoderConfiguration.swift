import Checkpoints
import Foundation
import Formats

/// A model that can't be used: one line that names the file, what is wrong and what to do.
public struct ModelError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// The shape of a decoder-only transformer, by the names of Hugging Face's `config.json`.
public struct DecoderConfiguration: Sendable, Equatable {
  /// The families that one decoder covers.
  public enum Family: String, Sendable, CaseIterable { case qwen2, qwen3, llama }

  public var family: Family
  public var hiddenSize: Int
  public var intermediateSize: Int
  public var numHiddenLayers: Int
  public var numAttentionHeads: Int
  public var numKeyValueHeads: Int
  public var headSize: Int
  public var vocabularySize: Int
  public var maxPositionEmbeddings: Int
  public var rmsNormEpsilon: Float
  public var ropeTheta: Double
  public var ropeScaling: Llama3Scaling?
  public var tieWordEmbeddings: Bool

  /// Llama 3's stretching of low rotary frequencies, `"rope_type": "llama3"`.
  public struct Llama3Scaling: Sendable, Equatable {
    public var factor: Double
    public var lowFrequencyFactor: Double
    public var highFrequencyFactor: Double
    public var originalMaxPositionEmbeddings: Double
  }

  /// Rotary inverse frequencies, headSize/2 of them: theta^(−2i/headSize), with Llama 3's scaling where the model has it.
  public var inverseFrequencies: [Float] {
    (0..<headSize / 2).map { pair in
      let frequency = pow(ropeTheta, -2 * Double(pair) / Double(headSize))
      guard let scaling = ropeScaling else { return Float(frequency) }
      let wavelength = 2 * Double.pi / frequency
      let turns = scaling.originalMaxPositionEmbeddings / wavelength
      if turns < scaling.lowFrequencyFactor { return Float(frequency / scaling.factor) }
      if turns > scaling.highFrequencyFactor { return Float(frequency) }
      let smooth =
        (turns - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor)
      return Float((1 - smooth) * frequency / scaling.factor + smooth * frequency)
    }
  }

  /// Plain numbers that must hold together before a single tensor is read.
  func check(file: String) throws {
    func refuse(_ what: String) -> ModelError { ModelError("\(file): \(what); the file is damaged or of another kind") }
    for (name, value) in [
      ("hidden_size", hiddenSize), ("intermediate_size", intermediateSize), ("num_hidden_layers", numHiddenLayers),
      ("num_attention_heads", numAttentionHeads), ("num_key_value_heads", numKeyValueHeads), ("head_dim", headSize),
      ("vocab_size", vocabularySize),
    ] where value < 1 || value > 1 << 24 { throw refuse("\(name) is \(value)") }
    if numAttentionHeads % numKeyValueHeads != 0 {
      throw refuse("\(numAttentionHeads) attention heads can't share \(numKeyValueHeads) key-value heads evenly")
    }
    if headSize % 2 != 0 { throw refuse("head_dim is \(headSize), an odd number") }
    if !(rmsNormEpsilon > 0) { throw refuse("rms_norm_eps is \(rmsNormEpsilon)") }
    if !(ropeTheta > 0) { throw refuse("rope_theta is \(ropeTheta)") }
  }
}

// MARK: - config.json

extension DecoderConfiguration {
  /// From a Hugging Face folder's `config.json`. A family or an option that isn't implemented is refused by name.
  public init(json: JSONValue, file: String) throws {
    func refuse(_ what: String) -> ModelError {
      ModelError(
        "\(file): \(what) isn't implemented; known families: \(Family.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    func number(_ key: String) throws -> Int {
      guard let value = json[key]?.integer else {
        throw ModelError("\(file): '\(key)' is missing or no whole number; is this a model's config.json?")
      }
      return value
    }
    let type = json["model_type"]?.string ?? "none"
    guard let family = Family(rawValue: type) else { throw refuse("the model family '\(type)'") }
    if let activation = json["hidden_act"]?.string, activation != "silu" {
      throw refuse("the activation '\(activation)'")
    }
    if json["use_sliding_window"]?.bool == true { throw refuse("sliding-window attention") }
    for kind in json["layer_types"]?.array ?? [] where kind.string != "full_attention" {
      throw refuse("the layer type '\(kind.string ?? kind.text())'")
    }
    if let quantised = json["quantization_config"], quantised.object != nil {
      try BitsAndBytes.check(quantised, file: file)
    }

    self.family = family
    hiddenSize = try number("hidden_size")
    intermediateSize = try number("intermediate_size")
    numHiddenLayers = try number("num_hidden_layers")
    numAttentionHeads = try number("num_attention_heads")
    numKeyValueHeads = json["num_key_value_heads"]?.integer ?? numAttentionHeads
    // Qwen3's heads are not hidden_size / num_attention_heads wide; 128 is what its configuration leaves unsaid.
    headSize = json["head_dim"]?.integer ?? (family == .qwen3 ? 128 : hiddenSize / max(numAttentionHeads, 1))
    vocabularySize = try number("vocab_size")
    maxPositionEmbeddings = json["max_position_embeddings"]?.integer ?? 2048
    rmsNormEpsilon = Float(json["rms_norm_eps"]?.double ?? 1e-6)
    // Newer folders keep theta and the scaling together under "rope_parameters".
    let rope = json["rope_parameters"] ?? json["rope_scaling"] ?? .null
    ropeTheta = json["rope_theta"]?.double ?? rope["rope_theta"]?.double ?? 10_000
    ropeScaling = nil
    let ropeType = rope["rope_type"]?.string ?? rope["type"]?.string ?? "default"
    if ropeType == "llama3" {
      ropeScaling = Llama3Scaling(
        factor: rope["factor"]?.double ?? 8, lowFrequencyFactor: rope["low_freq_factor"]?.double ?? 1,
        highFrequencyFactor: rope["high_freq_factor"]?.double ?? 4,
        originalMaxPositionEmbeddings: rope["original_max_position_embeddings"]?.double ?? 8192)
    } else if ropeType != "default" {
      throw refuse("RoPE scaling '\(ropeType)'")
    }
    for place in [json["partial_rotary_factor"], rope["partial_rotary_factor"]] {
      if let part = place?.double, part != 1 {
        throw refuse("RoPE on a part of each head (partial_rotary_factor \(part))")
      }
    }
    tieWordEmbeddings = json["tie_word_embeddings"]?.bool ?? false
    try check(file: file)
  }
}

// MARK: - GGUF

extension DecoderConfiguration {
  /// From a GGUF file's metadata. A family or an option that isn't implemented is refused by name.
  public init(gguf: GGUFFile) throws {
    let file = gguf.file
    func refuse(_ what: String) -> ModelError {
      ModelError(
        "\(file): \(what) isn't implemented; known families: \(Family.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    let architecture = gguf.metadata["general.architecture"]?.string ?? "none"
    guard let family = Family(rawValue: architecture) else { throw refuse("the model family '\(architecture)'") }
    func value(_ key: String) -> GGUFValue? { gguf.metadata["\(architecture).\(key)"] }
    func number(_ key: String) throws -> Int {
      guard let number = value(key)?.integer else {
        throw ModelError(
          "\(file): the metadata '\(architecture).\(key)' is missing; the file is damaged or of another kind")
      }
      return number
    }
    if let scaling = value("rope.scaling.type")?.string, scaling != "none" { throw refuse("RoPE scaling '\(scaling)'") }
    if let window = value("attention.sliding_window")?.integer, window > 0 { throw refuse("sliding-window attention") }

    self.family = family
    hiddenSize = try number("embedding_length")
    intermediateSize = try number("feed_forward_length")
    numHiddenLayers = try number("block_count")
    numAttentionHeads = try number("attention.head_count")
    numKeyValueHeads = value("attention.head_count_kv")?.integer ?? numAttentionHeads
    headSize = value("attention.key_length")?.integer ?? hiddenSize / max(numAttentionHeads, 1)
    if let size = value("attention.value_length")?.integer, size != headSize {
      throw refuse("values of \(size) beside keys of \(headSize) numbers a head")
    }
    if let rotated = value("rope.dimension_count")?.integer, rotated != headSize {
      throw refuse("RoPE on a part of each head (\(rotated) of \(headSize))")
    }
    vocabularySize = try gguf.require("token_embd.weight").rows
    maxPositionEmbeddings = value("context_length")?.integer ?? 2048
    rmsNormEpsilon = Float(value("attention.layer_norm_rms_epsilon")?.double ?? 1e-6)
    ropeTheta = value("rope.freq_base")?.double ?? 10_000
    ropeScaling = nil
    tieWordEmbeddings = gguf.info("output.weight") == nil
    try check(file: file)
  }
}
