import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Imports

/// Whatever is wrong with a source is one line with file and place, and leaves nothing behind.
@Suite struct DamageTests {
  private static func text(_ text: String) -> [String: Data] { ["trainer_state.json": Data(text.utf8)] }

  @Test(arguments: [
    ("{\"global_step\": 1, \"log_history\": [{\"step\": 1", "trainer_state.json:1:"),
    ("", "empty"), ("[]", "'log_history' is missing"), ("{\"log_history\": {}}", "'log_history' is missing"),
    ("{\"log_history\": [7]}", "log_history entry 1: an object was expected"),
    ("{\"log_history\": [{\"step\": 1, \"loss\": 2}, {\"loss\": 2}]}", "log_history entry 2: 'step'"),
    ("{\"log_history\": [{\"step\": -1, \"loss\": 2}]}", "not -1"),
    ("{\"log_history\": [{\"step\": 1e300, \"loss\": 2}]}", "not 1e300"),
    ("{\"log_history\": [{\"step\": 99999999999999, \"loss\": 2}]}", "not 99999999999999"),
    ("{\"log_history\": [{\"step\": 1.5, \"loss\": 2}]}", "not 1.5"),
    ("{\"log_history\": [{\"step\": \"1\", \"loss\": 2}]}", "not a text"),
    ("{\"global_step\": -7, \"log_history\": []}", "'global_step'"),
    ("{\"log_history\": []}", "no loss"),
    ("{\"log_history\": [{\"step\": 3, \"train_runtime\": 5}]}", "no loss"),
    ("{\"log_history\": \(String(repeating: "[", count: 100_000))", "nested more than 256 levels"),
    ("{\"log_history\": [{\"step\": 1, \"loss\": \"\u{0}\"}]}", "control character"),
  ])
  func trainerStates(_ content: String, _ expected: String) throws {
    let found = try Imported.failure(Self.text(content))
    #expect(found.contains(expected), "\(found)")
    #expect(found.contains("trainer_state.json") || expected == "no loss", "\(found)")
  }

  @Test(arguments: [
    ("{\"current_steps\": 1, \"loss\": 2}\n{broken}\n", "trainer_log.jsonl:2"),
    ("7\n", "trainer_log.jsonl:1: an object was expected"),
    ("{\"loss\": 2}\n", "trainer_log.jsonl:1: 'current_steps'"), ("{\"current_steps\": -3, \"loss\": 2}\n", "not -3"),
    ("{\"current_steps\": 5, \"total_steps\": 9}\n", "no loss"),
  ])
  func logLines(_ content: String, _ expected: String) throws {
    let found = try Imported.failure(["trainer_log.jsonl": Data(content.utf8)])
    #expect(found.contains(expected), "\(found)")
  }

  @Test func aLastLineThatIsCutOffIsANote() throws {
    let whole = "{\"current_steps\": 1, \"loss\": 2}\n"
    let (events, record, _) = try Imported.events([
      "trainer_log.jsonl": Data((whole + "{\"current_steps\": 2, \"lo").utf8)
    ])
    #expect(events.count == 1)
    #expect(record.origin?.notes == [.init(.cutOff, file: "trainer_log.jsonl", offset: whole.utf8.count)])
    let unended = try Imported.events(["trainer_log.jsonl": Data((whole + "{\"current_steps\": 2, \"loss\": 1}").utf8)])
    #expect(unended.events.count == 2 && unended.record.origin?.notes == [])
  }

  @Test func filesThatAreNotWhatTheySeem() throws {
    let good = Imported.state("{\"step\": 1, \"loss\": 2}")
    #expect(try Imported.failure([:]).contains("no trainer_state.json"))
    for (name, content, expected) in [
      ("adapter_config.json", "{", "adapter_config.json:1:"), ("adapter_config.json", "[1]", "an object was expected"),
      ("all_results.json", "nope", "all_results.json:1:"), ("training_args.json", "", "training_args.json"),
    ] {
      let found = try Imported.failure(good.merging([name: Data(content.utf8)]) { $1 })
      #expect(found.contains(expected), "\(found)")
    }
    #expect(try Imported.failure(["x": Data()]).contains("name the output folder"))
  }

  @Test func linksThatLeadOutAreRefused() throws {
    try Fixtures.withTemporaryFolder { folder in
      let outside = folder.appendingPathComponent("outside.json")
      try Data("{\"log_history\": [{\"step\": 1, \"loss\": 2}]}".utf8).write(to: outside)
      for target in [outside.path, "/etc/hostname", "../../../../../../etc/hostname"] {
        #expect(try Imported.failure([:], links: ["trainer_state.json": target]).contains("leads out of the folder"))
      }
      let good = Imported.state("{\"step\": 1, \"loss\": 2}")
      #expect(
        try Imported.failure(good, links: ["adapter_config.json": outside.path]).contains("adapter_config.json: a link")
      )
      #expect(
        try Imported.failure(good, links: ["events.out.tfevents.1": "/dev/zero"]).contains("leads out of the folder"))
      #expect(try Imported.failure(good, links: ["README.md": "README.md"]).contains("README.md: can't be read"))
      // A link to a folder, even around in a circle, is not followed; one to a file inside is that file.
      #expect(try Imported.failure(good, links: ["runs": "."]) == "no error")
      let inside = ["state.json": good["trainer_state.json"] ?? Data()]
      #expect(try Imported.failure(inside, links: ["trainer_state.json": "state.json"]) == "no error")
    }
  }

  /// A file of half a gigabyte, all hole, is refused by its size, before it is read.
  @Test func filesTooLargeForALog() throws {
    try Fixtures.withTemporaryFolder { folder in
      for name in ["trainer_state.json", "events.out.tfevents.1", "trainer_log.jsonl"] {
        let url = folder.appendingPathComponent("\(name).folder/\(name)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: url)
        #expect(truncate(url.path, 1 << 29) == 0)
        #expect { try RunImport(url.deletingLastPathComponent().path) } throws: { "\($0)".contains("over the limit") }
      }
    }
  }

  // MARK: Event files

  /// Both checksums cover all bytes: a flip anywhere is found, with its place.
  @Test func aFlippedBitAnywhereIsFound() throws {
    let data = try Fixtures.data("Imports", "tensorboard/events.out.tfevents.1795000400.fixture.1")
    for place in data.indices {
      var damaged = data
      damaged[place] ^= UInt8(1 << (place % 8))
      do {
        let file = try EventFile(damaged, name: "events")
        Issue.record("byte \(place): not found, \(file.scalars.count) scalars")
      } catch {
        #expect("\(error)".hasPrefix("events: byte ") && "\(error)".contains("checksum"), "\(error)")
      }
    }
  }

  /// A file that ends anywhere gives the records before its end, and says where the last one begins.
  @Test func aFileThatEndsAnywhere() throws {
    let data = try Fixtures.data("Imports", "tensorboard/events.out.tfevents.1795000400.fixture.1")
    var reader = TensorBoardRecordReader(data, file: "events")
    var ends = [0]
    while try reader.next() != nil { ends.append(reader.offset) }
    #expect(ends.last == data.count && reader.cutOffAt == nil && ends.count > 100)
    for length in 0..<data.count {
      let file = try EventFile(data.prefix(length), name: "events")
      let begin = ends.last { $0 <= length }
      #expect(file.cutOffAt == (begin == length ? nil : begin))
    }
    // Zeros after the last record: space that was given and never written.
    #expect(try EventFile(data + Data(count: 100), name: "events").cutOffAt == data.count)
  }

  @Test func aCutOffFileIsImportedWithANote() throws {
    let frames = [Board.scalar("loss", 1, 2), Board.scalar("loss", 2, 1.5).dropLast(3)]
    let (events, record, _) = try Imported.events(Board.file(frames))
    #expect(events.count == 1)
    #expect(record.origin?.notes == [.init(.cutOff, file: "events.out.tfevents.1.x", offset: frames[0].count)])
  }

  @Test func recordsThatLie() throws {
    func found(_ payload: Data) throws -> String {
      try Imported.failure(Board.file([TensorBoardRecord.frame(payload)]))
    }
    // A length of 2^60 bytes with its right checksum.
    let length = TensorBoardRecord.littleEndian(UInt64(1) << 60)
    let checksum = TensorBoardRecord.frame(length).suffix(4)
    #expect(try Imported.failure(Board.file([length + checksum + Data(count: 64)])).contains("over the limit"))
    #expect(try found(Board.varint(5 << 3 | 2) + Board.varint(1 << 40)).contains("runs past the record"))
    #expect(try found(Data(repeating: 0xFF, count: 12)).contains("more than 64 bits"))
    #expect(try found(Data([0x07])).contains("no number"))
    #expect(try found(Data([0x0B])).contains("unknown wire type"))
    #expect(try found(Data([0x09, 1, 2])).contains("ends inside a number"))
    #expect(try found(Data([0x80])).contains("ends inside a number"))
    #expect(
      try Imported.failure(Board.file([Board.scalar("loss", -1, 2)])).contains("record at byte 0: the step is -1"))
    #expect(
      try Imported.failure(Board.file([Board.scalar("loss", .max, 2)])).contains("the step is 9223372036854775807"))
    #expect(try Imported.failure(["events.out.tfevents.1": Data("not an event file at all".utf8)]).contains("byte 0"))
  }

  /// Unknown fields pass by; NaN and impossible times are null.
  @Test func oddButWholeRecords() throws {
    let odd =
      Board.bytes(99, Data(count: 30)) + Board.varint(98 << 3) + Board.varint(.max) + Board.fixed64(97, 1)
      + Board.fixed32(96, 1)
    let value = Board.bytes(1, Board.bytes(1, Data("loss".utf8)) + Board.fixed32(2, 2.5) + odd) + odd
    let frames = [
      Board.event(step: 1, time: .nan, summary: value), Board.scalar("loss", 2, .nan, time: -5),
      Board.scalar("loss", 3, .infinity, time: 1e300),
      Board.scalar("loss", 4, 2),
    ]
    let (events, record, _) = try Imported.events(Board.file(frames))
    #expect(events.map(\.loss) == [2.5, nil, nil, 2] && events.map(\.time) == [nil, nil, nil, 1_795_000_000])
    #expect(events.map(\.lossNotANumber) == [nil, true, true, nil])
    #expect(record.origin?.notes.map(\.code) == [.badTimes, .notANumber])
  }

  @Test func twoRunsAtOnceAreNotOne() throws {
    func file(_ start: Double) -> Data {
      (0..<3).map { Board.scalar("loss", $0, 2, time: start + Double($0) * 10) }.reduce(Data(), +)
    }
    let found = try Imported.failure([
      "a/events.out.tfevents.1": file(1_795_000_000), "b/events.out.tfevents.1": file(1_795_000_005),
    ])
    #expect(found.contains("two runs"))
    // One after the other: the second continues the first.
    let (events, record, _) = try Imported.events([
      "a/events.out.tfevents.1": file(1_795_000_000), "b/events.out.tfevents.1": file(1_795_000_100),
    ])
    #expect(events.map(\.step) == [0, 1, 2] && events.first?.resumed == true)
    #expect(record.origin?.notes.contains { $0.code == .repeatedSteps } == true)
  }

  // MARK: The run folder

  @Test func aRunOfOurOwnIsNotReplaced() throws {
    try Fixtures.withTemporaryFolder { output in
      let run = RunFolder(output: output, id: "mine")
      try RecordFile.write(
        RunRecord(id: "mine", created: "2026-11-23T20:04:05+00:00", program: Imported.program, environment: nil),
        to: run.record)
      let before = try Data(contentsOf: run.record)
      let found = try RunImport(Fixtures.url("Imports", "trl").path)
      #expect {
        try found.write(to: output, id: "mine", title: nil, language: nil, program: Imported.program)
      } throws: {
        "\($0)".contains("no import")
      }
      #expect(throws: RunsError.self) {
        try found.write(to: output, id: "../out", title: nil, language: nil, program: Imported.program)
      }
      #expect(try Data(contentsOf: run.record) == before)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: output.appendingPathComponent("runs").path) == ["mine"])
    }
  }

  /// A folder for the runs that can't be written: an error, and nothing half there.
  @Test func aFullPlace() throws {
    try Fixtures.withTemporaryFolder { folder in
      try Data().write(to: folder.appendingPathComponent("runs"))
      let found = try RunImport(Fixtures.url("Imports", "trl").path)
      #expect(throws: RunsError.self) {
        try found.write(to: folder, id: "x", title: nil, language: nil, program: Imported.program)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["runs"])
    }
  }

  /// Settings with YAML's own signs, markup and odd keys come out as text, and as YAML that can be read again.
  @Test func hostileSettings() throws {
    var files = Imported.state(
      "{\"step\": 1, \"loss\": 2}", ", \"a: b\\n- c\": 1, \"tag\": \"!!python/object:os.system\", \"big\": 1e999")
    let long = String(repeating: "길다 ", count: 5000)
    files["training_args.json"] = Data(
      "{\"run_name\": \"<script>{{ 7 * 7 }} & 'x': [y, # z\\n---\", \"note\": \"\(long)\", \"deep\": {\"a\": [{\"b\": 1}]}, \"learning_rate\": \"fast\", \"seed\": 1e3, \"seed\": 5, \"\u{AC00}\": 1}"
        .utf8)
    let (_, record, config) = try Imported.events(files)
    let node = try YAMLNode(parsing: config, file: "config.yaml")
    #expect(node["imported"]?["training_args"]?["run_name"]?.string == "<script>{{ 7 * 7 }} & 'x': [y, # z\n---")
    #expect(node["imported"]?["training_args"]?["deep"]?.string == "{\"a\":[{\"b\":1}]}")
    #expect((node["imported"]?["training_args"]?["note"]?.string?.count ?? 0) == 501)
    #expect(node["imported"]?["trainer_state"]?["tag"]?.string == "!!python/object:os.system")
    #expect(
      node["training"]?["learning_rate"] == nil
        && node["imported"]?["training_args"]?["learning_rate"]?.string == "fast")
    #expect(record.seeds["training"] == 5)
  }
}
