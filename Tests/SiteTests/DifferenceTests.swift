import Foundation
import Runs
import TestSupport
import Testing

@testable import Site

/// What pages say of the difference between base and tuned model.
@Suite struct DifferenceTests {
  /// A post about the fixture run, whose record has differences: chrF's is clear, ROUGE-L's is not, BLEU's is one without an interval.
  private func render(
    _ body: String, language: SiteLanguage = .ko, falls: Bool = false
  ) throws -> (post: RenderedPost, run: RunData) {
    try Fixtures.withTemporaryFolder { folder in
      _ = try Made.builder(folder)
      let file = folder.appendingPathComponent("runs/fixture-run/evaluation/metrics.json")
      var record = try RecordFile.read(EvaluationRecord.self, from: file)
      #expect(record.deltas == nil)
      func change(_ metric: String) throws -> Double {
        let pair = try #require(record.sets["all"])
        return try #require(pair.tuned.scores[metric]).value - #require(pair.base.scores[metric]).value
      }
      if falls, let pair = record.sets["all"] { record.sets["all"] = .init(base: pair.tuned, tuned: pair.base) }
      let sign = falls ? -1.0 : 1.0
      record.deltas = [
        "all": [
          "chrf": .init(value: try change("chrf"), interval: [5.3 * sign, 31.5 * sign].sorted(), pValue: 1.0 / 1001),
          "rougeL": .init(value: try change("rougeL"), interval: [-0.0213, 0.4321], pValue: 0.0619),
          "bleu": .init(value: try change("bleu"), interval: nil, pValue: nil),
        ]
      ]
      record.bootstrap = .init(resamples: 1000, confidence: 0.95, seed: 12345)
      try RecordFile.write(record, to: file)
      let page = try Made.page(
        body, front: "title: T\nlang: \(language.rawValue)\nrun: fixture-run", output: folder)
      return (page, try RunData(output: folder, id: "fixture-run"))
    }
  }

  @Test func theTableHasARowOfDifferences() throws {
    let (post, _) = try render("{{ metrics_table() }}")
    #expect(
      post.body.contains("<strong>+20.2</strong><br><span class=\"interval\">[5.3, 31.5]<br>p\u{A0}=\u{A0}0.001</span>")
    )
    #expect(
      post.body.contains(
        "[−0.02, 0.43]<br>p\u{A0}=\u{A0}0.062</span><br><span class=\"interval remark\">뚜렷한 차이 없음</span>"))
    #expect(post.body.contains("구간에 0이 들면 뚜렷한 차이가 없다고 적는다."))
    #expect(post.markdown.contains("뚜렷한 차이 없음"))
    let english = try render("{{ metrics_table() }}", language: .en).post
    #expect(english.body.contains(">no real difference</span>") && english.body.contains(">difference<"))
    // A record of an earlier version has none, and says nothing of them.
    let earlier = try Made.render("{{ metrics_table() }}").body
    #expect(!earlier.contains("차이") && !earlier.contains("p\u{A0}="))
  }

  @Test func theAnalysisSaysWhatIsClearAndWhatIsNot() throws {
    let korean = Made.plain(try render("{{ analysis(\"answers\") }}").post.body)
    #expect(korean.contains("학습 후 chrF는 20.2만큼 올랐다. 차이의 95% 신뢰구간은 [5.3, 31.5], p = 0.001이다."), "\(korean)")
    #expect(
      korean.contains("차이의 95% 신뢰구간 [−0.021, 0.432]에 0이 들어 있다(p = 0.062). 이 질문들만으로는 뚜렷한 차이가 있다고 볼 수 없다."), "\(korean)")
    let english = Made.plain(try render("{{ analysis(\"answers\") }}", language: .en).post.body)
    #expect(
      english.contains("chrF rose by 20.2; the 95% interval of the difference is [5.3, 31.5], p = 0.001."), "\(english)"
    )
    #expect(english.contains("includes 0 (p = 0.062): no real difference on these questions."), "\(english)")
    let fallen = Made.plain(try render("{{ analysis(\"answers\") }}", falls: true).post.body)
    #expect(fallen.contains("학습 후 chrF는 20.2만큼 내렸다. 차이의 95% 신뢰구간은 [−31.5, −5.3]"), "\(fallen)")
  }

  @Test func aPostPutsADifferenceIntoASentence() throws {
    let (post, run) = try render(
      "차이는 {{ delta(\"all\", \"chrf\") }}, {{ delta(\"all\", \"rougeL\") }}, {{ delta(\"all\", \"bleu\") }}이다.")
    let text = Made.plain(post.body)
    #expect(text.contains("+20.2(95% 신뢰구간 [5.3, 31.5], p = 0.001)"), "\(text)")
    #expect(text.contains("p = 0.062, 뚜렷한 차이 없음)") && text.contains("+16.6이다."), "\(text)")
    #expect(post.body.contains("metrics.json#/deltas/all/chrf/interval/0"))
    #expect(run.evaluation?.deltas?["all"]?["rougeL"]?.isClear == false)
    #expect(Made.failure("{{ delta(\"all\", \"chrf\") }}").contains("metrics.deltas is defined"))
    #expect(try Made.render("글{% if metrics.deltas is defined %} 차이{% endif %}").body == "<p>글</p>\n")
  }

  @Test func anExactMatchIsASign() {
    func sample(_ base: Double, _ tuned: Double) -> AnswerSample {
      func answer(_ match: Double) -> AnswerSample.Answer {
        AnswerSample.Answer(text: "", stopReason: "stop", tokens: 1, scores: ["exact_match": match, "chrf": 50])
      }
      return AnswerSample(
        number: 1, kind: "test", group: nil, question: "", reference: "", base: answer(base), tuned: answer(tuned))
    }
    #expect(AnswerChange(sample(0, 100)) == .better)
    #expect(AnswerChange(sample(100, 0)) == .worse)
    #expect(AnswerChange(sample(100, 100)) == .same)
  }
}
