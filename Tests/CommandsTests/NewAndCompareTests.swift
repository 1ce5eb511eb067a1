import Foundation
import Formats
import Runs
import TestSupport
import Testing

@Suite struct NewAndCompareTests {
  /// A project of its own, so that nothing is written into this one.
  private func inProject(_ body: (Program, URL) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let project = folder.appendingPathComponent("project")
      let content = project.appendingPathComponent("content")
      try FileManager.default.createDirectory(at: content, withIntermediateDirectories: true)
      for name in ["content/models.yaml", "templates"] {
        try FileManager.default.copyItem(
          at: Fixtures.root.appendingPathComponent(name), to: project.appendingPathComponent(name))
      }
      let runs = project.appendingPathComponent("output/runs")
      try FileManager.default.createDirectory(at: runs, withIntermediateDirectories: true)
      for id in ["one", "two"] {
        let run = runs.appendingPathComponent(id)
        try FileManager.default.copyItem(at: Fixtures.url("Site", "run"), to: run)
      }
      let record = runs.appendingPathComponent("two/run.json")
      let text = try String(contentsOf: record, encoding: .utf8)
      try text.replacing("\"best_eval_loss\": 1.455121", with: "\"best_eval_loss\": 1.254")
        .write(to: record, atomically: true, encoding: .utf8)
      let config = runs.appendingPathComponent("two/config.yaml")
      try String(contentsOf: config, encoding: .utf8).replacing("value: 16", with: "value: 8")
        .write(to: config, atomically: true, encoding: .utf8)
      try body(Program(folder: folder), project)
    }
  }

  @Test func startsAPostAnExperimentAndATheme() throws {
    try inProject { program, project in
      let post = try program.run(["new", "post", "첫-글", "--lang", "ko"], directory: project)
      #expect(post.code == 0 && post.lastLine.hasSuffix("content/posts/첫-글.md"), "\(post.errors)")
      #expect(
        try String(contentsOf: project.appendingPathComponent("content/posts/첫-글.md"), encoding: .utf8).contains(
          "## 한계"))
      let english = try program.run(["new", "post", "two"], directory: project)
      #expect(english.code == 0)
      #expect(
        try String(contentsOf: project.appendingPathComponent("content/posts/two.md"), encoding: .utf8).contains(
          "## Limits"))
      #expect(try program.run(["new", "experiment", "x"], directory: project).code == 0)
      #expect(FileManager.default.fileExists(atPath: project.appendingPathComponent("content/experiments/x.yaml").path))
      #expect(try program.run(["new", "theme", "quiet"], directory: project).code == 0)
      // The new theme makes the site, and a change in it shows.
      let layout = project.appendingPathComponent("themes/quiet/layout.html")
      let text = try String(contentsOf: layout, encoding: .utf8)
      try text.replacing("<body>", with: "<body class=\"quiet\">").write(to: layout, atomically: true, encoding: .utf8)
      let render = try program.run(["render", "--theme", "themes/quiet"], directory: project)
      #expect(render.code == 0, "\(render.errors)")
      let index = try String(contentsOf: project.appendingPathComponent("output/site/index.html"), encoding: .utf8)
      #expect(index.contains("<body class=\"quiet\">") && index.contains("posts/two/index.html"))
    }
  }

  @Test func neverOverwrites() throws {
    try inProject { program, project in
      for (kind, path) in [
        ("post", "content/posts/a.md"), ("experiment", "content/experiments/a.yaml"), ("theme", "themes/a"),
      ] {
        #expect(try program.run(["new", kind, "a"], directory: project).code == 0)
        let again = try program.run(["new", kind, "a"], directory: project)
        #expect(
          again.code == 1 && again.errors.contains(path) && again.errors.contains("is there already"), "\(again.errors)"
        )
      }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: project.appendingPathComponent("themes").path) == ["a"])
      let wrong = try program.run(["new", "pots", "a"], directory: project)
      #expect(wrong.code == 64 && wrong.errors.contains("did you mean 'post'?"))
      #expect(try program.run(["new", "post", "../a"], directory: project).code == 64)
      #expect(
        try program.run(["render", "--theme", "nowhere"], directory: project).errors.contains("nowhere: no theme there")
      )
    }
  }

  @Test func comparesRuns() throws {
    try inProject { program, project in
      let table = try program.run(["compare", "one", "two"], directory: project)
      #expect(table.code == 0, "\(table.errors)")
      let lines = table.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
      #expect(lines.contains { $0.suffix(2) == ["1.455", "1.254*"] }, "\(table.output)")
      #expect(lines.contains(["lora.r", "16", "8"]))
      let korean = try program.run(
        ["compare", "one", "two"], environment: ["LC_ALL": "ko_KR.UTF-8"], directory: project)
      #expect(korean.output.contains("다른 설정") && korean.output.contains("기록된 환경은 모두 같아요."))
      let json = try program.run(["compare", "output/runs/one", "two", "--json"], directory: project)
      let value = try JSONValue(parsing: Data(json.output.utf8), file: "json")
      #expect(value["settings"]?[0]?["name"]?.string == "lora.r" && value["settings"]?[0]?["values"] == ["16", "8"])
    }
  }

  @Test func complainsInOneLine() throws {
    try inProject { program, project in
      #expect(try program.run(["compare", "one"], directory: project).code == 64)
      #expect(try program.run(["compare", "one", "one"], directory: project).code == 64)
      let gone = try program.run(["compare", "one", "gone"], directory: project)
      #expect(gone.code == 1 && gone.errors.contains("gone: no such run"))
    }
  }
}
