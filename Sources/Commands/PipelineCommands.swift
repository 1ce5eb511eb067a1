import Foundation
import Runs

enum PipelineCommands {
  private static let common: [Option] = [
    Option(
      "--output", "DIR", Words("where runs, posts and site go (default: output)", ko: "실행 기록·글·사이트를 둘 폴더 (기본: output)")),
    Option("--run-id", "ID", Words("the run's name (default: the experiment's)", ko: "실행 이름 (기본: 실험 이름)")),
    Option(
      "--set", "PATH=VALUE", repeats: true,
      Words("overrides a setting, e.g. training.max_steps=20", ko: "설정 하나를 바꿉니다. 예: training.max_steps=20")),
    Option(
      "--force", "STAGE", repeats: true,
      Words("runs a stage again: prepare, train, evaluate", ko: "바뀐 것이 없어도 다시 합니다: prepare, train, evaluate")),
    Arithmetic.option,
  ]
  private static let example = "content/experiments/korean-textbooks-qwen2.5-0.5b.yaml"

  static let run = Command(
    name: "run", summary: Words("trains, evaluates and writes the post", ko: "학습, 평가, 글 작성을 한 번에 합니다"),
    usage: "EXPERIMENT [options]",
    options: common + [Theme.option], example: "lorapress run \(example) --set training.max_steps=20"
  ) { arguments, console in
    // A theme that isn't there is told of before the training, not after it.
    let project = try Project.locate()
    let templates = try Theme.folder(arguments, project)
    try forEachRun(arguments, "run", console) { pipeline in
      try pipeline.prepare()
      try pipeline.train(resume: nil)
      try pipeline.evaluate()
    } then: { runs in
      try SiteCommands.build(
        project, output: outputFolder(arguments), templates: templates, runs: runs.map(\.id), console)
    }
  }

  static let prepare = Command(
    name: "prepare", summary: Words("turns raw rows into chat rows and splits them", ko: "원본 데이터를 대화 형식으로 바꾸고 나눕니다"),
    usage: "EXPERIMENT [options]", options: common, example: "lorapress prepare \(example)"
  ) { arguments, console in
    try forEachRun(arguments, "prepare", console) { try $0.prepare() }
  }

  static let train = Command(
    name: "train", summary: Words("trains the adapter", ko: "어댑터를 학습합니다"), usage: "EXPERIMENT [--resume] [options]",
    options: [Option("--resume", Words("continues from the last checkpoint", ko: "마지막 체크포인트에서 이어서 학습합니다"))] + common,
    example: "lorapress train --resume \(example)"
  ) { arguments, console in
    try forEachRun(arguments, "train", console) { pipeline in
      try pipeline.prepare()
      // Of a sweep, some runs are done and some not begun.
      try pipeline.train(resume: pipeline.isOfSweep ? nil : arguments.flag("--resume"))
    }
  }

  static let evaluate = Command(
    name: "evaluate",
    summary: Words("lets base and tuned model answer the test questions", ko: "기반 모델과 미세 조정 모델로 시험 문제를 풀어 봅니다"),
    usage: "EXPERIMENT [options] | RUN --data FILE [options] | RUN --weights KIND [options]",
    options: common + LaterEvaluation.options, example: "lorapress evaluate \(example)"
  ) { arguments, console in
    if try LaterEvaluation.isAsked(arguments) { return try LaterEvaluation(arguments, console).run() }
    try forEachRun(arguments, "evaluate", console) { try $0.evaluate() }
  }

  /// Does the work for an experiment's run, or for each run of its sweep, then what comes after all of them, and prints their folders.
  ///
  /// A run of a sweep that fails does not keep the others from running; the command fails at the end. A sweep's runs are compared.
  private static func forEachRun(
    _ arguments: Arguments, _ command: String, _ console: Console, _ work: (Pipeline) throws -> Void,
    then: ([RunFolder]) throws -> Void = { _ in }
  ) throws {
    let file = try arguments.single("EXPERIMENT", command)
    let forced = try arguments.list("--force").map { name in
      guard let stage = Stage(rawValue: name) else {
        throw UsageError("--force takes \(Stage.allCases.map(\.rawValue).joined(separator: ", ")), not '\(name)'")
      }
      return stage
    }
    let experiment = try Experiment(file: URL(fileURLWithPath: file), overrides: try arguments.overrides())
    func pipeline(_ experiment: Experiment, runID: String?, isOfSweep: Bool) throws -> Pipeline {
      try Pipeline(
        experiment, project: Project.locate(), output: outputFolder(arguments), runID: runID, forced: Set(forced),
        arithmetic: try Arithmetic(
          arguments, weights: experiment.settings.model.weights,
          doubleQuant: experiment.settings.model.doubleQuant ?? true),
        console: console,
        isOfSweep: isOfSweep)
    }
    let runs = try experiment.sweepRuns()
    guard !runs.isEmpty else {
      let single = try pipeline(experiment, runID: arguments.value("--run-id"), isOfSweep: false)
      try work(single)
      try then([single.folder])
      return console.print(single.folder.url.path)
    }
    var done: [RunFolder] = []
    var failed: [String] = []
    for (index, run) in runs.enumerated() {
      let id = arguments.value("--run-id").map { $0 + run.suffix }
      let one = try pipeline(run.experiment, runID: id, isOfSweep: true)
      console.note("[\(index + 1)/\(runs.count)] \(one.folder.id)")
      do {
        try work(one)
        done.append(one.folder)
      } catch let error as Interrupted { throw error } catch {
        console.error("\(one.folder.id): \(error)")
        failed.append(one.folder.id)
      }
    }
    try then(done)
    if command != "prepare", done.count > 1 { try CompareCommand.printTable(done, console) }
    for folder in done { console.print(folder.url.path) }
    if !failed.isEmpty {
      throw RunsError(
        "\(failed.count) of the sweep's \(runs.count) runs failed: \(failed.joined(separator: ", ")); correct the cause and start the same command again, which skips the finished ones"
      )
    }
  }
}
