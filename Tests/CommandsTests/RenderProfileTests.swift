import Foundation
import TestSupport
import Testing

/// `render --profile` as a person types it.
@Suite struct RenderProfileTests {
  private func withOutput(_ body: (Program, URL) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let output = folder.appendingPathComponent("output")
      try FileManager.default.createDirectory(
        at: output.appendingPathComponent("runs"), withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: Fixtures.url("Site", "run"), to: output.appendingPathComponent("runs/fixture-run"))
      try body(Program(folder: folder), output)
    }
  }

  @Test func anUnknownProfileIsWrongUsage() throws {
    try withOutput { program, output in
      let result = try program.run(["render", "--output", output.path, "--profile", "hogo"])
      #expect(result.code == 64)
      #expect(result.errors.contains("unknown profile 'hogo'; did you mean hugo?"))
      #expect(result.errors.contains("html, standalone, tistory, velog, hugo, jekyll, hub"))
      #expect(result.errors.split(separator: "\n").count == 1)
      #expect(!FileManager.default.fileExists(atPath: output.appendingPathComponent("site").path))
    }
  }

  @Test func profilesAreMadeAndToldOf() throws {
    try withOutput { program, output in
      let profiles = ["hub", "html", "velog"].flatMap { ["--profile", $0] }
      let result = try program.run(["render", "--no-cards", "--output", output.path] + profiles)
      #expect(result.code == 0)
      #expect(result.lastLine == output.appendingPathComponent("site/index.html").path)
      #expect(result.errors.contains("hub: \(output.path)/profiles/hub (2 files)."))
      let made = try FileManager.default.contentsOfDirectory(
        atPath: output.appendingPathComponent("profiles").path)
      #expect(made.sorted() == ["hub", "velog"])
    }
  }
}
