import Formats
import Foundation
import Runs
import TestSupport
import Testing

/// `lorapress review` and `serve --review` as a person runs them.
@Suite struct ReviewCommandTests {
  private func inProject(_ body: (Program, RunFolder) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let project = try ScratchProject(folder)
      try body(Program(folder: folder), project.run)
    }
  }

  private func export(_ run: RunFolder, _ verdicts: [(Int, String, String)]) throws -> String {
    let samples = try RecordFile.readLines(AnswerSample.self, from: run.samples)
    let value: JSONValue = [
      "format": .string(ReviewExport.format), "version": 1, "run": .string(run.id),
      "answers_sha256": .string(AnswerSample.readingHash(samples)), "reviewer": "밖에서",
      "verdicts": .array(
        verdicts.map { number, side, verdict in
          [
            "number": JSONValue(number), "side": .string(side), "verdict": .string(verdict), "note": "",
            "time": "2026-01-02T03:04:05Z",
          ]
        }),
    ]
    return value.text()
  }

  @Test func thePageFromDiskIsOneFileInTheRunsLanguage() throws {
    try inProject { program, run in
      let made = try program.run(["review", "page", "fixture-run", "--out", "a/page.html"], directory: program.folder)
      #expect(made.code == 0 && made.lastLine.hasSuffix("/a/page.html"), "\(made.errors)")
      let file = program.folder.appendingPathComponent("a/page.html")
      let page = try String(contentsOf: file, encoding: .utf8)
      #expect(page.contains("<html lang=\"ko\">") && page.contains("답 판정"))
      for outside in [" src=", "http://", "https://", "url(", "@import", "rel=\"stylesheet\""] {
        #expect(!page.contains(outside), "\(outside)")
      }
      // The same run, the same bytes; with a post in English, English.
      #expect(
        try program.run(["review", "page", "fixture-run", "--out", "b.html"], directory: program.folder).code == 0)
      #expect(
        try Data(contentsOf: program.folder.appendingPathComponent("b.html")) == Data(contentsOf: file))
      let post = program.folder.appendingPathComponent("content/posts/note.md")
      try "---\ntitle: T\nlang: en\nrun: fixture-run\n---\nText\n".write(to: post, atomically: true, encoding: .utf8)
      let english = try program.run(
        ["review", "page", "fixture-run", "--out", "c.html", "--reviewer", "me"], directory: program.folder)
      #expect(english.code == 0)
      let text = try String(contentsOf: program.folder.appendingPathComponent("c.html"), encoding: .utf8)
      #expect(text.contains("<html lang=\"en\">") && text.contains("\"reviewer\":\"me\""))
    }
  }

  @Test func anAnswerCanNotEndTheScript() throws {
    try inProject { program, run in
      var samples = try RecordFile.readLines(AnswerSample.self, from: run.samples)
      samples[0].question = "</script><script>alert(1)</script><!--"
      try RecordFile.writeLines(samples, to: run.samples)
      #expect(
        try program.run(["review", "page", "fixture-run", "--out", "p.html"], directory: program.folder).code == 0)
      let page = try String(contentsOf: program.folder.appendingPathComponent("p.html"), encoding: .utf8)
      #expect(page.ranges(of: "</script>").count == 2 && !page.contains("alert(1)</") && !page.contains("<!--"))
    }
  }

  @Test func importTakesAllFilesOrNone() throws {
    try inProject { program, run in
      let (good, bad) = (
        program.folder.appendingPathComponent("g.json"), program.folder.appendingPathComponent("b.json")
      )
      try export(run, [(1, "A", "natural"), (1, "B", "wrong"), (2, "A", "awkward")])
        .write(to: good, atomically: true, encoding: .utf8)
      try export(run, [(3, "A", "natural"), (77, "A", "natural")]).write(to: bad, atomically: true, encoding: .utf8)
      func take(_ files: String...) throws -> Program.Result {
        try program.run(["review", "import", "fixture-run"] + files, directory: program.folder)
      }
      let refused = try take("g.json", "b.json")
      #expect(
        refused.code == 1
          && refused.errors
            == "lorapress: b.json#/verdicts/1/number: is no question of the run; its questions have the numbers of samples.jsonl\n"
      )
      #expect(!FileManager.default.fileExists(atPath: run.review.path))
      let taken = try take("g.json")
      #expect(taken.code == 0 && taken.lastLine == run.review.path && taken.errors.contains("3 taken of 3"))
      let before = try Data(contentsOf: run.review)
      #expect(try take("g.json").errors.contains("0 taken of 3"))
      #expect(try Data(contentsOf: run.review) == before)
      let missing = try take("lost.json")
      #expect(missing.code == 1 && missing.errors.hasPrefix("lorapress: lost.json: can't be read"))
      // Answers that changed make an export one of other answers.
      var samples = try RecordFile.readLines(AnswerSample.self, from: run.samples)
      samples[4].base.text += "."
      try RecordFile.writeLines(samples, to: run.samples)
      let outdated = try take("g.json")
      #expect(outdated.code == 1 && outdated.errors.contains("g.json#/answers_sha256: judges other answers"))
      #expect(try Data(contentsOf: run.review) == before)
    }
  }

  @Test func wrongUseIsSaid() throws {
    try inProject { program, run in
      for (arguments, code, wanted) in [
        (["review"], 64, "say `review page"), (["review", "show"], 64, "say `review page"),
        (["review", "page", "fixture-run"], 64, "--out is missing"),
        (["review", "page", "--out", "x"], 64, "takes one RUN"),
        (["review", "import", "fixture-run"], 64, "at least one FILE"),
        (["review", "page", "lost", "--out", "x"], 1, "lost: no such run"),
        (["review", "page", "fixture-run", "--out", "x", "--reviewer", "a/b"], 64, "--reviewer: reviewer \"a/b\""),
        (["serve", "--reviewer", "a"], 64, "--reviewer goes with --review"),
        (["serve", "fixture-run"], 64, "not expected here"),
        (["serve", "--review", "lost"], 1, "lost: no such run"),
        (["serve", "--review", "--host", "0.0.0.0"], 64, "for this machine alone"),
      ] as [([String], Int32, String)] {
        let result = try program.run(arguments, directory: program.folder)
        #expect(result.code == code && result.errors.contains(wanted), "\(arguments): \(result.errors)")
      }
      try FileManager.default.removeItem(at: run.samples)
      let result = try program.run(["serve", "--review", "fixture-run"], directory: program.folder)
      #expect(result.code == 1 && result.errors.contains("isn't evaluated yet"))
    }
  }

  /// Verdicts go on after the stages: a stage that ends must not list the file, or the next verdict would be a changed artifact.
  @Test func aStageDoesNotListTheReview() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: try program.makeModel())
      #expect(try program.run(["prepare", experiment.path, "--output", program.output.path]).code == 0)
      try AtomicFile.write("{\"reviews\": [], \"version\": 1}\n", to: program.run.review)
      #expect(
        try program.run(
          ["train", experiment.path, "--output", program.output.path, "--set", "training.max_steps=1"]
        ).code == 0)
      let record = try RecordFile.read(RunRecord.self, from: program.run.record)
      #expect(record.artifacts.contains { $0.path == "log/metrics.jsonl" })
      #expect(!record.artifacts.contains { $0.path == "evaluation/review.json" })
    }
  }
}
