import Foundation
import Runs
import TestSupport
import Testing

/// Bad input is one line on standard error that says what, where and what to do; exit 1, or 64 for wrong usage.
@Suite struct BadInputTests {
  private func inProgram(_ body: (Program) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { try body(Program(folder: $0)) }
  }

  private func expectOneLine(
    _ result: Program.Result, code: Int32 = 1, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(result.code == code, "\(result.errors)", sourceLocation: sourceLocation)
    #expect(result.complaints.count == 1, "\(result.errors)", sourceLocation: sourceLocation)
    for part in parts { #expect(result.errors.contains(part), "\(result.errors)", sourceLocation: sourceLocation) }
  }

  @Test func wrongUsage() throws {
    try inProgram { program in
      expectOneLine(try program.run(["trian"]), code: 64, "did you mean 'train'?")
      expectOneLine(try program.run(["run"]), code: 64, "EXPERIMENT is missing")
      expectOneLine(try program.run(["run", "x.yaml", "--outptu", "d"]), code: 64, "did you mean --output?")
      expectOneLine(try program.run(["score", "--model"]), code: 64, "--model needs a value")
      expectOneLine(try program.run(["run", "x.yaml", "--set", "nonsense"]), code: 64, "PATH=VALUE")
      expectOneLine(try program.run(["serve", "--port", "many"]), code: 64, "--port")
      #expect(try program.run(["--help"]).code == 0)
      #expect(try program.run(["train", "--help"]).output.contains("--resume"))
    }
  }

  @Test func experiments() throws {
    try inProgram { program in
      let model = try program.makeModel()
      func fails(_ extra: String, _ parts: String...) throws {
        let file = try program.makeExperiment(model: model, extra: extra)
        let result = try program.run(["prepare", file.path, "--output", program.output.path])
        expectOneLine(result, "tiny.yaml:", parts[0])
        #expect(!FileManager.default.fileExists(atPath: program.output.path))
      }
      try fails("evalution: {max_new_tokens: 4}", "did you mean 'evaluation'?")
      try fails("post: [1, 2]", "'post' must be a text")
      let missing = program.folder.appendingPathComponent("none.yaml").path
      expectOneLine(try program.run(["run", missing]), "none.yaml", "No such file")
    }
  }

  @Test func data() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let experiment = try program.makeExperiment(model: model)
      let rows = program.folder.appendingPathComponent("rows.json")
      func prepare() throws -> Program.Result {
        try program.run(["prepare", experiment.path, "--output", program.output.path])
      }
      for (text, part) in [
        ("[]", "rows.json"), ("[\n{\"question\": \"가\",\n \"answer\": }]", "rows.json:3:"), ("", "rows.json"),
        ("[{\"question\": \"가\", \"answer\": \"\"}]", "rows.json"), ("[{\"frage\": \"가\"}]", "columns: \"frage\""),
      ] {
        try text.write(to: rows, atomically: true, encoding: .utf8)
        expectOneLine(try prepare(), part)
        #expect(!FileManager.default.fileExists(atPath: program.run.datasetReport.path))
      }
      try FileManager.default.removeItem(at: rows)
      expectOneLine(try prepare(), "rows.json", "No such file")
    }
  }

  @Test func models() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let experiment = try program.makeExperiment(model: model)
      func prepare(_ name: String) throws -> Program.Result {
        try program.run(["prepare", experiment.path, "--set", "model.name=\(name)", "--output", program.output.path])
      }
      expectOneLine(try prepare("qwen2.5-coder-0.5b-instruct"), "lorapress model pull qwen2.5-coder-0.5b-instruct")
      expectOneLine(try prepare("qwen2.5-coder-0.5b"), "qwen2.5-coder-0.5b-instruct")
      expectOneLine(try prepare("/nowhere/model.gguf"), "/nowhere/model.gguf")
      let broken = program.folder.appendingPathComponent("broken.gguf")
      try Data("GGUF\u{3}\0\0\0".utf8).write(to: broken)
      expectOneLine(try prepare(broken.path), "broken.gguf", "at byte 8")
      // A file of the catalogue whose bytes are not the pinned ones.
      let cache = program.folder.appendingPathComponent("cache/models/qwen2.5-coder-0.5b-instruct")
      try FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
      try Data("GGUF".utf8).write(to: cache.appendingPathComponent("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"))
      expectOneLine(try prepare("qwen2.5-coder-0.5b-instruct"), "model pull")
      // Weights cut short.
      let weights = model.appendingPathComponent("model.safetensors")
      try Data(contentsOf: weights).dropLast(100).write(to: weights)
      expectOneLine(try prepare(model.path), "model.safetensors")
    }
  }

  @Test func places() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let experiment = try program.makeExperiment(model: model)
      expectOneLine(
        try program.run(["prepare", experiment.path, "--output", "/proc/nowhere"]), "/proc/nowhere", "--output DIR")
      expectOneLine(
        try program.run(["evaluate", experiment.path, "--output", program.output.path]), "lorapress prepare")
      expectOneLine(
        try program.run(["train", "--resume", experiment.path, "--output", program.output.path]), "no checkpoint")
      expectOneLine(try program.run(["results", "nobody", "--output", program.output.path]), "no such run")
      expectOneLine(try program.run(["serve", "--output", program.output.path]), "lorapress render")
    }
  }

  /// A full disk: a small tmpfs, where the tests may mount one.
  @Test func aFullDisk() throws {
    try inProgram { program in
      let model = try program.makeModel()
      let experiment = try program.makeExperiment(model: model)
      // /dev/full refuses every byte; a run folder can't lie there, so the file limit stands in: no file may grow past 8 KiB.
      let limited = Process()
      limited.executableURL = URL(fileURLWithPath: "/bin/sh")
      let binary = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
        "lorapress")
      limited.arguments = [
        "-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" train \"$1\" --output \"$2\"", binary.path, experiment.path,
        program.output.path,
      ]
      limited.currentDirectoryURL = Fixtures.root
      let errors = Pipe()
      limited.standardError = errors
      limited.standardOutput = FileHandle.nullDevice
      try limited.run()
      let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      limited.waitUntilExit()
      expectOneLine(Program.Result(code: limited.terminationStatus, output: "", errors: text), "can't be written")
      #expect(!FileManager.default.fileExists(atPath: program.run.bestCheckpoint.path))
    }
  }
}
