import Formats
import Foundation
import Runs

/// Makes a run folder of what another tool's training left: `trainer_state.json`, `trainer_log.jsonl` or TensorBoard event files, and
/// the small files beside them. What they do not tell stays empty in the records, and `origin.not_recorded` names it.
///
/// Files that Python would run (`training_args.bin`, `*.pt`) are never opened.
public struct RunImport {
  /// An adapter's size, which only the reader of its file format can tell.
  public struct Adapter: Sendable, Equatable {
    public var parameters: Int
    public var layers: Int
    public init(parameters: Int, layers: Int) {
      self.parameters = parameters
      self.layers = layers
    }
  }

  private var folder: ImportFolder
  private var log = ImportedLog()
  private var adapter: (file: FileRecord, size: Adapter?)?

  /// Reads all there is at `path`, a folder or one log file.
  /// - Parameter measure: the size of the adapter in a safetensors file; nil where it is none.
  public init(_ path: String, measure: (URL) throws -> Adapter? = { _ in nil }) throws {
    folder = try ImportFolder(path)
    try readLogs(path)
    try readSettings()
    try readAdapter(measure)
    if log.curve.isEmpty {
      throw RunsError(
        "\(path): the log has no loss and no other number of any step; name the folder of a training that has logged")
    }
    noteWhatWasMet()
  }

  // MARK: Reading

  private static func depth(_ path: String) -> Int { path.split(separator: "/").count }
  private static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

  /// `path` as the user gave it.
  private mutating func readLogs(_ path: String) throws {
    let state = try newestState()
    let lines = folder.files.first { Self.fileName($0) == "trainer_log.jsonl" && Self.depth($0) == 1 }
    let board = try EventCurve(folder.files.filter { Self.fileName($0).contains("tfevents") }, in: &folder)
    if let state {
      try TrainerHistory.read(
        state: folder.data(state, most: ImportFolder.longestLog), shown: folder.shown(state), into: &log)
      log.log = state
      if Self.depth(state) > 1 { log.note(.init(.checkpointLog, file: state)) }
      if let lines { try compare(lines) }
    } else if let lines {
      try TrainerHistory.read(
        lines: folder.data(lines, most: ImportFolder.longestLog), path: lines, shown: folder.shown(lines), into: &log)
      log.log = lines
    } else if !board.isEmpty {
      board.fill(&log)
    } else {
      throw RunsError(
        "\(path): no trainer_state.json, trainer_log.jsonl or TensorBoard event file here; name the output folder of a training"
      )
    }
    board.note(in: &log)
    if state != nil || lines != nil { board.addTimes(to: &log) }
    takeTexts(board)
  }

  /// LLaMA-Factory's log beside a `trainer_state.json`: it tells the tool, and whether the last line was cut off.
  private mutating func compare(_ lines: String) throws {
    var other = ImportedLog()
    try TrainerHistory.read(
      lines: folder.data(lines, most: ImportFolder.longestLog), path: lines, shown: folder.shown(lines), into: &other)
    log.signs.formUnion(other.signs)
    for note in other.notes { log.note(note) }
    log.tokens = log.tokens ?? other.tokens
    // The step's loss stands in both; speed and counted tokens only here.
    for line in other.curve.events where log.curve.event(line.split, line.step) != nil {
      log.curve.update(line.split, line.step) { event in
        if let more = line.other { event.other = (event.other ?? [:]).merging(more) { old, _ in old } }
      }
    }
  }

  /// The `trainer_state.json` that got farthest: that of the folder itself, or of its newest checkpoint.
  private mutating func newestState() throws -> String? {
    var best: (path: String, step: Int)?
    for path in folder.files where Self.fileName(path) == "trainer_state.json" && Self.depth(path) <= 2 {
      if Self.depth(path) == 2, !path.hasPrefix("checkpoint-") { continue }
      let step: Int
      if Self.depth(path) == 2, let number = Int(path.dropFirst("checkpoint-".count).prefix { $0 != "/" }) {
        step = number
      } else {
        let data = try folder.data(path, most: ImportFolder.longestLog)
        do {
          step = try JSONValue(parsing: data, file: folder.shown(path), allowNaN: true)["global_step"]?.integer ?? 0
        } catch {
          throw RunsError("\(error); copy the file again")
        }
      }
      // At the same step the folder's own file, which comes last, has the totals.
      if step > best?.step ?? Int.min || (step == best?.step && Self.depth(path) == 1) { best = (path, step) }
    }
    return best?.path
  }

  /// transformers writes its arguments and the model's configuration into the event file, as JSON in a text.
  private mutating func takeTexts(_ board: EventCurve) {
    let texts = board.texts
    if let text = texts["args/text_summary"], let object = Self.object(text) {
      log.settings.take(object.entries.map { ($0.key, YAMLNode($0.value)) }, from: "training_args")
    }
    if let text = texts["model_config/text_summary"], let object = Self.object(text) {
      log.signs.insert("trainer")
      let kept = ["model_type", "num_hidden_layers", "hidden_size", "vocab_size", "transformers_version"]
      log.settings.keep(
        object.entries.filter { kept.contains($0.key) }.map { ($0.key, YAMLNode($0.value)) }, under: "model_config")
    }
  }

  private static func object(_ text: String) -> JSONObject? {
    (try? JSONValue(parsing: Data(text.utf8), file: "text", allowNaN: true))?.object
  }

  private mutating func readSettings() throws {
    // Arguments out of the event file were taken before; files of settings have the last word where both are there.
    let early = log.settings
    var settings = ImportedSettings()
    for name in ["adapter_config", "training_args"] {
      guard let object = try json("\(name).json") else { continue }
      if let version = object["peft_version"]?.string, version.utf8.count <= 40 { log.versions["PEFT"] = version }
      take(object.entries.map { ($0.key, YAMLNode($0.value)) }, from: name, file: "\(name).json", into: &settings)
    }
    for name in ["training_args.yaml", "training_args.yml", "trainer_config.yaml", "llamaboard_config.yaml"]
    where folder.has(name) {
      let data = try folder.data(name, most: ImportFolder.longestNote)
      let node: YAMLNode
      do { node = try YAMLNode(parsing: String(decoding: data, as: UTF8.self), file: folder.shown(name)) } catch {
        log.note(.init(.unreadable, file: name))
        continue
      }
      let entries = (node.mapping ?? []).compactMap { entry in entry.key.string.map { ($0, entry.value) } }
      let isOfWebForm = name == "llamaboard_config.yaml"
      take(entries, from: "training_args", file: name, into: &settings, interprets: !isOfWebForm)
      if entries.contains(where: { $0.0 == "finetuning_type" }) { log.signs.insert("llama-factory") }
    }
    settings.merge(early)
    log.settings = settings
    try readCard()
    for name in ["train_results.json", "eval_results.json", "all_results.json"] {
      guard let object = try json(name) else { continue }
      for entry in object.entries where log.totals[entry.key] == nil && entry.key != "epoch" {
        if let value = entry.value.double, value.isFinite { log.totals[entry.key] = value }
      }
    }
  }

  /// A file with a password in it is not copied into what will be published.
  private mutating func take(
    _ entries: [(String, YAMLNode)], from source: String, file: String, into settings: inout ImportedSettings,
    interprets: Bool = true
  ) {
    let before = settings.secrets
    settings.take(entries, from: source, interprets: interprets)
    guard settings.secrets > before else { return }
    folder.keepBack(file)
    log.note(.init(.secret, file: file, count: settings.secrets - before))
  }

  private mutating func readCard() throws {
    guard folder.has("README.md") else { return }
    let card = ModelCard(String(decoding: try folder.data("README.md", most: ImportFolder.longestNote), as: UTF8.self))
    if card.isBroken { log.note(.init(.unreadable, file: "README.md")) }
    for sign in ["llama-factory", "unsloth", "trl"] where card.tags.contains(sign) { log.signs.insert(sign) }
    if let base = card.baseModel { log.settings.take([("base_model", .text(base))], from: "model_card") }
    log.settings.take(card.settings, from: "model_card")
    log.versions.merge(card.versions) { old, _ in old }
    if log.settings.model?.hasPrefix("unsloth/") ?? false { log.signs.insert("unsloth") }
  }

  private mutating func json(_ name: String) throws -> JSONObject? {
    guard folder.has(name) else { return nil }
    let data = try folder.data(name, most: ImportFolder.longestNote)
    let value: JSONValue
    do { value = try JSONValue(parsing: data, file: folder.shown(name), allowNaN: true) } catch {
      throw RunsError("\(error); copy the file again, or take it away")
    }
    guard let object = value.object else {
      throw RunsError(
        "\(folder.shown(name)): an object was expected, not \(value.kind); copy the file again, or take it away")
    }
    return object
  }

  private mutating func readAdapter(_ measure: (URL) throws -> Adapter?) throws {
    let name = "adapter_model.safetensors"
    guard folder.has(name) else { return }
    adapter = (try folder.fingerprint(name), try measure(folder.place(of: name)))
  }

  private mutating func noteWhatWasMet() {
    if log.curve.repeated > 0 {
      log.note(.init(.repeatedSteps, step: log.curve.resumedAt.last, count: log.curve.repeated))
    }
    if log.notNumbers > 0 { log.note(.init(.notANumber, count: log.notNumbers)) }
    if let steps = log.loggingSteps, steps > 1 { log.note(.init(.meanOfSteps, count: steps)) }
    if log.settings.isLocalModel { log.note(.init(.localModel)) }
    if log.settings.modulePaths > 0 { log.note(.init(.moduleNames, count: log.settings.modulePaths)) }
    if folder.has("training_args.bin") { log.note(.init(.pickle, file: "training_args.bin")) }
  }
}

// MARK: - Writing

extension RunImport {
  /// Writes the run folder `output/runs/<id>`: aside, then in place. An earlier import of that id is replaced, a run of our own is not.
  @discardableResult
  public func write(to output: URL, id: String, title: String?, language: String?, program: ProgramRecord) throws
    -> RunRecord
  {
    guard RunFolder.isSafeName(id) else {
      throw RunsError(
        "\(id): not a name for a run; use letters, digits, '.', '-' and '_', not starting with '.' or '-'")
    }
    let run = RunFolder(output: output, id: id)
    AtomicFolder.recover(run.url)
    if FileManager.default.fileExists(atPath: run.url.path) {
      let old = try? RecordFile.read(RunRecord.self, from: run.record)
      guard old?.origin != nil else {
        throw RunsError("\(run.url.path): there is a run of that id already, and it is no import; choose another --id")
      }
    }
    var record = self.record(id: id, program: program)
    record.title = title
    record.language = language
    try AtomicFolder.replace(run.url) { url in
      let new = RunFolder(url)
      try AtomicFile.write(log.settings.yaml(name: id), to: new.config)
      try RecordFile.writeLines(log.curve.events, to: new.metricsLog)
      for (path, contents) in folder.read where contents.isCopied {
        try AtomicFile.write(contents.data, to: new.at(Self.copy(path)))
      }
      record.artifacts = try artifacts(of: new)
      try RecordFile.write(record, to: new.record)
    }
    return record
  }

  private static func copy(_ path: String) -> String { "imported/\(path)" }

  private func artifacts(of new: RunFolder) throws -> [FileRecord] {
    var files = try ["config.yaml", "log/metrics.jsonl"].map { path in
      let data = try Data(contentsOf: new.at(path))
      return FileRecord(path: path, bytes: data.count, sha256: SHA256.hex(of: data))
    }
    for (path, contents) in folder.read where contents.isCopied {
      files.append(FileRecord(path: Self.copy(path), bytes: contents.data.count, sha256: contents.sha256))
    }
    if let file = adapter?.file {
      files.append(FileRecord(path: Self.copy(file.path), bytes: file.bytes, sha256: file.sha256, kept: false))
    }
    return files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private func record(id: String, program: ProgramRecord) -> RunRecord {
    var record = RunRecord(id: id, created: log.begun.map(Self.date), program: program, environment: nil)
    record.status = .trained
    record.model = log.settings.model.map { ModelRecord(name: $0) }
    if let seed = log.settings.seed { record.seeds["training"] = seed }
    if let seconds = log.totals["train_runtime"], seconds > 0 {
      var stage = StageRecord(status: .done, started: nil, seconds: seconds, inputHash: nil)
      if !log.curve.resumedAt.isEmpty { stage.resumedAt = log.curve.resumedAt }
      record.stages["train"] = stage
    }
    record.training = training
    record.origin = origin(record)
    return record
  }

  private var training: TrainingRecord {
    let events = log.curve.events
    var training = TrainingRecord(steps: log.steps ?? events.last?.step ?? 0)
    training.epochs = log.epochs
    training.trainableParameters = adapter?.size?.parameters
    training.adaptedLayers = adapter?.size?.layers
    let evaluations = events.filter { $0.split == .eval && $0.loss != nil }
    training.firstEvalLoss = evaluations.first { $0.step == 0 }?.loss
    let best = evaluations.min { ($0.loss ?? 0, $0.step) < ($1.loss ?? 0, $1.step) }
    training.bestStep = best?.step
    training.bestEvalLoss = best?.loss
    training.finalTrainLoss = events.last { $0.split == .train && $0.loss != nil }?.loss
    training.meanTrainLoss = log.totals["train_loss"]
    let counted = events.last { $0.other?["num_tokens"] != nil }?.other?["num_tokens"].flatMap { Int(exactly: $0) }
    training.tokens = log.tokens ?? counted
    training.examplesPerSecond = log.totals["train_samples_per_second"].flatMap { $0 > 0 ? $0 : nil }
    training.adapterSha256 = adapter?.file.sha256
    training.adapterBytes = adapter?.file.bytes
    return training
  }

  private func origin(_ record: RunRecord) -> OriginRecord {
    var origin = OriginRecord(tool: log.tool, log: Self.copy(log.log))
    origin.versions = log.versions
    origin.files = folder.read.map { path, contents in
      OriginRecord.Source(
        path: path, copy: contents.isCopied ? Self.copy(path) : nil, bytes: contents.data.count, sha256: contents.sha256
      )
    }
    if let file = adapter?.file {
      origin.files.append(OriginRecord.Source(path: file.path, copy: nil, bytes: file.bytes, sha256: file.sha256))
    }
    origin.files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    origin.notes = log.notes
    let events = log.curve.events
    func has(_ split: MetricsEvent.Split, _ value: (MetricsEvent) -> Bool) -> Bool {
      events.contains { $0.split == split && value($0) }
    }
    let known: [(String, Bool)] = [
      ("created", record.created != nil), ("environment", false), ("model.name", record.model != nil),
      ("model.sha256", false),
      ("dataset", false), ("evaluation", false), ("lora", log.settings.hasLora),
      ("training.learning_rate", log.settings.has("training.learning_rate")),
      ("seeds.training", record.seeds["training"] != nil),
      ("stages.train.seconds", record.stages["train"] != nil), ("training.epochs", record.training?.epochs != nil),
      ("training.trainable_parameters", record.training?.trainableParameters != nil),
      ("training.tokens", record.training?.tokens != nil),
      ("training.peak_memory_bytes", false), ("log.train_loss", has(.train) { $0.loss != nil }),
      ("log.eval_loss", has(.eval) { $0.loss != nil }), ("log.learning_rate", has(.train) { $0.learningRate != nil }),
      ("log.grad_norm", has(.train) { $0.gradNorm != nil }), ("log.time", events.contains { $0.time != nil }),
    ]
    origin.notRecorded = known.filter { !$0.1 }.map(\.0)
    return origin
  }

  /// Seconds since 1970 as ISO 8601 in UTC, to the second.
  private static func date(_ seconds: Double) -> String {
    let whole = Int(seconds)
    var time = time_t(whole)
    var parts = tm()
    gmtime_r(&time, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return
      "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))+00:00"
  }
}
