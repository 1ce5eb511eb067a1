import Compute
import Datasets
import Foundation
import Formats
import Models
import Runs
import Tokenizers
import Training

enum InferenceCommands {
  // MARK: score

  static let score = Command(
    name: "score",
    summary: Words("token-weighted loss and perplexity of a data file", ko: "데이터 파일의 손실과 perplexity를 잽니다"),
    usage: "--model M --data FILE [--adapter A] [--json]",
    options: [
      AskedModel.modelOption,
      Option("--data", "FILE", Words("JSONL rows of {\"messages\": […]}", ko: "{\"messages\": […]} 형식의 JSONL 파일")),
      AskedModel.adapterOption,
      Option("--json", Words("one JSON object", ko: "JSON 하나로 출력합니다")), Arithmetic.weightsOption,
      Arithmetic.option, runsOption,
    ], example: "lorapress score --model qwen2.5-coder-0.5b-instruct --data eval.jsonl --json"
  ) { arguments, console in
    try arguments.none("score")
    let data = try arguments.required("--data", "score")
    // A measure is taken in float32 unless asked otherwise; an answer is wanted soon.
    let arithmetic = try Arithmetic(arguments, weights: .f32)
    let model = try OpenedModel(arguments.required("--model", "score"), project: Project.locate(), console: console)
    let rows = try examples(data, model.tokenizer)
    let decoder = try model.load(CPUBackend(), arithmetic, console: console)
    let chosen = try arguments.value("--adapter").map {
      try openAdapter(adapterFolder($0, output: outputFolder(arguments)), on: decoder, console)
    }
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
      AskedModel.modelOption,
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
}
