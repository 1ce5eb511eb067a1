import Datasets
import Foundation
import Hub
import Runs

enum PushCommand {
  static let push = Command(
    name: "push",
    summary: Words("puts a run's adapter or data set on the Hugging Face Hub", ko: "어댑터나 데이터셋을 Hugging Face Hub에 올립니다"),
    usage: "RUN --repo USER/NAME [--dataset] [options]",
    options: [
      Option("--repo", "USER/NAME", Words("the repository; made where it isn't there", ko: "저장소 이름 (없으면 만듭니다)")),
      Option("--dataset", Words("the prepared rows instead of the adapter", ko: "어댑터 대신 준비한 데이터를 올립니다")),
      Option("--public", Words("a new repository is public (default: private)", ko: "새 저장소를 공개로 만듭니다 (기본: 비공개)")),
      Option("--dry-run", Words("lists the files and sends nothing", ko: "파일 목록만 보여 주고 아무것도 보내지 않습니다")),
      Option("--revision", "BRANCH", Words("default: main", ko: "기본: main")),
      Option("--message", "TEXT", Words("the commit's message", ko: "커밋 메시지")),
      Option(
        "--overwrite",
        Words("into a repository that LoraPress did not make, too", ko: "LoraPress가 만들지 않은 저장소에도 올립니다")),
      runsOption,
    ], example: "lorapress push korean-textbooks-qwen2.5-0.5b --repo kim/korean-textbooks-lora --dry-run"
  ) { arguments, console in
    let run = try runFolder(arguments.single("RUN", "push"), output: outputFolder(arguments))
    let target = try target(arguments, run)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lorapress-push-\(UUID().uuidString)")
    try AtomicFile.makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    switch target.kind {
    case .dataset: try PublishedDataset.write(run, repository: target.path, to: folder)
    case .model:
      try requireTrained(run)
      try ExportWork(run, arguments, console).writeAdapter(to: folder, repository: target.path)
    }
    let files = try PushFile.all(in: folder)
    if arguments.flag("--dry-run") { return list(files, target, console) }
    try push(files, target, console)
  }

  private static func target(_ arguments: Arguments, _ run: RunFolder) throws -> PushTarget {
    let path = try arguments.required("--repo", "push")
    let message = arguments.value("--message") ?? "\(run.id) (LoraPress \(CommandLineTool.version))"
    guard
      var target = PushTarget(path: path, kind: arguments.flag("--dataset") ? .dataset : .model, message: message)
    else { throw UsageError("--repo must be USER/NAME of letters, digits, '.', '-' and '_', not '\(path)'") }
    guard !message.isEmpty else { throw UsageError("--message must not be empty") }
    target.isPrivate = !arguments.flag("--public")
    target.overwrites = arguments.flag("--overwrite")
    if let revision = arguments.value("--revision") {
      guard !revision.isEmpty else { throw UsageError("--revision must name a branch") }
      target.revision = revision
    }
    return target
  }

  private static func requireTrained(_ run: RunFolder) throws {
    let record = try RecordFile.read(RunRecord.self, from: run.record)
    guard record.stages["train"]?.status == .done else {
      throw RunsError("\(run.url.path): the run has no finished adapter; train it first with `lorapress train`")
    }
  }

  private static func list(_ files: [PushFile], _ target: PushTarget, _ console: Console) {
    let width = files.map(\.path.count).max() ?? 0
    for file in files {
      let path = file.path.padding(toLength: width, withPad: " ", startingAt: 0)
      console.print("\(path)  \(file.bytes) bytes  \(file.isLikelyLarge ? "LFS" : "regular")")
    }
    let bytes = files.reduce(0) { $0 + $1.bytes }
    let kind = target.kind.rawValue
    let visibility = target.isPrivate ? Words("private", ko: "비공개") : Words("public", ko: "공개")
    console.print(
      console.text(
        Words(
          "\(files.count) files, \(bytes) bytes would go to the \(kind) repository \(target.path), branch \(target.revision) (\(visibility.en) if new); nothing was sent",
          ko:
            "파일 \(files.count)개, \(bytes)바이트가 \(kind) 저장소 \(target.path)의 \(target.revision) 브랜치로 갑니다(새로 만들면 \(visibility.ko)). 아무것도 보내지 않았습니다"
        )))
  }

  private static func push(_ files: [PushFile], _ target: PushTarget, _ console: Console) throws {
    let progress = Progress(console, Words("Uploading", ko: "올리기"))
    defer { progress.close() }
    do {
      let outcome = try HubPush().push(files, to: target, isCancelled: { Interruption.isRequested }) { event in
        if case .progress(let done, let total) = event {
          return progress.update(done >> 10, of: total >> 10, detail: "KiB")
        }
        progress.close()
        if let words = words(event, target) { console.note(words) }
      }
      let visibility = outcome.isPrivate ? Words("private", ko: "비공개") : Words("public", ko: "공개")
      console.note(
        outcome.changed.isEmpty
          ? Words(
            "Already there, nothing to change (\(visibility.en))", ko: "이미 모두 올라가 있어 바꿀 것이 없습니다 (\(visibility.ko))")
          : Words(
            "Committed \(outcome.changed.count) file(s) as \(outcome.commit.prefix(12)) (\(visibility.en))",
            ko: "파일 \(outcome.changed.count)개를 커밋했습니다: \(outcome.commit.prefix(12)) (\(visibility.ko))"))
      console.print(outcome.page)
    } catch let error as HubError where error.isCancelled {
      throw Interrupted(
        advice: Words(
          "Stopped; the same command goes on from here.", ko: "멈췄습니다. 같은 명령을 다시 실행하면 이어서 올립니다."))
    }
  }

  private static func words(_ event: PushEvent, _ target: PushTarget) -> Words? {
    switch event {
    case .signedIn(let account):
      Words("Signed in to the Hub as \(account)", ko: "\(account) 계정으로 Hub에 로그인했습니다")
    case .created(let isPrivate):
      Words(
        "Made the \(isPrivate ? "private" : "public") repository \(target.path)",
        ko: "\(isPrivate ? "비공개" : "공개") 저장소 \(target.path)를 만들었습니다")
    case .sending(let files, let bytes, let unchanged):
      Words(
        "Sending \(files) file(s), \(bytes) bytes; \(unchanged) unchanged",
        ko: "파일 \(files)개, \(bytes)바이트를 올립니다. 그대로인 파일 \(unchanged)개")
    case .retrying(let reason, let seconds):
      Words("\(reason); trying again in \(Int(seconds)) s", ko: "\(reason). \(Int(seconds))초 뒤 다시 시도합니다")
    case .ignored(let path):
      Words("\(path) is left out by the repository's .gitignore", ko: "저장소의 .gitignore에 따라 \(path)는 뺍니다")
    case .progress: nil
    }
  }
}
