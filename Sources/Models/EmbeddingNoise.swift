import Compute

/// NEFTune's noise (Jain et al., "NEFTune: Noisy Embeddings Improve Instruction Finetuning", 2023): every component of a row's
/// embeddings gets a number drawn uniformly from ±alpha/√(L·d), where L is the row's number of tokens and d the embedding's width.
///
/// transformers takes the padded length of the batch for L; rows here are never padded, so L is the row's own, as in the paper.
public struct EmbeddingNoise: Sendable, Equatable {
  public var alpha: Double
  /// Picks the numbers: the same seed and batch give the same noise.
  public var seed: UInt64

  public init(alpha: Double, seed: UInt64) {
    self.alpha = alpha
    self.seed = seed
  }

  /// Adds the noise to the embeddings x (T, d) of a batch whose rows share no prefix: one segment is one row, of which `lengths` has the
  /// number of tokens, those that the batch leaves out among them.
  public func add(to x: Matrix, segments: [AttentionSegment], lengths: [Int]) {
    var random = RandomNumbers(seed: seed)
    for (segment, length) in zip(segments, lengths) {
      let rows = x.rows(segment.queryRows)
      let bound = Float(alpha / Double(length * rows.columns).squareRoot())
      rows.withElements { elements in
        for index in elements.indices { elements[index] += (2 * random.nextUnit() - 1) * bound }
      }
    }
  }
}
