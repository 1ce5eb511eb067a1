import Compute

/// The frozen weights of a decoder and its shape. One type serves all families; the configuration tells them apart.
public final class Decoder: Sendable {
  public let configuration: DecoderConfiguration
  public let backend: any Backend
  let embedTokens: Weight
  let layers: [DecoderLayer]
  let norm: Matrix
  /// The same object as `embedTokens` where the embeddings are tied.
  let lmHead: Weight
  let inverseFrequencies: [Float]

  init(
    configuration: DecoderConfiguration, backend: any Backend, embedTokens: Weight, layers: [DecoderLayer],
    norm: Matrix, lmHead: Weight,
    inverseFrequencies: [Float]
  ) {
    self.configuration = configuration
    self.backend = backend
    self.embedTokens = embedTokens
    self.layers = layers
    self.norm = norm
    self.lmHead = lmHead
    self.inverseFrequencies = inverseFrequencies
  }

  /// What the products with its layers' weights compute in, and with that what its activations are kept in.
  var computes: Weight.Products {
    layers.contains { $0.linears.contains { $0.weight.computes == .f32 } } ? .f32 : .bf16
  }

  /// What the plain rotary frequencies are divided by, headSize/2 factors: 1, but where Llama 3's scaling stretches them.
  public var frequencyFactors: [Float] {
    var plain = configuration
    plain.ropeScaling = nil
    return zip(plain.inverseFrequencies, inverseFrequencies).map { $0 / $1 }
  }

  /// The number of weights, each counted once.
  public var parameterCount: Int {
    var count = embedTokens.rows * embedTokens.columns + norm.columns
    if lmHead !== embedTokens { count += lmHead.rows * lmHead.columns }
    for layer in layers {
      for norm in [layer.inputLayernorm, layer.postAttentionLayernorm, layer.qNorm, layer.kNorm] {
        count += norm?.columns ?? 0
      }
      for linear in layer.linears { count += linear.weight.rows * linear.weight.columns + (linear.bias?.columns ?? 0) }
    }
    return count
  }
}

/// A decoder at work, with an adapter or without: forward, loss and gradients over packed batches.
///
/// Holds the memory of its steps; use one from one thread at a time.
public final class DecoderSession {
  public let decoder: Decoder
  public let adapter: LoraAdapter?
  /// Whether a training step keeps only each layer's input and makes the rest again in the backward (Chen et al., "Training Deep
  /// Nets with Sublinear Memory Cost", 2016): less memory and more time for the same bits.
  public let gradientCheckpointing: Bool
  private let arena = Arena()
  private var doraScales: [String: DoRAScale] = [:]
  /// So many supervised rows meet the head at once: the vocabulary-sized matrix is never whole in memory.
  private static let headChunk = 256

  public init(_ decoder: Decoder, adapter: LoraAdapter?, gradientCheckpointing: Bool = false) {
    self.decoder = decoder
    self.adapter = adapter
    self.gradientCheckpointing = gradientCheckpointing
  }

  /// The bytes that the matrices of the largest step so far took, weights and adapter not counted.
  public var stepByteCount: Int { arena.byteCount }

  private var backend: any Backend { decoder.backend }
  private var width: Int { decoder.configuration.hiddenSize }

  /// The runner for a step of so many tokens.
  private func runner(tokens: Int, dropoutSeed: UInt64?) -> LayerRunner {
    LayerRunner(
      decoder, adapter: adapter, arena: arena, dropoutSeed: dropoutSeed, doraScales: doraScales,
      precision: tokens < Operand.fewestRoundedRows ? .f32 : decoder.computes)
  }

  /// Gives the arena back and takes note of the adapter's numbers, which may have changed since the last call.
  private func begin() {
    arena.reset()
    if let adapter { doraScales = adapter.doraScales(on: decoder) }
  }

  private var embedTokens: Weight { adapter?.embedTokens?.held ?? decoder.embedTokens }
  private var lmHead: Weight { adapter?.lmHead?.held ?? decoder.lmHead }

  // MARK: Loss

  /// The loss of each supervised token, -log p in nats, in the batch's order. Nothing is kept for a backward.
  public func losses(_ batch: PackedBatch) -> [Float] {
    guard !batch.targets.isEmpty else { return [] }
    begin()
    let x = forwardWithoutKeeping(
      ids: batch.ids, positions: batch.positions, segments: batch.segments, rows: batch.predicting)
    let hidden = normalised(x).output
    return head(hidden, targets: batch.targets, gradientScale: nil, dHidden: nil)
  }

  // region: forward-backward
  /// The losses of the supervised tokens, and the adapter's gradients of `gradientScale` × their sum, added to what
  /// `adapter.gradients` holds. `dropoutSeed` picks the dropout masks; nil switches dropout off. `noise` is laid on the embeddings.
  public func lossesAndGradients(
    _ batch: PackedBatch, gradientScale: Float, dropoutSeed: UInt64?, noise: EmbeddingNoise? = nil
  ) -> [Float] {
    guard let adapter, !batch.targets.isEmpty else { return losses(batch) }
    begin()
    let runner = runner(tokens: batch.ids.count, dropoutSeed: dropoutSeed)
    var x = arena.matrix(batch.ids.count, width)
    backend.gather(embedTokens, rows: batch.ids, into: x)
    noise?.add(to: x, segments: batch.segments, lengths: batch.lengths)
    var inputs: [Matrix] = []
    var kept: [LayerActivations?] = []
    // Of the last layer only the outputs that predict a supervised token are made, and only they meet the head.
    func rows(_ index: Int) -> [Int]? { index == decoder.layers.count - 1 ? batch.predicting : nil }
    for (index, layer) in decoder.layers.enumerated() {
      let out = arena.matrix(rows(index)?.count ?? batch.ids.count, width)
      let mark = arena.mark
      let activations = runner.forward(
        layer, x: x, positions: batch.positions, segments: batch.segments, rows: rows(index), into: out)
      let keeps = index >= adapter.lowestLayer && !gradientCheckpointing
      if !keeps { arena.reset(to: mark) }
      kept.append(keeps ? activations : nil)
      inputs.append(x)
      x = out
    }

    let final = normalised(x)
    let dHidden = arena.matrix(final.output.rows, width)
    let losses = head(final.output, targets: batch.targets, gradientScale: gradientScale, dHidden: dHidden)
    let dInput = arena.matrix(final.output.rows, width)
    backend.rmsNormBackward(
      dHidden, x: x, gain: decoder.norm, inverseRMS: final.inverseRMS, into: dInput, accumulate: false)
    let d = arena.matrix(batch.ids.count, width)
    d.fill(0)
    d.scatter(batch.predicting, from: dInput)

    for index in stride(from: decoder.layers.count - 1, through: adapter.lowestLayer, by: -1) {
      let layer = decoder.layers[index]
      let mark = arena.mark
      // Dropout's masks follow from the seed and the layer's path: what is made again equals what was dropped.
      let activations =
        kept[index]
        ?? runner.forward(
          layer, x: inputs[index], positions: batch.positions, segments: batch.segments, rows: rows(index),
          into: nil)
      runner.backward(
        layer, activations, segments: batch.segments, positions: batch.positions, d: d,
        needsInput: index > adapter.lowestLayer || adapter.embedTokens != nil)
      arena.reset(to: mark)
    }
    if let gradient = adapter.embedTokens?.gradient {
      for (row, id) in batch.ids.enumerated() {
        backend.add(d.rows(row..<row + 1), scaledBy: 1, to: gradient.rows(Int(id)..<Int(id) + 1))
      }
    }
    return losses
  }
  // endregion: forward-backward

  /// Logits (rows.count, V) at the given packed rows.
  public func logits(_ batch: PackedBatch, rows: [Int]) -> Matrix {
    begin()
    let x = forwardWithoutKeeping(ids: batch.ids, positions: batch.positions, segments: batch.segments, rows: rows)
    let hidden = normalised(x).output
    let result = Matrix(rows.count, lmHead.rows)
    backend.linear(hidden, lmHead, bias: nil, into: result)
    return result
  }

  // MARK: Steps with a cache

  /// Feeds new tokens of several sequences (index, ids), and returns the logits (sequences, V) after each one's last token.
  func step(_ fed: [(sequence: Int, ids: [Int32])], cache: KeyValueCache) -> Matrix {
    // An answer that goes on has the adapter it began with.
    if fed.contains(where: { cache.lengths[$0.sequence] == 0 }) { begin() } else { arena.reset() }
    var ids: [Int32] = []
    var positions: [Int32] = []
    var segments: [AttentionSegment] = []
    var places: [(from: Range<Int>, to: Range<Int>)] = []
    var last: [Int] = []
    for (sequence, tokens) in fed {
      let before = cache.lengths[sequence]
      let (new, all) = cache.extend(sequence, by: tokens.count)
      let rows = ids.count..<ids.count + tokens.count
      ids += tokens
      positions += (before..<before + tokens.count).map(Int32.init)
      segments.append(AttentionSegment(queryRows: rows, keyRows: [all]))
      places.append((rows, new))
      last.append(rows.upperBound - 1)
    }
    let x = forwardWithoutKeeping(
      ids: ids, positions: positions, segments: segments, cache: cache, places: places, rows: last)
    let hidden = normalised(x).output
    let logits = arena.matrix(last.count, lmHead.rows)
    backend.linear(hidden, lmHead, bias: nil, into: logits)
    return logits
  }

  // MARK: Parts

  /// (rows.count, D): the last layer's output at the given packed rows.
  private func forwardWithoutKeeping(
    ids: [Int32], positions: [Int32], segments: [AttentionSegment], cache: KeyValueCache? = nil,
    places: [(from: Range<Int>, to: Range<Int>)] = [], rows: [Int]
  ) -> Matrix {
    let runner = runner(tokens: ids.count, dropoutSeed: nil)
    var x = arena.matrix(ids.count, width)
    var out = arena.matrix(ids.count, width)
    let last = arena.matrix(rows.count, width)
    backend.gather(embedTokens, rows: ids, into: x)
    for (index, layer) in decoder.layers.enumerated() {
      let mark = arena.mark
      let cacheLayer = cache.map { CacheLayer(keys: $0.keys[index], values: $0.values[index], places: places) }
      let isLast = index == decoder.layers.count - 1
      _ = runner.forward(
        layer, x: x, positions: positions, segments: segments, cache: cacheLayer, rows: isLast ? rows : nil,
        into: isLast ? last : out)
      arena.reset(to: mark)
      swap(&x, &out)
    }
    return last
  }

  /// The final norm.
  private func normalised(_ x: Matrix) -> (output: Matrix, inverseRMS: Matrix) {
    let output = arena.matrix(x.rows, width)
    let inverseRMS = arena.matrix(x.rows, 1)
    backend.rmsNorm(
      x, gain: decoder.norm, epsilon: decoder.configuration.rmsNormEpsilon, into: output, inverseRMS: inverseRMS)
    return (output, inverseRMS)
  }

  /// The losses of `hidden` (N,D) against targets through the head, chunk by chunk; with `dHidden` also the gradient.
  private func head(_ hidden: Matrix, targets: [Int32], gradientScale: Float?, dHidden: Matrix?) -> [Float] {
    // A trained head wants the gradient of its logits too.
    let trainsHead = gradientScale != nil && adapter?.lmHead != nil
    if !trainsHead,
      let losses = backend.headCrossEntropy(
        hidden, lmHead, targets: targets, gradientScale: gradientScale, dHidden: dHidden)
    {
      return losses
    }
    var losses: [Float] = []
    losses.reserveCapacity(targets.count)
    for start in stride(from: 0, to: targets.count, by: Self.headChunk) {
      let rows = start..<min(start + Self.headChunk, targets.count)
      let mark = arena.mark
      let logits = arena.matrix(rows.count, lmHead.rows)
      backend.linear(hidden.rows(rows), lmHead, bias: nil, into: logits)
      losses += backend.crossEntropy(logits: logits, targets: Array(targets[rows]), gradientScale: gradientScale)
      if gradientScale != nil, let gradient = adapter?.lmHead?.gradient {
        backend.multiply(
          logits, transposeA: true, hidden.rows(rows), transposeB: false, alpha: 1, beta: 1, into: gradient)
      }
      if let dHidden {
        backend.linearInputGradient(logits, lmHead, into: dHidden.rows(rows), accumulate: false)
      }
      arena.reset(to: mark)
    }
    return losses
  }
}
