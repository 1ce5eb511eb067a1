import Foundation
import Runs
import TestSupport
import Testing

/// One experiment, many runs.
@Suite struct SweepTests {
  private func run(_ id: String, _ program: Program) -> RunFolder { RunFolder(output: program.output, id: id) }

  @Test func everyCombinationOnceAndThenNotAgain() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(
        model: program.makeModel(), extra: "sweep: {r: [2, 4], training.max_steps: [3, 5]}")
      let ids = ["tiny-r-2-max_steps-3", "tiny-r-2-max_steps-5", "tiny-r-4-max_steps-3", "tiny-r-4-max_steps-5"]
      let arguments = ["run", experiment.path, "--output", program.output.path]
      let first = try program.run(arguments)
      #expect(first.code == 0, "\(first.errors)")
      #expect(first.output.split(separator: "\n").suffix(4).map(String.init) == ids.map { run($0, program).url.path })
      #expect(first.output.contains("lora.r") && first.output.contains("training.max_steps"))
      var parameters: Set<Int> = []
      for (index, id) in ids.enumerated() {
        let record = try RecordFile.read(RunRecord.self, from: run(id, program).record)
        #expect(record.id == id && record.status == .evaluated)
        #expect(record.training?.steps == [3, 5, 3, 5][index])
        parameters.insert(record.training?.trainableParameters ?? 0)
        let config = try Experiment(file: run(id, program).config)
        #expect(config.settings.lora.r == [2, 2, 4, 4][index] && config.sweep.isEmpty)
        #expect(first.output.contains(id))
      }
      #expect(parameters.count == 2)

      // One is lost: it alone is run again.
      let stamps = try ids.map { try Data(contentsOf: run($0, program).record) }
      try FileManager.default.removeItem(at: run(ids[2], program).url)
      let second = try program.run(arguments)
      #expect(second.code == 0, "\(second.errors)")
      #expect(second.errors.components(separatedBy: "train: unchanged, skipped").count == 4)
      for index in [0, 1, 3] { #expect(try Data(contentsOf: run(ids[index], program).record) == stamps[index]) }
      #expect(try RecordFile.read(RunRecord.self, from: run(ids[2], program).record).status == .evaluated)

      let compared = try program.run(["compare", experiment.path, "--output", program.output.path])
      #expect(compared.code == 0 && ids.allSatisfy(compared.output.contains), "\(compared.errors)")
    }
  }

  @Test func aRunThatFailsLeavesTheOthers() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(
        model: program.makeModel(), extra: "sweep: {target_modules: [nope_proj, q_proj]}")
      let result = try program.run([
        "train", experiment.path, "--output", program.output.path, "--set", "training.max_steps=2",
      ])
      #expect(result.code == 1)
      #expect(result.errors.contains("1 of the sweep's 2 runs failed: tiny-target_modules-nope_proj;"))
      let record = try RecordFile.read(RunRecord.self, from: run("tiny-target_modules-q_proj", program).record)
      #expect(record.status == .trained)
    }
  }
}
