import Checkpoints
import Compute
import Datasets
import Foundation
import Hub
import Models
import Runs
import Tokenizers

/// A model found, hashed and opened; its weights are read when they are needed.
struct OpenedModel {
  let resolved: ResolvedModel
  let file: ModelFile
  let tokenizer: Tokenizer
  /// The unquantised model's repository on the Hub, where the catalogue knows it, else the model's name: PEFT's
  /// `base_model_name_or_path`.
  let baseModel: String

  /// `argument` is a name from content/models.yaml, a GGUF file or a Hugging Face folder.
  init(_ argument: String, project: Project, console: Console) throws {
    let store = try ModelStore(catalog: ModelCatalog(project.models))
    let hashing = Progress(console, Words("Checking the model's hash", ko: "모델 해시 확인"))
    resolved = try store.resolve(argument) { event in
      if case .hashing(let done, let total) = event { hashing.update(done >> 20, of: total >> 20, detail: "MiB") }
    }
    hashing.close()
    let homepage = store.catalog[resolved.name]?.homepage.flatMap(URL.init(string:))
    baseModel = homepage.map { String($0.path.drop { $0 == "/" }) } ?? resolved.name
    file = try ModelFile(path: resolved.path)
    switch file {
    case .gguf(let gguf): tokenizer = try Tokenizer(gguf: TokenizerSource(gguf))
    case .folder: tokenizer = try Tokenizer(folder: URL(fileURLWithPath: resolved.path))
    }
  }

  func load(_ backend: CPUBackend, _ arithmetic: Arithmetic, console: Console) throws -> Decoder {
    let progress = Progress(console, Words("Reading the model", ko: "모델 읽기"))
    defer { progress.close() }
    return try Decoder.load(
      file, backend: backend, threads: backend.threads.count, precision: arithmetic.precision
    ) { done, total in progress.update(done, of: total) }
  }

  func record(_ decoder: Decoder, _ arithmetic: Arithmetic) -> ModelRecord {
    let configuration = decoder.configuration
    return ModelRecord(
      name: resolved.name, source: resolved.source, license: resolved.licence,
      file: URL(fileURLWithPath: resolved.path).lastPathComponent, bytes: resolved.bytes, sha256: resolved.sha256,
      architecture: configuration.family.rawValue, parameters: decoder.parameterCount,
      layers: configuration.numHiddenLayers,
      hiddenSize: configuration.hiddenSize, vocabularySize: configuration.vocabularySize, fileWeights: file.weightTypes,
      weights: arithmetic.weights.rawValue, compute: arithmetic.compute)
  }
}

extension TokenizerSource {
  /// What a GGUF file's metadata says about its tokeniser.
  init(_ gguf: GGUFFile) throws {
    func value(_ key: String) -> GGUFValue? { gguf.metadata["tokenizer.ggml.\(key)"] }
    guard let tokens = value("tokens")?.strings, let merges = value("merges")?.strings else {
      throw ModelError(
        "\(gguf.file): the file has no byte-level BPE tokeniser (tokenizer.ggml.tokens and .merges); give a file of a Qwen2 or Llama 3 type model"
      )
    }
    func id(_ key: String) -> Int32? { value(key)?.integer.flatMap { Int32(exactly: $0) } }
    self.init(
      file: gguf.file, model: value("model")?.string ?? "", pre: value("pre")?.string ?? "default", tokens: tokens,
      types: (value("token_type")?.integers ?? []).map { Int32(truncatingIfNeeded: $0) }, merges: merges,
      bosID: id("bos_token_id"),
      eosID: id("eos_token_id"), padID: id("padding_token_id"), addsBOS: value("add_bos_token")?.bool ?? false,
      chatTemplate: gguf.metadata["tokenizer.chat_template"]?.string)
  }
}

/// The precision of a model's weights and of the products with them.
struct Arithmetic {
  let weights: ModelSettings.Weights
  /// "f32" or "bf16", as records and `--json` name it.
  let compute: String
  private let doubleQuant: Bool

  static let option = Option(
    "--compute", "KIND",
    Words(
      "arithmetic: f32, bf16, or auto: bf16 where the weights are not f32 and the CPU multiplies it",
      ko: "계산 방식: f32, bf16, auto(가중치가 f32가 아니고 CPU가 bf16 곱셈을 지원하면 bf16)"))

  static let weightsOption = Option(
    "--weights", "KIND",
    Words(
      "how the weights are held: f32, bf16, nf4 (4-bit, as QLoRA), int8, or gguf (a GGUF file's own blocks)",
      ko: "가중치를 두는 형식: f32, bf16, nf4(4비트, QLoRA), int8, gguf(GGUF 파일의 블록 그대로)"))

  /// What `--compute` and `--weights` say of a model whose weights are meant to be `weights`.
  init(_ arguments: Arguments, weights meant: ModelSettings.Weights, doubleQuant: Bool = true) throws {
    var weights = meant
    if let name = arguments.value("--weights") {
      guard let kind = ModelSettings.Weights(rawValue: name) else {
        throw UsageError("--weights must be \(ModelSettings.Weights.expectation), not '\(name)'")
      }
      weights = kind
    }
    try self.init(weights: weights, compute: arguments.value("--compute"), doubleQuant: doubleQuant)
  }

  /// - Parameter kind: what `--compute` says; nil is auto.
  init(weights: ModelSettings.Weights, compute kind: String?, doubleQuant: Bool) throws {
    var weights = weights
    self.doubleQuant = doubleQuant
    switch kind ?? "auto" {
    case "auto": compute = weights != .f32 && CPUBackend.hasBFloat16 ? "bf16" : "f32"
    case "f32": compute = "f32"
    case "bf16":
      compute = "bf16"
      if weights == .f32 { weights = .bf16 }
    case let other: throw UsageError("--compute must be auto, f32 or bf16, not '\(other)'")
    }
    self.weights = weights
  }

  var precision: WeightPrecision {
    let products: Weight.Products = compute == "bf16" ? .bf16 : .f32
    return switch weights {
    case .f32: .f32
    case .bf16: products == .bf16 ? .bf16 : .bf16InF32
    case .nf4: .nf4(doubleQuant: doubleQuant, products: products)
    case .int8: .int8(products: products)
    case .gguf: .gguf(products: products)
    }
  }
}

/// The adapter that `--adapter` means: a PEFT folder, a checkpoint folder or a run (then the checkpoint that its evaluation uses).
func adapterFolder(_ argument: String, output: URL) throws -> URL {
  let path = URL(fileURLWithPath: argument).standardizedFileURL
  if PEFTAdapter.isAdapter(path) { return path }
  let run = try runFolder(argument, output: output)
  // An imported run's config.yaml is no experiment of ours.
  let training = (try? Experiment(file: run.config))?.settings.training ?? TrainingSettings()
  let checkpoint = training.adapterCheckpoint(of: run)
  guard PEFTAdapter.isAdapter(checkpoint) else {
    throw RunsError("\(checkpoint.path): the run has no finished checkpoint; train it first with `lorapress train`")
  }
  return checkpoint
}

/// The hash of an adapter's weights, which every result names.
func adapterHash(_ folder: URL) throws -> String {
  try SHA256.hex(ofFile: folder.appendingPathComponent(PEFTAdapter.weightsName))
}

/// A prepared row's messages for the tokeniser.
func chatMessages(_ messages: [ChatRow.Message]) -> [ChatMessage] {
  messages.map { ChatMessage(role: $0.role, content: $0.content) }
}

extension ChatMeasure {
  /// As the model sees conversations, on all cores.
  init(_ tokenizer: Tokenizer) {
    self.init { conversations in
      try tokenizer.supervisedTurns(all: conversations.map(chatMessages)).map { row in
        let (ids, turns) = try row.get()
        let answers = turns.reduce(0) { $0 + $1.count }
        return Length(prompt: ids.count - answers, answer: answers)
      }
    } rendered: {
      try tokenizer.renderChat(chatMessages($0), addGenerationPrompt: false)
    }
  }
}
