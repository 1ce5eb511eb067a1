import Charts
import Formats
import Foundation
import Runs

// Tables of settings, machine, stages, data and scores.

extension Blocks {
  private static let shownTraining = [
    "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps", "num_train_epochs", "max_steps",
    "max_seq_length", "packing", "train_on_inputs", "neftune_noise_alpha", "loraplus_lr_ratio",
    "gradient_checkpointing",
    "overflow", "shuffle", "lr_scheduler_type", "warmup_ratio", "warmup_steps", "weight_decay", "max_grad_norm",
    "eval_steps", "save_steps", "early_stopping_patience", "metric_for_best_model", "seed",
  ]

  /// Settings with their values and the author's reasons; `section` is "lora", "training", … or nil for those that matter most.
  func hyperparameters(section: String?, caption own: String?) throws -> Rich {
    let sections = ["model", "dataset", "lora", "training", "evaluation", "imported"]
    if let section, !sections.contains(section) {
      throw SiteError("hyperparameters(): no section \"\(section)\"; there are \(sections.joined(separator: ", "))")
    }
    var paths: [String] = []
    for path in run.settingPaths {
      let key = path.split(separator: ".").last.map(String.init) ?? path
      let isShown =
        path.hasPrefix("lora.") || (path.hasPrefix("training.") && Self.shownTraining.contains(key))
        || path == "model.weights" || path == "model.double_quant"
      if section.map({ path.hasPrefix($0 + ".") }) ?? (isShown || run.setting(path)?.why != nil) { paths.append(path) }
    }
    let found = paths.compactMap { path in run.setting(path).map { (path, $0) } }.filter { !$0.1.node.isNull }
    guard !found.isEmpty else {
      if section == "imported" { return .text("") }
      return missing(run.record.origin == nil ? "config.yaml" : words.pick("학습 설정", "Settings"))
    }
    let hasReasons = found.contains { $0.1.why != nil }
    var columns = [
      DataTable.Column(name: words.pick("설정", "Setting")), DataTable.Column(name: words.pick("값", "Value")),
    ]
    if hasReasons { columns.append(DataTable.Column(name: words.pick("이유", "Why"), isProse: true)) }
    let rows = found.map { path, setting -> [Rich] in
      let cells: [Rich] = [
        .code(section == nil ? path : String(path.dropFirst(section.map { $0.count + 1 } ?? 0))),
        .text(written(path, setting.node)),
      ]
      return hasReasons ? cells + [.text(setting.why ?? "—")] : cells
    }
    if section == "imported" {
      return importedSettings(rows.map { Array($0.prefix(2)) }, columns: columns, caption: own)
    }
    let text = words.pick("학습에 쓴 설정이다.", "The settings of the run.")
    return table(DataTable(columns: columns, rows: rows), caption: caption(own, text, file: "config.yaml"))
  }

  private func written(_ path: String, _ node: YAMLNode) -> String {
    if path == "training.learning_rate", let rate = node.double { return NumberFormat.learningRate(rate) }
    return node.written
  }

  func environment(caption own: String?) -> Rich {
    if run.record.origin != nil { return importedEnvironment(caption: own) }
    func bytes(_ count: Int?) -> String? { count.map { ValueFormat.bytes.shown(Double($0), language: language) } }
    let program = "\(run.record.program.name) \(run.record.program.version)"
    var rows: [(String, String?)] = []
    if let machine = run.record.environment {
      let features = machine.cpuFeatures.joined(separator: ", ")
      rows += [
        ("CPU", machine.cpu), (words.pick("명령어 집합", "Instruction sets"), features.isEmpty ? "—" : features),
        (words.pick("코어 / 스레드", "Cores / threads"), "\(machine.cores) / \(machine.threads)"),
        (words.pick("메모리", "Memory"), bytes(machine.memoryBytes)), (words.pick("운영체제", "Operating system"), machine.os),
        (words.pick("행렬 연산", "Matrix products"), machine.backend),
      ]
    }
    rows.append((words.pick("프로그램", "Program"), program))
    if let model = run.record.model {
      let held = model.weights.map { "\($0), \(words.pick("연산", "compute")) \(model.compute ?? words.notRecorded)" }
      rows += [
        (words.pick("모델 파일", "Model file"), model.file ?? words.notRecorded),
        (words.pick("모델 크기", "Model size"), bytes(model.bytes) ?? words.notRecorded),
        (words.pick("파일의 가중치", "Weights in the file"), model.fileWeights ?? words.notRecorded),
        (words.pick("학습할 때의 가중치", "Weights in training"), held ?? words.notRecorded),
        ("SHA-256", model.sha256.map { String($0.prefix(12)) + "…" } ?? words.notRecorded),
        (words.pick("라이선스", "Licence"), model.license),
      ]
    }
    if let peak = run.record.training?.peakMemoryBytes, peak > 0 {
      rows.append((words.pick("학습 중 최대 메모리", "Peak memory in training"), bytes(peak)))
    }
    let columns = DataTable.named([(words.pick("항목", "Item"), false), (words.pick("값", "Value"), false)])
    let text = words.pick("실행한 환경이다.", "Where it ran.")
    return table(
      DataTable(columns: columns, rows: rows.compactMap { row in row.1.map { [.text(row.0), .text($0)] } }),
      caption: caption(own, text, file: "run.json"))
  }

  func stages(caption own: String?) -> Rich {
    let order = ["prepare", "train", "evaluate"]
    let names =
      order.filter { run.record.stages[$0] != nil } + run.record.stages.keys.sorted().filter { !order.contains($0) }
    let stages = names.compactMap { name in run.record.stages[name].map { (name, $0) } }
    guard !stages.isEmpty else { return missing(words.pick("단계", "Stages")) }
    func time(_ seconds: Double) -> String { NumberFormat.duration(seconds: seconds, language: language.chart) }
    var rows = stages.map { name, stage -> [Rich] in
      [.text(words.stage(name)), .text(words.status(stage.status.rawValue)), .text(time(stage.seconds))]
    }
    if stages.count > 1 {
      let total = stages.reduce(0) { $0 + $1.1.seconds }
      rows.append([.strong(.text(words.pick("합계", "Total"))), .text(""), .strong(.text(time(total)))])
    }
    let columns = DataTable.named([
      (words.pick("단계", "Stage"), false), (words.pick("상태", "Status"), false), (words.pick("걸린 시간", "Time"), true),
    ])
    let text = words.pick("단계마다 걸린 시간이다. 이어서 실행한 시간은 더했다.", "Working time of each stage, summed over resumes.")
    return table(DataTable(columns: columns, rows: rows), caption: caption(own, text, file: "run.json"))
  }

  func checkpoints(caption own: String?) -> Rich {
    let files = run.record.artifacts.filter {
      $0.path.hasPrefix("checkpoints/") || ($0.path.hasPrefix("imported/") && $0.path.hasSuffix(".safetensors"))
    }
    guard !files.isEmpty else { return missing(words.pick("체크포인트", "Checkpoints")) }
    let columns = [
      DataTable.Column(name: words.pick("파일", "File")),
      DataTable.Column(name: words.pick("크기", "Size"), isNumeric: true),
      DataTable.Column(name: "SHA-256"),
    ]
    let rows = files.map { file -> [Rich] in
      [
        .code(file.path), .text(ValueFormat.bytes.shown(Double(file.bytes), language: language)),
        .code(String(file.sha256.prefix(12))),
      ]
    }
    var text = words.pick("남긴 체크포인트 파일이다. 해시는 앞 12자리이다.", "The checkpoint files; of each hash the first 12 digits.")
    let best = run.record.training?.bestStep
    if let best, files.contains(where: { $0.path.hasPrefix("checkpoints/best/") }) {
      let step = NumberFormat.grouped(best)
      text += words.pick(" best는 step \(step)의 것이다.", " best is that of step \(step).")
    }
    return table(DataTable(columns: columns, rows: rows), caption: caption(own, text, file: "run.json"))
  }

  func datasetCounts(caption own: String?) -> Rich {
    guard let report = run.report else { return missing(words.pick("데이터셋", "Dataset")) }
    let counts = report.counts
    func count(_ value: Int) -> Rich { .text(NumberFormat.grouped(value)) }
    var rows: [[Rich]] = [
      [.text(words.pick("읽은 행", "Rows read")), count(counts.read)],
      [.text(words.pick("쓴 행", "Kept")), count(counts.kept)],
      [.text(words.pick("버린 행", "Rejected")), count(counts.rejected)],
    ]
    for reason in report.rejects.keys.sorted() {
      rows.append([.text(words.pick("버린 이유: ", "Rejected: ")) + .code(reason), count(report.rejects[reason] ?? 0)])
    }
    rows.append([.text(words.pick("학습", "Train")), count(counts.train)])
    rows.append([.text(words.pick("검증", "Validation")), count(counts.validation)])
    rows.append([.text(words.pick("시험", "Test")), count(counts.test)])
    if counts.testTaught + counts.testUntaught > 0 {
      rows.append([.text(words.pick("시험: 배운 사실", "Test: taught facts")), count(counts.testTaught)])
      rows.append([.text(words.pick("시험: 배우지 않은 사실", "Test: untaught facts")), count(counts.testUntaught)])
    }
    let columns = DataTable.named([(words.pick("구분", "Part"), false), (words.pick("행 수", "Rows"), true)])
    let text = words.pick("데이터셋의 행 수이다.", "Rows of the dataset.")
    return table(DataTable(columns: columns, rows: rows), caption: caption(own, text, file: "report.json"))
  }

  // MARK: Loss

  /// Validation loss and perplexity of base and tuned model.
  func lossTable(caption own: String?) -> Rich {
    guard let evaluation = run.evaluation else { return missing(words.pick("평가", "Evaluation")) }
    let loss = evaluation.validationLoss
    func row(_ name: String, _ value: Double, isBest: Bool) -> [Rich] {
      let cells = [
        Rich.text(NumberFormat.fixed(value, decimals: 3)), .text(NumberFormat.fixed(exp(value), decimals: 2)),
      ]
      return [.text(name)] + cells.map { isBest ? .strong($0) : $0 }
        + [.text(NumberFormat.grouped(evaluation.validationSupervisedTokens))]
    }
    let columns = DataTable.named([
      (words.pick("모델", "Model"), false), (words.pick("검증 손실", "Validation loss"), true), ("perplexity", true),
      (words.pick("n (답의 토큰)", "n (answer tokens)"), true),
    ])
    let text =
      words.pick(
        "검증 손실은 답의 토큰마다 평균한 값(nat)이고, perplexity는 그 지수이다. ",
        "Validation loss is the mean over the answers' tokens in nats; perplexity is its exponential. ")
      + words.best + " " + words.noInterval
    return table(
      DataTable(
        columns: columns,
        rows: [
          row("base", loss.base, isBest: loss.base < loss.tuned),
          row("LoRA", loss.tuned, isBest: loss.tuned < loss.base),
        ]), caption: caption(own, text, file: "metrics.json"))
  }

  /// The evaluations during training.
  func evaluationHistory(caption own: String?) -> Rich {
    let points = run.events.filter { $0.split == .eval }
    guard !points.isEmpty else { return missing(words.pick("검증 기록", "Evaluations")) }
    let best = points.compactMap(\.loss).min()
    var isBestFound = false
    let rows = points.map { event -> [Rich] in
      var loss = Rich.text(event.loss.map { NumberFormat.fixed($0, decimals: 3) } ?? "—")
      if let value = event.loss, value == best, !isBestFound {
        isBestFound = true
        loss = .strong(loss)
      }
      return [
        .text(NumberFormat.grouped(event.step)), .text(event.epoch.map { NumberFormat.fixed($0, decimals: 2) } ?? "—"),
        loss,
      ]
    }
    let columns = DataTable.named([("step", true), ("epoch", true), (words.pick("검증 손실", "Evaluation loss"), true)])
    let text = words.pick("학습 중의 검증 손실이다. ", "Evaluation loss during training. ") + words.best
    return table(DataTable(columns: columns, rows: rows), caption: caption(own, text, file: "metrics.jsonl"))
  }
}
