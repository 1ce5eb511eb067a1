import Compute

/// A frozen linear layer, y = x·Wᵀ + bias, that an adapter may stand beside.
struct Linear: Sendable {
  /// "model.layers.0.self_attn.q_proj"
  let path: String
  /// (out, in)
  let weight: Weight
  /// (1, out)
  let bias: Matrix?
}

/// One block: attention and a gated MLP, each behind an RMSNorm and around a residual. Properties carry the checkpoint's names.
struct DecoderLayer: Sendable {
  let inputLayernorm: Matrix
  let qProj: Linear
  let kProj: Linear
  let vProj: Linear
  let oProj: Linear
  /// (1, headSize): the gains of an RMSNorm over each head's queries and keys, where the family has one (Qwen3).
  let qNorm: Matrix?
  let kNorm: Matrix?
  let postAttentionLayernorm: Matrix
  let gateProj: Linear
  let upProj: Linear
  let downProj: Linear

  var linears: [Linear] { [qProj, kProj, vProj, oProj, gateProj, upProj, downProj] }
}

/// What one layer's forward keeps for its backward. T packed tokens, D width, F feed-forward width.
struct LayerActivations {
  /// (T, D): the layer's input, the norms' outputs, the sum after attention.
  var x: Matrix
  var norm1: Matrix
  var residual: Matrix
  var norm2: Matrix
  /// (T, 1)
  var inverseRMS1: Matrix
  var inverseRMS2: Matrix
  /// (T, heads·headSize), and (T, kvHeads·headSize) for k and v; q and k are rotated.
  var q: Matrix
  var k: Matrix
  var v: Matrix
  var attention: Matrix
  /// (T, heads)
  var logSumExp: Matrix
  /// (T, F)
  var gate: Matrix
  var up: Matrix
  var product: Matrix
  /// What the heads' norms were given, where the family has them.
  var queryNorm: HeadNorm?
  var keyNorm: HeadNorm?
  /// By a linear layer's path: its product before DoRA's magnitude (T, out).
  var products: [String: Matrix] = [:]
}

/// What an RMSNorm over each head keeps for its backward.
struct HeadNorm {
  /// (T, heads·headSize), before the norm.
  var x: Matrix
  /// (T·heads, 1)
  var inverseRMS: Matrix
}

/// Runs layers forward and backward with one adapter (or none), on one arena.
struct LayerRunner {
  let backend: any Backend
  let configuration: DecoderConfiguration
  let inverseFrequencies: [Float]
  let adapter: LoraAdapter?
  let arena: Arena
  /// Nil switches dropout off.
  let dropoutSeed: UInt64?
  /// By a linear layer's path; empty unless the adapter is a DoRA one.
  let doraScales: [String: DoRAScale]

  private var heads: Int { configuration.numAttentionHeads }
  private var kvHeads: Int { configuration.numKeyValueHeads }
  private var headSize: Int { configuration.headSize }

  // MARK: Queries and keys

  private func headNorm(_ gain: Matrix?, _ t: Int, heads: Int) -> HeadNorm? {
    gain == nil ? nil : HeadNorm(x: arena.matrix(t, heads * headSize), inverseRMS: arena.matrix(t * heads, 1))
  }

  /// out (T, heads·headSize) ← the projection of x, normalised head by head where `gain` is given, and rotated.
  private func heads(
    _ projection: Linear, _ gain: Matrix?, _ kept: HeadNorm?, _ x: Matrix, positions: [Int32],
    _ products: inout [String: Matrix], into out: Matrix
  ) {
    products[projection.path] = linear(projection, x, into: kept?.x ?? out)
    if let gain, let kept {
      backend.rmsNorm(
        perHead(kept.x), gain: gain, epsilon: configuration.rmsNormEpsilon, into: perHead(out),
        inverseRMS: kept.inverseRMS)
    }
    backend.rope(
      out, positions: positions, headSize: headSize, inverseFrequencies: inverseFrequencies, inverse: false)
  }

  /// Turns d, the gradient of ``heads``'s result, into that of the projection's, in place.
  private func headsBackward(_ gain: Matrix?, _ kept: HeadNorm?, positions: [Int32], d: Matrix) {
    backend.rope(d, positions: positions, headSize: headSize, inverseFrequencies: inverseFrequencies, inverse: true)
    if let gain, let kept {
      backend.rmsNormBackward(
        perHead(d), x: perHead(kept.x), gain: gain, inverseRMS: kept.inverseRMS, into: perHead(d), accumulate: false)
    }
  }

  /// (T, heads·headSize) seen as (T·heads, headSize).
  private func perHead(_ x: Matrix) -> Matrix { x.reshaped(x.rows * (x.columns / headSize), headSize) }

  // MARK: The block

  /// out (T,D) ← the layer applied to x (T,D). With a cache, keys and values go into its rows `cacheRows`, and `segments` speak of these.
  /// Without `out` only what ``backward(_:_:segments:positions:d:needsInput:)`` needs is made: gradient checkpointing knows the output.
  func forward(
    _ layer: DecoderLayer, x: Matrix, positions: [Int32], segments: [AttentionSegment], cache: CacheLayer? = nil,
    into out: Matrix?
  ) -> LayerActivations {
    let t = x.rows
    var s = LayerActivations(
      x: x, norm1: arena.matrix(t, x.columns), residual: arena.matrix(t, x.columns), norm2: arena.matrix(t, x.columns),
      inverseRMS1: arena.matrix(t, 1), inverseRMS2: arena.matrix(t, 1),
      q: arena.matrix(t, heads * headSize), k: arena.matrix(t, kvHeads * headSize),
      v: arena.matrix(t, kvHeads * headSize),
      attention: arena.matrix(t, heads * headSize), logSumExp: arena.matrix(t, heads),
      gate: arena.matrix(t, configuration.intermediateSize), up: arena.matrix(t, configuration.intermediateSize),
      product: arena.matrix(t, configuration.intermediateSize),
      queryNorm: headNorm(layer.qNorm, t, heads: heads), keyNorm: headNorm(layer.kNorm, t, heads: kvHeads))
    let epsilon = configuration.rmsNormEpsilon

    backend.rmsNorm(x, gain: layer.inputLayernorm, epsilon: epsilon, into: s.norm1, inverseRMS: s.inverseRMS1)
    heads(layer.qProj, layer.qNorm, s.queryNorm, s.norm1, positions: positions, &s.products, into: s.q)
    heads(layer.kProj, layer.kNorm, s.keyNorm, s.norm1, positions: positions, &s.products, into: s.k)
    s.products[layer.vProj.path] = linear(layer.vProj, s.norm1, into: s.v)
    cache?.store(k: s.k, v: s.v)
    backend.attention(
      q: s.q, k: cache?.keys ?? s.k, v: cache?.values ?? s.v, segments: segments, heads: heads, kvHeads: kvHeads,
      into: s.attention, logSumExp: cache == nil ? s.logSumExp : nil)
    s.products[layer.oProj.path] = linear(layer.oProj, s.attention, into: s.residual)
    backend.add(x, scaledBy: 1, to: s.residual)

    backend.rmsNorm(
      s.residual, gain: layer.postAttentionLayernorm, epsilon: epsilon, into: s.norm2, inverseRMS: s.inverseRMS2)
    s.products[layer.gateProj.path] = linear(layer.gateProj, s.norm2, into: s.gate)
    s.products[layer.upProj.path] = linear(layer.upProj, s.norm2, into: s.up)
    backend.swiGLU(gate: s.gate, up: s.up, into: s.product)
    // DoRA's magnitude needs the last product too.
    if out != nil || doraScales[layer.downProj.path] != nil {
      let out = out ?? arena.matrix(t, x.columns)
      s.products[layer.downProj.path] = linear(layer.downProj, s.product, into: out)
      backend.add(s.residual, scaledBy: 1, to: out)
    }
    return s
  }

  /// Turns d (T,D), the gradient of the layer's output, into the gradient of its input, in place, and adds the adapter's gradients.
  /// `needsInput` false skips what only layers below would need. gate and up of `s` are overwritten.
  func backward(
    _ layer: DecoderLayer, _ s: LayerActivations, segments: [AttentionSegment], positions: [Int32], d: Matrix,
    needsInput: Bool
  ) {
    let mark = arena.mark
    let t = d.rows
    let dNorm = arena.matrix(t, d.columns)

    // d is the gradient of both the residual and the MLP's output.
    let dProduct = arena.matrix(t, configuration.intermediateSize)
    linearBackward(layer.downProj, s, dy: d, x: s.product, dx: dProduct, accumulate: false)
    backend.swiGLUBackward(dOut: dProduct, gate: s.gate, up: s.up, dGate: s.gate, dUp: s.up)
    linearBackward(layer.upProj, s, dy: s.up, x: s.norm2, dx: dNorm, accumulate: false)
    linearBackward(layer.gateProj, s, dy: s.gate, x: s.norm2, dx: dNorm, accumulate: true)
    backend.rmsNormBackward(
      dNorm, x: s.residual, gain: layer.postAttentionLayernorm, inverseRMS: s.inverseRMS2, into: d, accumulate: true)

    let dAttention = arena.matrix(t, heads * headSize)
    linearBackward(layer.oProj, s, dy: d, x: s.attention, dx: dAttention, accumulate: false)
    let dq = arena.matrix(t, heads * headSize)
    let dk = arena.matrix(t, kvHeads * headSize)
    let dv = arena.matrix(t, kvHeads * headSize)
    backend.attentionBackward(
      dOut: dAttention, q: s.q, k: s.k, v: s.v, out: s.attention, logSumExp: s.logSumExp, segments: segments,
      heads: heads,
      kvHeads: kvHeads, dq: dq, dk: dk, dv: dv)
    headsBackward(layer.qNorm, s.queryNorm, positions: positions, d: dq)
    headsBackward(layer.kNorm, s.keyNorm, positions: positions, d: dk)
    linearBackward(layer.vProj, s, dy: dv, x: s.norm1, dx: needsInput ? dNorm : nil, accumulate: false)
    linearBackward(layer.kProj, s, dy: dk, x: s.norm1, dx: needsInput ? dNorm : nil, accumulate: true)
    linearBackward(layer.qProj, s, dy: dq, x: s.norm1, dx: needsInput ? dNorm : nil, accumulate: true)
    if needsInput {
      backend.rmsNormBackward(
        dNorm, x: s.x, gain: layer.inputLayernorm, inverseRMS: s.inverseRMS1, into: d, accumulate: true)
    }
    arena.reset(to: mark)
  }
}
