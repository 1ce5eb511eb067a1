import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Datasets

/// What is dropped and changed, with its receipts.
@Suite struct CleaningTests {
  private func row(_ question: String, _ answer: String, _ more: String = "") -> String {
    JSONValue.object(["question": .init(question), "answer": .init(answer)]).text().dropLast() + more + "}"
  }

  // MARK: - Texts

  @Test func textsComeInFormCAndWithoutControlCharacters() throws {
    let decomposed = "한글은 누가 만들었나요?".decomposedStringWithCanonicalMapping
    let rows = [row(decomposed, "세종"), row("줄\r\n바꿈\u{0}은\u{FEFF}?", "탭\t은 남는다\u{7}"), row("그대로?", "그대로.")]
    let dataset = try prepare(["a.jsonl": rows.joined(separator: "\n")])
    let texts = dataset.train.map { $0.messages.map(\.content) }
    #expect(texts[0].map { Array($0.utf8) } == [Array("한글은 누가 만들었나요?".utf8), Array("세종".utf8)])
    #expect(texts[1].map { Array($0.utf8) } == [Array("줄\n바꿈은?".utf8), Array("탭\t은 남는다".utf8)])
    #expect(
      dataset.report.cleaning == .init(normalized: 1, controlCharacters: 1, languages: ["ko": 3]))
    let kept = try prepare(["a.jsonl": rows.joined(separator: "\n")]) {
      $0.cleaning.unicode = .keep
      $0.cleaning.controlCharacters = .keep
    }
    #expect(kept.train[0].messages[0].content.utf8.elementsEqual(decomposed.utf8))
    #expect(kept.train[1].messages[0].content.utf8.elementsEqual("줄\r\n바꿈\u{0}은\u{FEFF}?".utf8))
  }

  @Test func nothingToTellGivesNoReceipt() throws {
    #expect(try prepare(["a.jsonl": row("질문?", "답.")]).report.cleaning == nil)
    #expect(try prepareTextbook().report.cleaning == nil)
  }

  @Test func aTextOfControlCharactersAloneIsEmpty() throws {
    let dataset = try prepare(["a.jsonl": row("질문?", "답.") + "\n" + row("다른 질문?", "\u{1}\u{2}")])
    #expect(dataset.rejected.map(\.reason) == ["empty_answer"])
  }

  @Test func otherLanguagesCanBeLeftOut() throws {
    let rows = [row("수도는?", "서울이다."), row("Capital?", "Seoul."), row("3 + 4 = ?", "7"), row("GPU란?", "그래픽 처리 장치이다.")]
    let all = try prepare(["a.jsonl": rows.joined(separator: "\n")]) { $0.cleaning.minKorean = 0.01 }
    #expect(all.rejected.map(\.detail) == ["0% of its letters are Hangul, less than dataset.cleaning.min_korean, 1%"])
    #expect(all.report.cleaning?.languages == ["ko": 2, "none": 1])
    let strict = try prepare(["a.jsonl": rows.joined(separator: "\n")]) { $0.cleaning.minKorean = 0.9 }
    #expect(strict.report.rejects == ["not_korean": 2])
  }

  // MARK: - Duplicates

  @Test func duplicatesMayBeKept() throws {
    let rows = [row("질문?", "답."), row("질문?", "답.")].joined(separator: "\n")
    #expect(try prepare(["a.jsonl": rows]).report.rejects == ["duplicate": 1])
    #expect(try prepare(["a.jsonl": rows]) { $0.cleaning.duplicates = .keep }.train.count == 2)
  }

  @Test func nearDuplicatesAreDroppedWhereTheExperimentSaysSo() throws {
    let answer = "물은 섭씨 0도에서 얼고 100도에서 끓는다. 얼음은 물보다 가벼워서 물 위에 뜬다."
    let rows = [
      row("물은 언제 어나요?", answer, ",\"label\":\"a\""), row("해는 어디서 뜨나요?", "동쪽에서 뜬다.", ",\"label\":\"b\""),
      row("물은 언제 얼어요?", answer, ",\"label\":\"a\""), row("물은 언제 어나요?", "0도.", ",\"label\":\"b\""),
    ].joined(separator: "\n")
    #expect(try prepare(["a.jsonl": rows]).train.count == 4)
    let dataset = try prepare(["a.jsonl": rows]) { $0.cleaning.nearDuplicates = 0.7 }
    #expect(dataset.train.map(\.source.row) == [1, 2, 4])
    #expect(dataset.report.rejects == ["near_duplicate": 1])
    let rejected = try #require(dataset.rejected.first)
    #expect(rejected.source.row == 3 && rejected.detail.hasSuffix("of its 5-grams with row 1 of a.jsonl"))
    #expect(try JSONValue(parsing: rejected.raw, file: "raw")["label"] == "a")
    let counts = dataset.report.counts
    #expect(counts.read == 4 && counts.kept == 3 && counts.rejected == 1)
    #expect(dataset.report.tokenLengths.reduce(0) { $0 + $1.rows } == 3)
    #expect(dataset.report.categories == [:])
  }

  /// Numbers of made-up sentences: every tenth text is an earlier one with some words changed.
  private func planted(_ count: Int) -> (texts: [String], originals: [Int: Int]) {
    var random = SplitMix(seed: 20)
    let words = (0..<3000).map { _ in
      String(
        String.UnicodeScalarView(
          (0..<(2 + random.below(3))).compactMap { _ in Unicode.Scalar(0xAC00 + UInt32(random.below(2000))) }))
    }
    var texts: [String] = []
    var originals: [Int: Int] = [:]
    for number in 0..<count {
      if number > 20, number.isMultiple(of: 10) {
        let original = random.below(number)
        var parts = texts[original].split(separator: " ").map(String.init)
        parts[random.below(parts.count)] = words[random.below(words.count)]
        texts.append(parts.joined(separator: " "))
        originals[number] = original
      } else {
        texts.append((0..<(20 + random.below(20))).map { _ in words[random.below(words.count)] }.joined(separator: " "))
      }
    }
    return (texts, originals)
  }

  @Test func bandsFindWhatTheExactComparisonFinds() throws {
    let (texts, originals) = planted(3000)
    let search = NearDuplicates(count: texts.count, threshold: 0.8) { texts[$0] }
    let exact = try search.findings()
    let banded = try search.findings(exactlyUpTo: 0)
    let shingles = texts.map(Shingles.init)
    // The exact search finds the planted ones that are near enough, and no other.
    let near = originals.filter { shingles[$0.key].similarity(to: shingles[$0.value]) >= 0.8 }
    #expect(near.count > 200)
    #expect(Set(exact.keys).isSubset(of: originals.keys))
    for (number, finding) in banded {
      #expect(shingles[number].similarity(to: shingles[finding.original]) == finding.similarity)
      #expect(finding.similarity >= 0.8 && finding.original < number)
      #expect(banded[finding.original] == nil, "the original of \(number) is dropped itself")
    }
    let found = Set(banded.keys).intersection(exact.keys).count
    #expect(Double(found) >= 0.99 * Double(exact.count), "\(found) of \(exact.count)")
    #expect(Set(banded.keys).subtracting(exact.keys).count <= exact.count / 100)
  }

  @Test func similarityIsJaccards() {
    #expect(Shingles("가나다라마바").similarity(to: Shingles("가나다라마바")) == 1)
    #expect(Shingles("가나다라마바").similarity(to: Shingles("나다라마바사")) == 1.0 / 3)
    #expect(Shingles("가").similarity(to: Shingles("가")) == 1 && Shingles("가").similarity(to: Shingles("나")) == 0)
    #expect(Shingles("").similarity(to: Shingles("")) == 0 && Shingles("").hashes.isEmpty)
    #expect(Shingles("가가가가가가가가").hashes.count == 1)
  }

  // MARK: - Leaks

  private func split(
    _ train: [String], _ test: [String], _ configure: @escaping (inout DatasetSettings) -> Void = { _ in }
  )
    throws -> Prepared
  {
    try prepare(["train.jsonl": train.joined(separator: "\n"), "test.jsonl": test.joined(separator: "\n")]) {
      $0.files = ["train.jsonl"]
      $0.testFiles = ["test.jsonl"]
      configure(&$0)
    }
  }

  @Test func trainingRowsThatAskATestQuestionAreDropped() throws {
    let near = "대한민국의 수도인 서울을 가로질러 흐르는 가장 큰 강의 이름은 무엇인가요?"
    let train = [
      row("수도는?", "부산이 아니다."), row("가장 높은 산은?", "백두산."), row(near.replacing("무엇인가요", with: "무엇일까요"), "한강."),
    ]
    let test = [row(" 수도는? ", "서울."), row(near, "한강이다.")]
    let dataset = try split(train, test)
    #expect(dataset.train.map(\.source.row) == [2, 3])
    #expect(dataset.report.rejects == ["leak": 1])
    #expect(dataset.rejected.first?.detail == "asks what the test's row 1 of test.jsonl asks")
    #expect(dataset.report.leakage == .init(exactQuestions: 0, untaughtGroupsInTrain: 0, nearQuestions: 1))
    #expect(dataset.report.counts.read == 5 && dataset.report.counts.kept == 4)

    let counted = try split(train, test) { $0.cleaning.leaks = .count }
    #expect(counted.train.count == 3 && counted.report.leakage.exactQuestions == 1)

    let strict = try split(train, test) { $0.cleaning.leaks = .dropNear }
    #expect(strict.train.map(\.source.row) == [2])
    #expect(strict.report.rejects == ["leak": 1, "near_leak": 1])
    #expect(strict.rejected.map(\.source.row) == [1, 3])

    #expect(failure { try split([train[0]], test) }.hasPrefix("dataset.cleaning.leaks: every row to train on asks"))
  }

  @Test func rowsOfATestRowsOwnGroupAreNoLeak() throws {
    let dataset = try prepareTextbook { $0.cleaning.leaks = .dropNear }
    #expect(dataset.report.counts == (try prepareTextbook()).report.counts)
    #expect(dataset.report.leakage.nearQuestions == nil)
  }
}
