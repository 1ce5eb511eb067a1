import Charts
import Formats
import Foundation
import TestSupport
import Testing

/// `lorapress verify`, as a person runs it, on a rendered copy of the example.
@Suite struct VerifyTests {
  private func inRendered(_ body: (Program) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      try FileManager.default.createDirectory(at: program.output, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: Fixtures.root.appendingPathComponent("output/example/runs"),
        to: program.output.appendingPathComponent("runs"))
      #expect(try program.run(["render", "--no-cards", "--output", program.output.path]).code == 0)
      try body(program)
    }
  }

  private func spoil(_ program: Program) throws -> URL {
    let page = program.output.appendingPathComponent("site/posts/korean-textbooks/index.html")
    let text = try String(contentsOf: page, encoding: .utf8)
    let shown = try shownLoss()
    try text.replacing("\">\(shown)</data>", with: "\">9.035</data>", maxReplacements: 1)
      .write(to: page, atomically: true, encoding: .utf8)
    return page
  }

  /// The tuned model's validation loss in the example, as its post shows it.
  private func shownLoss() throws -> String {
    let file = Fixtures.root.appendingPathComponent(
      "output/example/runs/korean-textbooks-qwen2.5-0.5b/evaluation/metrics.json")
    let metrics = try JSONValue(parsing: Data(contentsOf: file), file: file.path)
    return NumberFormat.loss(try #require(metrics["validation_loss"]?["tuned"]?.double))
  }

  @Test func cleanThenSpoiled() throws {
    try inRendered { program in
      let output = program.output.path
      let clean = try program.run(["verify", "--output", output, "--strict"])
      #expect(
        clean.code == 0 && clean.errors.contains("Checked ") && clean.output.contains("note: 3 files"), "\(clean)")
      #expect(try program.run(["verify", "--site", "\(output)/site/"]).code == 0)
      let page = try spoil(program)
      let shown = try shownLoss()
      let result = try program.run(["verify", "--output", output])
      let lines = result.output.split(separator: "\n").filter { !$0.contains(": note: ") }
      #expect(result.code == 1 && lines.count == 1 && lines.allSatisfy { $0.hasPrefix(page.path + ":") }, "\(result)")
      #expect(lines.contains { $0.contains("shows \"9.035\", the log gives \"\(shown)\": runs/") })
      #expect(result.errors.contains("lorapress: \(output)/site: 1 fault;"))
    }
  }

  @Test func koreanAndJSON() throws {
    try inRendered { program in
      let page = try spoil(program)
      let shown = try shownLoss()
      let arguments = ["verify", "--output", program.output.path]
      let korean = try program.run(arguments, environment: ["LC_ALL": "ko_KR.UTF-8"])
      #expect(korean.code == 1 && korean.output.contains("\"9.035\"로 보이는데 로그로는 \"\(shown)\""))
      #expect(korean.errors.contains("잘못 1개가 있어요"))
      let result = try program.run(arguments + ["--json"])
      let json = try JSONValue(parsing: result.output, file: "stdout")
      #expect(result.code == 1 && json["ok"]?.bool == false && json["faults"]?.array?.count == 1)
      let fault = json["faults"]?.array?.first { $0["kind"]?.string == "text-differs" }
      #expect(
        fault?["file"]?.string == page.path && fault?["says"]?.string == "9.035" && fault?["line"]?.integer ?? 0 > 1)
      #expect(json["checked"]?["values"]?.integer ?? 0 > 100)
    }
  }

  @Test func wrongUsageAndNoSite() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      #expect(try program.run(["verify", "--stric"]).code == 64)
      #expect(try program.run(["verify", "extra"]).code == 64)
      let none = try program.run(["verify", "--output", folder.path])
      #expect(none.code == 1 && none.errors.contains("there is no site here"))
      #expect(try program.run(["verify", "--help"]).output.contains("--strict"))
    }
  }
}
