import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Imports

/// Cases of logs that no fixture has.
@Suite struct LogTests {
  @Test func bareNaNAndInfinityAreNull() throws {
    let files = Imported.state(
      """
      {"step": 1, "epoch": 0.3, "loss": 2.5, "grad_norm": NaN, "learning_rate": 1e-4}, {"step": 2, "epoch": 0.6, "loss": NaN},
      {"step": 3, "epoch": 1.0, "loss": Infinity}, {"step": 3, "epoch": 1.0, "eval_loss": -Infinity, "eval_bleu": 12.5}
      """)
    let (events, record, _) = try Imported.events(files)
    #expect(events.map(\.loss) == [2.5, nil, nil, nil])
    #expect(events.map(\.lossNotANumber) == [nil, true, true, true])
    #expect(events[0].gradNorm == nil && events[3].other == ["eval_bleu": 12.5])
    #expect(record.origin?.notes.contains(.init(.notANumber, count: 4)) == true)
  }

  /// LLaMA-Factory appends to its log: after a resume the steps come again, and the later ones count.
  @Test func stepsThatComeAgainKeepTheLaterRun() throws {
    func line(_ step: Int, _ key: String, _ loss: Double) -> String {
      "{\"current_steps\": \(step), \"total_steps\": 40, \"\(key)\": \(loss), \"lr\": 0.001, \"epoch\": \(Double(step) / 20)}\n"
    }
    let first = line(10, "loss", 3) + line(20, "loss", 2.5) + line(20, "eval_loss", 2.6) + line(30, "loss", 2.2)
    let second = line(20, "loss", 2.4) + line(20, "eval_loss", 2.55) + line(30, "loss", 2.1) + line(40, "loss", 2)
    let (events, record, _) = try Imported.events(["trainer_log.jsonl": Data((first + second).utf8)])
    #expect(events.map(\.step) == [10, 20, 20, 30, 40])
    #expect(events.map(\.loss) == [3, 2.4, 2.55, 2.1, 2])
    #expect(events.map(\.resumed) == [nil, true, nil, nil, nil])
    #expect(record.origin?.notes.contains(.init(.repeatedSteps, step: 20, count: 3)) == true)
  }

  /// An evaluation after training repeats the last one: no resume.
  @Test func anEvaluationThatComesAgainIsNoResume() throws {
    let files = Imported.state(
      "{\"step\": 1, \"loss\": 2}, {\"step\": 1, \"eval_loss\": 2.1}, {\"step\": 1, \"eval_loss\": 2.05}, {\"step\": 1, \"gpu\": 7}"
    )
    let (events, _, _) = try Imported.events(files)
    #expect(events.map(\.loss) == [2, 2.05] && events.allSatisfy { $0.resumed == nil })
    #expect(events[0].other == ["gpu": 7] && events[0].epoch == nil)
  }

  @Test func theNewestCheckpointsLogIsRead() throws {
    let history = { (steps: Int) in
      (1...steps).map { "{\"step\": \($0), \"loss\": \(1.0 / Double($0))}" }.joined(separator: ",")
    }
    func state(_ steps: Int) -> Data { Data("{\"global_step\": \(steps), \"log_history\": [\(history(steps))]}".utf8) }
    let (events, record, _) = try Imported.events([
      "checkpoint-9/trainer_state.json": state(9), "checkpoint-10/trainer_state.json": state(10),
      "trainer_state.json": state(4),
    ])
    #expect(events.count == 10)
    #expect(record.origin?.log == "imported/checkpoint-10/trainer_state.json")
    #expect(record.origin?.notes.contains(.init(.checkpointLog, file: "checkpoint-10/trainer_state.json")) == true)
  }

  @Test func secretsAndFoldersOfTheMachineStayThere() throws {
    var files = Imported.state("{\"step\": 1, \"loss\": 2}")
    files["training_args.json"] = Data(
      """
      {"hub_token": "hf_abcdefgh", "push_to_hub_token": "<PUSH_TO_HUB_TOKEN>", "output_dir": "/home/someone/secret-project/out",
       "learning_rate": 1e-4, "model_name_or_path": "/home/someone/models/Qwen2.5-0.5B", "average_tokens_across_devices": true}
      """.utf8)
    let (_, record, config) = try Imported.events(files)
    #expect(
      !config.contains("hf_abcdefgh") && !config.contains("someone") && config.contains("average_tokens_across_devices")
    )
    #expect(record.model?.name == "Qwen2.5-0.5B")
    #expect(record.origin?.notes.contains(.init(.secret, file: "training_args.json", count: 1)) == true)
    #expect(record.origin?.notes.contains(.init(.localModel)) == true)
    #expect(!record.artifacts.contains { $0.path.hasSuffix("training_args.json") })
    #expect(record.origin?.files.contains { $0.path == "training_args.json" && $0.copy == nil } == true)
  }

  @Test func unslothIsNamed() throws {
    var files = Imported.state("{\"step\": 1, \"loss\": 2}")
    files["README.md"] = Data("---\nbase_model: unsloth/Qwen2.5-0.5B\ntags:\n- unsloth\n- trl\n---\n# x\n".utf8)
    #expect(try Imported.events(files).record.origin?.tool == "Unsloth (TRL)")
  }

  @Test func aBrokenModelCardIsANote() throws {
    var files = Imported.state("{\"step\": 1, \"loss\": 2}")
    files["README.md"] = Data("---\ntags: [a\n---\n".utf8)
    #expect(try Imported.events(files).record.origin?.notes == [.init(.unreadable, file: "README.md")])
  }

  @Test(arguments: [
    ("train/loss", EventTag.field(.train, .loss)), ("loss", .field(.train, .loss)),
    ("Loss/train", .field(.train, .loss)),
    ("eval/loss", .field(.eval, .loss)), ("val_loss", .field(.eval, .loss)), ("eval_loss", .field(.eval, .loss)),
    ("Loss/validation", .field(.eval, .loss)), ("train/learning_rate", .field(.train, .learningRate)),
    ("lr", .field(.train, .learningRate)),
    ("train/train_runtime", .total("train_runtime")), ("eval/bleu", .other(.eval)), ("gpu/memory", .other(.train)),
    ("", .other(.train)),
  ])
  func tags(_ tag: String, _ meaning: EventTag) { #expect(EventTag(tag) == meaning) }

  /// A tag that is logged apart from the loss makes no gap in the loss, and its own steps make no resume.
  @Test func otherTagsLeaveTheCurveAlone() throws {
    let frames = [
      Board.scalar("train/loss", 10, 2), Board.scalar("gpu/memory", 15, 7), Board.scalar("train/loss", 20, 1.5),
      Board.scalar("gpu/memory", 3, 6),
    ]
    let (events, _, _) = try Imported.events(Board.file(frames))
    #expect(
      events.map(\.step) == [3, 10, 15, 20] && events.allSatisfy { $0.resumed == nil && $0.lossNotANumber == nil })
    #expect(events[2].other == ["gpu/memory": 7] && events[2].loss == nil)
  }

  /// Every form in which a tensor holds one number.
  @Test func tensorsOfOneNumber() throws {
    func tensor(_ content: Data, _ type: UInt64) throws -> Double? {
      try EventTensor(Board.varint(1 << 3) + Board.varint(type) + content, place: "t").number
    }
    let float = TensorBoardRecord.littleEndian(Float(0.1).bitPattern)
    #expect(try tensor(Board.fixed32(5, 0.1), 1) == 0.1)
    #expect(try tensor(Board.bytes(5, float), 1) == 0.1)
    #expect(try tensor(Board.bytes(4, float), 1) == 0.1)
    #expect(try tensor(Board.fixed64(6, 2.25), 2) == 2.25)
    #expect(try tensor(Board.bytes(4, TensorBoardRecord.littleEndian(2.25.bitPattern)), 2) == 2.25)
    #expect(try tensor(Board.varint(7 << 3) + Board.varint(300), 3) == 300)
    #expect(try tensor(Board.bytes(10, Board.varint(UInt64(bitPattern: -5))), 9) == -5)
    #expect(try tensor(Board.bytes(5, float + float), 1) == nil)
  }
}
