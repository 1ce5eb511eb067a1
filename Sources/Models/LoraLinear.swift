import Compute

/// Linear layers with their adapter, forward and backward.
extension LayerRunner {
  /// y (T,out) ← x (T,in)·Wᵀ + bias, and with an adapter + scaling · (dropout(x)·Aᵀ)·Bᵀ. A DoRA layer's product before its
  /// magnitude is returned, for the backward.
  func linear(_ layer: Linear, _ x: Matrix, into y: Matrix) -> Matrix? {
    guard let lora = adapter?.layer(layer.path) else {
      backend.linear(x, layer.weight, bias: layer.bias, into: y)
      return nil
    }
    if let dora = doraScales[layer.path] { return doraLinear(layer, lora, dora, x, into: y) }
    backend.linear(x, layer.weight, bias: layer.bias, into: y)
    let mark = arena.mark
    addLowRank(lora, dropped(x, layer), to: y)
    arena.reset(to: mark)
    return nil
  }

  /// Adds the adapter's gradients for dy (T,out), and the input's gradient to dx (T,in) unless it is nil.
  func linearBackward(
    _ layer: Linear, _ activations: LayerActivations, dy: Matrix, x: Matrix, dx: Matrix?, accumulate: Bool
  ) {
    guard let lora = adapter?.layer(layer.path) else {
      if let dx { backend.linearInputGradient(dy, layer.weight, into: dx, accumulate: accumulate) }
      return
    }
    let mark = arena.mark
    if let dora = doraScales[layer.path], let product = activations.products[layer.path] {
      doraBackward(layer, lora, dora, product: product, dy: dy, x: x, dx: dx, accumulate: accumulate)
    } else {
      if let dx { backend.linearInputGradient(dy, layer.weight, into: dx, accumulate: accumulate) }
      let dInput = seed(layer) == nil ? nil : dx.map { arena.matrix($0.rows, $0.columns) }
      lowRankBackward(lora, d: dy, input: dropped(x, layer), dInput: dInput ?? dx, accumulate: dInput == nil)
      if let dx, let dInput { addDropped(dInput, layer, to: dx) }
    }
    arena.reset(to: mark)
  }

  // MARK: Low rank

  /// y (T,out) ← y + scaling · (input·Aᵀ)·Bᵀ
  private func addLowRank(_ lora: LoraLayer, _ input: Matrix, to y: Matrix) {
    let low = arena.matrix(input.rows, lora.a.rows)
    backend.multiply(input, transposeA: false, lora.a, transposeB: true, alpha: 1, beta: 0, into: low)
    backend.multiply(low, transposeA: false, lora.b, transposeB: true, alpha: lora.scaling, beta: 1, into: y)
  }

  /// Adds the gradients of A and B for d (T,out), the gradient of ``addLowRank``'s sum, and gives that of `input`.
  private func lowRankBackward(_ lora: LoraLayer, d: Matrix, input: Matrix, dInput: Matrix?, accumulate: Bool) {
    // A·x is cheap to make again: r columns against the layer's thousands.
    let low = arena.matrix(input.rows, lora.a.rows)
    backend.multiply(input, transposeA: false, lora.a, transposeB: true, alpha: 1, beta: 0, into: low)
    backend.multiply(d, transposeA: true, low, transposeB: false, alpha: lora.scaling, beta: 1, into: lora.gradientB)
    let dLow = arena.matrix(input.rows, lora.a.rows)
    backend.multiply(d, transposeA: false, lora.b, transposeB: false, alpha: lora.scaling, beta: 0, into: dLow)
    backend.multiply(dLow, transposeA: true, input, transposeB: false, alpha: 1, beta: 1, into: lora.gradientA)
    guard let dInput else { return }
    backend.multiply(
      dLow, transposeA: false, lora.a, transposeB: false, alpha: 1, beta: accumulate ? 1 : 0, into: dInput)
  }

  // MARK: Dropout

  /// Nil where nothing is dropped.
  private func seed(_ layer: Linear) -> UInt64? {
    guard let dropoutSeed, let adapter, adapter.configuration.dropout > 0 else { return nil }
    return layer.path.utf8.reduce(dropoutSeed) { RandomNumbers.mix($0 ^ UInt64($1)) }
  }

  private func dropped(_ x: Matrix, _ layer: Linear) -> Matrix {
    guard let seed = seed(layer), let adapter else { return x }
    let result = arena.matrix(x.rows, x.columns)
    backend.dropout(x, probability: Float(adapter.configuration.dropout), seed: seed, into: result)
    return result
  }

  /// dx ← dx + the gradient that dropout lets through; `dInput` is overwritten.
  private func addDropped(_ dInput: Matrix, _ layer: Linear, to dx: Matrix) {
    if let seed = seed(layer), let adapter {
      backend.dropout(dInput, probability: Float(adapter.configuration.dropout), seed: seed, into: dInput)
    }
    backend.add(dInput, scaledBy: 1, to: dx)
  }

  // MARK: DoRA

  /// With g = m / ‖W + scaling·B·A‖ and z = W·x + scaling·B·A·x: y ← g∘z + bias, and z is returned.
  ///
  /// With dropout z is made of the dropped x', and the base's product of the whole x keeps its weight 1, as in PEFT:
  /// y ← W·x + bias + (g − 1)∘(W·x') + g∘(scaling·B·A·x').
  private func doraLinear(_ layer: Linear, _ lora: LoraLayer, _ dora: DoRAScale, _ x: Matrix, into y: Matrix) -> Matrix
  {
    let z = arena.matrix(y.rows, y.columns)
    let mark = arena.mark
    let input = dropped(x, layer)
    backend.linear(input, layer.weight, bias: nil, into: z)
    if seed(layer) != nil {
      backend.linear(x, layer.weight, bias: layer.bias, into: y)
      backend.add(z, scaledBy: -1, to: y)
    } else if let bias = layer.bias {
      for row in 0..<y.rows { y.rows(row..<row + 1).copy(from: bias) }
    } else {
      y.fill(0)
    }
    addLowRank(lora, input, to: z)
    backend.addColumnsScaled(z, by: dora.scale, to: y)
    arena.reset(to: mark)
    return z
  }

  /// The gradients of ``doraLinear``. The norm counts as a constant (Liu et al., "DoRA", 2024, section 4.3), so
  /// dm = Σ_t dy∘z / ‖W + scaling·B·A‖ and dz = g∘dy.
  private func doraBackward(
    _ layer: Linear, _ lora: LoraLayer, _ dora: DoRAScale, product z: Matrix, dy: Matrix, x: Matrix, dx: Matrix?,
    accumulate: Bool
  ) {
    if let gradient = lora.gradientMagnitude {
      let sums = arena.matrix(1, dy.columns)
      backend.columnDots(dy, z, into: sums)
      backend.addColumnsScaled(sums, by: dora.inverseNorm, to: gradient)
    }
    let dz = arena.matrix(dy.rows, dy.columns)
    dz.fill(0)
    backend.addColumnsScaled(dy, by: dora.scale, to: dz)
    let input = dropped(x, layer)
    guard let dx, seed(layer) != nil else {
      if let dx { backend.linearInputGradient(dz, layer.weight, into: dx, accumulate: accumulate) }
      return lowRankBackward(lora, d: dz, input: input, dInput: dx, accumulate: true)
    }
    backend.linearInputGradient(dy, layer.weight, into: dx, accumulate: accumulate)
    let dInput = arena.matrix(x.rows, x.columns)
    lowRankBackward(lora, d: dz, input: input, dInput: dInput, accumulate: false)
    backend.add(dy, scaledBy: -1, to: dz)
    backend.linearInputGradient(dz, layer.weight, into: dInput, accumulate: true)
    addDropped(dInput, layer, to: dx)
  }
}
