import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Datasets

@Suite struct TextbookSplitTests {
  @Test func everyRowIsAccountedFor() throws {
    let dataset = try prepareTextbook()
    let counts = dataset.report.counts
    #expect(counts.read >= 700)
    #expect(counts.read == counts.kept + counts.rejected)
    #expect(counts.kept == counts.train + counts.validation + counts.test)
    #expect(dataset.train.count == counts.train)
    #expect(dataset.validation.count == counts.validation)
    #expect(counts.validation == Int((Double(counts.kept) * 0.08).rounded()))
    #expect(dataset.test.count == 10 && counts.testTaught == 5 && counts.testUntaught == 5)
    #expect(dataset.report.tokenLengths.reduce(0) { $0 + $1.rows } == counts.kept)
    #expect(dataset.report.leakage == .init(exactQuestions: 0, untaughtGroupsInTrain: 0))
    let places = (dataset.train + dataset.validation + dataset.test).map(\.source.row)
    #expect(Set(places).count == counts.kept)
    #expect(dataset.train.map(\.source.row) == dataset.train.map(\.source.row).sorted())
    #expect(dataset.report.schema == "json array of objects, dataset.format")
    #expect(dataset.report.mapping == ["user": "{question}", "assistant": "{answer}"])
    #expect(dataset.report.categories.keys.sorted() == ["level", "subject"])
    #expect(dataset.report.categories["subject"]?.values.reduce(0, +) == counts.kept)
  }

  @Test func untaughtFactsNeverTrainAndTaughtOnesDo() throws {
    let dataset = try prepareTextbook()
    let trained = Set(dataset.train.compactMap(\.group))
    for row in dataset.test {
      let group = try #require(row.group)
      #expect(trained.contains(group) == (row.kind == "taught"))
    }
    #expect(Set(dataset.test.compactMap(\.group)).count == 10)
    let untaught = Set(dataset.test.filter { $0.kind == "untaught" }.compactMap(\.group))
    #expect(dataset.validation.filter { row in row.group.map(untaught.contains) ?? false }.count >= untaught.count)
    for group in Set(dataset.validation.compactMap(\.group)) where !untaught.contains(group) {
      #expect(trained.contains(group))
    }
  }

  @Test func samplesComeFromTrainingAndDifferentSubjects() throws {
    let dataset = try prepareTextbook()
    let samples = dataset.report.samples
    #expect(samples.count == 5)
    #expect(Set(samples.compactMap { $0.before.first { $0.name == "subject" }?.value }).count == 5)
    let trained = Set(dataset.train.map(\.source.row))
    for sample in samples {
      #expect(trained.contains(sample.source.row))
      #expect(sample.before.map(\.name) == ["fact", "subject", "level", "question", "answer"])
      #expect(sample.after.map(\.role) == ["user", "assistant"])
      #expect(sample.rendered == measure(sample.after).rendered)
      #expect(sample.tokens == measure(sample.after).promptTokens + sample.supervisedTokens)
    }
  }

  @Test func theSameSeedGivesTheSameBytesAndAnotherSeedOthers() throws {
    let first = try prepareTextbook()
    #expect(try prepareTextbook() == first)
    let other = try prepareTextbook { $0.split?.seed = 43 }
    #expect(other.test != first.test)
    #expect(other.report.counts == first.report.counts)
  }

  @Test func newRowsMoveFewOthers() throws {
    let extra = (1...10).map {
      "{\"fact\": \"new-\($0 / 2)\", \"question\": \"새 질문 \($0)은 무엇인가요?\", \"answer\": \"답 \($0)\"}"
    }
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("extra.jsonl")
      try Data(extra.joined(separator: "\n").utf8).write(to: file)
      func memberships(_ dataset: Prepared) -> [String: DatasetSplit] {
        var places: [String: DatasetSplit] = [:]
        for split in DatasetSplit.allCases { for row in dataset.rows(split) { places["\(row.source)"] = split } }
        return places
      }
      let before = memberships(try prepareTextbook())
      let after = memberships(try prepareTextbook { $0.files.append(file.path) })
      #expect(after.count == before.count + 10)
      let moved = before.filter { after[$0.key] != $0.value }.count
      #expect(moved <= 15, "\(moved) rows changed their split")
    }
  }

  @Test func aLimitKeepsGroupsWholeAndTheQuestions() throws {
    let full = try prepareTextbook()
    let short = try prepareTextbook { $0.limit = 120 }
    let counts = short.report.counts
    #expect((100...120).contains(counts.read))
    #expect(counts.read == counts.kept + counts.rejected)
    #expect(counts.kept == counts.train + counts.validation + counts.test)
    #expect(short.test == full.test)
    var sizes: [String: Int] = [:]
    for row in full.train + full.validation + full.test { sizes[row.group ?? "", default: 0] += 1 }
    var shortSizes: [String: Int] = [:]
    for row in short.train + short.validation + short.test { shortSizes[row.group ?? "", default: 0] += 1 }
    #expect(shortSizes.allSatisfy { sizes[$0.key] == $0.value })
  }

  @Test func rowsOverTheLimitAreRejectedWithTheirFigures() throws {
    let dataset = try prepareTextbook { $0.maxTokens = 120 }
    let tooLong = dataset.rejected.filter { $0.reason == "too_long" }
    #expect(!tooLong.isEmpty)
    #expect(dataset.report.rejects == ["too_long": tooLong.count])
    #expect(dataset.report.counts.read == dataset.report.counts.kept + tooLong.count)
    #expect(dataset.report.tokenLengths.allSatisfy { $0.tokens <= 120 })
    let first = try #require(tooLong.first)
    #expect(first.detail.hasSuffix("tokens, more than dataset.max_tokens, 120"))
    #expect(try JSONValue(parsing: first.raw, file: "raw")["question"]?.string != nil)
  }
}

@Suite struct PreparationTests {
  @Test func explicitFilesKeepTheirPlaces() throws {
    let files = [
      "a.csv": "Q,A,label\n\"안녕, 하세요\",\"그가 \"\"네\"\"라고\n했다\",0\n뭐해?,쉬어요,1\n",
      "b.jsonl":
        "{\"messages\": [{\"role\": \"user\", \"content\": \" 안녕? \"}, {\"role\": \"assistant\", \"content\": \"네.\"}]}\n",
      "c.json": "{\"질문\": [\"뭐해?\", \"왜?\"], \"정답\": [\"쉬어요\", 3]}",
    ]
    let dataset = try prepare(files) {
      $0.files = ["a.csv"]
      $0.validationFiles = ["b.jsonl"]
      $0.testFiles = ["c.json"]
      $0.cleaning.leaks = .count
    }
    #expect(dataset.train.map { $0.messages.map(\.content) } == [["안녕, 하세요", "그가 \"네\"라고\n했다"], ["뭐해?", "쉬어요"]])
    #expect(dataset.validation.first?.messages.first?.content == " 안녕? ")
    #expect(dataset.test.map(\.messages.last?.content) == ["쉬어요", "3"])
    #expect(dataset.report.leakage.exactQuestions == 1)
    #expect(dataset.report.schema == "csv, Q/A; jsonl, messages; json object of arrays, 질문/정답")
    #expect(
      dataset.report.mapping == [
        "user": "{Q}", "assistant": "{A}", "messages": "{messages}", "user (c.json)": "{질문}",
        "assistant (c.json)": "{정답}",
      ])
    #expect(dataset.test.allSatisfy { $0.kind == nil && $0.group == nil })
  }

  @Test func theKoreanChatRowsOfThePeersPassAsTheyAre() throws {
    let row =
      "{\"messages\": [{\"role\": \"system\", \"content\": \"짧게.\"}, {\"role\": \"user\", \"content\": \"하나\"}, "
      + "{\"role\": \"assistant\", \"content\": \"1\"}, {\"role\": \"user\", \"content\": \"둘\"}, {\"role\": \"assistant\", \"content\": \"2\"}]}"
    let dataset = try prepare(["a.jsonl": row + "\n\n" + row.replacing("둘", with: "셋") + "\r\n"])
    #expect(dataset.train.map(\.messages.count) == [5, 5])
    #expect(dataset.train.map(\.source.row) == [1, 2])
  }

  @Test func templatesShapeTheRows() throws {
    let dataset = try prepare(["a.tsv": "\u{FEFF}과목\tQ\tA\r\n국어\t 시란? \t운율이 있는 글\r\n"]) {
      var format = FormatSettings()
      format.system = "교과서 도우미"
      format.input = "질문({과목}): {Q} {{끝}}"
      format.output = "정답: {A}"
      $0.format = format
    }
    #expect(dataset.train.first?.messages.map(\.content) == ["교과서 도우미", "질문(국어): 시란? {끝}", "정답: 운율이 있는 글"])
    #expect(dataset.report.mapping["user"] == "질문({과목}): {Q} {{끝}}")
  }

  @Test func columnsOfFewValuesAreCategories() throws {
    let rows = (1...8).map { "질문 \($0),답 \($0),\($0 % 3) ,\($0 % 5),\($0 == 1 ? "" : "예")" }
    let dataset = try prepare(["a.csv": "Q,A,label,level,flag\n" + rows.joined(separator: "\n")])
    #expect(dataset.report.categories == ["label": ["0": 2, "1": 3, "2": 3], "flag": ["예": 7]])
    let labels = dataset.report.samples.compactMap { $0.before.first { $0.name == "label" }?.value }
    #expect(labels.count == 5 && Set(labels).count == 3)
  }

  @Test func alpacaRowsTakeTheirInputWhereTheyHaveOne() throws {
    let dataset = try prepare([
      "a.json": """
      [{"instruction": "요약하라", "input": "긴 글", "output": "글"}, {"instruction": "인사하라", "input": "", "output": "안녕"}]
      """
    ])
    #expect(dataset.train.map { $0.messages[0].content } == ["요약하라\n\n긴 글", "인사하라"])
    #expect(dataset.report.schema == "json array of objects, instruction/output")
  }

  @Test(arguments: [
    ("{\"question\": \"ㄱ\"}", "no_answer", "the row has no \"answer\""),
    ("{\"question\": \"ㄱ\", \"answer\": null}", "no_answer", "the row has no \"answer\""),
    ("{\"question\": \"ㄱ\", \"answer\": \" \\n\"}", "empty_answer", "\"answer\" is empty"),
    ("{\"answer\": \"ㄱ\"}", "no_question", "the row has no \"question\""),
    ("{\"question\": \"\", \"answer\": \"ㄱ\"}", "empty_question", "\"question\" is empty"),
    ("{\"question\": [1], \"answer\": \"ㄱ\"}", "wrong_type", "\"question\" is a list where a text was expected"),
    ("[\"ㄱ\", \"ㄴ\"]", "wrong_type", "the row is a list where an object was expected"),
    ("{\"question\": \"좋은  질문\", \"answer\": \"답\"}", "duplicate", "the same as row 1 of a.jsonl"),
    ("{\"question\": \" 좋은 질문\", \"answer\": \"답\"}", "duplicate", "the same as row 1 of a.jsonl"),
    (
      "{\"question\": \"\(String(repeating: "길", count: 95))\", \"answer\": \"답\"}", "too_long",
      "99 tokens, more than dataset.max_tokens, 98"
    ),
  ])
  func rowsAreRejectedWithTheirReason(_ row: String, _ reason: String, _ detail: String) throws {
    let good = "{\"question\": \"좋은 질문\", \"answer\": \"답\"}"
    let dataset = try prepare(["a.jsonl": "\(good)\n\(row)\n"]) { $0.maxTokens = 98 }
    let raw = try JSONValue(parsing: row, file: "row").text()
    #expect(
      dataset.rejected == [
        RejectedRow(source: .init(file: "a.jsonl", row: 2), reason: reason, detail: detail, raw: raw)
      ])
    #expect(dataset.report.rejects == [reason: 1])
    #expect(dataset.report.counts.read == 2 && dataset.report.counts.kept == 1)
  }

  @Test func decomposedDuplicatesAreFound() throws {
    let row = "{\"question\": \"한글은 누가 만들었나요?\", \"answer\": \"세종\"}"
    let dataset = try prepare(["a.jsonl": row + "\n" + row.decomposedStringWithCanonicalMapping])
    #expect(dataset.report.rejects == ["duplicate": 1])
  }

  @Test(arguments: [
    ("[{\"role\": \"user\", \"content\": \"ㄱ\"}]", "no_answer"),
    ("[]", "no_question"),
    ("[{\"role\": \"system\", \"content\": \"ㄱ\"}]", "no_question"),
    ("[{\"role\": \"assistant\", \"content\": \"ㄱ\"}]", "bad_messages"),
    ("[{\"role\": \"user\", \"content\": \"ㄱ\"}, {\"role\": \"user\", \"content\": \"ㄱ\"}]", "bad_messages"),
    ("[{\"role\": \"user\", \"content\": \"ㄱ\"}, {\"role\": \"tool\", \"content\": \"ㄱ\"}]", "bad_messages"),
    ("[{\"role\": \"user\"}]", "bad_messages"),
    ("[{\"role\": \"user\", \"content\": \"ㄱ\"}, {\"role\": \"assistant\", \"content\": \" \"}]", "empty_answer"),
    ("[{\"role\": \"user\", \"content\": \"\"}, {\"role\": \"assistant\", \"content\": \"ㄱ\"}]", "empty_question"),
    ("[{\"role\": \"user\", \"content\": 1}]", "wrong_type"),
    ("[\"ㄱ\"]", "wrong_type"),
    ("\"ㄱ\"", "wrong_type"),
    ("null", "bad_messages"),
  ])
  func faultyConversationsAreRejected(_ messages: String, _ reason: String) throws {
    let good =
      "{\"messages\": [{\"role\": \"user\", \"content\": \"ㄱ\"}, {\"role\": \"assistant\", \"content\": \"ㄴ\"}]}"
    let dataset = try prepare(["a.jsonl": "\(good)\n{\"messages\": \(messages)}\n"])
    #expect(dataset.rejected.map(\.reason) == [reason])
  }

  @Test func aSplitWithoutGroupsTakesItsShares() throws {
    let rows =
      (1...50).map { "{\"question\": \"질문 \($0)\", \"answer\": \"답\"}" } + [
        "{\"question\": \"질문 1\", \"answer\": \"다른 답\"}"
      ]
    let dataset = try prepare(["a.jsonl": rows.joined(separator: "\n")]) {
      var split = SplitSettings()
      split.validation = 0.1
      split.test = 7
      $0.split = split
    }
    #expect(dataset.test.count == 7 && dataset.validation.count == 5 && dataset.train.count == 39)
    #expect(dataset.test.allSatisfy { $0.kind == nil && $0.messages[0].content != "질문 1" })
    #expect(dataset.report.leakage.exactQuestions == 0)
  }

  @Test func encodingErrorsAreTheCallers() throws {
    struct Broken: Error {}
    try Fixtures.withTemporaryFolder { folder in
      try Data("[{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}]".utf8).write(to: folder.appendingPathComponent("a.json"))
      var settings = DatasetSettings()
      settings.files = ["a.json"]
      settings.split = nil
      #expect(throws: Broken.self) { try Preparation(settings: settings, base: folder) { _ in throw Broken() }.run() }
    }
  }

  @Test func writesAllFilesOfTheContract() throws {
    try Fixtures.withTemporaryFolder { folder in
      let run = RunFolder(folder.appendingPathComponent("demo: \"run\""))
      let dataset = try prepareTextbook { $0.maxTokens = 120 }
      try dataset.write(to: run)
      for split in DatasetSplit.allCases {
        #expect(try RecordFile.readLines(ChatRow.self, from: run.dataset(split)) == dataset.rows(split))
      }
      #expect(try RecordFile.readLines(RejectedRow.self, from: run.rejectedRows) == dataset.rejected)
      #expect(try RecordFile.read(DatasetReport.self, from: run.datasetReport) == dataset.report)
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: run.at("dataset").path).sorted()
          == ["README.md", "rejected.jsonl", "report.json", "test.jsonl", "train.jsonl", "validation.jsonl"])
      let card = try String(contentsOf: run.datasetCard, encoding: .utf8)
      let parts = card.components(separatedBy: "---\n")
      try #require(parts.count >= 3 && parts[0].isEmpty)
      let front = try YAMLNode(parsing: parts[1], file: "README.md").json
      #expect(front["pretty_name"]?.string == "demo: \"run\"")
      #expect(front["language"] == ["ko"])
      let files = front["configs"]?[0]?["data_files"]
      #expect(files?[0]?["split"] == "train" && files?[0]?["path"] == "train.jsonl")
      #expect(files?[1]?["split"] == "validation" && files?[2]?["path"] == "test.jsonl")
      #expect(front["dataset_info"]?["features"]?[0]?["list"]?[0]?["dtype"] == "string")
      #expect(card.contains("| too_long | \(dataset.rejected.count) |"))
    }
  }
}
