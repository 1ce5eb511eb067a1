import Foundation
import Runs
import Site

enum SiteCommands {
  static let render = Command(
    name: "render", summary: Words("draws the charts and makes the posts and the site", ko: "차트와 글, 사이트를 만듭니다"),
    usage: "[options]",
    options: [
      Option(
        "--run", "ID", repeats: true,
        Words("a run that must be there (default: all there are)", ko: "꼭 있어야 하는 실행 (기본: 있는 것 모두)")),
      Option("--output", "DIR", Words("where the runs are (default: output)", ko: "실행 기록이 있는 폴더 (기본: output)")),
      Option(
        "--no-cards",
        Words(
          "without the pictures of code, answers and scores in posts/<slug>/assets",
          ko: "posts/<slug>/assets의 코드·답·점수 그림을 만들지 않습니다")),
      Theme.option,
      profileOption,
    ], example: "lorapress render --run korean-textbooks-qwen2.5-0.5b"
  ) { arguments, console in
    try arguments.none("render")
    let output = outputFolder(arguments)
    let project = try Project.locate()
    let summary = try build(
      project, output: output, templates: Theme.folder(arguments, project), runs: arguments.list("--run"),
      profiles: profiles(arguments), cards: !arguments.flag("--no-cards"), console)
    tell(summary.profiles, console)
    console.print(summary.index.path)
  }

  static func builder(_ project: Project, output: URL, templates: URL, cards: Bool) -> SiteBuilder {
    SiteBuilder(
      output: output, content: project.content, templates: templates, sources: project.root,
      cache: CacheStore(folder: output.appendingPathComponent(".cache")), cards: cards)
  }

  @discardableResult
  static func build(
    _ project: Project, output: URL, templates: URL, runs: [String], profiles: [String] = [], cards: Bool = true,
    _ console: Console
  ) throws -> SiteSummary {
    let builder = builder(project, output: output, templates: templates, cards: cards)
    let summary = try builder.render(runs: runs, profiles: profiles)
    for warning in summary.warnings { console.note(Words("warning: \(warning)", ko: "주의: \(warning)")) }
    console.note(
      Words(
        "Site: \(summary.pages) pages, \(summary.written) files written, \(summary.unchanged) unchanged",
        ko: "사이트: \(summary.pages)쪽, 새로 쓴 파일 \(summary.written)개, 그대로인 파일 \(summary.unchanged)개"))
    return summary
  }

  static let serve = Command(
    name: "serve", summary: Words("shows the site in the browser", ko: "사이트를 브라우저에서 봅니다"),
    usage: "[--review [RUN...]] [options]",
    options: [
      Option("--port", "N", Words("default 8000; 0 takes a free one", ko: "기본 8000, 0이면 빈 포트를 씁니다")),
      Option("--host", "ADDRESS", Words("default 127.0.0.1: this machine alone", ko: "기본 127.0.0.1 (이 컴퓨터에서만 보임)")),
      Option(
        "--watch",
        Words(
          "build again when posts, templates or runs change, and reload the page",
          ko: "글, 템플릿, 실행 기록이 바뀌면 다시 만들고 페이지를 새로 엽니다")),
      ReviewCommand.flag, ReviewCommand.reviewer,
      Option("--output", "DIR", Words("where the site is (default: output)", ko: "사이트가 있는 폴더 (기본: output)")),
      Theme.option,
    ], example: "lorapress serve --watch --port 8000"
  ) { arguments, console in
    if !arguments.flag(ReviewCommand.flag.name) { try arguments.none("serve") }
    let port = try arguments.integer("--port") ?? 8000
    guard port <= 65535 else { throw UsageError("--port must be at most 65535, not \(port)") }
    let output = outputFolder(arguments)
    let site = output.appendingPathComponent("site")
    let project = arguments.flag("--watch") ? try Project.locate() : nil
    let host = arguments.value("--host") ?? "127.0.0.1"
    let review = try ReviewCommand.served(arguments, output: output, host: host)
    guard
      project != nil || review != nil
        || FileManager.default.fileExists(atPath: site.appendingPathComponent("index.html").path)
    else {
      throw RunsError(
        "\(site.path): there is no site yet; make it with `lorapress render` or `lorapress run EXPERIMENT`")
    }
    let news = project.map { _ in PreviewNews() }
    let server = try PreviewServer(
      folder: site, host: host, port: port, news: news, review: review?.answers)
    console.print(server.url)
    if let review { console.print(server.url + review.path.dropFirst()) }
    console.note(Words("Ctrl-C ends the preview", ko: "Ctrl-C를 누르면 끝납니다"))
    if let project, let news {
      // Network folders tell of no changes; there the files can be looked at instead.
      let polls = ProcessInfo.processInfo.environment["LORAPRESS_WATCH"] == "poll"
      PreviewWatch(
        project: project, output: output, templates: try Theme.folder(arguments, project), news: news, console: console,
        polls: polls
      ).start()
    }
    // A build that is under way ends with the program; it leaves the old site or the new one.
    while !Interruption.isRequested { usleep(50_000) }
    server.stop()
  }
}
