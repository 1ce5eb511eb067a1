import Foundation
import Runs
import Site
import TestSupport
import Testing

@testable import Imports

/// Imported runs have pages like our own, which say what their sources do not tell.
@Suite struct PageTests {
  private static func render(_ imports: [(fixture: String, id: String, language: String?)], in folder: URL) throws
    -> SiteSummary
  {
    for item in imports {
      try RunImport(Fixtures.url("Imports", item.fixture).path).write(
        to: folder, id: item.id, title: "가져온 <b>\(item.id)</b>", language: item.language, program: Imported.program)
    }
    return try SiteBuilder(
      output: folder, content: folder.appendingPathComponent("none"),
      templates: Fixtures.root.appendingPathComponent("templates"),
      sources: Fixtures.root
    ).render()
  }

  private static func page(_ folder: URL, _ id: String) throws -> String {
    try String(contentsOf: folder.appendingPathComponent("site/runs/\(id)/index.html"), encoding: .utf8)
  }

  @Test func threeImports() throws {
    try Fixtures.withTemporaryFolder { folder in
      let summary = try Self.render(
        [("trainer", "hf", nil), ("llama-factory", "lf", nil), ("tensorboard", "tb", nil), ("trl", "sft", "en")],
        in: folder)
      #expect(summary.runs == ["hf", "lf", "sft", "tb"] && summary.warnings == [])
      let report = try Verification(output: folder, content: nil).check()
      #expect(report.faults == [] && report.pages >= 4)
      for id in ["hf", "lf", "tb", "sft"] {
        let html = try Self.page(folder, id)
        for chart in ["loss", "learning-rate"] {
          #expect(html.contains("\(chart).png"))
          #expect(try Data(contentsOf: folder.appendingPathComponent("site/runs/\(id)/\(chart).png")).count > 2000)
        }
        #expect(!html.contains("<b>\(id)</b>") && html.contains("&lt;b&gt;\(id)"))
        #expect(html.contains("data-source=\"runs/\(id)/run.json#/training/best_eval_loss\""))
      }
      let trainer = try Self.page(folder, "hf")
      #expect(trainer.contains("transformers Trainer 기록에서 가져온 실행이다") && trainer.contains("trainer_state.json"))
      #expect(trainer.contains("원본에 기록이 없는 항목: 장비, 모델 파일의 해시, 데이터"))
      #expect(trainer.contains("training_args.bin 파일은 열면") && trainer.contains("<dt>장비</dt><dd>기록 없음"))
      #expect(trainer.contains("원본의 다른 설정") && trainer.contains("adamw_torch_fused"))
      let board = try Self.page(folder, "tb")
      #expect(board.contains("<dt>기반 모델</dt><dd>기록 없음</dd>") && board.contains("<dt>데이터</dt><dd>기록 없음</dd>"))
      #expect(board.contains("마지막으로 step 29에서 이어졌다"))
      let english = try Self.page(folder, "sft")
      #expect(english.contains("lang=\"en\"") && english.contains("The source does not record: start time, machine"))
      #expect(
        !english.unicodeScalars.contains { (0xAC00...0xD7A3).contains($0.value) && !"가져온".unicodeScalars.contains($0) })
    }
  }

  /// Every note has its sentence in both languages, and no value that a source lacks is shown as 0.
  @Test func unknownValuesAreNotZero() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Self.render([("tensorboard", "tb", nil)], in: folder)
      let record = try String(contentsOf: RunFolder(output: folder, id: "tb").record, encoding: .utf8)
      for key in [
        "trainable_parameters", "tokens", "peak_memory_bytes", "environment", "memory_bytes", "cores",
        "sha256\" : \"\"",
      ] {
        #expect(!record.contains("\"\(key)\" :"), "\(key)")
      }
      let page = try Self.page(folder, "tb")
      #expect(!page.contains("0 GB") && !page.contains("0코어") && !page.contains(">0</td>"))
    }
  }

  @Test func renderingTwiceGivesTheSameBytes() throws {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Self.render([("trainer", "hf", nil)], in: folder)
      let again = try Self.render([("trainer", "hf", nil)], in: folder)
      #expect(again.removed == 0)
      let page = try Self.page(folder, "hf")
      let other = folder.appendingPathComponent("other")
      _ = try Self.render([("trainer", "hf", nil)], in: other)
      #expect(try Self.page(other, "hf") == page)
    }
  }
}
