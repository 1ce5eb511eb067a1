import Checkpoints
import Compute

/// A model with its adapter's products added to its weights, so that it runs without the adapter: W' = W + scaling·B·A, with DoRA
/// W' = m ∘ (W + scaling·B·A) / ‖W + scaling·B·A‖, row by row.
///
/// W is what the decoder holds: of a quantised one the dequantised numbers, those that the adapter was trained on.
public struct MergedModel: Sendable {
  public let decoder: Decoder
  public let adapter: LoraAdapter?

  public init(_ decoder: Decoder, adapter: LoraAdapter?) {
    self.decoder = decoder
    self.adapter = adapter
  }

  /// The shape of what comes out: embedding and head that are one in the base part where the adapter trained one of them.
  public var configuration: DecoderConfiguration {
    var configuration = decoder.configuration
    if adapter?.lmHead != nil || adapter?.embedTokens != nil { configuration.tieWordEmbeddings = false }
    return configuration
  }

  /// Every tensor by its Hugging Face name, embedding first and head last; numbers are worked out when they are written. `type` is asked
  /// with name and shape.
  public func tensors(as type: (_ name: String, _ shape: [Int]) -> TensorType) -> [TensorOutput] {
    var tensors: [TensorOutput] = []
    func add(_ name: String, _ rows: Int?, _ columns: Int, _ values: @escaping () -> Matrix) {
      let shape = rows.map { [$0, columns] } ?? [columns]
      tensors.append(TensorOutput(name: name, shape: shape, type: type(name, shape)) { values().elements })
    }
    func add(_ name: String, _ vector: Matrix) { add(name, nil, vector.columns) { vector } }
    func add(_ name: String, _ weight: Weight, _ saved: SavedModule?) {
      add(name, weight.rows, weight.columns) { saved?.weight ?? weight.dequantised }
    }
    add("model.embed_tokens.weight", decoder.embedTokens, adapter?.embedTokens)
    for (index, layer) in decoder.layers.enumerated() {
      let path = "model.layers.\(index)"
      add("\(path).input_layernorm.weight", layer.inputLayernorm)
      for linear in layer.linears {
        add("\(linear.path).weight", linear.weight.rows, linear.weight.columns) { merged(linear) }
        if let bias = linear.bias { add("\(linear.path).bias", bias) }
      }
      if let norm = layer.qNorm { add("\(path).self_attn.q_norm.weight", norm) }
      if let norm = layer.kNorm { add("\(path).self_attn.k_norm.weight", norm) }
      add("\(path).post_attention_layernorm.weight", layer.postAttentionLayernorm)
    }
    add("model.norm.weight", decoder.norm)
    if !configuration.tieWordEmbeddings { add("lm_head.weight", decoder.lmHead, adapter?.lmHead) }
    return tensors
  }

  /// A decoder of the merged weights, held as `precision` says.
  public func decoder(as precision: WeightPrecision) -> Decoder {
    func held(_ linear: Linear) -> Linear {
      let values = adapter?.layer(linear.path) == nil ? linear.weight.dequantised.copied : merged(linear)
      return Linear(path: linear.path, weight: Weight(values, as: precision), bias: linear.bias)
    }
    func outside(_ weight: Weight, _ saved: SavedModule?) -> Weight {
      saved.map { Weight($0.weight.copied, as: precision.outsideLayers) } ?? weight
    }
    let embedTokens = outside(decoder.embedTokens, adapter?.embedTokens)
    return Decoder(
      configuration: configuration, backend: decoder.backend, embedTokens: embedTokens,
      layers: decoder.layers.map { layer in
        DecoderLayer(
          inputLayernorm: layer.inputLayernorm, qProj: held(layer.qProj), kProj: held(layer.kProj),
          vProj: held(layer.vProj), oProj: held(layer.oProj), qNorm: layer.qNorm, kNorm: layer.kNorm,
          postAttentionLayernorm: layer.postAttentionLayernorm, gateProj: held(layer.gateProj),
          upProj: held(layer.upProj), downProj: held(layer.downProj))
      },
      norm: decoder.norm,
      lmHead: configuration.tieWordEmbeddings ? embedTokens : outside(decoder.lmHead, adapter?.lmHead),
      inverseFrequencies: decoder.inverseFrequencies)
  }

  /// (out, in)
  private func merged(_ linear: Linear) -> Matrix {
    let base = linear.weight.dequantised
    guard let layer = adapter?.layer(linear.path) else { return base }
    // A copy: the decoder's own numbers stay.
    let weight = base.copied
    decoder.backend.multiply(
      layer.b, transposeA: false, layer.a, transposeB: false, alpha: layer.scaling, beta: 1, into: weight)
    guard let magnitude = layer.magnitude else { return weight }
    for row in 0..<weight.rows {
      let line = weight.rows(row..<row + 1)
      let norm = max(decoder.backend.sumOfSquares(line), Double(Float.leastNormalMagnitude)).squareRoot()
      decoder.backend.scale(line, by: Float(Double(magnitude[0, row]) / norm))
    }
    return weight
  }
}
