import Checkpoints
import Compute
import Exports
import Foundation
import Models
import Runs
import Tokenizers
import Training

enum ExportCommand {
  static let export = Command(
    name: "export",
    summary: Words("writes a run's model for other programs", ko: "학습한 모델을 다른 프로그램이 읽는 형식으로 저장합니다"),
    usage: "adapter|merged|gguf|ollama|lora-gguf RUN [--to DIR] [options]",
    options: [
      Option("--to", "DIR", Words("where (default: the run's export/ folder)", ko: "저장할 폴더 (기본: 실행 폴더의 export/)")),
      Option(
        "--type", "TYPE",
        Words(
          "numbers: bf16 (default), f16 or f32; gguf also q8_0 (its default) and q4_0",
          ko: "숫자 형식: bf16(기본), f16, f32. gguf는 q8_0(기본)과 q4_0도 됩니다")),
      Option(
        "--max-shard-size", "SIZE", Words("merged: of one file (default 5GB)", ko: "merged: 파일 하나의 최대 크기 (기본 5GB)")),
      Option(
        "--base", "WHICH",
        Words(
          "merge into the weights as they were trained on (trained, default) or those of the model's file (original)",
          ko: "합칠 기반 가중치: 학습할 때의 가중치(trained, 기본) 또는 모델 파일의 원래 가중치(original)")),
      Option(
        "--max-difference", "NATS",
        Words(
          "fails where the validation loss differs by more (default 0.05)",
          ko: "검증 손실이 이보다 더 달라지면 실패로 봅니다 (기본 0.05)")),
      runsOption,
    ], example: "lorapress export gguf korean-textbooks-qwen2.5-0.5b --type q8_0"
  ) { arguments, console in
    guard let word = arguments.positional.first, let kind = Kind(rawValue: word) else {
      throw UsageError("say what to export: adapter, merged, gguf, ollama or lora-gguf; see `lorapress export --help`")
    }
    guard arguments.positional.count == 2 else {
      throw UsageError("one RUN is expected after `export \(word)`; see `lorapress export --help`")
    }
    let run = try runFolder(arguments.positional[1], output: outputFolder(arguments))
    let work = try ExportWork(run, arguments, console)
    switch kind {
    case .adapter: try work.adapter()
    case .loraGGUF: try work.loraGGUF()
    case .merged: try work.merged()
    case .gguf: try work.gguf("gguf")
    case .ollama: try work.gguf("ollama", template: try OllamaTemplate(work.opened.tokenizer))
    }
  }

  enum Kind: String { case adapter, merged, gguf, ollama, loraGGUF = "lora-gguf" }
}

/// One export of one run.
struct ExportWork {
  let run: RunFolder
  let settings: ExperimentSettings
  let opened: OpenedModel
  let checkpoint: URL
  let arguments: Arguments
  let console: Console
  private let backend = CPUBackend()

  init(_ run: RunFolder, _ arguments: Arguments, _ console: Console) throws {
    self.run = run
    self.arguments = arguments
    self.console = console
    let named = try NamedRun(run.url.path, arguments, instead: "train it here to export it")
    settings = named.settings
    checkpoint = try adapterFolder(run.url.path, output: outputFolder(arguments))
    opened = try named.openModel(console, otherwise: "train again")
    if let trained = named.record.training?.adapterSha256, try adapterHash(checkpoint) != trained {
      throw RunsError(
        "\(checkpoint.path): the adapter has changed since it was trained (another SHA-256 than run.json's); train again"
      )
    }
  }

  private func place(_ name: String) -> URL {
    arguments.value("--to").map { URL(fileURLWithPath: $0).standardizedFileURL } ?? run.at("export/\(name)")
  }

  private func told(_ place: URL) {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
    for name in files.sorted() where !name.hasPrefix(".") {
      let size = (try? FileManager.default.attributesOfItem(atPath: place.path + "/" + name)[.size] as? Int) ?? 0
      console.print("\(place.appendingPathComponent(name).relativePath)  \(size) bytes")
    }
  }

  // MARK: The adapter alone

  func adapter() throws {
    let place = place("adapter")
    try AtomicFolder.replace(place) { try writeAdapter(to: $0) }
    told(place)
  }

  /// The checkpoint without the optimizer's state, the tokeniser, the model card with its charts, and examples.
  ///
  /// - Parameter repository: where it will be on the Hub, "USER/NAME": then no path of this machine is written into an example.
  func writeAdapter(to folder: URL, repository: String? = nil) throws {
    try PEFTAdapter.read(checkpoint).write(to: folder)
    try tokenizer().write(to: folder)
    var examples = [InferenceExample.peft(base: opened.baseModel)]
    let model = settings.model.name
    if repository == nil || !model.contains("/") {
      examples.append(.swift(["--model", model, "--adapter", "{HERE}/"]))
    }
    try InferenceExample.write(examples, to: folder)
    let project = try Project.locate()
    let output = run.url.deletingLastPathComponent().deletingLastPathComponent()
    let card = try SiteCommands.builder(project, output: output, templates: project.templates, cards: false)
      .modelCard(of: run, repository: repository)
    for (name, data) in card.files { try AtomicFile.write(data, to: folder.appendingPathComponent(name)) }
    for warning in card.warnings { console.note(Words("warning: \(warning)", ko: "주의: \(warning)")) }
  }

  func loraGGUF() throws {
    let place = place("lora-gguf")
    let saved = try PEFTAdapter.read(checkpoint)
    try AtomicFolder.replace(place) { folder in
      try AdapterExport.writeGGUF(
        saved, configuration: opened.file.configuration(), name: run.id,
        to: folder.appendingPathComponent("\(run.id)-lora-f32.gguf"))
    }
    told(place)
  }

  // MARK: Merged

  func merged() throws {
    let type = try numberType(default: .bf16)
    guard type.isPlain else { throw UsageError("--type \(type.rawValue) is for `export gguf`; use f32, f16 or bf16") }
    let shardBytes = try ByteSize.parse(arguments.value("--max-shard-size") ?? "5GB", option: "--max-shard-size")
    try write(place("merged")) { export, folder in
      try export.writeFolder(folder, type: type, shardBytes: shardBytes)
      try InferenceExample.write([.transformers, .swift(["--model", "{HERE}/"])], to: folder)
      return folder
    }
  }

  /// One GGUF file, for Ollama with a Modelfile beside it.
  func gguf(_ name: String, template: OllamaTemplate? = nil) throws {
    let type = try numberType(default: .q8_0)
    try write(place(name)) { export, folder in
      let file = folder.appendingPathComponent("\(run.id)-\(type.rawValue).gguf")
      try export.writeGGUF(file, type: type)
      let name = file.lastPathComponent
      try InferenceExample.write([.llamaCpp(name), .swift(["--model", "{HERE}/\(name)"])], to: folder)
      if let modelfile = template?.modelfile(for: file.lastPathComponent) {
        try AtomicFile.write(modelfile, to: folder.appendingPathComponent("Modelfile"))
      }
      return file
    }
  }

  private func numberType(default standard: ModelExport.NumberType) throws -> ModelExport.NumberType {
    guard let name = arguments.value("--type") else { return standard }
    guard let type = ModelExport.NumberType(rawValue: name) else {
      throw UsageError(
        "--type must be \(ModelExport.NumberType.allCases.map(\.rawValue).joined(separator: ", ")), not '\(name)'")
    }
    return type
  }

  /// Merges, writes, reads what was written and compares it with the adapter on the validation rows. Where they differ too much nothing is
  /// left behind.
  private func write(_ place: URL, _ body: (ModelExport, URL) throws -> URL) throws {
    let bound = try arguments.number("--max-difference", in: 0...100) ?? 0.05
    let trained = try Arithmetic(
      arguments, weights: settings.model.weights, doubleQuant: settings.model.doubleQuant ?? true)
    let rows = try validationRows()
    var decoder = try opened.load(backend, trained, console: console)
    var adapter = try LoraAdapter(folder: checkpoint, on: decoder)
    let before = try loss(decoder, adapter, rows, Words("Adapter on validation rows", ko: "어댑터의 검증 손실"))
    switch arguments.value("--base") ?? "trained" {
    case "trained": break
    case "original":
      decoder = try opened.load(backend, Arithmetic(arguments, weights: .f32), console: console)
      adapter = try LoraAdapter(folder: checkpoint, on: decoder)
    case let other: throw UsageError("--base must be trained or original, not '\(other)'")
    }
    let export = ModelExport(MergedModel(decoder, adapter: adapter), tokenizer: try tokenizer(), name: run.id)
    try AtomicFolder.replace(place) { folder in
      let written = try body(export, folder)
      // Computed as the adapter's loss was, so that the difference is the merging's and the rounding's alone.
      let arithmetic = try Arithmetic(arguments, weights: trained.compute == "f32" ? .f32 : .bf16)
      let merged = try Decoder.load(
        ModelFile(path: written.path), backend: backend, threads: backend.threads.count,
        precision: arithmetic.precision)
      let after = try loss(merged, nil, rows, Words("Merged model on validation rows", ko: "합친 모델의 검증 손실"))
      guard abs(after - before) <= bound else {
        throw RunsError(
          "\(place.path): the validation loss is \(shown(after)) merged and \(shown(before)) with the adapter, \(shown(abs(after - before))) apart, more than \(bound); nothing was kept (a finer --type or --base trained may help; --max-difference allows more)"
        )
      }
      console.print(
        console.text(
          Words(
            "validation loss: adapter \(shown(before)), merged \(shown(after)), difference \(shown(after - before))",
            ko: "검증 손실: 어댑터 \(shown(before)), 합친 모델 \(shown(after)), 차이 \(shown(after - before))")))
    }
    told(place)
  }

  private func tokenizer() throws -> TokenizerExport {
    let source =
      switch opened.file {
      case .gguf(let gguf): try TokenizerSource(gguf)
      case .folder(_, let configuration):
        try TokenizerSource(
          folder: URL(fileURLWithPath: opened.resolved.path), vocabularySize: configuration.vocabularySize)
      }
    return TokenizerExport(source, base: opened.file)
  }

  private func validationRows() throws -> [TokenizedExample] {
    let file = run.dataset(.validation)
    let rows = try RecordFile.readLines(ChatRow.self, from: file)
    let examples = try opened.tokenizer.supervisedTurns(all: rows.map { chatMessages($0.messages) }).map { row in
      let (ids, turns) = try row.get()
      return TokenizedExample(ids: ids, supervised: turns)
    }.filter { $0.count <= settings.training.maxSeqLength }
    guard !examples.isEmpty else {
      throw RunsError("\(file.path): holds no row to compare the merged model on; prepare with a validation split")
    }
    return examples
  }

  private func loss(
    _ decoder: Decoder, _ adapter: LoraAdapter?, _ rows: [TokenizedExample], _ title: Words
  ) throws -> Double {
    let progress = Progress(console, title)
    defer { progress.close() }
    let summary = LossEvaluation.run(
      DecoderSession(decoder, adapter: adapter), rows, isCancelled: { Interruption.isRequested },
      progress: { done, total in progress.update(done, of: total) })
    guard let summary else { throw Interrupted(advice: Words("Stopped; nothing was kept.", ko: "멈췄고 아무것도 남기지 않았습니다.")) }
    return summary.loss
  }

  /// Four decimals, without a sign at zero.
  private func shown(_ loss: Double) -> String { String(format: "%.4f", (loss * 1e4).rounded() / 1e4 + 0) }
}

/// Sizes as transformers writes them: "5GB", "500MB", "1GiB".
enum ByteSize {
  static func parse(_ text: String, option: String) throws -> Int {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let units = [
      "": 1.0, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 1024, "MIB": 1_048_576, "GIB": 1_073_741_824,
    ]
    let unit = text.dropFirst(digits.count).trimmingCharacters(in: .whitespaces).uppercased()
    guard let number = Double(digits), let factor = units[unit], number * factor >= 1, number * factor < 1e15 else {
      throw UsageError("\(option) must be a size such as 5GB or 500MB, not '\(text)'")
    }
    return Int(number * factor)
  }
}
