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
    let pipeline = try pipeline(arguments, "run", console)
    // A theme that isn't there is told of before the training, not after it.
    let templates = try Theme.folder(arguments, pipeline.project)
    try pipeline.prepare()
    try pipeline.train(resume: nil)
    try pipeline.evaluate()
    try SiteCommands.build(
      pipeline.project, output: outputFolder(arguments), templates: templates, runs: [pipeline.folder.id], console)
    console.print(pipeline.folder.url.path)
  }

  static let prepare = Command(
    name: "prepare", summary: Words("turns raw rows into chat rows and splits them", ko: "원본 데이터를 대화 형식으로 바꾸고 나눕니다"),
    usage: "EXPERIMENT [options]", options: common, example: "lorapress prepare \(example)"
  ) { arguments, console in
    let pipeline = try pipeline(arguments, "prepare", console)
    try pipeline.prepare()
    console.print(pipeline.folder.url.path)
  }

  static let train = Command(
    name: "train", summary: Words("trains the adapter", ko: "어댑터를 학습합니다"), usage: "EXPERIMENT [--resume] [options]",
    options: [Option("--resume", Words("continues from the last checkpoint", ko: "마지막 체크포인트에서 이어서 학습합니다"))] + common,
    example: "lorapress train --resume \(example)"
  ) { arguments, console in
    let pipeline = try pipeline(arguments, "train", console)
    try pipeline.prepare()
    try pipeline.train(resume: arguments.flag("--resume"))
    console.print(pipeline.folder.url.path)
  }

  static let evaluate = Command(
    name: "evaluate",
    summary: Words("lets base and tuned model answer the test questions", ko: "기반 모델과 미세 조정 모델로 시험 문제를 풀어 봅니다"),
    usage: "EXPERIMENT [options]", options: common, example: "lorapress evaluate \(example)"
  ) { arguments, console in
    let pipeline = try pipeline(arguments, "evaluate", console)
    try pipeline.evaluate()
    console.print(pipeline.folder.url.path)
  }

  private static func pipeline(_ arguments: Arguments, _ command: String, _ console: Console) throws -> Pipeline {
    let file = try arguments.single("EXPERIMENT", command)
    let forced = try arguments.list("--force").map { name in
      guard let stage = Stage(rawValue: name) else {
        throw UsageError("--force takes \(Stage.allCases.map(\.rawValue).joined(separator: ", ")), not '\(name)'")
      }
      return stage
    }
    let experiment = try Experiment(file: URL(fileURLWithPath: file), overrides: try arguments.overrides())
    return try Pipeline(
      experiment, project: Project.locate(), output: outputFolder(arguments), runID: arguments.value("--run-id"),
      forced: Set(forced), arithmetic: try Arithmetic(arguments, weights: experiment.settings.model.weights),
      console: console)
  }
}
