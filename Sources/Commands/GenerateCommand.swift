import Datasets
import Foundation
import Formats
import Models
import Runs
import Tokenizers

enum GenerateCommand {
  static let generate = Command(
    name: "generate", summary: Words("answers a prompt", ko: "질문에 답합니다"),
    usage: "(\(AskedModel.usage)) (--prompt TEXT | --file IN --out OUT.jsonl) [options]",
    options: [
      AskedModel.modelOption, AskedModel.adapterOption,
      Option("--base", Words("leaves the adapter out", ko: "어댑터 없이 기반 모델로 답합니다")),
      Option("--prompt", "TEXT", Words("the question", ko: "질문")), AskedModel.systemOption,
      Option(
        "--file", "IN",
        Words(
          "JSONL rows with \"prompt\", \"question\" or \"messages\", or a .txt with one question a line",
          ko: "\"prompt\", \"question\", \"messages\"가 있는 JSONL 파일, 또는 한 줄에 질문 하나인 .txt 파일")),
      Option("--out", "OUT.jsonl", Words("where their answers go", ko: "답을 쓸 파일")),
    ] + AskedModel.answerOptions(maxNewTokens: 128) + [
      Option("--raw", Words("without the chat template", ko: "대화 틀 없이 그대로 이어 씁니다")), Arithmetic.weightsOption,
      Arithmetic.option, runsOption,
    ], example: "lorapress generate --model qwen2.5-coder-0.5b-instruct --prompt '대한민국의 수도는?'"
  ) { arguments, console in
    let asked = try AskedModel(arguments, "generate", maxNewTokens: 128)
    let prompts = try prompts(arguments, system: asked.system)
    let (model, decoder, adapter) = try asked.open(console, withAdapter: !arguments.flag("--base"))
    let generator = Generator(DecoderSession(decoder, adapter: adapter), endTokens: model.tokenizer.eosTokens)
    let ids =
      arguments.flag("--raw")
      ? model.tokenizer.encode(all: prompts.map { $0.last?.content ?? "" })
      : try model.tokenizer.encodeChats(prompts, addGenerationPrompt: true)
    if let out = arguments.value("--out") {
      return try answer(ids, prompts, generator, model.tokenizer, asked.generation, out, console)
    }
    var speed = AnswerSpeed()
    let answers = try generator.answers(ids, model.tokenizer, asked.generation) { _, text in
      speed.note()
      console.printAnswer(text)
      return !Interruption.isRequested
    }
    console.print("")
    if console.isTerminal { console.note(speed.words(tokens: answers.reduce(0) { $0 + $1.tokens }), isAside: true) }
  }

  /// One conversation for `--prompt`, or one a row of `--file`.
  private static func prompts(_ arguments: Arguments, system: String?) throws -> [[ChatMessage]] {
    let system = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    func asked(_ text: String) -> [ChatMessage] { system + [ChatMessage(role: "user", content: text)] }
    switch (arguments.value("--prompt"), arguments.value("--file"), arguments.value("--out")) {
    case (let prompt?, nil, nil): return [asked(try PlainText.checked(prompt, place: "--prompt"))]
    case (nil, let file?, .some):
      guard let data = FileManager.default.contents(atPath: file) else {
        throw RunsError("\(file): can't be read; check that the file exists")
      }
      let prompts =
        file.hasSuffix(".txt")
        ? try PlainText.lines(of: data, file: file).map { asked($0.text) }
        : try JSONValue.lines(of: data, file: file).map { line, value in
          try conversation(value) ?? asked(question(value, file: file, line: line))
        }
      guard !prompts.isEmpty else { throw RunsError("\(file): holds no question; give a file with at least one") }
      return prompts
    default:
      throw UsageError("give either --prompt TEXT, or --file IN with --out OUT.jsonl; see `lorapress generate --help`")
    }
  }

  /// The turns of a row's "messages" up to the last question; nil without them.
  private static func conversation(_ row: JSONValue) -> [ChatMessage]? {
    guard let messages = row["messages"]?.array else { return nil }
    let turns = messages.compactMap { message -> ChatMessage? in
      guard let role = message["role"]?.string, let content = message["content"]?.string else { return nil }
      return ChatMessage(role: role, content: content)
    }
    let asked = turns.last?.role == "assistant" ? Array(turns.dropLast()) : turns
    return turns.count == messages.count && !asked.isEmpty ? asked : nil
  }

  private static func question(_ row: JSONValue, file: String, line: Int) throws -> String {
    guard let text = row["prompt"]?.string ?? row["question"]?.string ?? row.string else {
      throw FormatError(file: file, line: line, message: "has no \"prompt\", \"question\" or \"messages\"; add one")
    }
    return text
  }

  /// Writes all answers at once, when they are there.
  private static func answer(
    _ ids: [[Int32]], _ prompts: [[ChatMessage]], _ generator: Generator, _ tokenizer: Tokenizer,
    _ options: GenerationOptions, _ out: String, _ console: Console
  ) throws {
    let progress = Progress(console, Words("Answering", ko: "답변 생성"))
    let start = ContinuousClock.now
    var heard = 0
    let answers = try generator.answers(ids, tokenizer, options) { _, _ in
      heard += 1
      progress.update(heard, of: ids.count * options.maxNewTokens)
      return !Interruption.isRequested
    }
    progress.close()
    if Interruption.isRequested {
      throw Interrupted(advice: Words("Stopped; nothing was written.", ko: "멈췄고 파일은 쓰지 않았습니다."))
    }
    let time = ContinuousClock.now - start
    let lines = zip(prompts, answers).map { prompt, answer -> String in
      let row: JSONValue = [
        "prompt": .string(prompt.last?.content ?? ""), "answer": .string(answer.text),
        "stop_reason": .string(answer.stopReason.rawValue), "tokens": JSONValue(answer.tokens),
      ]
      return row.text() + "\n"
    }
    try AtomicFile.write(lines.joined(), to: URL(fileURLWithPath: out))
    let tokens = answers.reduce(0) { $0 + $1.tokens }
    let rate = AnswerSpeed.rate(tokens, in: time)
    console.note(
      Words(
        "\(answers.count) answers · \(tokens) tokens · \(rate) tokens/s",
        ko: "답 \(answers.count)개 · 토큰 \(tokens)개 · 초당 \(rate)개"), isAside: true)
    console.print(out)
  }
}
