import Testing

@testable import Korean

@Suite struct KoreanParticleTests {
  @Test(arguments: [
    ("1.438", "1.438로"), ("7", "7로"), ("3", "3으로"), ("r=16", "r=16으로"), ("1.569", "1.569로"), ("8", "8로"), ("1", "1로"),
    ("72%(36/50)", "72%(36/50)로"), ("71.0%", "71.0%로"), ("29.0%p", "29.0%p로"), ("10", "10으로"), ("1,000", "1,000으로"),
    ("10,000", "10,000으로"), ("1,000,000,000,000", "1,000,000,000,000로"), ("0", "0으로"), ("2e-4", "2e-4로"),
    ("3.2억", "3.2억으로"), ("1,234만", "1,234만으로"), ("14.2 GB", "14.2 GB로"), ("1.5B", "1.5B로"), ("12.3M", "12.3M으로"),
    ("LoRA", "LoRA로"), ("step", "step으로"), ("loss", "loss로"), ("서울", "서울로"), ("부산", "부산으로"), ("제주", "제주로"),
    ("HTML", "HTML로"), ("TRL", "TRL로"), ("NLP", "NLP로"), ("LLM", "LLM으로"), ("\"검증 손실\"", "\"검증 손실\"로"),
    ("'정답'", "'정답'으로"), ("검증 손실(eval loss)", "검증 손실(eval loss)로"), ("[64.6, 77.4]", "[64.6, 77.4]로"),
    ("2.50", "2.50으로"), ("Qwen2.5", "Qwen2.5로"), ("38 ms", "38 ms로"), ("×", "×로"), ("ㄹ", "ㄹ로"), ("ㄱ", "ㄱ으로"),
  ])
  func toward(word: String, expected: String) {
    #expect(KoreanParticle.toward.attached(to: word) == expected)
  }

  @Test(arguments: [
    (KoreanParticle.topic, "은", "는"), (.subject, "이", "가"), (.object, "을", "를"), (.and, "과", "와"), (.copula, "이다", "다"),
    (.quotation, "이라", "라"), (.or, "이나", "나"),
  ])
  func closedAndOpen(particle: KoreanParticle, closed: String, open: String) {
    for word in ["손실", "3", "100", "step", "모델", "LLM", "1.437"] {
      #expect(particle.attached(to: word) == word + closed)
    }
    for word in ["학습률 2e-4", "chrF", "12.5%", "GB", "그래프", "LoRA", "QLoRA"] {
      #expect(particle.attached(to: word) == word + open)
    }
  }

  @Test func unknownReadingsGetANoun() {
    #expect(KoreanParticle.object.form(after: "target_modules") == nil)
    #expect(KoreanParticle.object.attached(to: "target_modules", noun: "설정") == "target_modules 설정을")
    #expect(KoreanParticle.topic.attached(to: "qzxv") == "qzxv 값은")
    #expect(KoreanParticle.topic.form(after: "") == nil)
    #expect(KoreanParticle.topic.form(after: "()") == nil)
    #expect(KoreanParticle.object.form(after: "(손실)") == "을")
    #expect(KoreanParticle.object.form(after: ")))") == nil)
  }
}
