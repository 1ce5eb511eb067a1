import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Imports

/// Imports into folders of their own.
enum Imported {
  static let program = ProgramRecord(name: "lorapress", version: "test")

  /// Imports a fixture folder, after `change` had its way with a copy of it.
  static func run<R>(
    _ fixture: String, id: String = "imported", change: (URL) throws -> Void = { _ in },
    _ body: (RunFolder, RunRecord, URL) throws -> R
  ) throws -> R {
    try Fixtures.withTemporaryFolder { folder in
      let source = folder.appendingPathComponent("source")
      try FileManager.default.copyItem(at: Fixtures.url("Imports", fixture), to: source)
      try change(source)
      let output = folder.appendingPathComponent("output")
      let record = try RunImport(source.path).write(to: output, id: id, title: nil, language: nil, program: program)
      return try body(RunFolder(output: output, id: id), record, source)
    }
  }

  /// Imports a folder with these files; the error's text, or "no error".
  static func failure(_ files: [String: Data], links: [String: String] = [:]) throws -> String {
    try Fixtures.withTemporaryFolder { folder in
      let source = folder.appendingPathComponent("source")
      try write(files, links: links, to: source)
      let output = folder.appendingPathComponent("output")
      do {
        try RunImport(source.path).write(to: output, id: "x", title: nil, language: nil, program: program)
        return "no error"
      } catch {
        #expect(!FileManager.default.fileExists(atPath: output.path), "something was left behind")
        let text = "\(error)"
        #expect(!text.contains("\n"), "an error is one line")
        #expect(
          text.hasPrefix(source.path) || text.contains(source.lastPathComponent), "an error names the file: \(text)")
        return text
      }
    }
  }

  /// Imports a folder with these files and gives the events and the record.
  static func events(_ files: [String: Data]) throws -> (events: [MetricsEvent], record: RunRecord, config: String) {
    try Fixtures.withTemporaryFolder { folder in
      let source = folder.appendingPathComponent("source")
      try write(files, links: [:], to: source)
      let output = folder.appendingPathComponent("output")
      try RunImport(source.path).write(to: output, id: "x", title: nil, language: nil, program: program)
      let run = RunFolder(output: output, id: "x")
      return (
        try RecordFile.readLines(MetricsEvent.self, from: run.metricsLog),
        try RecordFile.read(RunRecord.self, from: run.record),
        try String(contentsOf: run.config, encoding: .utf8)
      )
    }
  }

  static func write(_ files: [String: Data], links: [String: String], to source: URL) throws {
    try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
    for (path, data) in files {
      let url = source.appendingPathComponent(path)
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: url)
    }
    for (path, target) in links {
      try FileManager.default.createSymbolicLink(
        atPath: source.appendingPathComponent(path).path, withDestinationPath: target)
    }
  }

  static func state(_ history: String, _ more: String = "") -> [String: Data] {
    ["trainer_state.json": Data("{\"global_step\": 3, \"epoch\": 1.0\(more), \"log_history\": [\(history)]}".utf8)]
  }

  static func events(of run: RunFolder) throws -> [MetricsEvent] {
    try RecordFile.readLines(MetricsEvent.self, from: run.metricsLog)
  }
}

/// Writes event files byte by byte, so that damage can be put anywhere.
enum Board {
  static func varint(_ value: UInt64) -> Data {
    var value = value
    var data = Data()
    while value >= 0x80 {
      data.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    data.append(UInt8(value))
    return data
  }

  static func bytes(_ field: UInt64, _ payload: Data) -> Data {
    varint(field << 3 | 2) + varint(UInt64(payload.count)) + payload
  }
  static func fixed64(_ field: UInt64, _ value: Double) -> Data {
    varint(field << 3 | 1) + TensorBoardRecord.littleEndian(value.bitPattern)
  }
  static func fixed32(_ field: UInt64, _ value: Float) -> Data {
    varint(field << 3 | 5) + TensorBoardRecord.littleEndian(value.bitPattern)
  }

  static func scalar(_ tag: String, _ step: Int64, _ value: Float, time: Double = 1_795_000_000) -> Data {
    event(step: step, time: time, summary: bytes(1, bytes(1, Data(tag.utf8)) + fixed32(2, value)))
  }

  static func event(step: Int64, time: Double = 1_795_000_000, summary: Data) -> Data {
    TensorBoardRecord.frame(fixed64(1, time) + varint(2 << 3) + varint(UInt64(bitPattern: step)) + bytes(5, summary))
  }

  static func file(_ frames: [Data]) -> [String: Data] { ["events.out.tfevents.1.x": frames.reduce(Data(), +)] }
}
