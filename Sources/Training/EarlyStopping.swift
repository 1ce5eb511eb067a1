/// transformers' `EarlyStoppingCallback`: counts the evaluations in a row that did not lower the best loss by more than a threshold.
///
/// A loss that is lower by no more than the threshold is the new best one all the same.
struct EarlyStopping {
  let patience: Int
  let threshold: Double
  private var best = Double.infinity
  private var withoutImprovement = 0

  init(patience: Int, threshold: Double) {
    self.patience = patience
    self.threshold = threshold
  }

  mutating func take(_ loss: Double) {
    withoutImprovement = best - loss > threshold ? 0 : withoutImprovement + 1
    best = min(best, loss)
  }

  var stops: Bool { withoutImprovement >= patience }
}
