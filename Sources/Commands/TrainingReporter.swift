import Foundation
import Training

/// Turns a training's events into a progress line and a line for each evaluation.
final class TrainingReporter {
  private let console: Console
  private let progress: Progress

  init(_ console: Console) {
    self.console = console
    progress = Progress(console, Words("Training", ko: "학습"))
  }

  func report(_ event: TrainingEvent) {
    switch event {
    case .started(let total, let step):
      if step > 0 {
        console.note(
          Words("Continuing after step \(step) of \(total)", ko: "\(total) step 중 \(step) step 다음부터 이어서 학습합니다"))
      }
    case .step(let event, let total):
      progress.update(
        event.step, of: total,
        detail: "loss \(shown(event.loss)) · \(Int((event.tokensPerSecond ?? 0).rounded())) tokens/s")
    case .evaluating: break
    case .evaluated(let event, let isBest):
      progress.close()
      let mark = isBest ? Words(" (best so far)", ko: " (지금까지 최저)") : ""
      console.note(
        Words(
          "step \(event.step): eval_loss \(shown(event.loss))\(mark.en)",
          ko: "step \(event.step): 검증 손실 \(shown(event.loss))\(mark.ko)"))
    case .saved: break
    }
  }

  func close() { progress.close() }

  private func shown(_ loss: Double?) -> String { loss.map { String(format: "%.3f", $0) } ?? "—" }
}
