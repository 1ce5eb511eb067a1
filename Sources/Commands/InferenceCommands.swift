import Compute
import Datasets
import Foundation
import Formats
import Models
import Runs
import Tokenizers
import Training

enum InferenceCommands {
  static let modelOption = Option(
    "--model", "M",
    Words(
      "a name from `lorapress model list`, a GGUF file or a Hugging Face folder",
      ko: "`lorapress model list`의 이름, GGUF 파일, Hugging Face 폴더"))
  private static let adapterOption = Option(
    "--adapter", "A",
    Words("a PEFT folder, a checkpoint folder or a run (then its best)", ko: "PEFT 폴더, 체크포인트 폴더, 또는 실행 이름(가장 좋은 체크포인트)")
  )
  private static let outputOption = Option(
    "--output", "DIR", Words("where runs are (default: output)", ko: "실행 기록이 있는 폴더 (기본: output)"))

  // MARK: score

  static let score = Command(
    name: "score",
    summary: Words("token-weighted loss and perplexity of a data file", ko: "데이터 파일의 손실과 perplexity를 잽니다"),
    usage: "--model M --data FILE [--adapter A] [--json]",
    options: [
      modelOption,
      Option("--data", "FILE", Words("JSONL rows of {\"messages\": […]}", ko: "{\"messages\": […]} 형식의 JSONL 파일")),
      adapterOption,
      Option("--json", Words("one JSON object", ko: "JSON 하나로 출력합니다")), Arithmetic.weightsOption,
      Arithmetic.option, outputOption,
    ], example: "lorapress score --model qwen2.5-coder-0.5b-instruct --data eval.jsonl --json"
  ) { arguments, console in
    try arguments.none("score")
    let data = try arguments.required("--data", "score")
    // A measure is taken in float32 unless asked otherwise; an answer is wanted soon.
    let arithmetic = try Arithmetic(arguments, weights: .f32)
    let model = try OpenedModel(arguments.required("--model", "score"), project: Project.locate(), console: console)
    let rows = try examples(data, model.tokenizer)
    let decoder = try model.load(CPUBackend(), arithmetic, console: console)
    let chosen = try openedAdapter(arguments, on: decoder, console)
    let progress = Progress(console, Words("Scoring", ko: "점수 계산"))
    let summary = LossEvaluation.run(
      DecoderSession(decoder, adapter: chosen?.adapter), rows, isCancelled: { Interruption.isRequested },
      progress: { done, total in progress.update(done, of: total) })
    progress.close()
    guard let summary else { throw Interrupted(advice: Words("Stopped.", ko: "멈췄습니다.")) }
    guard summary.supervisedTokens > 0 else {
      throw RunsError("\(data): no row has a supervised token; each needs an assistant's answer at its end")
    }
    let result: JSONValue = [
      "loss": JSONValue(summary.loss), "perplexity": JSONValue(exp(summary.loss)),
      "supervised_tokens": JSONValue(summary.supervisedTokens), "rows": JSONValue(rows.count),
      "model_sha256": .string(model.resolved.sha256), "adapter_sha256": chosen.map { .string($0.sha256) } ?? .null,
      "adapted_layers": chosen.map { JSONValue($0.adapter.layers.count) } ?? .null,
      "compute": .string(arithmetic.compute),
    ]
    if arguments.flag("--json") { return console.print(result.text()) }
    console.print(
      console.text(
        Words(
          "loss \(String(format: "%.4f", summary.loss)) · perplexity \(String(format: "%.2f", exp(summary.loss))) · \(summary.supervisedTokens) supervised tokens in \(rows.count) rows",
          ko:
            "손실 \(String(format: "%.4f", summary.loss)) · perplexity \(String(format: "%.2f", exp(summary.loss))) · \(rows.count)행의 지도 토큰 \(summary.supervisedTokens)개"
        )))
  }

  /// The adapter that `--adapter` names, with the hash of its weights; how many layers it changes is said on standard error.
  private static func openedAdapter(
    _ arguments: Arguments, on decoder: Decoder, _ console: Console
  ) throws -> (adapter: LoraAdapter, sha256: String)? {
    guard let name = arguments.value("--adapter") else { return nil }
    let folder = try adapterFolder(name, output: outputFolder(arguments))
    let adapter = try LoraAdapter(folder: folder, on: decoder)
    let hash = try adapterHash(folder)
    let whole = adapter.savedModules.map(\.path)
    let more = whole.isEmpty ? "" : " + " + whole.joined(separator: ", ")
    console.note(
      Words(
        "Adapter: \(adapter.layers.count) layers\(more), sha256 \(hash)",
        ko: "어댑터: \(adapter.layers.count)개 층\(more), sha256 \(hash)"))
    return (adapter, hash)
  }

  private static func examples(_ path: String, _ tokenizer: Tokenizer) throws -> [TokenizedExample] {
    let url = URL(fileURLWithPath: path)
    let table = try TableReader.read(url, name: path)
    let mapping = try ColumnMapping(columns: table.columnNames, file: path, format: nil)
    let conversations = try table.rows.flatMap { row in
      do throws(Rejection) {
        return try mapping.conversations(of: row).map { chatMessages($0.messages) }
      } catch {
        throw RunsError("\(path): row \(row.source.row): \(error.detail); correct the row or leave it out")
      }
    }
    let examples = try tokenizer.supervisedTurns(all: conversations).map { row in
      let (ids, turns) = try row.get()
      return TokenizedExample(ids: ids, supervised: turns)
    }
    if examples.isEmpty { throw RunsError("\(path): holds no rows; give a file with at least one") }
    return examples
  }

  // MARK: tokenize

  static let tokenize = Command(
    name: "tokenize", summary: Words("one JSON array of token ids per line of text", ko: "줄마다 토큰 번호를 JSON 배열로 출력합니다"),
    usage: "--model M [FILE] [--special] [--chat]",
    options: [
      modelOption,
      Option("--special", Words("special tokens written out become tokens", ko: "글자로 적힌 특수 토큰을 토큰으로 읽습니다")),
      Option("--chat", Words("each line is a user turn, with the generation prompt", ko: "줄마다 사용자 말로 보고 대화 틀을 씌웁니다")),
    ], example: "echo '대한민국의 수도는?' | lorapress tokenize --model qwen2.5-coder-0.5b-instruct"
  ) { arguments, console in
    let model = try OpenedModel(arguments.required("--model", "tokenize"), project: Project.locate(), console: console)
    let data: Data
    if arguments.positional.isEmpty {
      data = FileHandle.standardInput.readDataToEndOfFile()
    } else {
      let path = try arguments.single("FILE", "tokenize")
      guard let read = FileManager.default.contents(atPath: path) else {
        throw RunsError("\(path): can't be read; check that the file exists")
      }
      data = read
    }
    var lines = data.split(separator: 0x0A, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    // Block by block: neither the ids of a large file nor its output are ever whole in memory.
    for start in stride(from: 0, to: lines.count, by: 8192) {
      let texts = try lines[start..<min(start + 8192, lines.count)].enumerated().map { index, line in
        guard let text = String(validating: line, as: UTF8.self) else {
          throw RunsError("line \(start + index + 1): not valid UTF-8; convert the text to UTF-8 first")
        }
        return text
      }
      let rows =
        arguments.flag("--chat")
        ? try model.tokenizer.encodeChats(
          texts.map { [ChatMessage(role: "user", content: $0)] }, addGenerationPrompt: true)
        : model.tokenizer.encode(all: texts, special: arguments.flag("--special"))
      console.print(
        rows.map { "[" + $0.map(String.init).joined(separator: ",") + "]\n" }.joined(), terminator: "")
    }
  }

  // MARK: generate

  static let generate = Command(
    name: "generate", summary: Words("answers a prompt", ko: "질문에 답합니다"),
    usage: "--model M (--prompt TEXT | --file IN.jsonl --out OUT.jsonl) [options]",
    options: [
      modelOption, adapterOption, Option("--prompt", "TEXT", Words("the question", ko: "질문")),
      Option("--system", "TEXT", Words("a system prompt (default: the template's)", ko: "시스템 프롬프트 (기본: 모델의 틀)")),
      Option(
        "--file", "IN.jsonl",
        Words("rows with \"prompt\", \"question\" or \"messages\"", ko: "\"prompt\", \"question\", \"messages\"가 있는 파일")
      ),
      Option("--out", "OUT.jsonl", Words("where their answers go", ko: "답을 쓸 파일")),
      Option("--max-new-tokens", "N", Words("default 128", ko: "기본 128")),
      Option("--temperature", "T", Words("sampling; 0 (default) is greedy", ko: "샘플링 온도. 0(기본)이면 greedy")),
      Option("--top-k", "K", Words("with sampling: only the K likeliest", ko: "샘플링 후보 수")),
      Option("--top-p", "P", Words("with sampling: the likeliest up to probability P", ko: "샘플링 누적 확률")),
      Option("--seed", "N", Words("of the sampling (default 0)", ko: "샘플링 seed (기본 0)")),
      Option(
        "--repetition-penalty", "R",
        Words("above 1 tokens so far are repeated less (default 1: off)", ko: "1보다 크면 나온 토큰을 덜 되풀이합니다 (기본 1: 끔)")),
      Option(
        "--stop", "TEXT", repeats: true,
        Words("ends the answer before this text; may be given again", ko: "이 글자 앞에서 답을 끝냅니다. 여러 번 쓸 수 있습니다")),
      Option("--raw", Words("without the chat template", ko: "대화 틀 없이 그대로 이어 씁니다")), Arithmetic.weightsOption,
      Arithmetic.option, outputOption,
    ], example: "lorapress generate --model qwen2.5-coder-0.5b-instruct --prompt '대한민국의 수도는?'"
  ) { arguments, console in
    try arguments.none("generate")
    let prompts = try prompts(arguments)
    let options = try generationOptions(arguments)
    var arithmetic = try Arithmetic(arguments, weights: .bf16)
    let model = try OpenedModel(arguments.required("--model", "generate"), project: Project.locate(), console: console)
    // What is 4-bit in the file stays so unless another kind is asked for.
    if model.file.holdsNF4 { arithmetic = try Arithmetic(arguments, weights: .nf4) }
    let decoder = try model.load(CPUBackend(), arithmetic, console: console)
    let adapter = try openedAdapter(arguments, on: decoder, console)?.adapter
    let generator = Generator(DecoderSession(decoder, adapter: adapter), endTokens: model.tokenizer.eosTokens)
    let ids =
      arguments.flag("--raw")
      ? model.tokenizer.encode(all: prompts.map { $0.last?.content ?? "" })
      : try model.tokenizer.encodeChats(prompts, addGenerationPrompt: true)
    if let out = arguments.value("--out") {
      try answer(ids, prompts, generator, model.tokenizer, options, out, console)
    } else {
      _ = try generator.answers(ids, model.tokenizer, options) { _, text in
        console.print(text, terminator: "")
        return !Interruption.isRequested
      }
      console.print("")
    }
  }

  private static func generationOptions(_ arguments: Arguments) throws -> GenerationOptions {
    let stops = arguments.list("--stop")
    if stops.contains("") { throw UsageError("--stop needs a text that is not empty") }
    return GenerationOptions(
      maxNewTokens: try arguments.integer("--max-new-tokens", atLeast: 1) ?? 128,
      sampling: Sampling(
        temperature: Float(try arguments.number("--temperature", in: 0...100) ?? 0),
        topK: try arguments.integer("--top-k") ?? 0, topP: Float(try arguments.number("--top-p", in: 0...1) ?? 1),
        repetitionPenalty: Float(try arguments.number("--repetition-penalty", in: 0.01...100) ?? 1),
        seed: UInt64(try arguments.integer("--seed") ?? 0)),
      stopStrings: stops)
  }

  /// One conversation for `--prompt`, or one a row of `--file`.
  private static func prompts(_ arguments: Arguments) throws -> [[ChatMessage]] {
    let system = arguments.value("--system").map { [ChatMessage(role: "system", content: $0)] } ?? []
    switch (arguments.value("--prompt"), arguments.value("--file"), arguments.value("--out")) {
    case (let prompt?, nil, nil): return [system + [ChatMessage(role: "user", content: prompt)]]
    case (nil, let file?, .some):
      guard let data = FileManager.default.contents(atPath: file) else {
        throw RunsError("\(file): can't be read; check that the file exists")
      }
      return try JSONValue.lines(of: data, file: file).map { line, value in
        if let messages = value["messages"]?.array {
          let turns = messages.compactMap { message -> ChatMessage? in
            guard let role = message["role"]?.string, let content = message["content"]?.string else { return nil }
            return ChatMessage(role: role, content: content)
          }
          let asked = turns.last?.role == "assistant" ? Array(turns.dropLast()) : turns
          if turns.count == messages.count, !asked.isEmpty { return asked }
        }
        guard let text = value["prompt"]?.string ?? value["question"]?.string ?? value.string else {
          throw FormatError(file: file, line: line, message: "has no \"prompt\", \"question\" or \"messages\"; add one")
        }
        return system + [ChatMessage(role: "user", content: text)]
      }
    default:
      throw UsageError(
        "give either --prompt TEXT, or --file IN.jsonl with --out OUT.jsonl; see `lorapress generate --help`")
    }
  }

  private static func answer(
    _ ids: [[Int32]], _ prompts: [[ChatMessage]], _ generator: Generator, _ tokenizer: Tokenizer,
    _ options: GenerationOptions, _ out: String, _ console: Console
  ) throws {
    let progress = Progress(console, Words("Answering", ko: "답변 생성"))
    var tokens = 0
    let answers = try generator.answers(ids, tokenizer, options) { _, _ in
      tokens += 1
      progress.update(tokens, of: ids.count * options.maxNewTokens)
      return !Interruption.isRequested
    }
    if Interruption.isRequested {
      throw Interrupted(advice: Words("Stopped; nothing was written.", ko: "멈췄고 파일은 쓰지 않았습니다."))
    }
    progress.close()
    var lines = ""
    for (prompt, answer) in zip(prompts, answers) {
      let row: JSONValue = [
        "prompt": .string(prompt.last?.content ?? ""), "answer": .string(answer.text),
        "stop_reason": .string(answer.stopReason.rawValue), "tokens": JSONValue(answer.tokens),
      ]
      lines += row.text() + "\n"
    }
    try AtomicFile.write(lines, to: URL(fileURLWithPath: out))
    console.print(out)
  }
}
