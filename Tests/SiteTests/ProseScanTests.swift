import Foundation
import TestSupport
import Testing

@testable import Site

@Suite struct ProseScanTests {
  private func found(_ text: String) -> [String] { ProseScan.findings(in: text).map(\.text) }

  @Test(arguments: [
    ("정답률은 72%였다.", ["72%"]), ("검증 손실이 2.9 → 1.1로 내려갔다.", ["2.9 → 1.1"]), ("손실은 0.136이다.", ["0.136"]),
    ("BLEU 27.4를 얻었다.", ["27.4"]), ("BLEU 27을 얻었다.", ["27"]), ("chrF는 31점이다.", ["31"]),
    ("The accuracy rose to 81.5% from 70%.", ["81.5%", "70%"]), ("Perplexity fell to 3.1.", ["3.1"]),
    ("학습이 1.9배 빨라졌다.", ["1.9"]), ("| 손실 | 1.135 |", ["1.135"]), ("값은 0.1346이다.", ["0.1346"]),
    ("`코드`로 잰 **손실 1.25**", ["1.25"]), ("60% -> 72%", ["60% -> 72%"]), ("3 epoch 뒤 정답률은 72%였다.", ["72%"]),
    ("epoch 2에서 손실이 0.25가 되었다.", ["0.25"]),
    ("학습률 2e-4로 정답률 70%를 얻었다.", ["70%"]), ("차이는 12%p다.", ["12%p"]),
  ])
  func resultsAreFound(_ text: String, _ wanted: [String]) { #expect(found(text) == wanted) }

  @Test(arguments: [
    "2025년 3월 14일에 4096 토큰까지 썼다.", "r=16, alpha 32로 두었다.", "학습률은 0.0002, dropout은 0.05이다.",
    "Qwen2.5-Coder 0.5B와 1.5B 모델, Swift 6.3, Debian 12", "BLEU와 chrF는 0~100, ROUGE는 0~1이다.", "warmup은 3%이다.",
    "95% 신뢰구간을 구했다.", "데이터의 5%를 검증에 쓴다.", "100% 같은 결과가 나온다.", "dropout은 0.05와 0.125를 견주었다.",
    "손실을 그림 2.1에 그렸다.", "2.4 GHz CPU와 14.2 GB 메모리로 손실을 쟀다.", "weight decay 0.001",
    "손실은 {{ value(\"run.json#/training/best_eval_loss\", \"loss\") }}이다.",
    "```\nloss 1.234\n```", "`loss=1.234`는 코드다.", "[손실 그림](https://example.com/0.136)", "질문은 10개, 그중 5개이다.",
    "<!-- 손실 0.136 -->", "{% if loss < 0.136 %}낮다{% endif %}", "QLoRA, 2023. <https://arxiv.org/abs/2305.14314>",
    "$p = 0.136$", "버전 1.2.3의 손실", "2e-4로 학습한 손실", "정답은 {{ \"72%\" }}라고 적을 수 있다.", "1. 손실을 잰다",
  ])
  func settingsAndCountsAreNot(_ text: String) { #expect(found(text) == []) }

  @Test func placesAreThoseOfTheFile() {
    let text = "---\ntitle: 글\nfinding: 손실이 1.135가 되었다\nrun: a-0.136\n---\n\n둘째 줄, 손실은\t0.25다.\n"
    #expect(
      ProseScan.findings(in: text) == [
        ProseScan.Finding(line: 3, column: 14, text: "1.135"), ProseScan.Finding(line: 7, column: 11, text: "0.25"),
      ])
  }

  /// Sentences given to a function are the author's words too.
  @Test func findingsInCallsAreProse() {
    #expect(found("{{ chart(\"loss\", finding=\"손실이 2.9에서 1.1로\") }}") == ["2.9", "1.1"])
    #expect(found("{{ note(\"한계\", \"정답률은 72%뿐이다\") }}") == ["72%"])
    #expect(found("{{ total([\"run.json#/a b/0.136\"], \"loss\") }}") == [])
  }

  @Test func theTreesOwnPostsBindTheirResults() throws {
    let report = try Rendered.report(content: Fixtures.root.appendingPathComponent("content"))
    #expect(report.prose == [], "\(report.prose)")
  }

  @Test func aTypedResultIsNamedByFileLineAndColumn() throws {
    try Fixtures.withTemporaryFolder { content in
      let posts = content.appendingPathComponent("posts")
      try FileManager.default.createDirectory(at: posts, withIntermediateDirectories: true)
      try "---\ntitle: 글\n---\n정답률은 72%다.\n".write(
        to: posts.appendingPathComponent("a.md"), atomically: true, encoding: .utf8)
      let fault = try #require(try Rendered.report(content: content).prose.first)
      #expect(fault.file.hasSuffix("/posts/a.md") && fault.line == 4 && fault.column == 6 && fault.says == "72%")
    }
  }
}

extension Rendered {
  static func report(content: URL) throws -> VerificationReport {
    var report = VerificationReport()
    try Rendered.with { report = try $0.check(content: content) }
    return report
  }
}
