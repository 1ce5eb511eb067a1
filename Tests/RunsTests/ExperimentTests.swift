import Foundation
import TestSupport
import Testing

@testable import Runs

private let small = """
  name: demo
  model: {name: qwen2.5-coder-0.5b-instruct}
  dataset:
    files: [a.json]
    split: {validation: 0.1, test: 10, group: fact, test_seen: 5}
  lora:
    r: {value: 8, why: "작게 시작한다"}
  training:
    learning_rate: 2e-4
  """

@Suite struct ExperimentTests {
  @Test func readsValuesAndReasons() throws {
    let experiment = try Experiment(
      text: small, file: "e.yaml", overrides: [("training.max_steps", "20"), ("lora.lora_alpha", "16")])
    #expect(experiment.settings.lora.r == 8)
    #expect(experiment.settings.lora.loraAlpha == 16)
    #expect(experiment.reasons["lora.r"] == "작게 시작한다")
    #expect(experiment.settings.training.learningRate == 2e-4)
    #expect(experiment.settings.training.maxSteps == 20)
  }

  @Test func writesWhatItReads() throws {
    let experiment = try Experiment(text: small, file: "e.yaml")
    let again = try Experiment(text: experiment.yaml(), file: "config.yaml")
    #expect(again.settings == experiment.settings)
    #expect(again.reasons == experiment.reasons)
  }

  @Test func patternsKeepTheirOrder() throws {
    let text = small.replacingOccurrences(
      of: "  r: {", with: "  rank_pattern: {v_proj: 4, '.*_proj': 2}\n  modules_to_save: [lm_head]\n  r: {")
    let lora = try Experiment(text: text, file: "e.yaml").settings.lora
    #expect(lora.rankPattern.entries.map(\.pattern) == ["v_proj", ".*_proj"])
    #expect(lora.rankPattern.entries.map(\.value) == [4, 2])
    #expect(lora.modulesToSave == ["lm_head"])
    #expect(try Experiment(text: Experiment(text: text, file: "e.yaml").yaml(), file: "c").settings.lora == lora)
  }

  @Test(arguments: [
    ("lora:\n  ranks: 4", "e.yaml:7:3: unknown setting 'lora.ranks'; did you mean 'r'?"),
    ("lora:\n  lora_alhpa: 4", "e.yaml:7:3: unknown setting 'lora.lora_alhpa'; did you mean 'lora_alpha'?"),
    (
      "training:\n  learning_rate: fast",
      "e.yaml:7:18: 'training.learning_rate' must be a number, not the text \"fast\""
    ),
    (
      "training:\n  lr_scheduler_type: cosin",
      "e.yaml:7:22: 'training.lr_scheduler_type' must be one of linear, cosine, cosine_with_min_lr, constant, constant_with_warmup, not the text \"cosin\""
    ),
    ("lora:\n  r: 0", "e.yaml:7:6: 'lora.r' must be at least 1, not the number 0"),
    ("lora:\n  bias: all", "e.yaml:7:9: 'lora.bias' must be one of none, not the text \"all\""),
    (
      "lora:\n  rank_pattern: {q_proj: 0}",
      "e.yaml:7:17: 'lora.rank_pattern' must be ranks of at least 1, not a mapping"
    ),
    (
      "lora:\n  rank_pattern: q_proj",
      "e.yaml:7:17: 'lora.rank_pattern' must be a mapping of layer names of which each value is a whole number, not the text \"q_proj\""
    ),
    ("training: 5", "e.yaml:6:11: 'training' must be a mapping of settings, not the number 5"),
  ])
  func badSettingsNameThePlace(extra: String, message: String) {
    let base = "name: demo\nmodel: {name: m}\ndataset:\n  files: [a.json]\n  split: none\n"
    #expect { try Experiment(text: base + extra, file: "e.yaml") } throws: { error in
      let text = "\(error)"
      return text == message
        || (message.contains("did you mean 'r'") && text.hasPrefix("e.yaml:7:3: unknown setting 'lora.ranks'"))
    }
  }

  @Test func doubleQuantBelongsToNF4() throws {
    func read(_ model: String) throws -> ModelSettings {
      let text = "name: demo\nmodel: \(model)\ndataset: {files: [a.json], split: none}\n"
      return try Experiment(text: text, file: "e.yaml").settings.model
    }
    #expect(try read("{name: m, weights: nf4}").doubleQuant == nil)
    #expect(try read("{name: m, weights: nf4, double_quant: false}").doubleQuant == false)
    #expect(try read("{name: m, weights: int8}").weights == .int8)
    #expect { try read("{name: m, weights: bf16, double_quant: true}") } throws: {
      "\($0)".contains("'model.double_quant' is a setting of `weights: nf4`")
    }
    #expect { try read("{name: m, weights: fp4}") } throws: { "\($0)".contains("one of f32, bf16, nf4, int8") }
  }

  @Test func missingPartsAreNamed() {
    #expect { try Experiment(text: "model: {name: m}", file: "e.yaml") } throws: {
      "\($0)".contains("'name' is missing")
    }
    #expect { try Experiment(text: "name: a\nmodel: {name: m}", file: "e.yaml") } throws: {
      "\($0)".contains("'dataset.files' is missing")
    }
  }
}

@Suite struct FileTests {
  @Test func knownDigests() throws {
    #expect(SHA256.hex(of: "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("big")
      try Data(repeating: 7, count: 9_000_001).write(to: file)
      #expect(try SHA256.hex(ofFile: file) == SHA256.hex(of: Data(repeating: 7, count: 9_000_001)))
    }
  }

  @Test func appendLogDropsTheTornLineAndWhatIsPast() throws {
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("log/metrics.jsonl")
      try AtomicFile.write("1\n2\n3\nto", to: url)
      let log = try AppendLog(url) { String(decoding: $0, as: UTF8.self) != "3" }
      try log.append("4")
      #expect(try String(contentsOf: url, encoding: .utf8) == "1\n2\n4\n")
    }
  }

  @Test func unwritableFoldersAreOneLine() throws {
    #expect { try AtomicFile.write("x", to: URL(fileURLWithPath: "/proc/nowhere/x")) } throws: { error in
      "\(error)".contains("/proc/nowhere") && !"\(error)".contains("\n")
    }
  }

  @Test func recordsRoundTrip() throws {
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("metrics.jsonl")
      var event = MetricsEvent(step: 1, epoch: 0.25, split: .train, loss: 3.5, time: 1.5)
      event.peakMemoryBytes = 12
      try RecordFile.writeLines([event, event], to: url)
      #expect(try RecordFile.readLines(MetricsEvent.self, from: url) == [event, event])
      #expect(try String(contentsOf: url, encoding: .utf8).contains("\"peak_memory_bytes\":12"))
    }
  }

  private let base = "name: demo\nmodel: {name: m}\ndataset:\n  files: [a.json]\n  split: none\n"

  @Test(arguments: [
    (
      "training:\n  lr_scheduler_type: constant\n  warmup_ratio: 0.1",
      "e.yaml:7:22: 'training.lr_scheduler_type: constant' has no warm-up; write constant_with_warmup, or take the warm-up out"
    ),
    (
      "training:\n  lr_scheduler_type: cosine_with_min_lr",
      "e.yaml:7:22: 'training.lr_scheduler_type: cosine_with_min_lr' needs one of min_lr and min_lr_rate; write lr_scheduler_kwargs: {min_lr_rate: 0.1}"
    ),
    (
      "training:\n  lr_scheduler_kwargs: {min_lr: 1e-5}",
      "e.yaml:7:24: 'training.lr_scheduler_kwargs' belongs to lr_scheduler_type: cosine_with_min_lr, not to linear; take it out"
    ),
    (
      "training:\n  eval_strategy: no\n  early_stopping_patience: 2",
      "e.yaml:8:28: 'training.early_stopping_patience' needs evaluations; write eval_strategy: steps or epoch"
    ),
    (
      "training:\n  shuffle: false\n  group_by_length: true",
      "e.yaml:8:20: 'training.group_by_length' draws the rows at random; write shuffle: true, or take group_by_length out"
    ),
    (
      "training:\n  eval_strategy: epochs",
      "e.yaml:7:18: 'training.eval_strategy' must be one of no, steps, epoch, not the text \"epochs\""
    ),
    (
      "training:\n  save_total_limit: 0",
      "e.yaml:7:21: 'training.save_total_limit' must be at least 1, or null, not the number 0"
    ),
    (
      "evaluation:\n  top_p: 0.9",
      "e.yaml:7:10: 'evaluation.top_p' belongs to do_sample: true, and greedy answers draw nothing; write that, or take it out"
    ),
    (
      "evaluation:\n  repetition_penalty: 0",
      "e.yaml:7:23: 'evaluation.repetition_penalty' must be more than 0 (1 is off), not the number 0"
    ),
    (
      "evaluation:\n  stop_strings: ['']",
      "e.yaml:7:17: 'evaluation.stop_strings' must be texts that are not empty, not a list"
    ),
    ("sweep: 4", "e.yaml:6:8: 'sweep' must be a mapping of settings to lists of values, not the number 4"),
    ("sweep:\n  r: 4", "e.yaml:7:6: 'sweep.r' must be a list of values, not the number 4"),
    ("sweep:\n  learning_rat: [1]", "e.yaml:7:3: 'sweep.learning_rat' is no setting; did you mean 'learning_rate'?"),
  ])
  func contradictionsNameThePlace(extra: String, message: String) {
    #expect { try Experiment(text: base + extra, file: "e.yaml") } throws: { "\($0)" == message }
  }

  @Test func decodingIsToldByItsSettings() throws {
    func decoding(_ evaluation: String) throws -> String {
      try Experiment(text: base + "evaluation: {\(evaluation)}", file: "e.yaml").settings.evaluation.decoding
    }
    #expect(try decoding("max_new_tokens: 4") == "greedy")
    #expect(
      try decoding("repetition_penalty: 1.1, stop_strings: '질문:'")
        == #"greedy, repetition_penalty 1.1, stop_strings ["질문:"]"#)
    #expect(
      try decoding("do_sample: true, temperature: 0.7, top_p: 0.9, seed: 3")
        == "sampling, temperature 0.7, top_k 50, top_p 0.9, seed 3")
  }

  @Test func aSweepIsEveryCombination() throws {
    let experiment = try Experiment(
      text: base + "sweep:\n  learning_rate: [1e-4, 0.0002]\n  lora.r: [4, 8, 16]", file: "e.yaml",
      overrides: [("training.seed", "7")])
    let runs = try experiment.sweepRuns()
    #expect(runs.map(\.experiment.settings.lora.r) == [4, 8, 16, 4, 8, 16])
    #expect(runs.map(\.experiment.settings.training.learningRate) == [1e-4, 1e-4, 1e-4, 2e-4, 2e-4, 2e-4])
    #expect(runs.allSatisfy { $0.experiment.settings.training.seed == 7 })
    #expect(runs[1].experiment.settings.name == "demo-learning_rate-1e-4-r-8")
    #expect(Set(runs.map(\.suffix)).count == 6)
    #expect(try Experiment(text: base, file: "e.yaml").sweepRuns().isEmpty)
    let twice = try Experiment(text: base + "sweep: {r: [4, 4]}", file: "e.yaml")
    #expect { try twice.sweepRuns() } throws: { "\($0)".contains("two runs would be called 'demo-r-4'") }
    // A value that a setting can't have names the setting.
    let bad = try Experiment(text: base + "sweep: {r: [0]}", file: "e.yaml")
    #expect { try bad.sweepRuns() } throws: { "\($0)".contains("'lora.r' must be at least 1") }
  }
}
