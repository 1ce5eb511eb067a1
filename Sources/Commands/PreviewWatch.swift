import Foundation
import Runs
import Site

/// Builds the site whenever something it is made of changes: posts, templates, sources that posts quote, and the records of runs,
/// also of one in progress.
final class PreviewWatch: @unchecked Sendable {  // `work` runs on one thread alone; `stop` is guarded by its lock.
  private let project: Project
  private let output: URL
  private let console: Console
  private let news: PreviewNews
  private let builder: SiteBuilder
  private let templates: URL
  private let lock = NSLock()
  private var isStopped = false
  private let polls: Bool
  /// Those of the last build: each is told once.
  private var warnings: [String] = []

  /// Changes come in bursts; a build waits until there is none for this long, but no longer than four times that.
  private static let quiet: TimeInterval = 0.05

  init(
    project: Project, output: URL, templates: URL, news: PreviewNews, console: Console, polls: Bool = false
  ) {
    self.project = project
    self.output = output
    self.news = news
    self.console = console
    self.polls = polls
    self.templates = templates
    // Cards take a while and are not part of the site.
    builder = SiteCommands.builder(project, output: output, templates: templates, cards: false)
  }

  /// Builds once and then after each change, on a thread of its own until the program ends or `stop` is called.
  func start() {
    let thread = Thread { [self] in work() }
    // As deep as the main thread's: small sites are rendered here.
    thread.stackSize = 16 << 20
    thread.start()
  }

  func stop() { lock.withLock { isStopped = true } }

  private func work() {
    // Watching comes before the first build, so that no change falls between them.
    let watcher = FileWatcher(scope, polls: polls)
    if watcher.isPolling, !polls {
      console.note(
        Words(
          "the system has no more file watches to give (fs.inotify.max_user_watches); looking at the files instead",
          ko: "시스템의 파일 감시 한도(fs.inotify.max_user_watches)에 닿아 파일을 직접 살펴봅니다"))
    }
    var took = build()
    while !lock.withLock({ isStopped }) {
      var changes = watcher.wait(upTo: 0.2)
      if changes.isEmpty { continue }
      let deadline = Date(timeIntervalSinceNow: pause(changes, took))
      var settled = Date(timeIntervalSinceNow: 4 * Self.quiet)
      while true {
        let more = watcher.wait(upTo: Self.quiet)
        changes.formUnion(more)
        // Someone's edit isn't kept waiting for a log.
        if !onlyRuns(changes) {
          if more.isEmpty || Date() > settled { break }
        } else if Date() >= deadline {
          break
        } else {
          settled = Date(timeIntervalSinceNow: 4 * Self.quiet)
        }
      }
      took = build()
    }
  }

  /// A training writes all the time: its log is drawn again once a second at most, and never for more than a fifth of the time, so
  /// that the training keeps the machine.
  private func pause(_ changes: Set<FileWatcher.Change>, _ took: TimeInterval) -> TimeInterval {
    onlyRuns(changes) ? max(1, 4 * took) : 0
  }

  private func onlyRuns(_ changes: Set<FileWatcher.Change>) -> Bool {
    changes.allSatisfy { $0.folder.hasPrefix(runs) || $0.folder == output.path }
  }

  /// Returns the seconds it took.
  private func build() -> TimeInterval {
    let start = ContinuousClock.now
    do {
      let summary = try builder.render()
      let isNew = summary.written > 0 || summary.removed > 0
      for warning in summary.warnings where !warnings.contains(warning) {
        console.note(Words("warning: \(warning)", ko: "주의: \(warning)"))
      }
      warnings = summary.warnings
      news.built(isNew: isNew)
      let milliseconds = Int((Self.seconds(since: start) * 1000).rounded())
      if isNew {
        console.note(
          Words(
            "Built: \(summary.written) files written, \(summary.unchanged) unchanged (\(milliseconds) ms)",
            ko: "다시 만듦: 새로 쓴 파일 \(summary.written)개, 그대로인 파일 \(summary.unchanged)개 (\(milliseconds)ms)"))
      }
    } catch {
      console.error("\(error)")
      let title = Words("The site could not be built", ko: "사이트를 만들지 못했어요")
      let advice = Words(
        "This is the last good site. The page comes again by itself once this is mended.",
        ko: "지금 보이는 것은 마지막으로 만든 사이트예요. 고치면 페이지가 저절로 새로 열려요.")
      news.failed(
        PreviewNews.Fault(text: "\(error)", title: console.text(title), advice: console.text(advice)))
    }
    return Self.seconds(since: start)
  }

  private static func seconds(since start: ContinuousClock.Instant) -> TimeInterval {
    let elapsed = start.duration(to: .now).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
  }

  // MARK: What is watched

  private var runs: String { output.appendingPathComponent("runs").path }

  private var scope: FileWatcher.Scope {
    let output = self.output.path
    let runs = self.runs
    let roots = [
      project.content.path, templates.path, project.root.appendingPathComponent("Sources").path,
      project.root.appendingPathComponent("scripts").path,
    ]
    return FileWatcher.Scope(
      folders: {
        // The output folder itself, to see the first run come.
        roots.flatMap(Self.tree) + [output, runs]
          + Self.subfolders(runs, followingLinks: true).flatMap { run in
            [run] + ["dataset", "log", "evaluation"].map { "\(run)/\($0)" }
          }
      },
      counts: { folder, name in
        // Hidden names are files half written, and editors' own.
        if name.hasPrefix(".") || name.hasSuffix("~") { return false }
        if folder == output { return name == "runs" }
        guard folder.hasPrefix(runs + "/") else { return true }
        // Pictures that a build itself puts there, and what no page is made of.
        return !["charts", "checkpoints"].contains(name) && !name.hasPrefix("events.out.tfevents")
      })
  }

  /// Links to folders only on request: one that leads upwards would never end.
  private static func subfolders(_ folder: String, followingLinks: Bool = false) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().filter { !$0.hasPrefix(".") }
      .map { "\(folder)/\($0)" }.filter { path in
        var status = stat()
        return (followingLinks ? stat(path, &status) : lstat(path, &status)) == 0
          && status.st_mode & S_IFMT == S_IFDIR
      }
  }

  /// A folder and all below it.
  private static func tree(_ folder: String) -> [String] { [folder] + subfolders(folder).flatMap(tree) }
}
