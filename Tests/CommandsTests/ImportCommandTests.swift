import Foundation
import Runs
import TestSupport
import Testing

@Suite struct ImportCommandTests {
  private static let source = Fixtures.url("Imports", "trainer").path

  @Test func importsAndRenders() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let result = try program.run([
        "import-run", Self.source, "--id", "hf", "--output", program.output.path, "--title", "가져온 실행",
      ])
      #expect(result.code == 0, "\(result.errors)")
      let run = RunFolder(output: program.output, id: "hf")
      #expect(result.lastLine == run.url.path)
      #expect(
        result.errors.contains("transformers Trainer")
          && result.errors.contains("Not recorded by the source: machine"))
      let record = try RecordFile.read(RunRecord.self, from: run.record)
      // 14 layers of rank 4 on 16, 8 and 24 columns, as the adapter's file has them.
      #expect(record.training?.adaptedLayers == 14)
      #expect(record.training?.trainableParameters == 2 * 4 * (16 + 16 + 16 + 8 + 16 + 8 + 16 + 16 + 3 * (16 + 24)))
      #expect(record.title == "가져온 실행" && record.program.name == "lorapress")
      let rendered = try program.run(["render", "--run", "hf", "--output", program.output.path])
      #expect(rendered.code == 0, "\(rendered.errors)")
    }
  }

  @Test func wrongUsage() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      for arguments in [
        [], [Self.source], [Self.source, "--id", "../x"], [Self.source, "--id", ".x"],
        [Self.source, "--id", "x", "--lang", "de"],
      ] {
        let result = try program.run(["import-run"] + arguments + ["--output", program.output.path])
        #expect(result.code == 64, "\(arguments)")
      }
      let missing = try program.run(["import-run", folder.appendingPathComponent("none").path, "--id", "x"])
      #expect(missing.code == 1 && missing.errors.contains("No such file"))
      #expect(!FileManager.default.fileExists(atPath: program.output.path))
    }
  }
}
