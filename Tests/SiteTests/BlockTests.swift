import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

@Suite struct BlockTests {
  private func sample(_ base: (Double, Double, String), _ tuned: (Double, Double, String)) -> AnswerSample {
    func answer(_ values: (Double, Double, String)) -> AnswerSample.Answer {
      AnswerSample.Answer(text: "", stopReason: values.2, tokens: 1, scores: ["chrf": values.0, "rougeL": values.1])
    }
    return AnswerSample(
      number: 1, kind: "taught", group: nil, question: "", reference: "", base: answer(base), tuned: answer(tuned))
  }

  @Test func changesFollowThreeSigns() {
    #expect(AnswerChange(sample((10, 0.1, "stop"), (15, 0.14, "stop"))) == .better)
    #expect(AnswerChange(sample((10, 0.1, "stop"), (14.9, 0.149, "stop"))) == .same)
    #expect(AnswerChange(sample((10, 0.3, "stop"), (9, 0.25, "stop"))) == .worse)
    #expect(AnswerChange(sample((10, 0.3, "stop"), (20, 0.2, "stop"))) == .mixed)
    #expect(AnswerChange(sample((10, 0.3, "length"), (10, 0.3, "stop"))) == .better)
    #expect(AnswerChange(sample((10, 0.3, "stop"), (20, 0.3, "length"))) == .mixed)
  }

  @Test func flipsShowEveryQuestion() throws {
    let post = try Made.render("{{ flips() }}")
    #expect(post.body.components(separatedBy: "<tr>").count == 12 && post.body.contains("samples.jsonl"))
    #expect(post.body.contains("chrF는 5.0, ROUGE-L은 0.050 이상"))
    #expect(post.body.contains("올랐다") && post.markdown.contains("| 변화 |"))
    let english = try Made.render("{{ flips() }}", front: "title: T\nlang: en\nrun: fixture-run")
    #expect(english.body.contains("Whether an answer is right is not judged."))
  }

  /// Scores of the example, whose record has intervals: in the table, and in the pictures' words.
  @Test func scoresStandWithTheirIntervals() throws {
    let run = "korean-textbooks-qwen2.5-0.5b"
    let text = "---\ntitle: T\nrun: \(run)\n---\n{{ metrics_table() }}\n\n{{ chart(\"rouge_bars\") }}\n"
    try Fixtures.withTemporaryFolder { folder in
      let post = try PostPage(
        post: Post(text, file: "content/posts/t.md", folder: folder),
        runs: RunLibrary(output: Fixtures.root.appendingPathComponent("output/example")), charts: RunCharts(),
        regions: CodeRegions(root: Made.project), highlighter: HighlightCommand()
      ).render()
      // Of three sets: five scores of two models and their differences.
      #expect(post.body.ranges(of: "<br><span class=\"interval\">[").count == 45)
      #expect(post.body.contains("대괄호 안은 95% 신뢰구간(부트스트랩 1,000회)이다.") && post.markdown.contains(" \\["))
      #expect(post.images["rouge-bars.png"] != nil)
      #expect(post.body.contains("<th scope=\"col\" class=\"num\">구간</th>"))
    }
    // A record without them says so.
    let without = try Made.render("{{ metrics_table() }}").body
    #expect(without.contains("구간 없음.") && !without.contains("class=\"interval\""))
  }

  @Test func checkpointsNameFilesSizesAndTheBest() throws {
    let post = try Made.render("{{ checkpoints() }}")
    #expect(post.body.contains("adapter_<wbr>model.<wbr>safetensors") && post.body.contains("35.2\u{A0}MB"))
    #expect(post.body.contains("best는 step 40의 것이다."))
  }

  @Test(arguments: [
    ("식 $a_1 * b_1 * c$은 그대로다.", "<p>식 $a_1 * b_1 * c$은 그대로다.</p>"),
    ("$$\\frac{a}{b} **x** _y_$$", "<p>$$\\frac{a}{b} **x** _y_$$</p>"),
    ("$x < y$와 **굵게**", "<p>$x &lt; y$와 <strong>굵게</strong></p>"),
    ("값은 $5와 $6이다, *기울임*", "<p>값은 $5와 $6이다, <em>기울임</em></p>"),
    ("`$a*b$` *c*", "<p><code>$a*b$</code> <em>c</em></p>"), ("\\$a*b*c$", "<p>$a<em>b</em>c$</p>"),
    ("$$\na_1 * b_1\n\n+ c * d\n$$", "<p>$$\na_1 * b_1\n\n+ c * d\n$$</p>"),
    ("[글](https://example.com/$a*b) $c*d$", "<p><a href=\"https://example.com/$a*b\">글</a> $c*d$</p>"),
  ])
  func equationsStayAsWritten(_ source: String, _ expected: String) throws {
    let post = try Made.render(source, front: "title: T")
    #expect(post.body == expected + "\n")
    if source.hasPrefix("$$") || source.hasPrefix("식") { #expect(post.markdown.contains(source)) }
  }

  @Test func aValueInAnEquationStaysAValue() throws {
    let post = try Made.render("$L = {{ value(\"run.json#/training/best_eval_loss\", \"loss\") }}$이다.")
    #expect(post.body.contains("$L = <data ") && post.body.contains(">1.455</data>$이다."))
    #expect(post.markdown.contains("$L = 1.455$이다."))
  }

  @Test func footnotesAndCalloutsHoldValues() throws {
    let value = "{{ value(\"run.json#/training/best_eval_loss\", \"loss\") }}"
    let post = try Made.render("글[^1]\n\n[^1]: 각주 \(value)이다.\n\n> **주의** 상자 \(value).\n>\n> - 목록 \(value)")
    #expect(post.body.components(separatedBy: ">1.455</data>").count == 4)
    #expect(
      post.body.contains("<div class=\"callout caution\" role=\"note\">") && post.body.contains("<li id=\"fn-1\">"))
    #expect(post.markdown.contains("> - 목록 1.455") && post.markdown.contains("[^1]: 각주 1.455이다."))
  }
}
