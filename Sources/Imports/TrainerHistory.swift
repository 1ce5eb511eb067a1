import Formats
import Foundation
import Runs

/// The two logs that transformers' Trainer and the tools around it leave: `trainer_state.json`, and LLaMA-Factory's `trainer_log.jsonl`.
enum TrainerHistory {
  /// Takes `trainer_state.json`; `shown` names it in errors.
  static func read(state data: Data, shown: String, into log: inout ImportedLog) throws {
    let state: JSONValue
    do { state = try JSONValue(parsing: data, file: shown, allowNaN: true) } catch {
      throw RunsError("\(error); copy the file again")
    }
    guard let history = state["log_history"]?.array else {
      throw RunsError("\(shown): 'log_history' is missing or no list; this is no trainer_state.json of a Trainer")
    }
    log.signs.insert("trainer")
    for (index, entry) in history.enumerated() {
      try read(entry, place: "\(shown): log_history entry \(index + 1)", into: &log)
    }
    log.steps = try state["global_step"].map { try ImportedLog.step($0, place: shown, key: "global_step") }
    log.epochs = state["epoch"]?.double.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    log.loggingSteps = state["logging_steps"]?.integer
    // 0 means that the Trainer did not count them.
    if let tokens = state["num_input_tokens_seen"]?.integer, tokens > 0 { log.tokens = tokens }
    var rest = state.object ?? JSONObject()
    for key in ["log_history", "global_step", "epoch", "stateful_callbacks", "num_input_tokens_seen"] {
      rest[key] = nil
    }
    for key in ["is_hyper_param_search", "is_local_process_zero", "is_world_process_zero"] { rest[key] = nil }
    log.settings.keep(rest.entries.map { ($0.key, YAMLNode($0.value)) }, under: "trainer_state")
  }

  private static func read(_ entry: JSONValue, place: String, into log: inout ImportedLog) throws {
    guard let object = entry.object else {
      throw RunsError("\(place): an object was expected, not \(entry.kind); copy the file again")
    }
    let step = try ImportedLog.step(object["step"], place: place, key: "step")
    if object["train_runtime"] != nil {
      for entry in object.entries where entry.key.hasPrefix("train_") || entry.key == "total_flos" {
        log.totals[entry.key] = log.number(entry.value)
      }
      return
    }
    let split: MetricsEvent.Split = object.keys.contains { $0.hasPrefix("eval_") } ? .eval : .train
    var line = MetricsEvent(
      step: step, epoch: log.number(object["epoch"] ?? .bool(false)), split: split, loss: nil, time: nil)
    let lossKey = split == .eval ? "eval_loss" : "loss"
    var other: [String: Double] = [:]
    for entry in object.entries where !["step", "epoch"].contains(entry.key) {
      let value = log.number(entry.value)
      switch entry.key {
      case lossKey: line.loss = value
      case "learning_rate": line.learningRate = value
      case "grad_norm": line.gradNorm = value
      default: other[entry.key] = value
      }
    }
    if other.keys.contains("mean_token_accuracy") { log.signs.insert("trl") }
    line.other = other.isEmpty ? nil : other
    add(line, hasLoss: object[lossKey] != nil, to: &log)
  }

  /// Takes LLaMA-Factory's log, one object a line; a last line without its end is passed over.
  static func read(lines data: Data, path: String, shown: String, into log: inout ImportedLog) throws {
    var whole = data
    if let end = data.lastIndex(of: 0x0A) { whole = data[...end] } else { whole = Data() }
    if whole.count < data.count {
      // A file that ends without a line end may still be whole.
      if (try? JSONValue(parsing: data[whole.endIndex...], file: shown, allowNaN: true)) != nil {
        whole = data
      } else {
        log.note(.init(.cutOff, file: path, offset: whole.count))
      }
    }
    var number = 0
    for line in whole.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      let value: JSONValue
      do { value = try JSONValue(parsing: line, file: shown, firstLine: number, allowNaN: true) } catch {
        throw RunsError("\(error); copy the file again")
      }
      guard let object = value.object else {
        throw RunsError("\(shown):\(number): an object was expected, not \(value.kind); copy the file again")
      }
      try readLine(object, place: "\(shown):\(number)", into: &log)
    }
    log.signs.formUnion(["llama-factory", "trainer"])
  }

  private static func readLine(_ object: JSONObject, place: String, into log: inout ImportedLog) throws {
    let step = try ImportedLog.step(object["current_steps"], place: place, key: "current_steps")
    let split: MetricsEvent.Split = object["eval_loss"] != nil ? .eval : .train
    let lossKey = split == .eval ? "eval_loss" : "loss"
    log.steps = max(log.steps ?? 0, step)
    if let tokens = object["total_tokens"]?.integer, tokens > 0 { log.tokens = max(log.tokens ?? 0, tokens) }
    if let epoch = object["epoch"]?.double, epoch.isFinite { log.epochs = max(log.epochs ?? 0, epoch) }
    // The last line of a training, and the progress of a prediction, have no loss.
    guard object[lossKey] != nil else { return }
    var line = MetricsEvent(
      step: step, epoch: log.number(object["epoch"] ?? .bool(false)), split: split, loss: log.number(object[lossKey]),
      time: nil)
    line.learningRate = object["lr"].flatMap { log.number($0) }
    var other: [String: Double] = [:]
    for key in ["throughput", "total_tokens", "accuracy", "reward", "vram_allocated", "vram_reserved"] {
      if let value = object[key] { other[key] = log.number(value) }
    }
    line.other = other.isEmpty ? nil : other
    add(line, hasLoss: true, to: &log)
  }

  /// A step of training that comes again, or goes back, is the training going on after it was cut off; an evaluation of a step
  /// that comes again takes the earlier one's place.
  private static func add(_ line: MetricsEvent, hasLoss: Bool, to log: inout ImportedLog) {
    let known = log.curve.event(line.split, line.step)
    if line.split == .train, hasLoss, let last = log.curve.last(.train), line.step <= last.step,
      line.step < last.step || known?.loss != nil
    {
      log.curve.restart(at: line.step)
    } else if line.split == .eval, hasLoss, known?.loss != nil {
      log.curve.countRepeated()
    }
    log.curve.update(line.split, line.step) { event in
      event.epoch = line.epoch ?? event.epoch
      if hasLoss {
        event.loss = line.loss
        event.lossNotANumber = line.loss == nil ? true : nil
      }
      event.learningRate = line.learningRate ?? event.learningRate
      event.gradNorm = line.gradNorm ?? event.gradNorm
      if let other = line.other { event.other = (event.other ?? [:]).merging(other) { $1 } }
    }
  }
}

extension YAMLNode {
  /// The same value, with the digits of its numbers.
  init(_ json: JSONValue) {
    switch json {
    case .null: self = .plain("null")
    case .bool(let value): self = .plain(value ? "true" : "false")
    case .number(let number): self = .plain(number.text)
    case .string(let text): self = .text(text)
    case .array(let elements): self.init(.sequence(elements.map { YAMLNode($0) }))
    case .object(let object): self = .mapping(object.entries.map { ($0.key, YAMLNode($0.value)) })
    }
  }
}
