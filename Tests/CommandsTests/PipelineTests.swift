import Checkpoints
import Foundation
import Formats
import Runs
import TestSupport
import Testing

/// The whole program on a tiny random model: real files, real processes.
@Suite struct PipelineTests {
  private func inProgram(_ body: (Program) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { try body(Program(folder: $0)) }
  }

  @Test func fromRawRowsToASite() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let experiment = try program.makeExperiment(model: model)
      let arguments = ["run", experiment.path, "--output", program.output.path]
      let first = try program.run(arguments)
      #expect(first.code == 0, "\(first.errors)")
      #expect(first.lastLine == program.run.url.path)

      let run = program.run
      let record = try RecordFile.read(RunRecord.self, from: run.record)
      #expect(record.status == .evaluated)
      #expect(Set(record.stages.keys) == ["prepare", "train", "evaluate"])
      #expect(record.stages.values.allSatisfy { $0.status == .done })
      #expect(record.training?.adaptedLayers == 14)
      #expect(record.training?.rowsWithSupervisedEnd == record.training?.examplesPerEpoch)
      for artifact in record.artifacts {
        #expect(try SHA256.hex(ofFile: run.at(artifact.path)) == artifact.sha256, "\(artifact.path)")
      }
      let evaluation = try RecordFile.read(EvaluationRecord.self, from: run.evaluationMetrics)
      #expect(Set(evaluation.sets.keys) == ["all", "taught", "untaught"])
      #expect(evaluation.adapterSha256 == record.training?.adapterSha256)
      #expect(evaluation.validationLoss.tuned < evaluation.validationLoss.base)
      #expect(try RecordFile.readLines(AnswerSample.self, from: run.samples).count == 4)
      #expect(FileManager.default.fileExists(atPath: program.output.appendingPathComponent("site/index.html").path))
      #expect(FileManager.default.fileExists(atPath: run.charts.appendingPathComponent("loss.png").path))

      // Unchanged: nothing is done again.
      let stamp = try Data(contentsOf: run.record)
      let second = try program.run(arguments)
      #expect(second.code == 0)
      #expect(second.errors.components(separatedBy: "unchanged, skipped").count == 4)
      #expect(try Data(contentsOf: run.record) == stamp)
      // A changed setting runs its stage and what follows, and no stage before it.
      let third = try program.run(
        arguments + ["--set", "training.max_steps=5", "--set", "evaluation.repetition_penalty=1.5"])
      #expect(third.code == 0)
      #expect(third.errors.contains("prepare: unchanged, skipped"))
      #expect(try RecordFile.read(RunRecord.self, from: run.record).training?.steps == 5)
      let penalised = try RecordFile.read(EvaluationRecord.self, from: run.evaluationMetrics)
      #expect(penalised.decoding == "greedy, repetition_penalty 1.5")

      // What the run left is used by the other commands.
      let score = try program.run([
        "score", "--model", model.path, "--adapter", "tiny", "--output", program.output.path, "--data",
        run.dataset(.validation).path, "--json",
      ])
      let scored = try JSONValue(parsing: score.output, file: "score")
      let tuned = try RecordFile.read(EvaluationRecord.self, from: run.evaluationMetrics).validationLoss.tuned
      #expect(abs((scored["loss"]?.double ?? .nan) - tuned) < 1e-6)
      #expect(
        scored["adapter_sha256"]?.string
          == (try RecordFile.read(RunRecord.self, from: run.record)).training?.adapterSha256)
      let generated = try program.run([
        "generate", "--model", model.path, "--adapter", run.bestCheckpoint.path, "--prompt", "안녕", "--max-new-tokens",
        "5",
      ])
      #expect(generated.code == 0 && generated.output.hasSuffix("\n"))
      let results = try program.run(["results", "tiny", "--output", program.output.path])
      #expect(results.code == 0 && results.output.contains("chrF"))
    }
  }

  /// Answers of a file are those of its prompts one by one, and a stop text ends them.
  @Test func generateAnswersFilesAndStops() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let options = ["generate", "--model", model.path, "--max-new-tokens", "12", "--repetition-penalty", "1.3"]
      let prompts = ["안녕", "수도는?", "물은 몇 도에서 끓는가?"]
      let file = program.folder.appendingPathComponent("in.jsonl")
      let out = program.folder.appendingPathComponent("out.jsonl")
      let rows = prompts.map { prompt -> JSONValue in ["prompt": .string(prompt)] }
      try rows.map { $0.text() + "\n" }.joined().write(to: file, atomically: true, encoding: .utf8)
      func answers(_ more: [String]) throws -> [String] {
        let result = try program.run(options + ["--file", file.path, "--out", out.path] + more)
        #expect(result.code == 0, "\(result.errors)")
        return try JSONValue.lines(of: Data(contentsOf: out), file: "out").compactMap { $0.value["answer"]?.string }
      }
      let whole = try answers([])
      #expect(whole.count == 3)
      for (prompt, answer) in zip(prompts, whole) {
        #expect(try program.run(options + ["--prompt", prompt]).output == answer + "\n")
      }
      let stop = String(try #require(whole.map { $0.dropFirst(2).prefix(2) }.first { $0.count == 2 }))
      let stopped = try answers(["--stop", "nowhere", "--stop", stop])
      #expect(stopped == whole.map { $0.components(separatedBy: stop)[0] } && stopped != whole)
      for (bad, message) in [(["--stop", ""], "not empty"), (["--repetition-penalty", "0"], "from 0.01 to 100")] {
        let result = try program.run(["generate", "--model", model.path, "--prompt", "x"] + bad)
        #expect(result.code == 64 && result.errors.contains(message), "\(result.errors)")
      }
    }
  }

  @Test func ctrlCInTrainingLosesNothing() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let experiment = try program.makeExperiment(model: model)
      let long = [
        "--set", "training.max_steps=3000", "--set", "training.eval_steps=500", "--set", "training.save_steps=100",
        "--output", program.output.path,
      ]
      let whole = try program.run(["train", experiment.path, "--run-id", "whole"] + long)
      #expect(whole.code == 0, "\(whole.errors)")

      let log = program.run.metricsLog
      let cut = try program.run(["train", experiment.path] + long) {
        ((try? String(contentsOf: log, encoding: .utf8)) ?? "").components(separatedBy: "\"train\"").count > 20
      }
      #expect(cut.code == 130)
      #expect(cut.errors.contains("lorapress train --resume"))
      let state = try RecordFile.read(RunRecord.self, from: program.run.record)
      #expect(state.status == .interrupted)
      let steps = state.training?.steps ?? 0
      #expect(steps >= 19 && steps < 3000)

      let resumed = try program.run(["train", "--resume", experiment.path] + long)
      #expect(resumed.code == 0, "\(resumed.errors)")
      #expect(resumed.errors.contains("Continuing after step \(steps)"))
      let other = RunFolder(output: program.output, id: "whole")
      for path in ["checkpoints/best/adapter_model.safetensors", "checkpoints/last/adapter_model.safetensors"] {
        #expect(try Data(contentsOf: program.run.at(path)) == Data(contentsOf: other.at(path)))
      }
      let record = try RecordFile.read(RunRecord.self, from: program.run.record)
      #expect(record.stages["train"]?.resumedAt == [steps])
    }
  }

  @Test func tokenizeSpeaksOneArrayALine() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let plain = try program.run(["tokenize", "--model", model.path], input: "a\r\n\n<|im_end|>\n가")
      let lines = plain.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      #expect(lines.count == 5 && lines[1] == "[]" && lines[4].isEmpty)
      #expect((try JSONValue(parsing: lines[2], file: "t")).array?.count ?? 0 > 1)
      let special = try program.run(["tokenize", "--model", model.path, "--special"], input: "<|im_end|>")
      #expect((try JSONValue(parsing: special.output, file: "t")).array?.count == 1)
    }
  }

  /// Each part measures something and says on what; no number is held against a limit.
  @Test func benchPrintsJSON() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let text = program.folder.appendingPathComponent("lines.txt")
      try "가나다\nabc def\n".write(to: text, atomically: true, encoding: .utf8)
      func bench(_ words: String...) throws -> JSONValue {
        let result = try program.run(["bench"] + words + ["--model", model.path])
        #expect(result.code == 0, "\(result.errors)")
        return try JSONValue(parsing: result.output, file: "bench")
      }
      for weights in ["f32", "nf4"] {
        let step = try bench("step", "--batch", "2x5", "--steps", "3", "--weights", weights)
        #expect(step["tokens"] == 10 && step["weights"]?.string == weights)
        let losses = step["losses"]?.array?.compactMap(\.double) ?? []
        #expect(losses.count == 3 && losses.allSatisfy { $0 > 0 && $0.isFinite })
        #expect(step["step_seconds"]?.array?.count == 3 && (step["tokens_per_second"]?.double ?? 0) > 0)
      }
      let answer = try bench("generate", "--prompt-tokens", "6", "--new-tokens", "4")
      #expect((answer["prefill_tokens_per_second"]?.double ?? 0) > 0)
      #expect((answer["decode_tokens_per_second"]?.double ?? 0) > 0)
      let load = try bench("load")
      #expect((load["first_token_seconds"]?.double ?? 0) >= load["ready_seconds"]?.double ?? .infinity)
      let tokens = try bench("tokenize", "--data", text.path)
      let expected = try program.run(["tokenize", "--model", model.path, text.path]).output.split(separator: "\n")
        .reduce(0) { try $0 + (JSONValue(parsing: String($1), file: "ids").array?.count ?? 0) }
      #expect(tokens["tokens"]?.integer == expected && expected > 0)

      // The charts need no model.
      let log = program.folder.appendingPathComponent("metrics.jsonl")
      let events = (0..<40).map {
        "{\"epoch\":0,\"loss\":\(3 - Double($0) / 20),\"split\":\"train\",\"step\":\($0),\"time\":0}\n"
      }
      try events.joined().write(to: log, atomically: true, encoding: .utf8)
      let pictures = program.folder.appendingPathComponent("pictures")
      let drawn = try program.run(["bench", "charts", "--data", log.path, "--out", pictures.path])
      let charts = try JSONValue(parsing: drawn.output, file: "bench")
      #expect(charts["charts"] == 4 && charts["points"] == 40 && (charts["seconds"]?.double ?? 0) > 0)
      let png = try Data(contentsOf: pictures.appendingPathComponent("chart-4.png"))
      // The header's width and height.
      #expect(Array(png[16..<24]) == [0, 0, 0x06, 0x40, 0, 0, 0x03, 0x84])

      for (words, message) in [
        (["steps"], "step, generate, load, tokenize, charts, metrics, not 'steps'"),
        (["step", "--batch", "4"], "--batch"),
        (["step", "--batch", "65536x1048576"], "a million at most"),
        (["generate", "--prompt-tokens", "9223372036854775807"], "the model's"),
        (["step", "--steps", "0"], "--steps"), (["tokenize"], "--data is missing"),
      ] {
        let result = try program.run(["bench"] + words + ["--model", model.path])
        #expect(result.code == 64 && result.errors.contains(message), "\(result.errors)")
      }
    }
  }
}
