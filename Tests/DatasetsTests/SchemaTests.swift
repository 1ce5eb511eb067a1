import Foundation
import Runs
import TestSupport
import Testing

@testable import Datasets

/// A file of each known layout, straight in.
@Suite struct SchemaTests {
  struct Expected: Sendable {
    var file: String
    var schema: String
    var mapping: [String: String]
    /// Of the first row.
    var roles: [String]
    var contents: [String]
    var rows = 1
    var rejected = 0
  }

  static let all = [
    Expected(
      file: "text.jsonl", schema: "jsonl, text", mapping: ["text": "{text}", "rules": textRules],
      roles: ["user", "assistant"],
      contents: [
        "다음 글을 이어서 써 줘.\n\n광합성은 식물이 빛으로 양분을 만드는 일이다.",
        "잎의 엽록체에서 물과 이산화탄소로 포도당을 만들고 산소를 내보낸다.",
      ]),
    Expected(
      file: "column-0.jsonl", schema: "jsonl, text", mapping: ["text": "{0}", "rules": textRules],
      roles: ["user", "assistant"], contents: ["다음 글을 이어서 써 줘.\n\n조선은 1392년에 세워졌다.", "수도는 한양이었다."],
      rejected: 1),
    Expected(
      file: "instruction-output.json", schema: "json array of objects, instruction/output",
      mapping: ["user": "{instruction}\n\n{input}", "assistant": "{output}"], roles: ["user", "assistant"],
      contents: ["다음 문장을 높임말로 바꿔 줘.\n\n밥 먹었어?", "진지 드셨어요?"], rows: 2),
    Expected(
      file: "instruction-response.jsonl", schema: "jsonl, instruction/response",
      mapping: ["user": "{instruction}\n\n{context}", "assistant": "{response}"], roles: ["user", "assistant"],
      contents: ["한글은 언제 반포되었나?\n\n훈민정음은 1443년에 만들어져 1446년에 반포되었다.", "1446년에 반포되었다."], rows: 2),
    Expected(
      file: "question-answer.json", schema: "json object of arrays, question/answer",
      mapping: ["user": "{question}", "assistant": "{answer}"], roles: ["user", "assistant"],
      contents: ["독도는 어느 바다에 있는가?", "동해에 있다."], rows: 2),
    Expected(
      file: "question-response.jsonl", schema: "jsonl, question/response",
      mapping: ["system": "{system_prompt}", "user": "{question}", "assistant": "{response}"],
      roles: ["system", "user", "assistant"],
      contents: [
        "초등학생에게 설명하듯 답하라.", "달은 왜 모양이 바뀌어 보이나요?",
        "햇빛을 받는 부분 가운데 우리에게 보이는 부분이 날마다 달라지기 때문이에요.",
      ], rows: 2),
    Expected(
      file: "질문-정답.tsv", schema: "tsv, 질문/정답", mapping: ["user": "{질문}", "assistant": "{정답}"],
      roles: ["user", "assistant"], contents: ["세종대왕의 업적은?", "훈민정음을 만들었다."]),
    Expected(
      file: "질문-답변.csv", schema: "csv, 질문/답변", mapping: ["user": "{질문}", "assistant": "{답변}"],
      roles: ["user", "assistant"], contents: ["대기압의 단위는?", "hPa(헥토파스칼)이다."]),
    Expected(
      file: "Input-Output.jsonl", schema: "jsonl, Input/Output", mapping: ["user": "{Input}", "assistant": "{Output}"],
      roles: ["user", "assistant"], contents: ["지구의 위성은?", "달이다."]),
    Expected(
      file: "prompt-completion.jsonl", schema: "jsonl, prompt/completion",
      mapping: ["user": "{prompt}", "assistant": "{completion}"], roles: ["user", "assistant"],
      contents: ["가장 큰 대륙은?", "아시아이다."], rows: 2),
    Expected(
      file: "messages.jsonl", schema: "jsonl, messages", mapping: ["messages": "{messages}"],
      roles: ["user", "assistant", "user", "assistant"],
      contents: ["안녕?", "안녕하세요.", "오늘 며칠이야?", "달력을 볼 수 없어서 알 수 없어요."]),
    Expected(
      file: "conversations.json", schema: "json array of objects, conversations",
      mapping: ["messages": "{conversations}"], roles: ["system", "user", "assistant"],
      contents: ["역사 선생님이다.", "고려를 세운 사람은?", "왕건입니다."]),
    Expected(
      file: "role-tokens.jsonl", schema: "jsonl, text", mapping: ["text": "{text}", "rules": textRules],
      roles: ["user", "assistant"], contents: ["12시 땡!", "하루가 또 가네요."], rows: 4),
    Expected(
      file: "Q-A.csv", schema: "csv, Q/A", mapping: ["user": "{Q}", "assistant": "{A}"], roles: ["user", "assistant"],
      contents: ["배고파", "맛있는 거 드세요."]),
  ]

  private static let textRules = TextRule.allCases.map(\.rawValue).joined(separator: ", ")

  private func prepare(_ file: String, _ configure: (inout DatasetSettings) -> Void = { _ in }) throws
    -> Prepared
  {
    var settings = DatasetSettings()
    settings.files = [file]
    settings.split = nil
    configure(&settings)
    return try Prepared(
      Preparation(settings: settings, base: Fixtures.url("Datasets", "schemas"), encode: measure).run())
  }

  @Test(arguments: all)
  func eachIsDetectedAndConverted(_ expected: Expected) throws {
    let dataset = try prepare(expected.file)
    #expect(dataset.report.schema == expected.schema)
    #expect(dataset.report.mapping == expected.mapping)
    #expect(dataset.train.first?.messages.map(\.role) == expected.roles)
    #expect(dataset.train.first?.messages.map(\.content) == expected.contents)
    #expect(dataset.report.counts.kept == expected.rows && dataset.report.counts.rejected == expected.rejected)
    #expect(dataset.report.counts.read == expected.rows + expected.rejected)
  }

  @Test func everyFixtureHasItsTest() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Fixtures.url("Datasets", "schemas").path)
    func names(_ list: [String]) -> [String] { list.map(\.precomposedStringWithCanonicalMapping).sorted() }
    #expect(names(files) == names(Self.all.map(\.file)))
  }

  @Test func messagesOfPromptAndCompletionAreJoined() throws {
    let rows = try prepare("prompt-completion.jsonl").train
    #expect(rows.last?.messages.map(\.role) == ["system", "user", "assistant"])
    #expect(rows.last?.messages.map(\.content) == ["한 문장으로 답하라.", "가장 긴 강은?", "흔히 나일강을 꼽는다."])
  }

  @Test func anEmptySystemColumnMakesNoMessage() throws {
    #expect(try prepare("question-response.jsonl").train.last?.messages.map(\.role) == ["user", "assistant"])
  }

  @Test func roleTokensBecomeTurnsAndEachRowTellsItsRule() throws {
    let dataset = try prepare("role-tokens.jsonl")
    #expect(
      dataset.train.map { $0.messages.map(\.content) } == [
        ["12시 땡!", "하루가 또 가네요."], ["해는 어느 쪽에서 뜨나요?", "동쪽에서 떠요."],
        ["아래는 작업을 설명하는 명령어이다.", "반대말을 써라.\n\n높다", "낮다"], ["둘에 셋을 더하면?", "다섯이다."],
      ])
    #expect(dataset.train.allSatisfy { $0.rule == "roles" })
    #expect(dataset.report.rules == ["roles": 4])
  }

  @Test(arguments: [
    "<usr> 물음만 있다", "### 제목\n\n본문이다.", "a < b 이고 #### 질문: 아니다 ### 응답: 줄 앞이 아니다", "",
  ])
  func otherTextsAreNoConversation(_ text: String) {
    #expect(RoleText.messages(in: text) == nil)
  }

  @Test func severalTurnsOfRoleTokens() {
    let text = "<usr>하나?<sys>둘.<usr>셋?<sys>넷."
    #expect(RoleText.messages(in: text)?.map(\.content) == ["하나?", "둘.", "셋?", "넷."])
    let english = "### Instruction:\nAdd.\n### Input:\n\n### Response:\n3"
    #expect(RoleText.messages(in: english)?.map(\.content) == ["Add.", "3"])
  }

  @Test func theFormatCanNameAConversationOrTextColumn() throws {
    let row = "{\"대화\": [{\"from\": \"human\", \"value\": \"ㄱ\"}, {\"from\": \"gpt\", \"value\": \"ㄴ\"}], \"Q\": \"ㄷ\"}"
    let chats = try DatasetsTests.prepare(["a.jsonl": row]) {
      var format = FormatSettings()
      format.messages = "{대화}"
      $0.format = format
    }
    #expect(chats.train.first?.messages.map(\.content) == ["ㄱ", "ㄴ"])
    #expect(chats.report.schema == "jsonl, dataset.format")
    let texts = try DatasetsTests.prepare(["a.jsonl": "{\"본문\": \"첫 문장이다. 둘째 문장이다.\"}"]) {
      var format = FormatSettings()
      format.text = "{본문}"
      format.rules = [.continuation]
      $0.format = format
    }
    #expect(texts.train.first?.messages.last?.content == "둘째 문장이다.")
    #expect(texts.report.mapping == ["text": "{본문}", "rules": "continuation"])
  }

  @Test func aTextThatNoRuleFitsIsRejected() throws {
    let rows = "{\"text\": \"첫 문장이다. 둘째 문장이다.\"}\n{\"text\": \"한마디\"}\n{\"text\": 3}\n{\"label\": 1}\n"
    let dataset = try DatasetsTests.prepare(["a.jsonl": rows])
    #expect(dataset.rejected.map(\.reason) == ["no_rule", "wrong_type", "no_text"])
    let tried = TextRule.allCases.map(\.rawValue).joined(separator: ", ")
    #expect(
      dataset.rejected.first?.detail
        == "none of the rules \(tried) makes a question and an answer of \"text\"")
  }

  @Test(
    arguments: [
      (
        "{\"messages\": []}", "대화", nil,
        "a.jsonl: no row has the column \"대화\" of dataset.format.messages; change it to one that exists (columns: \"messages\")"
      ),
      (
        "{\"text\": \"ㄱ\"}", nil, "앞 {text}",
        "dataset.format.text: \"앞 {text}\" is not one column; write one of {text}"
      ),
    ] as [(String, String?, String?, String)])
  func columnsThatDoNotFit(_ row: String, _ messages: String?, _ text: String?, _ error: String) {
    let found = failure {
      try DatasetsTests.prepare(["a.jsonl": row]) {
        var format = FormatSettings()
        format.messages = messages.map { "{\($0)}" }
        format.text = text
        $0.format = format
      }
    }
    #expect(found == error)
  }

  /// Files made on a Mac may spell a column in Unicode's form D: it is the same column.
  @Test func columnsMayBeDecomposed() throws {
    func row(_ number: Int) -> String { "{\"질문\": \"ㄱ\(number)\", \"정답\": \"ㄴ\", \"갈래\": \"ㄷ\(number % 4)\"}" }
    // Rows in either form.
    let text = row(1) + "\n" + (2...8).map(row).joined(separator: "\n").decomposedStringWithCanonicalMapping
    for isDetected in [true, false] {
      let dataset = try DatasetsTests.prepare(["a.jsonl": text]) { settings in
        var format = FormatSettings()
        (format.input, format.output) = ("{질문}", "{정답}")
        settings.format = isDetected ? nil : format
        var split = SplitSettings()
        (split.test, split.group, split.groups) = (1, "갈래", .together)
        settings.split = split
      }
      #expect(dataset.report.counts.kept == 8)
      #expect(dataset.report.counts.groups == 4)
    }
    let chats = "{\"대화\": [{\"role\": \"user\", \"content\": \"ㄱ\"}, {\"role\": \"assistant\", \"content\": \"ㄴ\"}]}"
    var format = FormatSettings()
    format.messages = "{대화}"
    let dataset = try DatasetsTests.prepare(["a.jsonl": chats.decomposedStringWithCanonicalMapping]) { [format] in
      $0.format = format
    }
    #expect(dataset.train.count == 1)
  }
}
