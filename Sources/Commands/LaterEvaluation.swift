import Compute
import Datasets
import Foundation
import Models
import Runs

/// `lorapress evaluate RUN --data FILE` and `--weights KIND`: a finished run's adapter on other rows, or on weights held in another way. The
/// run's own evaluation stays as it is.
struct LaterEvaluation {
  private static let data = Option(
    "--data", "FILE",
    Words(
      "of a RUN: asks these rows instead of its own test questions, into its evaluation/NAME/",
      ko: "RUN의 시험 질문 대신 이 파일의 질문을 풀고, 그 결과를 evaluation/NAME/에 둡니다"))
  private static let weights = Option(
    "--weights", "KIND",
    Words(
      "of a RUN: holds the model so (f32, bf16, nf4, int8, gguf) and compares with the adapter on its own weights",
      ko: "RUN의 모델을 이 형식(f32, bf16, nf4, int8, gguf)으로 두고, 학습한 가중치에서의 어댑터와 비교합니다"))
  private static let merged = Option(
    "--merged",
    Words(
      "of a RUN: merges the adapter into its weights first, and compares with the adapter beside them",
      ko: "RUN의 어댑터를 가중치에 합친 모델을, 따로 둔 어댑터와 비교합니다"))
  /// What only this kind of evaluation takes.
  static let options: [Option] = [
    data,
    Option(
      "--format", "YAML",
      Words("of --data: dataset.format, e.g. '{input: \"{Q}\", output: \"{A}\"}'", ko: "--data의 dataset.format")),
    Option("--limit", "N", Words("of --data: only N rows, drawn by a seed", ko: "--data에서 시드로 뽑은 N행만")),
    weights, merged,
    Option("--name", "NAME", Words("the folder in evaluation/ (default: the file's name)", ko: "evaluation/ 안의 폴더 이름")),
    Option("--out", "DIR", Words("writes there instead of into the run", ko: "실행 폴더 대신 이 폴더에 씁니다")),
    Option("--json", Words("with --data or --weights: prints the record", ko: "--data나 --weights와 함께: JSON으로 출력합니다")),
  ]

  /// Whether the arguments ask for it.
  static func isAsked(_ arguments: Arguments) throws -> Bool {
    if arguments.flag(merged.name), arguments.value(weights.name) == ModelSettings.Weights.gguf.rawValue {
      throw UsageError("--merged makes new numbers, which have no GGUF blocks; give --weights f32, bf16, nf4 or int8")
    }
    if arguments.value(data.name) != nil || arguments.value(weights.name) != nil || arguments.flag(merged.name) {
      return true
    }
    if let given = options.first(where: { arguments.value($0.name) != nil || arguments.flag($0.name) }) {
      throw UsageError("\(given.name) belongs to --data, --weights or --merged; see `lorapress evaluate --help`")
    }
    return false
  }

  private let arguments: Arguments
  private let console: Console
  private let named: NamedRun
  private var folder: RunFolder { named.folder }
  private var settings: ExperimentSettings { named.settings }

  init(_ arguments: Arguments, _ console: Console) throws {
    self.arguments = arguments
    self.console = console
    let argument = try arguments.single("RUN", "evaluate")
    named = try NamedRun(argument, arguments, instead: "`lorapress score --adapter` measures its loss")
  }

  func run() throws {
    let place = try place()
    let meant = settings.model.weights
    let doubleQuant = settings.model.doubleQuant ?? true
    // What was merged has numbers of its own: quantising them anew would be told as the merging's doing.
    let held = isMerged && meant != .f32 ? .bf16 : meant
    let arithmetic = try Arithmetic(arguments, weights: held, doubleQuant: doubleQuant)
    let own = try Arithmetic(weights: meant, compute: arguments.value("--compute"), doubleQuant: doubleQuant)
    let checkpoint = try adapterFolder(folder.url.path, output: outputFolder(arguments))
    let model = try named.openModel(console, otherwise: "train again")
    let (questions, lossRows, file) = try rows(model)
    let evaluation = AdapterEvaluation(
      tokenizer: model.tokenizer, settings: settings.evaluation, questions: questions, lossRows: lossRows,
      console: console)
    do {
      let (base, tuned, layers) = try asked(evaluation, model, arithmetic, own, checkpoint)
      var trained: (outcome: AdapterEvaluation.Outcome, arithmetic: Arithmetic)?
      if own.weights != arithmetic.weights || isMerged {
        let decoder = try model.load(CPUBackend(), own, console: console)
        let adapter = try LoraAdapter(folder: checkpoint, on: decoder)
        let title = Words("Tuned model on \(own.weights.rawValue)", ko: "\(own.weights.rawValue)에서 미세 조정 모델 평가")
        trained = (try evaluation.ask(decoder, adapter, title: title), own)
      }
      let (samples, record) = evaluation.results(
        base: base, tuned: tuned, trained: trained, modelSha256: model.resolved.sha256,
        adapter: (try adapterHash(checkpoint), layers), arithmetic: arithmetic, data: file, isMerged: isMerged)
      try AtomicFolder.replace(place) { new in
        try RecordFile.writeLines(samples, to: new.appendingPathComponent("samples.jsonl"))
        try RecordFile.write(record, to: new.appendingPathComponent("metrics.json"))
      }
      if arguments.flag("--json") {
        let text = try String(contentsOf: place.appendingPathComponent("metrics.json"), encoding: .utf8)
        return console.print(text, terminator: "")
      }
      for line in ResultsTable(record, console).lines { console.print(line) }
      console.print(place.path)
    } catch is CancellationError {
      throw Interrupted(advice: Words("Stopped; nothing was written.", ko: "멈췄고 파일은 쓰지 않았습니다."))
    }
  }

  private var isMerged: Bool { arguments.flag(Self.merged.name) }

  /// Base and tuned model on the same weights, which are let go of before others are loaded.
  private func asked(
    _ evaluation: AdapterEvaluation, _ model: OpenedModel, _ arithmetic: Arithmetic, _ own: Arithmetic,
    _ checkpoint: URL
  ) throws -> (base: AdapterEvaluation.Outcome, tuned: AdapterEvaluation.Outcome, layers: Int) {
    var decoder = try model.load(CPUBackend(), arithmetic, console: console)
    let base = try evaluation.ask(decoder, nil, title: AdapterEvaluation.baseTitle)
    guard isMerged else {
      let adapter = try LoraAdapter(folder: checkpoint, on: decoder)
      return (
        base, try evaluation.ask(decoder, adapter, title: AdapterEvaluation.tunedTitle), adapter.layers.count
      )
    }
    // Into the weights that the adapter was trained with.
    if own.weights != arithmetic.weights { decoder = try model.load(CPUBackend(), own, console: console) }
    let adapter = try LoraAdapter(folder: checkpoint, on: decoder)
    let merged = MergedModel(decoder, adapter: adapter).decoder(as: arithmetic.precision)
    let title = Words("Merged model answers", ko: "합친 모델 평가")
    return (base, try evaluation.ask(merged, nil, title: title), adapter.layers.count)
  }

  // MARK: Rows

  /// The run's own questions and validation rows, or the file's rows for both.
  private func rows(
    _ model: OpenedModel
  ) throws -> (questions: [ChatRow], lossRows: [TokenizedExample], file: FileRecord?) {
    func tokenized(_ rows: [ChatRow], _ file: String) throws -> [TokenizedExample] {
      let tokenized = try TokenizedRows(rows, model.tokenizer, settings.training)
      guard !tokenized.rows.isEmpty else {
        throw RunsError(
          "\(file): none of its \(rows.count) rows is left to measure the loss on (\(tokenized.dropped) are longer than max_seq_length); give other rows, or --set training.max_seq_length=N"
        )
      }
      return tokenized.rows
    }
    guard let path = arguments.value("--data") else {
      let (test, validation) = (folder.dataset(.test), folder.dataset(.validation))
      let questions = try RecordFile.readLines(ChatRow.self, from: test)
      guard !questions.isEmpty else {
        throw RunsError("\(test.path): the run has no test questions; give some with --data FILE")
      }
      return (
        questions, try tokenized(try RecordFile.readLines(ChatRow.self, from: validation), validation.path), nil
      )
    }
    let rows = try read(path, model)
    let bytes = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    let file = FileRecord(path: path, bytes: bytes ?? 0, sha256: try SHA256.hex(ofFile: URL(fileURLWithPath: path)))
    return (rows, try tokenized(rows, path), file)
  }

  /// The file's rows as an experiment would take them, but none is dropped for standing twice. The run's own system prompt is put before those
  /// that have none.
  private func read(_ path: String, _ model: OpenedModel) throws -> [ChatRow] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
      throw RunsError("\(path): no such file; give one data file with questions and answers")
    }
    var dataset = DatasetSettings()
    dataset.files = [path]
    dataset.format = try FormatOption.settings(arguments)
    dataset.limit = try arguments.integer("--limit", atLeast: 1)
    dataset.cleaning.duplicates = .keep
    dataset.split = nil
    let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    let prepared = try Preparation(
      settings: dataset, files: DataSources(dataset, base: here), measure: ChatMeasure(model.tokenizer)
    ).run()
    let counts = prepared.report.counts
    console.note(
      Words(
        "\(path): \(counts.read) rows read, \(counts.kept) kept, \(counts.rejected) rejected",
        ko: "\(path): 읽음 \(counts.read) · 남김 \(counts.kept) · 제외 \(counts.rejected)"))
    guard let system = settings.dataset.format?.system, dataset.format?.system == nil else {
      return try prepared.rows(.train)
    }
    return try prepared.rows(.train).map { row in
      guard row.messages.first?.role != "system" else { return row }
      var row = row
      row.messages.insert(.init(role: "system", content: system), at: 0)
      return row
    }
  }

  // MARK: Place

  /// Where the results go: a folder that is not there yet, or holds an earlier evaluation and nothing else.
  private func place() throws -> URL {
    if arguments.value("--out") != nil, arguments.value("--name") != nil {
      throw UsageError("--name is a folder in the run and --out one elsewhere; give one of them")
    }
    let name = try arguments.value("--name") ?? defaultName()
    guard RunFolder.isSafeName(name), name != folder.review.lastPathComponent else {
      throw UsageError("--name must be letters, digits, '.', '-' and '_', and no file of the run's, not '\(name)'")
    }
    let inRun = folder.at("evaluation/\(name)")
    let place = arguments.value("--out").map { URL(fileURLWithPath: $0).standardizedFileURL } ?? inRun
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder) else { return place }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
    guard isFolder.boolValue, Set(names).isSubset(of: ["metrics.json", "samples.jsonl"]), place != folder.url,
      place.standardizedFileURL.path != folder.at("evaluation").standardizedFileURL.path
    else {
      throw RunsError("\(place.path): holds other things than an evaluation's; choose another --name or --out")
    }
    return place
  }

  /// "questions" for questions.csv, "questions-nf4" on other weights; "test" for the run's own questions.
  private func defaultName() throws -> String {
    let file = arguments.value("--data").map { URL(fileURLWithPath: $0).lastPathComponent.prefix { $0 != "." } }
    let stem = String((file ?? "test").map { RunFolder.isSafeName("a\($0)") ? $0 : "-" })
    let weights = arguments.value("--weights").map { "-\($0)" } ?? ""
    return (stem.first.map { $0 == "-" } ?? true ? "data" : "") + stem + (isMerged ? "-merged" : "") + weights
  }
}
