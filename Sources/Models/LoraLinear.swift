import Compute

/// Linear layers with their adapter, forward and backward.
extension LayerRunner {
  /// y (T,out) ← x (T,in)·Wᵀ + bias, and with an adapter + scaling · (dropout(x)·Aᵀ)·Bᵀ. What the backward wants of it goes into `s`.
  func linear(_ layer: Linear, _ x: Operand, _ s: LayerActivations, into y: Matrix) {
    let mark = arena.mark
    if let lora = adapter?.layer(layer.path), let low = s.lows[layer.path], let dora = doraScales[layer.path],
      let product = s.products[layer.path]
    {
      doraLinear(layer, lora, dora, x, s.tokens(x.rows), low: low, product: product, into: y)
    } else {
      backend.linear(x, layer.weight, bias: layer.bias, adding: lowRank(layer, x, s), into: y)
    }
    arena.reset(to: mark)
  }

  /// `kept` ← the same, rounded where that is in bfloat16.
  func linear(_ layer: Linear, _ x: Operand, _ s: LayerActivations, keeping kept: Operand) {
    let mark = arena.mark
    switch kept {
    case .f32(let y): linear(layer, x, s, into: y)
    case .bf16(let rounded) where doraScales[layer.path] != nil:
      let y = arena.matrix(kept.rows, kept.columns)
      linear(layer, x, s, into: y)
      backend.narrow(y, into: rounded)
    case .bf16(let rounded):
      backend.linear(x, layer.weight, bias: layer.bias, adding: lowRank(layer, x, s), into: rounded)
    }
    arena.reset(to: mark)
  }

  /// What ``linear(_:_:_:into:)`` leaves in `s`, without the product that nobody needs: only DoRA's magnitude takes that too.
  func keepForBackward(_ layer: Linear, _ x: Operand, _ s: LayerActivations) {
    guard let lora = adapter?.layer(layer.path) else { return }
    let mark = arena.mark
    if s.products[layer.path] != nil {
      linear(layer, x, s, into: arena.matrix(x.rows, lora.b.rows))
    } else {
      _ = lowRank(layer, x, s)
    }
    arena.reset(to: mark)
  }

  /// Adds the adapter's gradients for dy (T,out), and the input's gradient to dx (T,in) unless it is nil. x is what the layer was given;
  /// only an adapter wants it.
  func linearBackward(
    _ layer: Linear, _ s: LayerActivations, dy: Operand, x: Operand?, dx: Matrix?, accumulate: Bool
  ) {
    guard let lora = adapter?.layer(layer.path), let x, let low = s.lows[layer.path] else {
      if let dx { backend.linearInputGradient(dy, layer.weight, adding: nil, into: dx, accumulate: accumulate) }
      return
    }
    let mark = arena.mark
    if let dora = doraScales[layer.path], let product = s.products[layer.path] {
      doraBackward(
        layer, lora, dora, s.tokens(x.rows), product: product, low: low, dy: dy, x: x, dx: dx, accumulate: accumulate)
    } else {
      let tokens = s.tokens(x.rows)
      let term = lowRankBackward(lora, d: dy, input: dropped(x, layer, tokens), low: low)
      if let dx {
        let isDropped = seed(layer) != nil
        backend.linearInputGradient(
          dy, layer.weight, adding: isDropped ? nil : term, into: dx, accumulate: accumulate)
        if isDropped { addDropped(product(term), layer, tokens, to: dx) }
      }
    }
    arena.reset(to: mark)
  }

  // MARK: Low rank

  /// The adapter's term for x; nil without one.
  private func lowRank(_ layer: Linear, _ x: Operand, _ s: LayerActivations) -> LowRank? {
    guard let lora = adapter?.layer(layer.path), let low = s.lows[layer.path] else { return nil }
    return lowRank(lora, dropped(x, layer, s.tokens(x.rows)), low: low)
  }

  /// low (T,r) ← scaling · input·Aᵀ, and the term low·Bᵀ.
  private func lowRank(_ lora: LoraLayer, _ input: Operand, low: Operand) -> LowRank {
    let wide = if case .f32(let matrix) = low { matrix } else { arena.matrix(low.rows, low.columns) }
    backend.multiply(input, transposeA: false, factors(of: lora).a, transposeB: true, accumulate: false, into: wide)
    backend.scale(wide, by: lora.scaling)
    if case .bf16(let rounded) = low { backend.narrow(wide, into: rounded) }
    return LowRank(low: low, factor: factors(of: lora).b)
  }

  /// Adds the gradients of A and B for d (T,out), the gradient of ``lowRank(_:_:low:)``'s term, and gives that of `input` as such a term.
  private func lowRankBackward(_ lora: LoraLayer, d: Operand, input: Operand, low: Operand) -> LowRank {
    backend.multiply(d, transposeA: true, low, transposeB: false, accumulate: true, into: lora.gradientB)
    let wide = arena.matrix(input.rows, lora.a.rows)
    backend.multiply(d, transposeA: false, factors(of: lora).b, transposeB: false, accumulate: false, into: wide)
    backend.scale(wide, by: lora.scaling)
    let dLow = operand(wide)
    backend.multiply(dLow, transposeA: true, input, transposeB: false, accumulate: true, into: lora.gradientA)
    return LowRank(low: dLow, factor: factors(of: lora).a)
  }

  /// The product of a term of ``lowRankBackward(_:d:input:low:)`` alone.
  private func product(_ term: LowRank) -> Matrix {
    let result = arena.matrix(term.low.rows, term.factor.columns)
    backend.multiply(term.low, transposeA: false, term.factor, transposeB: false, accumulate: false, into: result)
    return result
  }

  // MARK: Dropout

  /// Nil where nothing is dropped.
  private func seed(_ layer: Linear) -> UInt64? {
    guard let dropoutSeed, let adapter, adapter.configuration.dropout > 0 else { return nil }
    return layer.path.utf8.reduce(dropoutSeed) { RandomNumbers.mix($0 ^ UInt64($1)) }
  }

  /// `tokens`: which ones the rows of x are of, nil for all: a token keeps its mask where others are left out.
  private func dropped(_ x: Operand, _ layer: Linear, _ tokens: [Int]?) -> Operand {
    guard let seed = seed(layer), let adapter else { return x }
    let result = arena.matrix(x.rows, x.columns)
    backend.dropout(
      restored(x), rows: tokens, probability: Float(adapter.configuration.dropout), seed: seed, into: result)
    return operand(result)
  }

  /// dx ← dx + the gradient that dropout lets through; `dInput` is overwritten.
  private func addDropped(_ dInput: Matrix, _ layer: Linear, _ tokens: [Int]?, to dx: Matrix) {
    if let seed = seed(layer), let adapter {
      backend.dropout(
        dInput, rows: tokens, probability: Float(adapter.configuration.dropout), seed: seed, into: dInput)
    }
    backend.add(dInput, scaledBy: 1, to: dx)
  }

  // MARK: DoRA

  /// With g = m / ‖W + scaling·B·A‖ and z = W·x + scaling·B·A·x, which is kept in `z`: y ← g∘z + bias.
  ///
  /// With dropout z is made of the dropped x', and the base's product of the whole x keeps its weight 1, as in PEFT:
  /// y ← W·x + bias + (g − 1)∘(W·x') + g∘(scaling·B·A·x').
  private func doraLinear(
    _ layer: Linear, _ lora: LoraLayer, _ dora: DoRAScale, _ x: Operand, _ tokens: [Int]?, low: Operand,
    product z: Matrix, into y: Matrix
  ) {
    let input = dropped(x, layer, tokens)
    let term = lowRank(lora, input, low: low)
    if seed(layer) != nil {
      backend.linear(input, layer.weight, bias: nil, adding: nil, into: z)
      backend.linear(x, layer.weight, bias: layer.bias, adding: nil, into: y)
      backend.add(z, scaledBy: -1, to: y)
      backend.multiply(term.low, transposeA: false, term.factor, transposeB: true, accumulate: true, into: z)
    } else {
      backend.linear(input, layer.weight, bias: nil, adding: term, into: z)
      if let bias = layer.bias {
        for row in 0..<y.rows { y.rows(row..<row + 1).copy(from: bias) }
      } else {
        y.fill(0)
      }
    }
    backend.addColumnsScaled(z, by: dora.scale, to: y)
  }

  /// The gradients of ``doraLinear``. The norm counts as a constant (Liu et al., "DoRA", 2024, section 4.3), so
  /// dm = Σ_t dy∘z / ‖W + scaling·B·A‖ and dz = g∘dy.
  private func doraBackward(
    _ layer: Linear, _ lora: LoraLayer, _ dora: DoRAScale, _ tokens: [Int]?, product z: Matrix, low: Operand,
    dy: Operand, x: Operand, dx: Matrix?, accumulate: Bool
  ) {
    let wide = restored(dy)
    if let gradient = lora.gradientMagnitude {
      let sums = arena.matrix(1, wide.columns)
      backend.columnDots(wide, z, into: sums)
      backend.addColumnsScaled(sums, by: dora.inverseNorm, to: gradient)
    }
    let dz = arena.matrix(wide.rows, wide.columns)
    dz.fill(0)
    backend.addColumnsScaled(wide, by: dora.scale, to: dz)
    let scaled = operand(dz)
    let term = lowRankBackward(lora, d: scaled, input: dropped(x, layer, tokens), low: low)
    guard let dx else { return }
    guard seed(layer) != nil else {
      return backend.linearInputGradient(scaled, layer.weight, adding: term, into: dx, accumulate: accumulate)
    }
    backend.linearInputGradient(dy, layer.weight, adding: nil, into: dx, accumulate: accumulate)
    let dInput = product(term)
    backend.add(wide, scaledBy: -1, to: dz)
    backend.linearInputGradient(dz, layer.weight, into: dInput, accumulate: true)
    addDropped(dInput, layer, tokens, to: dx)
  }
}
