import Compute

/// Linear layers with their adapter, forward and backward.
extension LayerRunner {
  /// y (T,out) ← x (T,in)·Wᵀ + bias, and with an adapter + scaling · (dropout(x)·Aᵀ)·Bᵀ. What the backward wants of it goes into `s`.
  func linear(_ layer: Linear, _ x: LayerInput, _ s: LayerActivations, into y: Matrix) {
    guard let lora = adapter?.layer(layer.path), let low = s.lows[layer.path] else {
      return backend.linear(x.operand, layer.weight, bias: layer.bias, into: y)
    }
    let mark = arena.mark
    if let dora = doraScales[layer.path], let product = s.products[layer.path] {
      doraLinear(layer, lora, dora, x, low: low, product: product, into: y)
    } else {
      backend.linear(x.operand, layer.weight, bias: layer.bias, into: y)
      addLowRank(lora, dropped(x, layer), low: low, to: y)
    }
    arena.reset(to: mark)
  }

  /// Adds the adapter's gradients for dy (T,out), and the input's gradient to dx (T,in) unless it is nil. x is what the layer was given;
  /// only an adapter wants it.
  func linearBackward(
    _ layer: Linear, _ s: LayerActivations, dy: LayerInput, x: LayerInput?, dx: Matrix?, accumulate: Bool
  ) {
    guard let lora = adapter?.layer(layer.path), let x, let low = s.lows[layer.path] else {
      if let dx { backend.linearInputGradient(dy.operand, layer.weight, into: dx, accumulate: accumulate) }
      return
    }
    let mark = arena.mark
    if let dora = doraScales[layer.path], let product = s.products[layer.path] {
      doraBackward(layer, lora, dora, product: product, low: low, dy: dy, x: x, dx: dx, accumulate: accumulate)
    } else {
      if let dx { backend.linearInputGradient(dy.operand, layer.weight, into: dx, accumulate: accumulate) }
      let dInput = seed(layer) == nil ? nil : dx.map { arena.matrix($0.rows, $0.columns) }
      lowRankBackward(
        lora, d: dy.operand, input: dropped(x, layer), low: low, dInput: dInput ?? dx, accumulate: dInput == nil)
      if let dx, let dInput { addDropped(dInput, layer, to: dx) }
    }
    arena.reset(to: mark)
  }

  // MARK: Low rank

  /// low (T,r) ← scaling · input·Aᵀ and y (T,out) ← y + low·Bᵀ
  private func addLowRank(_ lora: LoraLayer, _ input: Operand, low: Operand, to y: Matrix) {
    let wide = if case .f32(let matrix) = low { matrix } else { arena.matrix(low.rows, low.columns) }
    backend.multiply(
      input, transposeA: false, operand(lora.a), transposeB: true, accumulate: false, into: wide)
    backend.scale(wide, by: lora.scaling)
    if case .bf16(let rounded) = low { backend.narrow(wide, into: rounded) }
    backend.multiply(low, transposeA: false, operand(lora.b), transposeB: true, accumulate: true, into: y)
  }

  /// Adds the gradients of A and B for d (T,out), the gradient of ``addLowRank``'s sum, and gives that of `input`.
  private func lowRankBackward(
    _ lora: LoraLayer, d: Operand, input: Operand, low: Operand, dInput: Matrix?, accumulate: Bool
  ) {
    backend.multiply(d, transposeA: true, low, transposeB: false, accumulate: true, into: lora.gradientB)
    let wide = arena.matrix(input.rows, lora.a.rows)
    backend.multiply(d, transposeA: false, operand(lora.b), transposeB: false, accumulate: false, into: wide)
    backend.scale(wide, by: lora.scaling)
    let dLow = operand(wide)
    backend.multiply(dLow, transposeA: true, input, transposeB: false, accumulate: true, into: lora.gradientA)
    guard let dInput else { return }
    backend.multiply(
      dLow, transposeA: false, operand(lora.a), transposeB: false, accumulate: accumulate, into: dInput)
  }

  // MARK: Dropout

  /// Nil where nothing is dropped.
  private func seed(_ layer: Linear) -> UInt64? {
    guard let dropoutSeed, let adapter, adapter.configuration.dropout > 0 else { return nil }
    return layer.path.utf8.reduce(dropoutSeed) { RandomNumbers.mix($0 ^ UInt64($1)) }
  }

  private func dropped(_ x: LayerInput, _ layer: Linear) -> Operand {
    guard let seed = seed(layer), let adapter else { return x.operand }
    let result = arena.matrix(x.matrix.rows, x.matrix.columns)
    backend.dropout(x.matrix, probability: Float(adapter.configuration.dropout), seed: seed, into: result)
    return operand(result)
  }

  /// dx ← dx + the gradient that dropout lets through; `dInput` is overwritten.
  private func addDropped(_ dInput: Matrix, _ layer: Linear, to dx: Matrix) {
    if let seed = seed(layer), let adapter {
      backend.dropout(dInput, probability: Float(adapter.configuration.dropout), seed: seed, into: dInput)
    }
    backend.add(dInput, scaledBy: 1, to: dx)
  }

  // MARK: DoRA

  /// With g = m / ‖W + scaling·B·A‖ and z = W·x + scaling·B·A·x, which is kept in `z`: y ← g∘z + bias.
  ///
  /// With dropout z is made of the dropped x', and the base's product of the whole x keeps its weight 1, as in PEFT:
  /// y ← W·x + bias + (g − 1)∘(W·x') + g∘(scaling·B·A·x').
  private func doraLinear(
    _ layer: Linear, _ lora: LoraLayer, _ dora: DoRAScale, _ x: LayerInput, low: Operand, product z: Matrix,
    into y: Matrix
  ) {
    let input = dropped(x, layer)
    backend.linear(input, layer.weight, bias: nil, into: z)
    if seed(layer) != nil {
      backend.linear(x.operand, layer.weight, bias: layer.bias, into: y)
      backend.add(z, scaledBy: -1, to: y)
    } else if let bias = layer.bias {
      for row in 0..<y.rows { y.rows(row..<row + 1).copy(from: bias) }
    } else {
      y.fill(0)
    }
    addLowRank(lora, input, low: low, to: z)
    backend.addColumnsScaled(z, by: dora.scale, to: y)
  }

  /// The gradients of ``doraLinear``. The norm counts as a constant (Liu et al., "DoRA", 2024, section 4.3), so
  /// dm = Σ_t dy∘z / ‖W + scaling·B·A‖ and dz = g∘dy.
  private func doraBackward(
    _ layer: Linear, _ lora: LoraLayer, _ dora: DoRAScale, product z: Matrix, low: Operand, dy: LayerInput,
    x: LayerInput, dx: Matrix?, accumulate: Bool
  ) {
    if let gradient = lora.gradientMagnitude {
      let sums = arena.matrix(1, dy.matrix.columns)
      backend.columnDots(dy.matrix, z, into: sums)
      backend.addColumnsScaled(sums, by: dora.inverseNorm, to: gradient)
    }
    let dz = arena.matrix(dy.matrix.rows, dy.matrix.columns)
    dz.fill(0)
    backend.addColumnsScaled(dy.matrix, by: dora.scale, to: dz)
    let scaled = operand(dz)
    let input = dropped(x, layer)
    guard let dx, seed(layer) != nil else {
      if let dx { backend.linearInputGradient(scaled, layer.weight, into: dx, accumulate: accumulate) }
      return lowRankBackward(lora, d: scaled, input: input, low: low, dInput: dx, accumulate: true)
    }
    backend.linearInputGradient(dy.operand, layer.weight, into: dx, accumulate: accumulate)
    let dInput = arena.matrix(dx.rows, dx.columns)
    lowRankBackward(lora, d: scaled, input: input, low: low, dInput: dInput, accumulate: false)
    backend.add(dy.matrix, scaledBy: -1, to: dz)
    backend.linearInputGradient(dz, layer.weight, into: dInput, accumulate: true)
    addDropped(dInput, layer, to: dx)
  }
}
