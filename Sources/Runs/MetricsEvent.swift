/// One line of `log/metrics.jsonl`.
public struct MetricsEvent: Codable, Sendable, Equatable {
  public enum Split: String, Codable, Sendable { case train, eval }

  /// Optimizer steps done when this was measured; an evaluation before training has step 0.
  public var step: Int
  /// Passes over the training rows done, with its fraction; nil where an imported log does not tell it.
  public var epoch: Double?
  public var split: Split
  /// Mean cross-entropy in nats over the supervised tokens (of the effective batch, or of the whole validation split).
  public var loss: Double?
  /// Of the step just done.
  public var learningRate: Double?
  /// The global L2 norm of the adapter's gradient before clipping.
  public var gradNorm: Double?
  /// Tokens that went through the model (as computed, a shared prefix once), and those that were supervised.
  public var tokens: Int?
  public var supervisedTokens: Int?
  public var tokensPerSecond: Double?
  /// The process's peak resident memory so far.
  public var peakMemoryBytes: Int?
  /// Seconds since 1970; nil where an imported log does not tell it.
  public var time: Double?
  /// On the first line after a resume.
  public var resumed: Bool?
  /// True where an imported log has NaN or infinity for the loss, which is nil as well where nothing was logged.
  public var lossNotANumber: Bool?
  /// What an imported log has besides, by its own names: "mean_token_accuracy", "eval_bleu".
  public var other: [String: Double]?

  public init(step: Int, epoch: Double?, split: Split, loss: Double?, time: Double?) {
    self.step = step
    self.epoch = epoch
    self.split = split
    self.loss = loss
    self.time = time
  }
}
