import Checkpoints
import Compute
import Datasets
import Foundation
import Models
import Runs
import Tokenizers
import Training

enum Stage: String, CaseIterable {
  case prepare, train, evaluate, render
}

/// Runs an experiment's stages into its run folder and skips what is done and unchanged.
///
/// Stages speak to each other through files alone; what a stage depends on is hashed, and an equal hash means that its results stand.
final class Pipeline {
  let experiment: Experiment
  let project: Project
  let folder: RunFolder
  let console: Console
  let forced: Set<Stage>
  /// Whether the run is one of a sweep's.
  let isOfSweep: Bool
  private let backend = CPUBackend()
  private let arithmetic: Arithmetic
  private var record: RunRecord
  private var opened: OpenedModel?
  private var decoder: Decoder?

  private var settings: ExperimentSettings { experiment.settings }

  init(
    _ experiment: Experiment, project: Project, output: URL, runID: String?, forced: Set<Stage>, arithmetic: Arithmetic,
    console: Console, isOfSweep: Bool = false
  ) throws {
    let id = runID ?? experiment.settings.name
    guard RunFolder.isSafeName(id) else {
      throw UsageError("--run-id must be letters, digits, '.', '-' and '_', not '\(id)'")
    }
    self.experiment = experiment
    self.project = project
    self.console = console
    self.forced = forced
    self.isOfSweep = isOfSweep
    self.arithmetic = arithmetic
    folder = RunFolder(output: output, id: id)
    if FileManager.default.fileExists(atPath: folder.record.path) {
      record = try RecordFile.read(RunRecord.self, from: folder.record)
    } else {
      record = RunRecord(
        id: id, created: Machine.now(), program: ProgramRecord(name: "lorapress", version: CommandLineTool.version),
        environment: Machine.environment(backend: backend))
    }
  }

  // MARK: Stages

  func prepare() throws {
    let model = try openModel()
    let files =
      try settings.dataset.hub.map { try HubData.fetch($0, console: console) }
      ?? DataSources(settings.dataset, base: project.base(for: settings.dataset))
    let inputs = try files.all.map { try FileRecord($0.url, path: $0.name) }
    let hash = inputHash(
      "prepare 1", [try sectionYAML("dataset"), model.resolved.sha256] + inputs.map(\.sha256))
    let results = DatasetSplit.allCases.map(folder.dataset) + [folder.datasetReport]
    let hasParquet =
      settings.dataset.output == .jsonl
      || DatasetSplit.allCases.contains { FileManager.default.fileExists(atPath: folder.datasetParquet($0).path) }
    if hasParquet, isDone(.prepare, hash, results) { return skipped(.prepare) }

    try begin(.prepare, hash)
    let clock = ContinuousClock.now
    let progress = Progress(console, Words("Preparing the rows", ko: "데이터 준비"))
    let preparation = Preparation(settings: settings.dataset, files: files, measure: ChatMeasure(model.tokenizer))
    let unit = console.text(Words("rows", ko: "행"))
    let report: DatasetReport
    do {
      defer { progress.close() }
      let dataset = try preparation.run { state in
        progress.update(state.bytes >> 10, of: state.totalBytes >> 10, detail: "KiB · \(state.rows) \(unit)")
      }
      try dataset.write(to: folder)
      report = dataset.report
    } catch {
      try fail(.prepare)
      throw error
    }
    record.datasetFiles = inputs
    record.seeds["split"] = settings.dataset.split?.seed
    try finish(.prepare, seconds: seconds(since: clock), status: .prepared)
    let counts = report.counts
    console.note(
      Words(
        "Prepared: \(counts.read) rows read, \(counts.train) to train, \(counts.validation) to validate, \(counts.test) to test, \(counts.rejected) rejected",
        ko:
          "데이터 준비 완료: \(counts.read)행 중 학습 \(counts.train) · 검증 \(counts.validation) · 시험 \(counts.test) · 제외 \(counts.rejected)"
      ))
  }

  /// `resume` nil continues an interrupted training if its settings are unchanged; false starts anew; true insists on a checkpoint.
  func train(resume: Bool?) throws {
    let model = try openModel()
    try requirePrepared()
    let hash = inputHash(
      "train 2",
      [
        try SHA256.hex(ofFile: folder.dataset(.train)), try SHA256.hex(ofFile: folder.dataset(.validation)),
        model.resolved.sha256, try weightsYAML(), arithmetic.compute, try sectionYAML("lora"),
        try sectionYAML("training"),
      ])
    let adapterFile = settings.training.adapterCheckpoint(of: folder).appendingPathComponent(PEFTAdapter.weightsName)
    if resume != true, isDone(.train, hash, [adapterFile, folder.metricsLog]) { return skipped(.train) }
    let hasCheckpoint = FileManager.default.fileExists(
      atPath: folder.lastCheckpoint.appendingPathComponent("COMPLETE").path)
    if resume == true, !hasCheckpoint {
      throw RunsError("\(folder.lastCheckpoint.path): there is no checkpoint to continue from; train without --resume")
    }
    let wasCut = record.stages[Stage.train.rawValue].map { $0.inputHash == hash && $0.status != .done } ?? false
    let continues = resume ?? (wasCut && hasCheckpoint && !forced.contains(.train))

    // Of a sweep, the runs before this one have left a peak behind.
    ProcessMemory.restartPeak()
    let decoder = try loadDecoder()
    let data = try tokenized(.train)
    let validation = try tokenized(.validation).rows
    guard !data.rows.isEmpty else {
      throw RunsError(
        "\(folder.dataset(.train).path): no row is left to train on (\(data.dropped) are longer than max_seq_length); raise training.max_seq_length"
      )
    }
    if settings.training.earlyStoppingPatience != nil, validation.isEmpty {
      throw RunsError(
        "\(folder.dataset(.validation).path): has no rows, and training.early_stopping_patience needs some; give dataset.split or validation_files"
      )
    }
    let configuration = try LoRAConfiguration(settings.lora, baseModel: model.baseModel, file: experiment.file)
    let adapter = try LoraAdapter(configuration, on: decoder, seed: UInt64(bitPattern: Int64(settings.training.seed)))
    let trainer = Trainer(
      decoder, adapter: adapter, settings: settings.training, rows: data.rows, validation: validation, folder: folder,
      inputHash: hash, settingsText: try experiment.settingsTable())
    // Refused before anything is recorded, so that undoing the change lets the training go on.
    if continues { try trainer.requireContinuable() }

    try begin(.train, hash)
    console.note(
      Words(
        "End of turn supervised in \(data.rowsWithSupervisedEnd) of \(data.rows.count) rows",
        ko: "\(data.rows.count)행 중 \(data.rowsWithSupervisedEnd)행에서 답의 끝(end of turn)까지 학습합니다"))
    let reporter = TrainingReporter(console)
    let outcome: TrainingOutcome
    do {
      outcome = try trainer.run(resume: continues, shouldStop: { Interruption.isRequested }, report: reporter.report)
    } catch {
      reporter.close()
      try fail(.train)
      throw error
    }
    reporter.close()
    var summary = trainer.summary
    summary.rowsDroppedAsTooLong = data.dropped
    summary.rowsWithSupervisedEnd = data.rowsWithSupervisedEnd
    if FileManager.default.fileExists(atPath: adapterFile.path) {
      summary.adapterSha256 = try SHA256.hex(ofFile: adapterFile)
      summary.adapterBytes = try FileManager.default.attributesOfItem(atPath: adapterFile.path)[.size] as? Int
    }
    record.training = summary
    record.seeds["training"] = settings.training.seed
    if case .interrupted(let step) = outcome {
      try interrupt(.train, seconds: trainer.seconds, resumedAt: trainer.resumedAt)
      throw Interrupted(
        advice: Words(
          "Stopped at step \(step); the checkpoint is saved. Go on with: lorapress train --resume \(experiment.file)",
          ko: "\(step) step에서 멈췄고 체크포인트를 저장했습니다. 이어서 하려면: lorapress train --resume \(experiment.file)"))
    }
    try finish(.train, seconds: trainer.seconds, status: .trained, resumedAt: trainer.resumedAt)
  }

  func evaluate() throws {
    let model = try openModel()
    try requirePrepared()
    let checkpoint = settings.training.adapterCheckpoint(of: folder)
    guard PEFTAdapter.isAdapter(checkpoint) else {
      throw RunsError(
        "\(checkpoint.path): there is no trained adapter; run `lorapress train \(experiment.file)` first")
    }
    let adapterSHA = try adapterHash(checkpoint)
    let hash = inputHash(
      "evaluate 4",
      [
        try SHA256.hex(ofFile: folder.dataset(.test)), try SHA256.hex(ofFile: folder.dataset(.validation)), adapterSHA,
        model.resolved.sha256, try weightsYAML(), arithmetic.compute, try sectionYAML("evaluation"),
        try sectionYAML("training.max_seq_length"), try sectionYAML("training.overflow"),
        try sectionYAML("training.train_on_inputs"),
      ])
    if isDone(.evaluate, hash, [folder.samples, folder.evaluationMetrics]) { return skipped(.evaluate) }

    let decoder = try loadDecoder()
    let adapter = try LoraAdapter(folder: checkpoint, on: decoder)
    try begin(.evaluate, hash)
    let clock = ContinuousClock.now
    let evaluation = AdapterEvaluation(
      tokenizer: model.tokenizer, settings: settings.evaluation,
      questions: try RecordFile.readLines(ChatRow.self, from: folder.dataset(.test)),
      lossRows: try tokenized(.validation).rows, console: console)
    do {
      let (samples, results) = evaluation.results(
        base: try evaluation.ask(decoder, nil, title: AdapterEvaluation.baseTitle),
        tuned: try evaluation.ask(decoder, adapter, title: AdapterEvaluation.tunedTitle),
        modelSha256: model.resolved.sha256, adapter: (adapterSHA, adapter.layers.count), arithmetic: arithmetic)
      try RecordFile.writeLines(samples, to: folder.samples)
      try RecordFile.write(results, to: folder.evaluationMetrics)
      record.seeds["evaluation"] = settings.evaluation.doSample ? settings.evaluation.seed : nil
    } catch is CancellationError {
      try interrupt(.evaluate, seconds: seconds(since: clock), resumedAt: [])
      throw Interrupted(
        advice: Words(
          "Stopped; the evaluation starts again with: lorapress evaluate \(experiment.file)",
          ko: "평가를 멈췄습니다. 다시 하려면: lorapress evaluate \(experiment.file)"))
    } catch {
      try fail(.evaluate)
      throw error
    }
    try finish(.evaluate, seconds: seconds(since: clock), status: .evaluated)
  }

  // MARK: Parts

  /// The settings of the weights that results depend on.
  private func weightsYAML() throws -> String {
    let weights = try sectionYAML("model.weights")
    return settings.model.weights == .nf4 ? "\(weights), double_quant \(settings.model.doubleQuant ?? true)" : weights
  }

  private func openModel() throws -> OpenedModel {
    if let opened { return opened }
    let model = try OpenedModel(settings.model.name, project: project, console: console)
    opened = model
    return model
  }

  private func loadDecoder() throws -> Decoder {
    if let decoder { return decoder }
    let model = try openModel()
    let loaded = try model.load(backend, arithmetic, console: console)
    decoder = loaded
    record.model = model.record(loaded, arithmetic)
    return loaded
  }

  private func requirePrepared() throws {
    guard FileManager.default.fileExists(atPath: folder.datasetReport.path) else {
      throw RunsError(
        "\(folder.datasetReport.path): the data isn't prepared; run `lorapress prepare \(experiment.file)` first")
    }
  }

  private func tokenized(_ split: DatasetSplit) throws -> TokenizedRows {
    let rows = try RecordFile.readLines(ChatRow.self, from: folder.dataset(split))
    return try TokenizedRows(rows, try openModel().tokenizer, settings.training)
  }

  /// The resolved settings under a path, as text to hash.
  private func sectionYAML(_ path: String) throws -> String { try experiment.resolvedText(at: path) }

  private func inputHash(_ version: String, _ parts: [String]) -> String {
    SHA256.hex(of: ([version] + parts).joined(separator: "\n"))
  }

  private func seconds(since start: ContinuousClock.Instant) -> Double { start.duration(to: .now) / .seconds(1) }

  // MARK: Record

  private func isDone(_ stage: Stage, _ hash: String, _ results: [URL]) -> Bool {
    guard !forced.contains(stage), let done = record.stages[stage.rawValue], done.status == .done,
      done.inputHash == hash
    else { return false }
    return results.allSatisfy { FileManager.default.fileExists(atPath: $0.path) }
  }

  private func skipped(_ stage: Stage) {
    console.note(Words("\(stage.rawValue): unchanged, skipped", ko: "\(stage.rawValue): 바뀐 것이 없어 건너뜁니다"))
  }

  private func begin(_ stage: Stage, _ hash: String) throws {
    for part in [folder.url, folder.at("dataset"), folder.logFolder] { AtomicFile.removeLeftovers(in: part) }
    record.status = .running
    record.program = ProgramRecord(name: "lorapress", version: CommandLineTool.version)
    record.environment = Machine.environment(backend: backend)
    record.stages[stage.rawValue] = StageRecord(status: .running, started: Machine.now(), seconds: 0, inputHash: hash)
    try AtomicFile.write(try experiment.yaml(), to: folder.config)
    try RecordFile.write(record, to: folder.record)
  }

  private func finish(_ stage: Stage, seconds: Double, status: RunRecord.Status, resumedAt: [Int] = []) throws {
    record.status = status
    note(stage, .done, seconds, resumedAt)
    record.artifacts = try artifacts()
    try RecordFile.write(record, to: folder.record)
  }

  private func interrupt(_ stage: Stage, seconds: Double, resumedAt: [Int]) throws {
    record.status = .interrupted
    note(stage, .interrupted, seconds, resumedAt)
    try RecordFile.write(record, to: folder.record)
  }

  private func note(_ stage: Stage, _ status: StageRecord.Status, _ seconds: Double, _ resumedAt: [Int]) {
    record.stages[stage.rawValue]?.status = status
    record.stages[stage.rawValue]?.seconds = seconds
    record.stages[stage.rawValue]?.resumedAt = resumedAt.isEmpty ? nil : resumedAt
  }

  private func fail(_ stage: Stage) throws {
    record.status = .failed
    record.stages[stage.rawValue]?.status = .failed
    // The first error is the one to tell; a record that can't be written (disk full) must not hide it.
    try? RecordFile.write(record, to: folder.record)
  }

  /// Every file of the run but its record, the charts, which rendering draws anew, and the review and later evaluations, which go on after
  /// the stages.
  private func artifacts() throws -> [FileRecord] {
    guard
      let walker = FileManager.default.enumerator(at: folder.url, includingPropertiesForKeys: [.isRegularFileKey])
    else { return [] }
    var records: [FileRecord] = []
    for case let url as URL in walker {
      let values = try url.resourceValues(forKeys: [.isRegularFileKey])
      guard values.isRegularFile == true, let path = folder.path(of: url), path != "run.json",
        !path.hasPrefix("charts/"), path != folder.path(of: folder.review),
        !(path.hasPrefix("evaluation/") && path.dropFirst("evaluation/".count).contains("/")),
        !path.split(separator: "/").contains(where: { $0.hasPrefix(".") })
      else { continue }
      records.append(try FileRecord(url, path: path))
    }
    return records.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }
}
