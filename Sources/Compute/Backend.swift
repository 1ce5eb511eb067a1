/// The whole-matrix operations a decoder and its training are made of.
///
/// Everything above `Compute` speaks of matrices and of these operations, never of pointers. Two backends answer:
/// ``ReferenceBackend`` (plain loops, sums in double precision, the oracle) and ``CPUBackend`` (libraries' products and
/// vector kernels). A GPU backend would be one more type in this folder.
///
/// Shapes in comments are (rows, columns), row-major. T is the number of packed tokens, D the model's width,
/// V the vocabulary, r the LoRA rank. All results depend on their inputs and the thread count alone: the order of every
/// sum is fixed.
public protocol Backend: Sendable {
  /// Who computes the matrix products, for records: "reference", "openblas".
  var name: String { get }

  // MARK: Products

  /// c ← alpha · op(a) · op(b) + beta · c, where op transposes if asked. With beta 0, c's old content is never read.
  func multiply(
    _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, beta: Float, into c: Matrix)

  /// c ← op(a) · op(b), added to c when `accumulate`: bfloat16 factors with float32 sums where both are such, else in float32.
  func multiply(_ a: Operand, transposeA: Bool, _ b: Operand, transposeB: Bool, accumulate: Bool, into c: Matrix)

  /// y (T,out) ← x (T,in) · wᵀ + bias, w (out,in) frozen, and with a low-rank term + low (T,r) · factorᵀ, factor (out,r). `bias` has one row
  /// of `out` columns. x is rounded where ``Weight/computes`` is bfloat16, but may stay exact when it has a handful of rows.
  func linear(_ x: Operand, _ w: Weight, bias: Matrix?, adding lowRank: LowRank?, into y: Matrix)

  /// The same, rounded to bfloat16 at the end.
  func linear(_ x: Operand, _ w: Weight, bias: Matrix?, adding lowRank: LowRank?, into y: BFloat16Matrix)

  /// dx (T,in) ← dy (T,out) · w, and with a low-rank term + low (T,r) · factor, factor (r,in); added to dx when `accumulate`. dy is rounded
  /// where ``Weight/computes`` is bfloat16.
  func linearInputGradient(_ dy: Operand, _ w: Weight, adding lowRank: LowRank?, into dx: Matrix, accumulate: Bool)

  // MARK: bfloat16

  /// out ← x rounded to the nearest bfloat16, ties to even.
  func narrow(_ x: Matrix, into out: BFloat16Matrix)

  /// The same, and x keeps the rounded numbers.
  func round(_ x: Matrix, into out: BFloat16Matrix)

  /// out ← x, exactly.
  func widen(_ x: BFloat16Matrix, into out: Matrix)

  // MARK: Element-wise and row-wise steps

  /// out (T,D): row t is row `ids[t]` of the weight (V,D).
  func gather(_ w: Weight, rows ids: [Int32], into out: Matrix)

  /// y ← y + alpha · x, same shape.
  func add(_ x: Matrix, scaledBy alpha: Float, to y: Matrix)

  /// y (T,D) ← y + x (T,D) · scale (1,D), column by column.
  func addColumnsScaled(_ x: Matrix, by scale: Matrix, to y: Matrix)

  /// sums (1,D): the dot product of each column of a (T,D) with the same column of b (T,D).
  func columnDots(_ a: Matrix, _ b: Matrix, into sums: Matrix)

  /// RMSNorm, y = x / sqrt(mean(x²) + epsilon) · gain, row by row. gain (1,D); `inverseRMS` (T,1) is kept for backward.
  /// Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019.
  func rmsNorm(_ x: Matrix, gain: Matrix, epsilon: Float, into y: Matrix, inverseRMS: Matrix)

  /// dx ← gradient of rmsNorm with respect to x (gain is frozen), added to dx when `accumulate`.
  func rmsNormBackward(
    _ dy: Matrix, x: Matrix, gain: Matrix, inverseRMS: Matrix, into dx: Matrix, accumulate: Bool)

  /// Rotates x (T, heads·headSize) in place, half against half (the Hugging Face layout): for pair i of a head,
  /// (x[i], x[i+headSize/2]) turns by angle positions[t] · inverseFrequencies[i]. `inverse` turns back, which is the
  /// backward. inverseFrequencies has headSize/2 entries. Angles are computed in float32 like the peers' (position times
  /// inverse frequency, then cos and sin). Su et al., "RoFormer", 2021.
  func rope(_ x: Matrix, positions: [Int32], headSize: Int, inverseFrequencies: [Float], inverse: Bool)

  /// Causal grouped-query attention over packed rows.
  ///
  /// q (T, heads·headSize); k, v (S, kvHeads·headSize); out (T, heads·headSize); `logSumExp` (T, heads) is kept for backward (nil when
  /// no backward will follow). Each segment says which query rows attend to which rows of k and v: see
  /// ``AttentionSegment``. Scores are scaled by 1/√headSize. Head h reads kv head h / (heads / kvHeads). A query row in no segment gives zeros.
  /// With `products` `.bf16` the factors of its products may be rounded to bfloat16: for q, k and v that are.
  func attention(
    q: Matrix, k: Matrix, v: Matrix, segments: [AttentionSegment], heads: Int, kvHeads: Int,
    products: Weight.Products, into out: Matrix, logSumExp: Matrix?)

  /// The gradients of ``attention(q:k:v:segments:heads:kvHeads:products:into:logSumExp:)``, overwriting dq, dk, dv (same shapes as q, k, v). Rows
  /// of k that several segments share (a common prefix) collect the sum of their gradients.
  func attentionBackward(
    dOut: Matrix, q: Matrix, k: Matrix, v: Matrix, out: Matrix, logSumExp: Matrix, segments: [AttentionSegment],
    heads: Int, kvHeads: Int, products: Weight.Products, dq: Matrix, dk: Matrix, dv: Matrix)

  /// out ← silu(gate) · up, all (T,F). silu(x) = x / (1 + e^-x). Shazeer, "GLU Variants", 2020.
  func swiGLU(gate: Matrix, up: Matrix, into out: Matrix)

  /// The same with numbers held in bfloat16: worked out in float32, and rounded.
  func swiGLU(gate: BFloat16Matrix, up: BFloat16Matrix, into out: BFloat16Matrix)

  /// gate ← dGate and up ← dUp from dOut (T,F).
  func swiGLUBackward(dOut: Matrix, gate: BFloat16Matrix, up: BFloat16Matrix)

  /// dGate and dUp from dOut; dGate may be the same storage as gate and dUp as up (in-place).
  func swiGLUBackward(dOut: Matrix, gate: Matrix, up: Matrix, dGate: Matrix, dUp: Matrix)

  /// Cross-entropy of logits (N,V) against targets, and its gradient in place.
  ///
  /// Returns per-row loss -log softmax(logits)[target] in nats (N values). When `gradientScale` is given, logits are overwritten with
  /// (softmax − onehot) · gradientScale; otherwise left as they were.
  func crossEntropy(logits: Matrix, targets: [Int32], gradientScale: Float?) -> [Float]

  /// ``crossEntropy(logits:targets:gradientScale:)`` of hidden (N,D) · headᵀ, head (V,D), with the logits never whole in memory: their losses,
  /// and with `gradientScale` dHidden (N,D) ← the gradient of gradientScale × Σ losses. Nil, and nothing done, where the backend has no better
  /// way than the logits.
  func headCrossEntropy(
    _ hidden: Matrix, _ head: Weight, targets: [Int32], gradientScale: Float?, dHidden: Matrix?
  ) -> [Float]?

  /// Inverted dropout: x ← x·mask/(1−p), where the mask of element i is drawn from (seed, i) by a counter-based
  /// generator, so that backward regenerates it. Same on every backend, bit for bit. out may be x itself. Where x holds some rows of a
  /// larger matrix, `rows` tells which: they get that matrix's masks.
  func dropout(_ x: Matrix, rows: [Int]?, probability: Float, seed: UInt64, into out: Matrix)

  // MARK: Optimisation, on flat buffers seen as one row

  /// One AdamW step with bias correction and decoupled weight decay (Loshchilov & Hutter, 2019), as torch.optim.AdamW. All
  /// matrices have the same shape; step counts from 1.
  func adamW(
    parameters: Matrix, gradients: Matrix, m: Matrix, v: Matrix, step: Int, learningRate: Float, beta1: Float,
    beta2: Float, epsilon: Float, weightDecay: Float)

  /// The sum of squares of all elements, in double precision.
  func sumOfSquares(_ x: Matrix) -> Double

  /// x ← x · factor.
  func scale(_ x: Matrix, by factor: Float)

  /// The column of the largest element of each row (the first on ties), NaN-safe (a NaN never wins).
  func argmax(_ x: Matrix) -> [Int32]
}

extension Backend {
  public func linear(_ x: Matrix, _ w: Weight, bias: Matrix?, into y: Matrix) {
    linear(.f32(x), w, bias: bias, adding: nil, into: y)
  }

  public func dropout(_ x: Matrix, probability: Float, seed: UInt64, into out: Matrix) {
    dropout(x, rows: nil, probability: probability, seed: seed, into: out)
  }

  public func linear(_ x: Operand, _ w: Weight, bias: Matrix?, adding lowRank: LowRank?, into y: BFloat16Matrix) {
    let wide = Matrix(y.rows, y.columns)
    linear(x, w, bias: bias, adding: lowRank, into: wide)
    narrow(wide, into: y)
  }

  public func headCrossEntropy(
    _ hidden: Matrix, _ head: Weight, targets: [Int32], gradientScale: Float?, dHidden: Matrix?
  ) -> [Float]? { nil }

  public func linearInputGradient(_ dy: Matrix, _ w: Weight, into dx: Matrix, accumulate: Bool) {
    linearInputGradient(.f32(dy), w, adding: nil, into: dx, accumulate: accumulate)
  }
}

/// A low-rank term that is added to a product.
public struct LowRank: Sendable {
  /// (T, r)
  public var low: Operand
  /// (out, r) for ``Backend/linear(_:_:bias:adding:into:)``, (r, in) for its input gradient.
  public var factor: Operand

  public init(low: Operand, factor: Operand) {
    self.low = low
    self.factor = factor
  }
}

/// Which query rows attend to which key rows.
///
/// A segment's keys are the concatenation of `keyRows`, L rows in all; its n query rows are the last n positions of that
/// sequence: query j (0-based) sees the first L − n + j + 1 keys. So a packed training row is `queryRows: a..<b, keyRows:
/// [a..<b]`; one with a shared prefix is `[prefix, a..<b]`; a decoding step is one query row and its cache's rows.
public struct AttentionSegment: Sendable, Equatable {
  public var queryRows: Range<Int>
  public var keyRows: [Range<Int>]

  public init(queryRows: Range<Int>, keyRows: [Range<Int>]) {
    self.queryRows = queryRows
    self.keyRows = keyRows
  }
}
