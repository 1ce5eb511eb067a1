import Foundation
import Runs
import Site

/// Judging a run's answers by eye: on a page of `serve --review`, or on one opened from disk whose export is imported.
enum ReviewCommand {
  static let flag = Option(
    "--review",
    Words(
      "also a page to judge the answers on, of the runs named or of all", ko: "답을 판정하는 페이지도 엽니다 (실행을 적지 않으면 모두)"))
  static let reviewer = Option(
    "--reviewer", "NAME", Words("who judges (default: the page asks)", ko: "판정하는 사람의 이름 (기본: 페이지에서 묻습니다)"))

  static let review = Command(
    name: "review",
    summary: Words("makes a page to judge answers on, and takes its verdicts in", ko: "답을 판정하는 페이지를 만들고, 판정을 가져옵니다"),
    usage: "page RUN --out FILE | import RUN FILE...",
    options: [
      Option("--out", "FILE", Words("page: where the page is written (.html)", ko: "page: 페이지를 쓸 파일 (.html)")),
      reviewer,
      Option("--output", "DIR", Words("where the runs are (default: output)", ko: "실행 기록이 있는 폴더 (기본: output)")),
    ], example: "lorapress review page korean-textbooks-qwen2.5-0.5b --out review.html"
  ) { arguments, console in
    let output = outputFolder(arguments)
    switch arguments.positional.first {
    case "page":
      guard arguments.positional.count == 2 else {
        throw UsageError("`review page` takes one RUN; see `lorapress review --help`")
      }
      try page(arguments, output, console)
    case "import":
      guard arguments.positional.count > 2 else {
        throw UsageError("`review import` takes a RUN and at least one FILE; see `lorapress review --help`")
      }
      try take(arguments, output, console)
    default:
      throw UsageError("say `review page RUN --out FILE` or `review import RUN FILE`; see `lorapress review --help`")
    }
  }

  private static func page(_ arguments: Arguments, _ output: URL, _ console: Console) throws {
    let file = URL(fileURLWithPath: try arguments.required("--out", "review"))
    let reviewer = try name(arguments)
    let sheet = try ReviewSheet(runFolder(arguments.positional[1], output: output))
    let page = ReviewPage(sheet, language: language(output)(sheet.run)).alone(reviewer: reviewer)
    try AtomicFile.write(page.html, to: file)
    console.note(
      Words(
        "Open it in a browser, judge, export; then `lorapress review import \(sheet.run.id) FILE`.",
        ko: "브라우저로 열어 판정하고 내보낸 뒤 `lorapress review import \(sheet.run.id) FILE`을 실행해 주세요."))
    console.print(file.path)
  }

  /// Reads every file before the first verdict is taken.
  private static func take(_ arguments: Arguments, _ output: URL, _ console: Console) throws {
    let sheet = try ReviewSheet(runFolder(arguments.positional[1], output: output))
    let exports = try arguments.positional.dropFirst(2).map { path -> ReviewExport in
      let data: Data
      do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch { throw RunsError.unreadable(path, error) }
      return try ReviewExport(parsing: data, file: path, run: sheet.run.id, samples: sheet.samples)
    }
    let taken = try ReviewFile(sheet.run).update { record in exports.reduce(0) { $0 + record.merge($1.review) } }
    let given = exports.reduce(0) { $0 + $1.review.verdicts.count }
    console.note(
      Words(
        "Verdicts: \(taken) taken of \(given); the others were there already, as new or newer",
        ko: "판정 \(given)개 중 \(taken)개를 가져왔습니다. 나머지는 이미 있는 판정과 같거나 더 오래된 것입니다"))
    console.print(sheet.run.review.path)
  }

  // MARK: The server's page

  /// The answers of `serve --review` and the path to show; nil where none are asked for.
  static func served(_ arguments: Arguments, output: URL, host: String) throws -> (
    answers: ReviewAnswers, path: String
  )? {
    guard arguments.flag(flag.name) else {
      if arguments.value(reviewer.name) != nil { throw UsageError("\(reviewer.name) goes with \(flag.name)") }
      return nil
    }
    guard let hosts = PreviewHosts(host: host) else {
      throw UsageError(
        "\(flag.name) is for this machine alone; leave out --host, or give others a page made by `lorapress review page`"
      )
    }
    let named = try arguments.positional.map { try runFolder($0, output: output) }
    for run in named { _ = try ReviewSheet(run) }
    let desk = ReviewDesk(
      runs: { named.isEmpty ? evaluated(output) : named }, reviewer: try name(arguments), language: language(output))
    return (ReviewAnswers(desk, hosts: hosts), ReviewAnswers.path(of: named.count == 1 ? named[0] : nil))
  }

  /// The runs that have answers, by name.
  private static func evaluated(_ output: URL) -> [RunFolder] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: output.appendingPathComponent("runs").path)) ?? []
    return names.sorted().filter(RunFolder.isSafeName).map { RunFolder(output: output, id: $0) }
      .filter { FileManager.default.fileExists(atPath: $0.samples.path) }
  }

  private static func name(_ arguments: Arguments) throws -> String? {
    do { return try arguments.value(reviewer.name).map(ReviewerName.checked) } catch {
      throw UsageError("\(reviewer.name): \(error)")
    }
  }

  /// The language of a run's page in the site; where there is no project, the run's own.
  private static func language(_ output: URL) -> @Sendable (RunFolder) -> SiteLanguage {
    { run in
      if run.url.deletingLastPathComponent().path == output.appendingPathComponent("runs").path,
        let project = try? Project.locate(),
        let found = try? SiteCommands.builder(project, output: output, templates: project.templates, cards: false)
          .language(ofRun: run.id)
      {
        return found
      }
      let record = try? RecordFile.read(RunRecord.self, from: run.record)
      return record?.language.flatMap(SiteLanguage.init) ?? .ko
    }
  }
}
