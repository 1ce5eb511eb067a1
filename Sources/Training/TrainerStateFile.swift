import Foundation
import Formats
import Runs

/// `trainer_state.json` as Hugging Face's Trainer writes it; its own loader takes these keys and no others.
enum TrainerStateFile {
  static func write(_ events: [MetricsEvent], plan: TrainingPlan, state: TrainingState, to url: URL) throws {
    let history = events.map { event -> JSONValue in
      var entry: JSONObject = ["epoch": event.epoch.map { JSONValue($0) } ?? .null]
      switch event.split {
      case .train:
        entry["grad_norm"] = event.gradNorm.map { JSONValue($0) } ?? .null
        entry["learning_rate"] = event.learningRate.map { JSONValue($0) } ?? .null
        entry["loss"] = event.loss.map { JSONValue($0) } ?? .null
      case .eval: entry["eval_loss"] = event.loss.map { JSONValue($0) } ?? .null
      }
      entry["step"] = JSONValue(event.step)
      return .object(entry)
    }
    let value: JSONValue = [
      "best_global_step": state.bestStep.map { JSONValue($0) } ?? .null,
      "best_metric": state.bestEvalLoss.map { JSONValue($0) } ?? .null,
      "best_model_checkpoint": state.bestStep == nil ? .null : "checkpoints/best",
      "epoch": JSONValue(plan.epoch(after: state.step)),
      "eval_steps": JSONValue(plan.settings.evalSteps),
      "global_step": JSONValue(state.step),
      "is_hyper_param_search": false, "is_local_process_zero": true, "is_world_process_zero": true,
      "log_history": .array(history),
      "logging_steps": 1,
      "max_steps": JSONValue(plan.totalSteps),
      "num_input_tokens_seen": JSONValue(state.tokens),
      "num_train_epochs": JSONValue(Int(plan.epoch(after: plan.totalSteps).rounded(.up))),
      "save_steps": JSONValue(plan.settings.saveSteps),
      "stateful_callbacks": [:],
      "total_flos": 0,
      "train_batch_size": JSONValue(plan.settings.perDeviceTrainBatchSize),
      "trial_name": .null, "trial_params": .null,
    ]
    try AtomicFile.write(value.text(pretty: true) + "\n", to: url)
  }
}
