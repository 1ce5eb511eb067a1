import Checkpoints
import Foundation
import Formats
import Runs
import TestSupport
import Testing

/// A training that is cut off, by the real program and real signals.
@Suite struct ResumeTests {
  /// With everything on that draws random numbers or keeps files.
  private static let settings = [
    "training.max_steps=1500", "training.eval_steps=50", "training.save_steps=10", "training.save_total_limit=3",
    "training.neftune_noise_alpha=1", "training.group_by_length=true", "training.loraplus_lr_ratio=4",
    "training.learning_rate=0.001",
  ].flatMap { ["--set", $0] }

  /// The log without what depends on the clock, the machine, or where it was cut.
  private func timeless(_ run: RunFolder) throws -> [MetricsEvent] {
    try RecordFile.readLines(MetricsEvent.self, from: run.metricsLog).map {
      var event = $0
      event.time = nil
      event.tokensPerSecond = nil
      event.peakMemoryBytes = nil
      event.resumed = nil
      return event
    }
  }

  /// The files that must be the same, bit for bit, by their paths.
  private func files(_ run: RunFolder) throws -> [String: Data] {
    var found = ["log/trainer_state.json": try Data(contentsOf: run.trainerState)]
    for path in try FileManager.default.subpathsOfDirectory(atPath: run.at("checkpoints").path)
    where path.hasSuffix(".safetensors") || path.hasSuffix("COMPLETE") || path.hasSuffix("adapter_config.json") {
      found["checkpoints/\(path)"] = try Data(contentsOf: run.at("checkpoints/\(path)"))
    }
    return found
  }

  @Test func killedAtTwentyRandomMoments() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: program.makeModel())
      func arguments(_ id: String) -> [String] {
        ["train", experiment.path, "--run-id", id, "--output", program.output.path] + Self.settings
      }
      let clock = ContinuousClock.now
      let whole = try program.run(arguments("whole"))
      #expect(whole.code == 0, "\(whole.errors)")
      let seconds = Double(clock.duration(to: .now).components.seconds) + 1

      let cut = RunFolder(output: program.output, id: "cut")
      var kills = 0
      var steps: Set<Int> = []
      func resumed() -> [String] {
        let hasCheckpoint = FileManager.default.fileExists(atPath: cut.lastCheckpoint.path)
        return arguments("cut") + (hasCheckpoint ? ["--resume"] : [])
      }
      for _ in 0..<20 {
        let result = try program.run(resumed(), killAfter: Double.random(in: 0.02...max(0.3, seconds / 20)))
        // What it left is complete: the program reads it in the next round, and a person could now.
        if result.code == SIGKILL { kills += 1 } else { #expect(result.code == 0, "\(result.errors)") }
        let last = cut.lastCheckpoint
        if FileManager.default.fileExists(atPath: last.path) {
          #expect(FileManager.default.fileExists(atPath: last.appendingPathComponent("COMPLETE").path))
          _ = try PEFTAdapter.read(last)
          let state = try JSONValue(
            parsing: Data(contentsOf: last.appendingPathComponent("state.json")), file: "state.json")
          steps.insert(state["step"]?.integer ?? -1)
        }
      }
      #expect(kills >= 10 && steps.count >= 4, "\(kills) kills, checkpoints of \(steps.sorted())")
      let end = try program.run(resumed())
      #expect(end.code == 0, "\(end.errors)")
      if let last = steps.max(), last < 1500 { #expect(end.errors.contains("Continuing after step \(last)")) }

      let reference = RunFolder(output: program.output, id: "whole")
      let (expected, found) = (try files(reference), try files(cut))
      #expect(expected.count >= 3 * 3 + 5)
      #expect(found.keys.sorted() == expected.keys.sorted())
      for (path, data) in expected { #expect(found[path] == data, "\(path)") }
      #expect(try timeless(cut) == timeless(reference))
      let records = try [reference, cut].map { try RecordFile.read(RunRecord.self, from: $0.record) }
      for record in records {
        #expect(record.status == .trained && record.stages["train"]?.status == .done)
        #expect(record.training?.steps == 1500)
      }
      #expect(records[0].training?.adapterSha256 == records[1].training?.adapterSha256)
      #expect(records[0].training?.tokens == records[1].training?.tokens)
      // Nothing half-written is left.
      let hidden = try FileManager.default.subpathsOfDirectory(atPath: cut.url.path).filter {
        $0.split(separator: "/").contains { $0.hasPrefix(".") }
      }
      #expect(hidden.isEmpty, "\(hidden)")
    }
  }

  /// A changed setting and `--resume`: refused in one line, and the checkpoint can still be gone on with.
  @Test func aCheckpointOfOtherSettingsIsRefused() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: program.makeModel())
      let arguments = ["train", experiment.path, "--output", program.output.path, "--set", "training.max_steps=3000"]
      let log = program.run.metricsLog
      let cut = try program.run(arguments) {
        ((try? String(contentsOf: log, encoding: .utf8)) ?? "").components(separatedBy: "\"train\"").count > 10
      }
      #expect(cut.code == 130)
      let other = try program.run(arguments + ["--resume", "--set", "lora.r=2"])
      #expect(other.code == 1)
      #expect(other.complaints.count == 1)
      #expect(other.errors.contains("made with other settings, data or model; undo the change"))
      let again = try program.run(arguments + ["--resume"])
      #expect(again.code == 0 && again.errors.contains("Continuing after step"), "\(again.errors)")
    }
  }
}
