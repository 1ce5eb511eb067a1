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

  var linears: [Linear] { beforeAttention + afterAttention }
  var beforeAttention: [Linear] { [qProj, kProj, vProj] }
  var afterAttention: [Linear] { [oProj, gateProj, upProj, downProj] }
}

/// What one layer's forward keeps for its backward, which makes the rest again. T packed tokens, N of them whose output is made (all but in
/// the last layer), D width, F feed-forward width.
struct LayerActivations {
  /// Which N tokens; nil for all.
  var rows: [Int]?
  /// (T, D): the layer's input, and (N, D): the sum after attention.
  var x: Matrix
  var residual: Matrix
  /// (T, 1) and (N, 1): of the two norms.
  var inverseRMS1: Matrix
  var inverseRMS2: Matrix
  /// (T, heads·headSize), and (T, kvHeads·headSize) for k and v; q and k are rotated.
  var q: Operand
  var k: Operand
  var v: Operand
  var attention: Operand
  /// (N, heads·headSize): its rows that go on.
  var attended: Operand
  /// (T, heads)
  var logSumExp: Matrix
  /// (N, F)
  var gate: Operand
  var up: Operand
  /// What the heads' norms were given, where the family has them.
  var queryNorm: HeadNorm?
  var keyNorm: HeadNorm?
  /// By a linear layer's path: scaling · A·x of its adapter (T or N, r).
  var lows: [String: Operand] = [:]
  /// By a linear layer's path: its product before DoRA's magnitude (T or N, out).
  var products: [String: Matrix] = [:]

  /// Which tokens the rows of a matrix of so many rows are of; nil for all.
  func tokens(_ count: Int) -> [Int]? { count == x.rows ? nil : rows }
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
  /// The adapter's A and B in bfloat16, by a linear layer's path: rounded once for the forward and the backward. Empty in float32, where
  /// products take them as they are.
  private var factors: [String: (a: Operand, b: Operand)] = [:]
  /// What the activations are kept in. In bfloat16 every step goes on with the rounded numbers, so that what is made again in the backward
  /// equals what was dropped.
  let precision: Weight.Products

  init(
    _ decoder: Decoder, adapter: LoraAdapter?, arena: Arena, dropoutSeed: UInt64?, doraScales: [String: DoRAScale],
    precision: Weight.Products
  ) {
    (backend, configuration, inverseFrequencies) = (decoder.backend, decoder.configuration, decoder.inverseFrequencies)
    (self.adapter, self.arena, self.dropoutSeed) = (adapter, arena, dropoutSeed)
    (self.doraScales, self.precision) = (doraScales, precision)
    guard precision == .bf16 else { return }
    for lora in adapter?.layers ?? [] { factors[lora.path] = (operand(lora.a), operand(lora.b)) }
  }

  func factors(of lora: LoraLayer) -> (a: Operand, b: Operand) {
    factors[lora.path] ?? (operand(lora.a), operand(lora.b))
  }

  private var heads: Int { configuration.numAttentionHeads }
  private var kvHeads: Int { configuration.numKeyValueHeads }
  private var headSize: Int { configuration.headSize }

  // MARK: Precision

  func operand(_ x: Matrix) -> Operand {
    let operand = arena.operand(x.rows, x.columns, precision)
    guard case .bf16(let rounded) = operand else { return .f32(x) }
    backend.narrow(x, into: rounded)
    return operand
  }

  /// Where to compute what `kept` will hold: there, or in memory that ``settle(_:into:)`` rounds from.
  private func workplace(for kept: Operand) -> Matrix {
    if case .f32(let matrix) = kept { matrix } else { arena.matrix(kept.rows, kept.columns) }
  }

  /// `kept` ← x; x then has the rounded numbers.
  private func settle(_ x: Matrix, into kept: Operand) {
    if case .bf16(let rounded) = kept { backend.round(x, into: rounded) }
  }

  /// What was kept, in float32.
  func restored(_ kept: Operand) -> Matrix {
    guard case .bf16(let rounded) = kept else { return kept.widened }
    let matrix = arena.matrix(kept.rows, kept.columns)
    backend.widen(rounded, into: matrix)
    return matrix
  }

  // MARK: Queries and keys

  private func headNorm(_ gain: Matrix?, _ t: Int, heads: Int) -> HeadNorm? {
    gain == nil ? nil : HeadNorm(x: arena.matrix(t, heads * headSize), inverseRMS: arena.matrix(t * heads, 1))
  }

  /// out (T, heads·headSize) ← the projection of x, normalised head by head where `gain` is given, and rotated.
  private func heads(
    _ projection: Linear, _ gain: Matrix?, _ kept: HeadNorm?, _ x: Operand, _ s: LayerActivations,
    positions: [Int32], into out: Matrix
  ) {
    linear(projection, x, s, into: kept?.x ?? out)
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

  /// Memory for what a forward keeps.
  private func activations(_ layer: DecoderLayer, x: Matrix, rows: [Int]?) -> LayerActivations {
    let t = x.rows
    let n = rows?.count ?? t
    func kept(_ rows: Int, _ columns: Int) -> Operand { arena.operand(rows, columns, precision) }
    let attention = kept(t, heads * headSize)
    var s = LayerActivations(
      rows: rows, x: x, residual: arena.matrix(n, x.columns), inverseRMS1: arena.matrix(t, 1),
      inverseRMS2: arena.matrix(n, 1),
      q: kept(t, heads * headSize), k: kept(t, kvHeads * headSize), v: kept(t, kvHeads * headSize),
      attention: attention, attended: rows == nil ? attention : kept(n, heads * headSize),
      logSumExp: arena.matrix(t, heads),
      gate: kept(n, configuration.intermediateSize), up: kept(n, configuration.intermediateSize),
      queryNorm: headNorm(layer.qNorm, t, heads: heads), keyNorm: headNorm(layer.kNorm, t, heads: kvHeads))
    for (linears, count) in [(layer.beforeAttention, t), (layer.afterAttention, n)] {
      for linear in linears {
        guard let lora = adapter?.layer(linear.path) else { continue }
        s.lows[linear.path] = kept(count, lora.a.rows)
        if doraScales[linear.path] != nil { s.products[linear.path] = arena.matrix(count, lora.b.rows) }
      }
    }
    return s
  }

  /// The listed rows of x, in memory of their own; x itself without a list.
  private func gathered(_ x: Matrix, _ rows: [Int]?) -> Matrix {
    guard let rows else { return x }
    let result = arena.matrix(rows.count, x.columns)
    result.gather(rows, from: x)
    return result
  }

  /// The norm of x, in memory of its own; the inverse RMS is noted.
  private func normalised(_ x: Matrix, _ gain: Matrix, inverseRMS: Matrix) -> Operand {
    let norm = arena.matrix(x.rows, x.columns)
    backend.rmsNorm(x, gain: gain, epsilon: configuration.rmsNormEpsilon, into: norm, inverseRMS: inverseRMS)
    return operand(norm)
  }

  /// silu(gate) · up, in memory of its own.
  private func product(_ s: LayerActivations) -> Operand {
    let product = arena.operand(s.gate.rows, s.gate.columns, precision)
    switch (s.gate, s.up, product) {
    case (.bf16(let gate), .bf16(let up), .bf16(let out)): backend.swiGLU(gate: gate, up: up, into: out)
    default: backend.swiGLU(gate: s.gate.widened, up: s.up.widened, into: product.widened)
    }
    return product
  }

  /// Turns gate and up into their gradients, from that of their product.
  private func productBackward(_ s: LayerActivations, dProduct: Matrix) {
    switch (s.gate, s.up) {
    case (.bf16(let gate), .bf16(let up)): backend.swiGLUBackward(dOut: dProduct, gate: gate, up: up)
    default:
      let (gate, up) = (s.gate.widened, s.up.widened)
      backend.swiGLUBackward(dOut: dProduct, gate: gate, up: up, dGate: gate, dUp: up)
    }
  }

  /// out (N,D) ← the layer applied to x (T,D), for the N tokens of `rows` or for all. With a cache, keys and values go into its rows, and
  /// `segments` speak of these. Without `out` only what ``backward(_:_:segments:positions:d:needsInput:)`` needs is made: gradient checkpointing knows the output.
  func forward(
    _ layer: DecoderLayer, x: Matrix, positions: [Int32], segments: [AttentionSegment], cache: CacheLayer? = nil,
    rows: [Int]?, into out: Matrix?
  ) -> LayerActivations {
    let s = activations(layer, x: x, rows: rows)
    let mark = arena.mark
    defer { arena.reset(to: mark) }
    let norm1 = normalised(x, layer.inputLayernorm, inverseRMS: s.inverseRMS1)
    let (q, k, v) = (workplace(for: s.q), workplace(for: s.k), workplace(for: s.v))
    heads(layer.qProj, layer.qNorm, s.queryNorm, norm1, s, positions: positions, into: q)
    heads(layer.kProj, layer.kNorm, s.keyNorm, norm1, s, positions: positions, into: k)
    linear(layer.vProj, norm1, s, into: v)
    settle(q, into: s.q)
    settle(k, into: s.k)
    settle(v, into: s.v)
    cache?.store(k: k, v: v)
    let attention = workplace(for: s.attention)
    backend.attention(
      q: q, k: cache?.keys ?? k, v: cache?.values ?? v, segments: segments, heads: heads, kvHeads: kvHeads,
      products: cache == nil ? precision : .f32, into: attention, logSumExp: cache == nil ? s.logSumExp : nil)
    settle(attention, into: s.attention)
    if let rows { s.attended.gather(rows, from: s.attention) }
    linear(layer.oProj, s.attended, s, into: s.residual)
    backend.add(gathered(x, rows), scaledBy: 1, to: s.residual)

    let norm2 = normalised(s.residual, layer.postAttentionLayernorm, inverseRMS: s.inverseRMS2)
    linear(layer.gateProj, norm2, s, keeping: s.gate)
    linear(layer.upProj, norm2, s, keeping: s.up)
    if let out {
      linear(layer.downProj, product(s), s, into: out)
      backend.add(s.residual, scaledBy: 1, to: out)
    } else if adapter?.layer(layer.downProj.path) != nil {
      keepForBackward(layer.downProj, product(s), s)
    }
    return s
  }

  /// Turns d (T,D), the gradient of the layer's output, into the gradient of its input, in place, and adds the adapter's gradients. Tokens
  /// whose output was not made have zeros in d. `needsInput` false skips what only layers below would need. gate and up of `s` are overwritten.
  func backward(
    _ layer: DecoderLayer, _ s: LayerActivations, segments: [AttentionSegment], positions: [Int32], d: Matrix,
    needsInput: Bool
  ) {
    let start = arena.mark
    defer { arena.reset(to: start) }
    let t = d.rows
    func isAdapted(_ linears: Linear...) -> Bool { linears.contains { adapter?.layer($0.path) != nil } }

    // The gradient of both the residual and the MLP's output.
    let dOut = gathered(d, s.rows)
    var mark = arena.mark
    let dNorm2 = arena.matrix(dOut.rows, d.columns)
    let dProduct = arena.matrix(dOut.rows, configuration.intermediateSize)
    let inner = arena.mark
    linearBackward(
      layer.downProj, s, dy: operand(dOut), x: isAdapted(layer.downProj) ? product(s) : nil, dx: dProduct,
      accumulate: false)
    arena.reset(to: inner)
    productBackward(s, dProduct: dProduct)
    let norm2 =
      isAdapted(layer.gateProj, layer.upProj)
      ? normalised(s.residual, layer.postAttentionLayernorm, inverseRMS: s.inverseRMS2) : nil
    linearBackward(layer.upProj, s, dy: s.up, x: norm2, dx: dNorm2, accumulate: false)
    linearBackward(layer.gateProj, s, dy: s.gate, x: norm2, dx: dNorm2, accumulate: true)
    backend.rmsNormBackward(
      dNorm2, x: s.residual, gain: layer.postAttentionLayernorm, inverseRMS: s.inverseRMS2, into: dOut,
      accumulate: true)
    arena.reset(to: mark)
    if let rows = s.rows { d.scatter(rows, from: dOut) }

    mark = arena.mark
    let dNorm = arena.matrix(t, d.columns)
    let dAttended = arena.matrix(dOut.rows, heads * headSize)
    linearBackward(layer.oProj, s, dy: operand(dOut), x: s.attended, dx: dAttended, accumulate: false)
    var dAttention = dAttended
    if let rows = s.rows {
      dAttention = arena.matrix(t, heads * headSize)
      dAttention.fill(0)
      dAttention.scatter(rows, from: dAttended)
    }
    let dq = arena.matrix(t, heads * headSize)
    let dk = arena.matrix(t, kvHeads * headSize)
    let dv = arena.matrix(t, kvHeads * headSize)
    backend.attentionBackward(
      dOut: dAttention, q: restored(s.q), k: restored(s.k), v: restored(s.v), out: restored(s.attention),
      logSumExp: s.logSumExp,
      segments: segments, heads: heads, kvHeads: kvHeads, products: precision, dq: dq, dk: dk, dv: dv)
    headsBackward(layer.qNorm, s.queryNorm, positions: positions, d: dq)
    headsBackward(layer.kNorm, s.keyNorm, positions: positions, d: dk)
    let norm1 =
      isAdapted(layer.qProj, layer.kProj, layer.vProj)
      ? normalised(s.x, layer.inputLayernorm, inverseRMS: s.inverseRMS1) : nil
    let dx = needsInput ? dNorm : nil
    linearBackward(layer.vProj, s, dy: operand(dv), x: norm1, dx: dx, accumulate: false)
    linearBackward(layer.kProj, s, dy: operand(dk), x: norm1, dx: dx, accumulate: true)
    linearBackward(layer.qProj, s, dy: operand(dq), x: norm1, dx: dx, accumulate: true)
    if needsInput {
      backend.rmsNormBackward(
        dNorm, x: s.x, gain: layer.inputLayernorm, inverseRMS: s.inverseRMS1, into: d, accumulate: true)
    }
    arena.reset(to: mark)
  }
}
