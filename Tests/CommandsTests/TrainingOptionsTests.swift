import Checkpoints
import Foundation
import Formats
import Runs
import TestSupport
import Testing

/// Training settings that the program itself acts on, not the trainer.
@Suite struct TrainingOptionsTests {
  private func train(_ program: Program, _ experiment: URL, _ id: String, _ settings: [String]) throws -> RunRecord {
    let result = try program.run(
      ["train", experiment.path, "--run-id", id, "--output", program.output.path]
        + (["training.max_steps=8"] + settings).flatMap { ["--set", $0] })
    #expect(result.code == 0, "\(result.errors)")
    let record = try RecordFile.read(RunRecord.self, from: RunFolder(output: program.output, id: id).record)
    let rows = record.training?.examplesPerEpoch ?? 0
    #expect(
      result.errors.contains(
        "End of turn supervised in \(record.training?.rowsWithSupervisedEnd ?? -1) of \(rows) rows"))
    return record
  }

  @Test func promptsCountWhenAskedAndTheLastAdapterIsKeptWhenAsked() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: program.makeModel())
      let plain = try #require(try train(program, experiment, "plain", []).training)
      let inputs = try #require(
        try train(program, experiment, "inputs", ["training.train_on_inputs=true"]).training)
      // A row's first token is predicted by nothing, and its last one predicts nothing and is not computed.
      #expect(inputs.supervisedTokens == inputs.tokens)
      #expect((plain.supervisedTokens ?? 0) * 2 < inputs.supervisedTokens ?? 0)

      // After the first step, in the warm-up, nothing has changed; the second one, at this rate, makes it worse.
      let wild = [
        "training.learning_rate=30", "training.lr_scheduler_type=constant_with_warmup", "training.eval_steps=1",
        "training.max_steps=2",
      ]
      for (loadsBest, name) in [(true, "best"), (false, "last")] {
        let record = try train(program, experiment, name, wild + ["training.load_best_model_at_end=\(loadsBest)"])
        let run = RunFolder(output: program.output, id: name)
        let hashes = try [run.bestCheckpoint, run.lastCheckpoint].map {
          try SHA256.hex(ofFile: $0.appendingPathComponent(PEFTAdapter.weightsName))
        }
        #expect(hashes[0] != hashes[1])
        #expect(record.training?.adapterSha256 == hashes[loadsBest ? 0 : 1])
        let score = try program.run([
          "score", "--model", program.folder.appendingPathComponent("model").path, "--adapter", name, "--output",
          program.output.path, "--data", run.dataset(.validation).path, "--json",
        ])
        #expect(try JSONValue(parsing: score.output, file: "s")["adapter_sha256"]?.string == hashes[loadsBest ? 0 : 1])
      }
    }
  }

  /// Rows of two questions and two answers: both answers are learnt, and a row that is cut off loses its last end of turn.
  @Test func everyTurnOfAConversationIsSupervised() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: program.makeModel())
      func write(_ answers: Int) throws {
        let rows = (0..<20).map { row -> String in
          let turns = (0..<answers).flatMap { turn -> [JSONValue] in
            [
              ["role": "user", "content": .string("\(row)번의 \(turn)?")],
              ["role": "assistant", "content": .string("\(row + turn)이다.")],
            ]
          }
          let messages: JSONValue = ["messages": .array(turns)]
          return messages.text()
        }
        try (rows.joined(separator: "\n") + "\n").write(
          to: folder.appendingPathComponent("chats.jsonl"), atomically: true, encoding: .utf8)
      }
      let data = [
        "dataset.files=[\(folder.appendingPathComponent("chats.jsonl").path)]", "dataset.format=none",
        "dataset.split={validation: 0.1, test: 2, seed: 1}", "training.eval_strategy=no",
      ]
      try write(1)
      let one = try #require(try train(program, experiment, "one", data).training)
      try write(2)
      let two = try #require(try train(program, experiment, "two", data).training)
      #expect(two.rowsWithSupervisedEnd == 16 && one.rowsWithSupervisedEnd == 16)
      #expect(Double(two.supervisedTokens ?? 0) > 1.9 * Double(one.supervisedTokens ?? 1))
      let cut = try #require(
        try train(program, experiment, "cut", data + ["training.max_seq_length=60", "training.overflow=truncate"])
          .training)
      #expect(cut.rowsWithSupervisedEnd == 0 && cut.examplesPerEpoch == 16)
    }
  }

  @Test func earlyStoppingWithoutValidationRowsIsRefused() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: program.makeModel())
      let result = try program.run([
        "train", experiment.path, "--output", program.output.path, "--set", "training.early_stopping_patience=2",
        "--set",
        "dataset.split=none",
      ])
      #expect(result.code == 1)
      #expect(
        result.errors.contains("training.early_stopping_patience needs some; give dataset.split or validation_files"))
    }
  }
}
