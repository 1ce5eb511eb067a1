import Compute
import Evaluation
import Foundation
import Models
import Runs

/// What `generate` and `chat` are told to ask, and how: a run as its evaluation asks it, or a model with an adapter or without.
struct AskedModel {
  static let usage = "RUN | --model M [--adapter A]"
  static let modelOption = Option(
    "--model", "M",
    Words(
      "a name from `lorapress model list`, a GGUF file or a Hugging Face folder",
      ko: "`lorapress model list`의 이름, GGUF 파일, Hugging Face 폴더"))
  static let adapterOption = Option(
    "--adapter", "A",
    Words("a PEFT folder, a checkpoint folder or a run (then its best)", ko: "PEFT 폴더, 체크포인트 폴더, 또는 실행 이름(가장 좋은 체크포인트)")
  )
  static let systemOption = Option(
    "--system", "TEXT",
    Words("a system prompt (default: the run's, else the template's)", ko: "시스템 프롬프트 (기본: 실행의 설정, 없으면 모델의 틀)"))

  /// How answers are generated.
  static func answerOptions(maxNewTokens: Int) -> [Option] {
    [
      Option(
        "--max-new-tokens", "N",
        Words("default: the run's, else \(maxNewTokens)", ko: "기본: 실행의 설정, 없으면 \(maxNewTokens)")),
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
    ]
  }

  let run: NamedRun?
  /// Nil leaves it to the model's template.
  let system: String?
  let generation: GenerationOptions
  private let arguments: Arguments
  private let command: String

  /// - Parameter maxNewTokens: where neither the command line nor a run says how many.
  init(_ arguments: Arguments, _ command: String, maxNewTokens: Int) throws {
    self.arguments = arguments
    self.command = command
    if arguments.positional.isEmpty {
      run = nil
    } else {
      let argument = try arguments.single("RUN", command)
      if let other = ["--model", "--adapter"].first(where: { arguments.value($0) != nil }) {
        throw UsageError(
          "a RUN brings its model and adapter along, so give it without \(other); see `lorapress \(command) --help`")
      }
      run = try NamedRun(
        argument, arguments, instead: "name it with `lorapress \(command) --model M --adapter \(argument)`")
    }
    // A system prompt with columns of the rows in it is none that fits every question.
    let own = run?.settings.dataset.format?.system.flatMap { $0.contains("{") ? nil : $0 }
    system = try arguments.value("--system").map { try PlainText.checked($0, place: "--system") } ?? own
    let plain = GenerationOptions(maxNewTokens: maxNewTokens)
    generation = try Self.generation(arguments, run.map { GenerationOptions($0.settings.evaluation) } ?? plain)
  }

  /// `meant` with what the command line says otherwise.
  private static func generation(_ arguments: Arguments, _ meant: GenerationOptions) throws -> GenerationOptions {
    let stops = arguments.list("--stop")
    if stops.contains("") { throw UsageError("--stop needs a text that is not empty") }
    let sampling = meant.sampling
    return GenerationOptions(
      maxNewTokens: try arguments.integer("--max-new-tokens", atLeast: 1) ?? meant.maxNewTokens,
      sampling: Sampling(
        temperature: try arguments.number("--temperature", in: 0...100).map(Float.init) ?? sampling.temperature,
        topK: try arguments.integer("--top-k") ?? sampling.topK,
        topP: try arguments.number("--top-p", in: 0...1).map(Float.init) ?? sampling.topP,
        repetitionPenalty: try arguments.number("--repetition-penalty", in: 0.01...100).map(Float.init)
          ?? sampling.repetitionPenalty,
        seed: try arguments.integer("--seed").map(UInt64.init) ?? sampling.seed),
      stopStrings: stops.isEmpty ? meant.stopStrings : stops)
  }

  /// The model with its weights and, unless `withAdapter` is false, the adapter that the run or `--adapter` names.
  func open(
    _ console: Console, withAdapter: Bool = true
  ) throws -> (model: OpenedModel, decoder: Decoder, adapter: LoraAdapter?) {
    let settings = run?.settings.model
    let doubleQuant = settings?.doubleQuant ?? true
    var arithmetic = try Arithmetic(arguments, weights: settings?.weights ?? .bf16, doubleQuant: doubleQuant)
    guard let name = settings?.name ?? arguments.value("--model") else {
      throw UsageError("RUN or --model is missing; see `lorapress \(command) --help`")
    }
    // Nothing is read for an adapter that isn't there.
    let adapter = try (run?.folder.url.path ?? arguments.value("--adapter")).flatMap {
      withAdapter ? try adapterFolder($0, output: outputFolder(arguments)) : nil
    }
    let model =
      try run?.openModel(console, otherwise: "name this one with --model and --adapter")
      ?? OpenedModel(name, project: Project.locate(), console: console)
    // What is 4-bit in the file stays so unless another kind is asked for.
    if run == nil, model.file.holdsNF4 { arithmetic = try Arithmetic(arguments, weights: .nf4) }
    let decoder = try model.load(CPUBackend(), arithmetic, console: console)
    return (model, decoder, try adapter.map { try openAdapter($0, on: decoder, console).adapter })
  }
}

/// The adapter of a folder, with the hash of its weights; how many layers it changes is said on standard error.
func openAdapter(
  _ folder: URL, on decoder: Decoder, _ console: Console
) throws -> (adapter: LoraAdapter, sha256: String) {
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
