import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Imports
@testable import Training

/// What the real tools wrote comes through whole, with its digits.
@Suite struct FixtureTests {
  private static func history(_ fixture: String) throws -> [JSONObject] {
    let state = try JSONValue(parsing: Fixtures.data("Imports", "\(fixture)/trainer_state.json"), file: "state")
    return (state["log_history"]?.array ?? []).compactMap(\.object)
  }

  /// Each logged number stands in `metrics.jsonl` with the digits of the source.
  private static func compare(_ run: RunFolder, with history: [JSONObject]) throws {
    let lines = try JSONValue.lines(of: Data(contentsOf: run.metricsLog), file: "log").map(\.value)
    let logged = history.filter { $0["train_runtime"] == nil }
    #expect(lines.count == logged.count)
    for (line, entry) in zip(lines, logged) {
      let isEval = entry["eval_loss"] != nil
      #expect(line["split"]?.string == (isEval ? "eval" : "train"))
      for (ours, theirs) in [
        ("step", "step"), ("epoch", "epoch"), ("loss", isEval ? "eval_loss" : "loss"), ("grad_norm", "grad_norm"),
        ("learning_rate", "learning_rate"),
      ] {
        #expect(line[ours]?.double == entry[theirs]?.double, "\(ours) of step \(line["step"]?.text() ?? "")")
      }
      if let loss = entry[isEval ? "eval_loss" : "loss"] { #expect(line["loss"]?.text() == loss.text()) }
      for entry in entry.entries
      where !["step", "epoch", "loss", "eval_loss", "grad_norm", "learning_rate"].contains(entry.key) {
        #expect(line["other"]?[entry.key]?.double == entry.value.double, "\(entry.key)")
      }
    }
  }

  @Test func aTrainersFolder() throws {
    // A pipe in the pickle's place: whoever opened it would wait for ever.
    try Imported.run(
      "trainer",
      change: { source in
        let pickle = source.appendingPathComponent("training_args.bin").path
        #expect(unlink(pickle) == 0 && mkfifo(pickle, 0o600) == 0)
      }
    ) { run, record, source in
      try Self.compare(run, with: Self.history("trainer"))
      let origin = try #require(record.origin)
      #expect(origin.tool == "transformers Trainer")
      #expect(origin.versions["Transformers"] == "5.23.0")
      #expect(
        origin.notRecorded == [
          "environment", "model.sha256", "dataset", "evaluation", "training.trainable_parameters", "training.tokens",
          "training.peak_memory_bytes",
        ])
      #expect(record.model?.name == "example/tiny-qwen2")
      #expect(record.environment == nil && record.model?.sha256 == nil && record.training?.tokens == nil)
      #expect(record.status == .trained && record.training?.steps == 48 && record.training?.epochs == 6)
      #expect(record.training?.bestStep == 48 && record.seeds == ["training": 11])
      let all = try JSONValue(parsing: Fixtures.data("Imports", "trainer/all_results.json"), file: "all")
      #expect(record.stages["train"]?.seconds == all["train_runtime"]?.double)
      #expect(record.training?.meanTrainLoss == all["train_loss"]?.double)
      #expect(record.training?.examplesPerSecond == all["train_samples_per_second"]?.double)
      // The event file beside the state tells the times.
      #expect(record.created == "2026-11-18T11:06:40+00:00")
      #expect(try Imported.events(of: run).allSatisfy { $0.time != nil })
      try Self.checkCopies(run, record, source)
    }
  }

  /// Settings come under an experiment's names, with the digits of adapter_config.json and of the arguments in the event file.
  @Test func settingsOfATrainersFolder() throws {
    try Imported.run("trainer") { run, record, _ in
      let config = try YAMLNode(parsing: String(contentsOf: run.config, encoding: .utf8), file: "config.yaml")
      #expect(config["lora"]?["r"]?.integer == 4 && config["lora"]?["lora_dropout"]?.double == 0.05)
      #expect(
        config["lora"]?["target_modules"]?.sequence?.map(\.string)
          == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"])
      #expect(record.origin?.notes.contains(.init(.moduleNames, count: 14)) == true)
      let training = try #require(config["training"])
      #expect(training["learning_rate"]?.double == 0.02 && training["gradient_accumulation_steps"]?.integer == 2)
      #expect(training["lr_scheduler_type"]?.string == "cosine" && training["adam_epsilon"]?.double == 1e-8)
      #expect(training["max_steps"] == nil, "-1 is no number of steps")
      #expect(config["imported"]?["training_args"]?["optim"]?.string == "adamw_torch_fused")
      #expect(record.origin?.notes.contains(.init(.pickle, file: "training_args.bin")) == true)
      #expect(!record.artifacts.contains { $0.path.hasSuffix(".bin") })
    }
  }

  @Test func aTRLFolder() throws {
    try Imported.run("trl") { run, record, _ in
      try Self.compare(run, with: Self.history("trl"))
      #expect(record.origin?.tool == "TRL")
      #expect(record.training?.tokens == 520, "TRL counts num_tokens")
      #expect(record.created == nil && record.origin?.notRecorded.contains("created") == true)
      let events = try Imported.events(of: run)
      #expect(events.first?.other?["mean_token_accuracy"] == 0 && events.first?.other?["entropy"] != nil)
    }
  }

  @Test func aLlamaFactoryFolder() throws {
    try Imported.run("llama-factory") { run, record, source in
      let events = try Imported.events(of: run)
      let history = try Self.history("llama-factory").filter { $0["train_runtime"] == nil }
      #expect(events.count == history.count)
      for (event, entry) in zip(events, history) {
        #expect(
          event.loss == (entry["loss"] ?? entry["eval_loss"])?.double && event.gradNorm == entry["grad_norm"]?.double)
        // Only trainer_log.jsonl tells the speed.
        #expect(event.other?["throughput"] != nil && event.time == nil)
      }
      #expect(record.origin?.tool == "LLaMA-Factory")
      #expect(record.training?.tokens == 770_400 && record.training?.bestStep == 40)
      let config = try YAMLNode(parsing: String(contentsOf: run.config, encoding: .utf8), file: "config.yaml")
      #expect(config["training"]?["max_seq_length"]?.integer == 1024, "cutoff_len")
      #expect(config["training"]?["num_train_epochs"]?.double == 3, "a number in quotes")
      #expect(config["training"]?["seed"]?.integer == 42, "only the model card tells it")
      #expect(config["imported"]?["training_args"]?["template"]?.string == "qwen")
      #expect(record.origin?.notes.contains(.init(.meanOfSteps, count: 5)) == true)
      try Self.checkCopies(run, record, source)
    }
  }

  /// Without trainer_state.json the lines of trainer_log.jsonl are the log.
  @Test func aLlamaFactoryLogAlone() throws {
    let data = try Fixtures.data("Imports", "llama-factory/trainer_log.jsonl")
    let (events, record, _) = try Imported.events(["trainer_log.jsonl": data])
    let lines = try JSONValue.lines(of: data, file: "log").map(\.value).filter {
      $0["loss"] != nil || $0["eval_loss"] != nil
    }
    #expect(events.count == lines.count && events.count == 15)
    for (event, line) in zip(events, lines) {
      #expect(event.step == line["current_steps"]?.integer && event.loss == (line["loss"] ?? line["eval_loss"])?.double)
      #expect(event.learningRate == line["lr"]?.double && event.other?["throughput"] == line["throughput"]?.double)
    }
    #expect(record.origin?.tool == "LLaMA-Factory" && record.origin?.log == "imported/trainer_log.jsonl")
    #expect(record.origin?.notRecorded.contains("log.grad_norm") == true && record.training?.steps == 60)
  }

  /// Every scalar that tensorboard's own reader finds is there, as the same float32; steps logged twice have their later value.
  @Test func tensorBoardFiles() throws {
    try Imported.run("tensorboard") { run, record, source in
      let events = try Imported.events(of: run)
      let expected = try JSONValue(parsing: Fixtures.data("Imports", "tensorboard.expected.json"), file: "expected")
        .object
      var compared = 0
      for entry in try #require(expected).entries {
        var last: [Int: Float] = [:]
        for point in entry.value.array ?? [] {
          last[try #require(point[0]?.integer)] = Float(try #require(point[1]?.double))
        }
        for (step, value) in last {
          let split: MetricsEvent.Split = entry.key.hasPrefix("eval") ? .eval : .train
          let event = try #require(events.first { $0.step == step && $0.split == split })
          let found: Double? =
            switch entry.key {
            case "train/loss", "eval/loss": event.loss
            case "train/learning_rate": event.learningRate
            case "train/grad_norm": event.gradNorm
            case "train/epoch": event.epoch
            default: event.other?[entry.key]
            }
          #expect(found.map { Float($0) } == value, "\(entry.key) at step \(step)")
          compared += 1
        }
      }
      #expect(compared == 4 * 60 + 2 * 6)
      #expect(events.filter { $0.resumed == true }.map(\.step) == [29])
      #expect(events.first { $0.split == .train }?.time == 1_795_000_001)
      let origin = try #require(record.origin)
      #expect(origin.tool == "TensorBoard")
      #expect(origin.notes.contains(.init(.severalFiles, count: 2)) && origin.notes.contains { $0.code == .leftOut })
      #expect(
        origin.notes.contains(.init(.repeatedSteps, step: 29, count: 3)), "steps 29 and 30, and the evaluation after 30"
      )
      #expect(origin.notRecorded.contains("lora") && record.model == nil && record.stages.isEmpty)
      try Self.checkCopies(run, record, source)
    }
  }

  /// What our own training writes for TensorBoard gives the same scalars back.
  @Test func ourOwnEventFile() throws {
    try Fixtures.withTemporaryFolder { folder in
      var events: [MetricsEvent] = [MetricsEvent(step: 0, epoch: 0, split: .eval, loss: 3.516481, time: 1_795_000_000)]
      for step in 1...40 {
        var event = MetricsEvent(
          step: step, epoch: 0, split: .train, loss: 3 / Double(step), time: 1_795_000_000 + Double(step))
        event.learningRate = 2e-4 / Double(step)
        event.gradNorm = 1.5 + 1 / Double(step)
        event.tokensPerSecond = 171.25
        events.append(event)
      }
      let file = folder.appendingPathComponent("log/events.out.tfevents.lorapress")
      let board = try TensorBoardLog(
        file, settings: "| setting | value |\n|---|---|\n| lora.r | 16 |", events: Array(events.dropLast(10)),
        startTime: 1_795_000_000)
      for event in events.suffix(10) { try board.append(event) }
      let texts = try EventFile(Data(contentsOf: file), name: "own").texts
      #expect(texts == ["args/text_summary": "| setting | value |\n|---|---|\n| lora.r | 16 |"])
      let output = folder.appendingPathComponent("output")
      // A single file stands for its folder.
      let record = try RunImport(file.path).write(
        to: output, id: "own", title: nil, language: nil, program: Imported.program)
      let found = try Imported.events(of: RunFolder(output: output, id: "own"))
      #expect(found.count == events.count)
      for (a, b) in zip(found, events) {
        #expect(a.step == b.step && a.split == b.split && a.time == b.time)
        for value in [\MetricsEvent.loss, \.learningRate, \.gradNorm, \.tokensPerSecond] {
          #expect(a[keyPath: value].map { Float($0) } == b[keyPath: value].map { Float($0) })
        }
      }
      #expect(record.training?.firstEvalLoss.map { Float($0) } == Float(3.516481))
    }
  }

  /// The copies are the source's bytes, and the record's hashes are theirs.
  private static func checkCopies(_ run: RunFolder, _ record: RunRecord, _ source: URL) throws {
    let origin = try #require(record.origin)
    #expect(origin.files.count > 1 && origin.files.contains { $0.copy == origin.log })
    for file in origin.files {
      #expect(try SHA256.hex(ofFile: source.appendingPathComponent(file.path)) == file.sha256)
      guard let copy = file.copy else { continue }
      #expect(try Data(contentsOf: run.at(copy)) == Data(contentsOf: source.appendingPathComponent(file.path)))
    }
    #expect(
      record.artifacts.contains { $0.path == "log/metrics.jsonl" }
        && record.artifacts.contains { $0.path == "config.yaml" })
    for artifact in record.artifacts where artifact.kept != false {
      #expect(try SHA256.hex(ofFile: run.at(artifact.path)) == artifact.sha256, "\(artifact.path)")
    }
    #expect(try RecordFile.read(RunRecord.self, from: run.record) == record)
  }

  @Test func theSameFolderGivesTheSameBytes() throws {
    try Fixtures.withTemporaryFolder { folder in
      for place in ["a", "b/c"] {
        try RunImport(Fixtures.url("Imports", "trainer").path).write(
          to: folder.appendingPathComponent(place), id: "x", title: "제목", language: "en", program: Imported.program)
      }
      // Over an earlier import.
      try RunImport(Fixtures.url("Imports", "trainer").path).write(
        to: folder.appendingPathComponent("a"), id: "x", title: "제목", language: "en", program: Imported.program)
      let (a, b) = (folder.appendingPathComponent("a/runs/x"), folder.appendingPathComponent("b/c/runs/x"))
      let files = try FileManager.default.subpathsOfDirectory(atPath: a.path).sorted()
      #expect(try files == FileManager.default.subpathsOfDirectory(atPath: b.path).sorted() && files.count > 10)
      for file in files
      where !FileManager.default.contentsEqual(
        atPath: a.appendingPathComponent(file).path, andPath: b.appendingPathComponent(file).path)
      {
        Issue.record("\(file) differs")
      }
    }
  }
}
