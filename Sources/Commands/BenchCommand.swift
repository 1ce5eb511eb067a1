import Charts
import Compute
import Foundation
import Formats
import Models
import Runs
import Site
import Training
import Workers

/// `lorapress bench`: how fast this machine does each part of the work, as JSON. `benchmarks/compare` sets it beside other tools.
enum BenchCommand {
  private enum Part: String, CaseIterable {
    case step, generate, load, tokenize, charts, metrics
  }

  static let bench = Command(
    name: "bench",
    summary: Words("measures this machine's speed, as JSON", ko: "이 컴퓨터의 속도를 재어 JSON으로 출력합니다"),
    usage: "step|generate|load|tokenize --model M [options] | charts --data LOG | metrics --data PAIRS.jsonl",
    options: [
      AskedModel.modelOption,
      Option(
        "--batch", "ROWSxTOKENS",
        Words("step: random tokens of a training step (default 4x256)", ko: "step: 학습 step 하나의 무작위 토큰 (기본 4x256)")),
      Option("--steps", "N", Words("step: how many (default 4)", ko: "step: 횟수 (기본 4)")),
      Option("--checkpointing", Words("step: with gradient checkpointing", ko: "step: gradient checkpointing을 켭니다")),
      Option(
        "--prompt-tokens", "N", Words("generate: the prompt's length (default 512)", ko: "generate: 질문의 토큰 수 (기본 512)")),
      Option("--new-tokens", "N", Words("generate: of the answer (default 96)", ko: "generate: 답의 토큰 수 (기본 96)")),
      Option(
        "--data", "FILE",
        Words(
          "tokenize: a text file, by lines; charts: a run's log/metrics.jsonl; metrics: rows of \"hypothesis\" and \"reference\"",
          ko: "tokenize: 줄 단위로 읽을 텍스트 파일. charts: 실행의 log/metrics.jsonl. metrics: \"hypothesis\"와 \"reference\"가 있는 행")),
      Option(
        "--out", "DIR",
        Words("charts: keeps the pictures there (default: thrown away)", ko: "charts: 그림을 남길 폴더 (기본: 남기지 않음)")),
      Arithmetic.weightsOption, Arithmetic.option,
    ], example: "lorapress bench step --model qwen2.5-coder-0.5b-instruct --weights nf4 --batch 4x256"
  ) { arguments, console in
    let name = try arguments.single("step, generate, load, tokenize, charts or metrics", "bench")
    guard let part = Part(rawValue: name) else {
      throw UsageError("bench takes \(Part.allCases.map(\.rawValue).joined(separator: ", ")), not '\(name)'")
    }
    let result =
      switch part {
      case .step: try withModel(arguments, console, step) + kinds(arguments)
      case .generate: try withModel(arguments, console, generate) + kinds(arguments)
      case .load: try withModel(arguments, console, load) + kinds(arguments)
      case .tokenize: try withModel(arguments, console, tokenize)
      case .charts: try charts(arguments)
      case .metrics: try BenchMetrics.measure(arguments)
      }
    let machine = Machine.environment(backend: CPUBackend())
    let entries =
      [("bench", JSONValue.string(part.rawValue))] + result + [
        ("peak_memory_bytes", JSONValue(ProcessMemory.peak)), ("cpu", .string(machine.cpu)),
        ("threads", JSONValue(machine.threads)),
      ]
    console.print(JSONValue.object(JSONObject(entries.map { .init(key: $0.0, value: $0.1) })).text())
  }

  private typealias Figures = [(String, JSONValue)]

  /// A part that needs the model of `--model`, which is named among the figures.
  private static func withModel(
    _ arguments: Arguments, _ console: Console,
    _ measure: (Arguments, OpenedModel, Console) throws -> Figures
  ) throws -> Figures {
    let argument = try arguments.required("--model", "bench")
    // Wrong usage is told before a model is opened.
    _ = try arithmetic(arguments)
    let model = try OpenedModel(argument, project: Project.locate(), console: console)
    return try measure(arguments, model, console) + [("model", .string(model.resolved.name))]
  }

  private static func arithmetic(_ arguments: Arguments) throws -> Arithmetic {
    try Arithmetic(arguments, weights: .bf16)
  }

  private static func kinds(_ arguments: Arguments) throws -> Figures {
    let arithmetic = try arithmetic(arguments)
    return [("weights", .string(arithmetic.weights.rawValue)), ("compute", .string(arithmetic.compute))]
  }

  /// The fastest step counts, so that the first, which also fills buffers, does not.
  private static func step(
    _ arguments: Arguments, _ model: OpenedModel, _ console: Console
  ) throws -> Figures {
    let given = arguments.value("--batch") ?? "4x256"
    let sizes = given.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    // A million tokens are far more than a machine's memory holds, and few enough for no product of them to overflow.
    guard sizes.count == 2, sizes[0] > 0, sizes[1] > 1, sizes[0] <= (1 << 20) / sizes[1] else {
      throw UsageError("--batch must be rows and tokens a row, such as 4x256, a million at most, not '\(given)'")
    }
    let steps = try arguments.integer("--steps", atLeast: 1) ?? 4
    let decoder = try model.load(CPUBackend(), arithmetic(arguments), console: console)
    var benchmark = try StepBenchmark(decoder, gradientCheckpointing: arguments.flag("--checkpointing"))
    let progress = Progress(console, Words("Steps", ko: "step"))
    defer { progress.close() }
    var done: [StepBenchmark.Step] = []
    while done.count < steps {
      if Interruption.isRequested { throw Interrupted(advice: Words("Stopped.", ko: "멈췄습니다.")) }
      done.append(benchmark.step(rows: sizes[0], length: sizes[1]))
      progress.update(done.count, of: steps)
    }
    let tokens = sizes[0] * sizes[1]
    let fastest = done.map(\.seconds).min() ?? .infinity
    return [
      ("tokens_per_second", JSONValue(Double(tokens) / fastest)), ("tokens", JSONValue(tokens)),
      ("step_seconds", .array(done.map { JSONValue($0.seconds) })), ("losses", .array(done.map { JSONValue($0.loss) })),
      ("checkpointing", JSONValue(arguments.flag("--checkpointing"))),
      ("adapted_layers", JSONValue(benchmark.adaptedLayers)),
    ]
  }

  /// One question of that many tokens, then an answer, greedy and without an end.
  private static func generate(
    _ arguments: Arguments, _ model: OpenedModel, _ console: Console
  ) throws -> Figures {
    let length = try arguments.integer("--prompt-tokens", atLeast: 1) ?? 512
    let count = try arguments.integer("--new-tokens", atLeast: 2) ?? 96
    let limit = try model.file.configuration().maxPositionEmbeddings
    guard length < limit, count <= limit - length else {
      throw UsageError("--prompt-tokens and --new-tokens must be at most the model's \(limit) together")
    }
    let text = model.tokenizer.encode("대한민국의 역사와 문화에 대해 자세히 설명해 주세요. ", special: false)
    guard !text.isEmpty else { throw RunsError("\(model.resolved.name): its tokeniser makes nothing of Korean text") }
    let prompt = (0..<length).map { text[$0 % text.count] }
    let decoder = try model.load(CPUBackend(), arithmetic(arguments), console: console)
    let generator = Generator(DecoderSession(decoder, adapter: nil), endTokens: [])
    // The first answer fills buffers and caches.
    _ = try generator.generate([Array(prompt.prefix(8))], maxNewTokens: 2)
    let clock = ContinuousClock()
    let start = clock.now
    var times: [Double] = []
    _ = try generator.generate([prompt], maxNewTokens: count) { _, _ in
      times.append((clock.now - start) / .seconds(1))
      return Interruption.isRequested ? .endAll : .goOn
    }
    guard times.count == count, let first = times.first, let last = times.last else {
      throw Interrupted(advice: Words("Stopped.", ko: "멈췄습니다."))
    }
    return [
      ("prefill_tokens_per_second", JSONValue(Double(length) / first)),
      ("decode_tokens_per_second", JSONValue(Double(count - 1) / (last - first))), ("prompt_tokens", JSONValue(length)),
      ("new_tokens", JSONValue(count)),
    ]
  }

  /// From the file to a model ready to work, and to its first token. The hash of a file seen for the first time is not counted.
  private static func load(
    _ arguments: Arguments, _ hashed: OpenedModel, _ console: Console
  ) throws -> Figures {
    let clock = ContinuousClock()
    let start = clock.now
    let model = try OpenedModel(
      arguments.required("--model", "bench"), project: Project.locate(), console: console)
    let opened = (clock.now - start) / .seconds(1)
    let decoder = try model.load(CPUBackend(), arithmetic(arguments), console: console)
    let ready = (clock.now - start) / .seconds(1)
    let generator = Generator(DecoderSession(decoder, adapter: nil), endTokens: [])
    let prompt = try model.tokenizer.encodeChat(
      [.init(role: "user", content: "대한민국의 수도는?")], addGenerationPrompt: true)
    _ = try generator.generate([prompt], maxNewTokens: 1)
    return [
      ("first_token_seconds", JSONValue((clock.now - start) / .seconds(1))), ("ready_seconds", JSONValue(ready)),
      ("tokenizer_seconds", JSONValue(opened)), ("file_bytes", JSONValue(hashed.resolved.bytes)),
    ]
  }

  private static func tokenize(_ arguments: Arguments, _ model: OpenedModel, _ console: Console) throws -> Figures {
    let path = try arguments.required("--data", "bench")
    let data = try RecordFile.contents(URL(fileURLWithPath: path))
    // By bytes: to Swift "\r\n" is one character, and no line end.
    let lines = try data.split(separator: 0x0A, omittingEmptySubsequences: true).map { line in
      guard let text = String(validating: line, as: UTF8.self) else {
        throw RunsError("\(path): not valid UTF-8; convert the text to UTF-8 first")
      }
      return text
    }
    guard !lines.isEmpty else { throw RunsError("\(path): holds no text; give a file with at least one line") }
    let clock = ContinuousClock()
    let start = clock.now
    let tokens = model.tokenizer.encode(all: lines).reduce(0) { $0 + $1.count }
    let seconds = (clock.now - start) / .seconds(1)
    return [
      ("tokens_per_second", JSONValue(Double(tokens) / seconds)), ("tokens", JSONValue(tokens)),
      ("seconds", JSONValue(seconds)),
    ]
  }

  /// Four loss charts of a log as pictures of 1600×900 pixels in files, as a page's charts are drawn: each by itself, on all cores.
  private static func charts(_ arguments: Arguments) throws -> Figures {
    let path = try arguments.required("--data", "bench")
    let data = try RecordFile.contents(URL(fileURLWithPath: path))
    let clock = ContinuousClock()
    let start = clock.now
    let events = try MetricsLog.events(in: data, file: path)
    let pictures = try Parallel.map(Array(1...4)) { number in
      let text = ChartText(source: "metrics.jsonl", run: "chart \(number)", language: .en)
      guard let png = try LossChart(log: events, text: text).png(pixelWidth: 1600, pixelHeight: 900) else {
        throw RunsError("\(path): holds fewer than two losses; give the log of a longer run")
      }
      return Data(png)
    }
    let kept = arguments.value("--out").map { URL(fileURLWithPath: $0) }
    let folder = kept ?? FileManager.default.temporaryDirectory.appendingPathComponent("lorapress-\(UUID().uuidString)")
    defer { if kept == nil { try? FileManager.default.removeItem(at: folder) } }
    for (number, picture) in pictures.enumerated() {
      try AtomicFile.write(picture, to: folder.appendingPathComponent("chart-\(number + 1).png"), flushed: false)
    }
    return [
      ("seconds", JSONValue((clock.now - start) / .seconds(1))), ("charts", JSONValue(pictures.count)),
      ("points", JSONValue(events.count)), ("bytes", JSONValue(pictures.reduce(0) { $0 + $1.count })),
    ]
  }
}
