import Foundation
import Formats
import Runs
import TestSupport
import Testing

/// `lorapress evaluate RUN --data FILE` and `--weights KIND`, on a tiny run.
@Suite struct LaterEvaluationTests {
  private func evaluate(_ program: Program, _ arguments: [String]) throws -> Program.Result {
    try program.run(["evaluate", "tiny", "--output", program.output.path] + arguments)
  }

  private func write(_ text: String, _ program: Program, _ name: String) throws -> URL {
    let file = program.folder.appendingPathComponent(name)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return file
  }

  /// What must stay as it is.
  private func own(_ program: Program) throws -> [Data] {
    try [program.run.record, program.run.samples, program.run.evaluationMetrics].map { try Data(contentsOf: $0) }
  }

  @Test func anotherFile() throws {
    try Program.withRun { program, model in
      let before = try own(program)
      let file = try write(
        "질문,정답\n3번 사실은?,3번 사실은 21입니다.\n5번 사실은?,5번 사실은 35입니다.\n3번 사실은?,3번 사실은 21입니다.\n", program, "새 질문.csv")
      let done = try evaluate(program, ["--data", file.path])
      #expect(done.code == 0, "\(done.errors)")
      let place = program.run.at("evaluation/새-질문")
      #expect(done.lastLine == place.path && done.output.contains("chrF"))
      let record = try RecordFile.read(EvaluationRecord.self, from: place.appendingPathComponent("metrics.json"))
      #expect(record.data?.path == file.path)
      #expect(try record.data?.sha256 == SHA256.hex(ofFile: file))
      #expect(record.weights == "f32" && record.trained == nil)
      #expect(Set(record.sets.keys) == ["all"] && record.sets["all"]?.tuned.questions == 3)
      #expect(record.deltas?["all"]?["chrf"]?.interval?.count == 2)
      let samples = try RecordFile.readLines(AnswerSample.self, from: place.appendingPathComponent("samples.jsonl"))
      #expect(samples.map(\.question) == ["3번 사실은?", "5번 사실은?", "3번 사실은?"])
      #expect(samples.allSatisfy { $0.tuned.repetition != nil && $0.change == AnswerChange($0) && $0.trained == nil })
      // The file's own loss, as `score` measures it.
      let score = try program.run([
        "score", "--model", model.path, "--adapter", "tiny", "--output", program.output.path, "--data", file.path,
        "--json",
      ])
      let loss = try JSONValue(parsing: score.output, file: "score")["loss"]?.double ?? .nan
      #expect(abs(loss - record.validationLoss.tuned) < 1e-6)
      #expect(try own(program) == before)

      // Other metrics, elsewhere, only some rows.
      let out = program.folder.appendingPathComponent("out")
      let other = try evaluate(
        program,
        [
          "--data", file.path, "--format", "{input: \"{질문} 짧게.\", output: \"{정답}\"}", "--limit", "2", "--out", out.path,
          "--set", "evaluation.metrics=[exact_match, f1, chrf++, perplexity, bleu]", "--set",
          "evaluation.bleu_tokenize=none", "--json",
        ])
      #expect(other.code == 0, "\(other.errors)")
      let text = try String(contentsOf: out.appendingPathComponent("metrics.json"), encoding: .utf8)
      #expect(other.output == text)
      let told = try RecordFile.decode(EvaluationRecord.self, from: Data(text.utf8), file: "metrics.json")
      #expect(Set(told.sets["all"]?.base.scores.keys.map { $0 } ?? []) == ["exact_match", "f1", "chrf++", "bleu"])
      #expect(told.sets["all"]?.base.scores["bleu"]?.signature.contains("tok:none") == true)
      #expect(told.sets["all"]?.base.questions == 2)
      #expect(told.perplexity.map { abs($0.tuned - exp(told.validationLoss.tuned)) < 1e-9 } == true)
      #expect(try own(program) == before)
      // A run's own evaluation, made again, doesn't take the later one for its own.
      let again = try program.run([
        "evaluate", program.folder.appendingPathComponent("tiny.yaml").path, "--output", program.output.path,
        "--force", "evaluate", "--set", "model.weights=f32",
      ])
      #expect(again.code == 0, "\(again.errors)")
      let artifacts = try RecordFile.read(RunRecord.self, from: program.run.record).artifacts.map(\.path)
      #expect(artifacts.contains("evaluation/metrics.json") && !artifacts.contains { $0.contains("새-질문") })
    }
  }

  /// On the weights it was trained with, the adapter gives the answers of the run's own evaluation.
  @Test(arguments: ["int8", "nf4"]) func otherWeights(_ weights: String) throws {
    try Program.withRun { program, _ in
      let before = try own(program)
      let done = try evaluate(program, ["--weights", weights])
      #expect(done.code == 0, "\(done.errors)")
      let place = program.run.at("evaluation/test-\(weights)")
      #expect(done.lastLine == place.path && done.output.contains("f32"))
      let record = try RecordFile.read(EvaluationRecord.self, from: place.appendingPathComponent("metrics.json"))
      let first = try RecordFile.read(EvaluationRecord.self, from: program.run.evaluationMetrics)
      let trained = try #require(record.trained)
      #expect(record.weights == weights && trained.weights == "f32" && record.data == nil)
      #expect(trained.sets == first.sets.mapValues(\.tuned))
      #expect(trained.validationLoss == first.validationLoss.tuned)
      #expect(record.validationLoss.tuned != first.validationLoss.tuned)
      let delta = try #require(trained.deltas["all"]?["chrf"])
      let change =
        (record.sets["all"]?.tuned.scores["chrf"]?.value ?? .nan) - (trained.sets["all"]?.scores["chrf"]?.value ?? .nan)
      #expect(abs(delta.value - change) < 1e-12 && delta.pValue != nil)
      let samples = try RecordFile.readLines(AnswerSample.self, from: place.appendingPathComponent("samples.jsonl"))
      let ownSamples = try RecordFile.readLines(AnswerSample.self, from: program.run.samples)
      #expect(samples.compactMap { $0.trained?.text } == ownSamples.map(\.tuned.text))
      #expect(try own(program) == before)
      // The pipeline takes no notice of it.
      let again = try program.run([
        "evaluate", program.folder.appendingPathComponent("tiny.yaml").path, "--output", program.output.path, "--set",
        "model.weights=f32",
      ])
      #expect(again.code == 0 && again.errors.contains("evaluate: unchanged, skipped"), "\(again.errors)")
    }
  }

  /// Merged into float32 weights the adapter answers as beside them; merged and then quantised, not quite.
  @Test func merged() throws {
    try Program.withRun { program, _ in
      let before = try own(program)
      func record(_ name: String, _ arguments: [String]) throws -> EvaluationRecord {
        let done = try evaluate(program, arguments)
        #expect(done.code == 0 && done.lastLine == program.run.at("evaluation/\(name)").path, "\(done.errors)")
        return try RecordFile.read(
          EvaluationRecord.self, from: program.run.at("evaluation/\(name)/metrics.json"))
      }
      let plain = try record("test-merged", ["--merged"])
      let trained = try #require(plain.trained)
      #expect(plain.merged == true && plain.weights == "f32" && trained.weights == "f32")
      #expect(abs(plain.validationLoss.tuned - trained.validationLoss) < 1e-4)
      #expect(plain.sets.mapValues(\.tuned) == trained.sets)
      let quantised = try record("test-merged-nf4", ["--merged", "--weights", "nf4"])
      #expect(quantised.merged == true && quantised.weights == "nf4")
      #expect(quantised.validationLoss.tuned != trained.validationLoss)
      #expect(try own(program) == before)
    }
  }

  @Test func badInputIsOneLineAndLeavesNothing() throws {
    try Program.withRun { program, _ in
      let before = try own(program)
      let good = try write("{\"question\": \"가?\", \"answer\": \"나.\"}\n", program, "good.jsonl")
      let empty = try write("{\"question\": \"가?\", \"answer\": \"\"}\n", program, "empty.jsonl")
      let full = program.folder.appendingPathComponent("full")
      try FileManager.default.createDirectory(at: full, withIntermediateDirectories: true)
      try Data("x".utf8).write(to: full.appendingPathComponent("precious.txt"))
      for (code, arguments, part) in [
        (1, ["--data", "nowhere.jsonl"], "nowhere.jsonl: no such file"), (1, ["--data", empty.path], "empty.jsonl"),
        (1, ["--data", good.path, "--out", full.path], "holds other things"),
        (1, ["--data", good.path, "--out", program.run.at("evaluation").path], "holds other things"),
        (64, ["--data", good.path, "--name", "../x"], "--name must be"),
        (64, ["--data", good.path, "--name", "review.json"], "--name must be"),
        (64, ["--data", good.path, "--name", "a", "--out", "b"], "give one of them"),
        (64, ["--merged", "--weights", "gguf"], "have no GGUF blocks"),
        (64, ["--weights", "nf5"], "--weights must be"), (64, ["--limit", "2"], "--limit belongs to --data"),
      ] as [(Int32, [String], String)] {
        let result = try evaluate(program, arguments)
        #expect(
          result.code == code && result.complaints.count == 1 && result.errors.contains(part),
          "\(arguments): \(result.errors)"
        )
      }
      #expect(try own(program) == before)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: program.run.at("evaluation").path).sorted() == [
          "metrics.json", "samples.jsonl",
        ])
      #expect(FileManager.default.fileExists(atPath: full.appendingPathComponent("precious.txt").path))
    }
  }

  /// The digits of sacreBLEU and rouge-score, by the program.
  @Test func benchScoresAFile() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let fixture = try JSONValue(parsing: Fixtures.data("Evaluation", "random-pairs.json"), file: "random-pairs.json")
      let lines = (fixture["pairs"]?.array ?? []).map { row -> String in
        let pair: JSONValue = ["hypothesis": row.array?[1] ?? .null, "reference": row.array?[2] ?? .null]
        return pair.text() + "\n"
      }
      let file = try write(lines.joined(), program, "pairs.jsonl")
      let result = try program.run(["bench", "metrics", "--data", file.path])
      #expect(result.code == 0, "\(result.errors)")
      let told = try JSONValue(parsing: result.output, file: "bench")
      #expect(told["pairs"]?.integer == 500 && told["pairs_per_second"]?.double ?? 0 > 0)
      #expect(told["bleu_tokenize"]?.string == "char" && told["rouge_tokenize"]?.string == "unicode")
      let all = (fixture["corpora"]?.array?.first?["values"]?.array ?? []).compactMap(\.double)
      try #require(all.count == 12)
      for (name, place) in [("bleu", 2), ("chrf", 4), ("rouge1", 6), ("rouge2", 7), ("rougeL", 8)] {
        #expect(abs((told["scores"]?[name]?.double ?? .nan) - all[place]) <= 1e-9, "\(name)")
      }
      let bad = try write("{\"hypothesis\": \"가\"}\n", program, "bad.jsonl")
      let refused = try program.run(["bench", "metrics", "--data", bad.path])
      #expect(refused.code == 1 && refused.errors.contains("bad.jsonl:1"), "\(refused.errors)")
    }
  }

  @Test func anotherModelThanTheRunsIsRefused() throws {
    try Program.withRun { program, model in
      let before = try own(program)
      let weights = model.appendingPathComponent("model.safetensors")
      var numbers = try Data(contentsOf: weights)
      numbers[numbers.count - 2] ^= 1
      try numbers.write(to: weights)
      let done = try evaluate(program, ["--weights", "bf16"])
      #expect(done.code == 1 && done.errors.contains("is not the model that tiny was trained on"), "\(done.errors)")
      #expect(try own(program) == before)
    }
  }
}
