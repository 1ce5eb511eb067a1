import Models

/// The token-weighted loss of a whole split.
public struct LossSummary: Sendable, Equatable {
  /// Mean cross-entropy in nats over all supervised tokens; NaN without any.
  public var loss: Double
  public var supervisedTokens: Int
  /// Tokens that went through the model.
  public var tokens: Int
}

public enum LossEvaluation {
  /// Rows that go through the model together, at most so many tokens of them.
  private static let packedTokens = 768

  /// The sum of all supervised tokens' losses divided by their number: a long answer weighs more than a short one, and the packing
  /// doesn't matter. `isCancelled` is asked between packs; nil comes back when it said yes.
  public static func run(
    _ session: DecoderSession, _ rows: [TokenizedExample], isCancelled: () -> Bool = { false },
    progress: (Int, Int) -> Void = { _, _ in }
  ) -> LossSummary? {
    var sum = 0.0
    var supervised = 0
    var tokens = 0
    var start = 0
    while start < rows.count {
      if isCancelled() { return nil }
      var end = start + 1
      var packed = rows[start].count
      while end < rows.count, packed + rows[end].count <= packedTokens {
        packed += rows[end].count
        end += 1
      }
      let batch = PackedBatch(Array(rows[start..<end]))
      sum += session.losses(batch).reduce(0) { $0 + Double($1) }
      supervised += batch.targets.count
      tokens += batch.ids.count
      start = end
      progress(start, rows.count)
    }
    return LossSummary(
      loss: supervised > 0 ? sum / Double(supervised) : .nan, supervisedTokens: supervised, tokens: tokens)
  }
}
