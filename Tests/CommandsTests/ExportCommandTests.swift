import Foundation
import Runs
import TestSupport
import Testing

/// `lorapress export`, on a tiny run.
@Suite struct ExportCommandTests {
  private func export(_ program: Program, _ arguments: [String]) throws -> Program.Result {
    try program.run(["export"] + arguments + ["--output", program.output.path])
  }

  private func answer(_ program: Program, _ arguments: [String]) throws -> String {
    let done = try program.run(
      ["generate", "--prompt", "3번 사실은?", "--max-new-tokens", "12", "--weights", "f32"] + arguments)
    #expect(done.code == 0, "\(done.errors)")
    return done.output
  }

  private func files(_ folder: URL) throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
  }

  @Test func whatIsExportedAnswersAsTheAdapterDoes() throws {
    try Program.withRun { program, model in
      let beside = try answer(
        program, ["--model", model.path, "--adapter", "tiny", "--output", program.output.path])
      #expect(try answer(program, ["--model", model.path]) != beside)

      #expect(try export(program, ["adapter", "tiny"]).code == 0)
      let adapter = program.run.at("export/adapter")
      #expect(
        try files(adapter).isSuperset(of: [
          "adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "generate_peft.py", "generate.swift",
        ]))
      #expect(try answer(program, ["--model", model.path, "--adapter", adapter.path]) == beside)

      let merged = try export(program, ["merged", "tiny", "--type", "f32"])
      #expect(merged.code == 0 && merged.output.contains("difference 0.0000"), "\(merged.errors)")
      #expect(try answer(program, ["--model", program.run.at("export/merged").path]) == beside)

      let place = program.folder.appendingPathComponent("elsewhere")
      let gguf = try export(program, ["gguf", "tiny", "--type", "f32", "--to", place.path])
      #expect(gguf.code == 0, "\(gguf.errors)")
      #expect(try answer(program, ["--model", place.appendingPathComponent("tiny-f32.gguf").path]) == beside)
      #expect(try files(place) == ["tiny-f32.gguf", "generate_llama_cpp.py", "generate.swift"])

      #expect(try export(program, ["lora-gguf", "tiny"]).code == 0)
      #expect(try files(program.run.at("export/lora-gguf")) == ["tiny-lora-f32.gguf"])
    }
  }

  /// The Swift example beside the adapter, run by the Swift that built these tests.
  @Test func theSwiftExampleAnswers() throws {
    try Program.withRun { program, model in
      #expect(try export(program, ["adapter", "tiny"]).code == 0)
      let expected = try program.run([
        "generate", "--prompt", "3번 사실은?", "--model", model.path, "--adapter", "tiny", "--output", program.output.path,
      ])
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["swift", program.run.at("export/adapter/generate.swift").path, "3번 사실은?"]
      let place = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
      let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
      process.environment = ProcessInfo.processInfo.environment.merging(["PATH": place + ":" + path]) { $1 }
      let pipe = Pipe()
      process.standardOutput = pipe
      try process.run()
      let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0 && said == expected.output && !said.isEmpty)
    }
  }

  @Test func badInputIsOneLineAndLeavesNothing() throws {
    try Program.withRun { program, model in
      func refused(_ arguments: [String], _ code: Int32 = 1, _ part: String) throws {
        let done = try export(program, arguments)
        let lines = done.errors.split(separator: "\n").filter { $0.hasPrefix("lorapress: ") }
        #expect(
          done.code == code && lines.count == 1 && done.errors.contains(part), "\(arguments): \(done.errors)")
        #expect((try? files(program.run.at("export"))) ?? [] == [])
      }
      try refused(["tiny"], 64, "say what to export")
      try refused(["merged"], 64, "one RUN")
      try refused(["merged", "tiny", "--type", "q8_0"], 64, "is for `export gguf`")
      try refused(["gguf", "tiny", "--type", "q3"], 64, "--type must be")
      try refused(["merged", "tiny", "--max-shard-size", "much"], 64, "--max-shard-size must be")
      try refused(["merged", "tiny", "--base", "other"], 64, "--base must be")
      try refused(["merged", "nowhere"], 1, "nowhere")
      try refused(["gguf", "tiny", "--type", "q4_0", "--max-difference", "0"], 1, "nothing was kept")

      // An adapter that is not the one of run.json, then a base that is not.
      let weights = program.run.bestCheckpoint.appendingPathComponent("adapter_model.safetensors")
      let good = try Data(contentsOf: weights)
      var changed = good
      changed[changed.count - 2] ^= 1
      try changed.write(to: weights)
      try refused(["adapter", "tiny"], 1, "the adapter has changed since it was trained")
      try good.write(to: weights)
      let base = model.appendingPathComponent("model.safetensors")
      var numbers = try Data(contentsOf: base)
      numbers[numbers.count - 2] ^= 1
      try numbers.write(to: base)
      try refused(["merged", "tiny"], 1, "is not the model that tiny was trained on")
      try FileManager.default.removeItem(at: program.run.bestCheckpoint)
      try refused(["adapter", "tiny"], 1, "has no finished checkpoint")
    }
  }
}
