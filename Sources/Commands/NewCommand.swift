import Foundation
import Runs
import Site

enum NewCommand {
  static let new = Command(
    name: "new", summary: Words("starts a post, an experiment or a theme", ko: "새 글, 실험, 테마의 틀을 만듭니다"),
    usage: "post|experiment|theme NAME [options]",
    options: [
      Option("--lang", "ko|en", Words("the language (default: that of the locale)", ko: "언어 (기본: 시스템의 언어)"))
    ], example: "lorapress new post my-first-run"
  ) { arguments, console in
    guard let kind = arguments.positional.first else {
      throw UsageError("what to start is missing: post, experiment or theme; see `lorapress new --help`")
    }
    guard ["post", "experiment", "theme"].contains(kind) else {
      let near = Spelling.nearest(to: kind, among: ["post", "experiment", "theme"]).map { "did you mean '\($0)'?" }
      throw UsageError("'\(kind)' can't be started; \(near ?? "there are post, experiment and theme")")
    }
    guard arguments.positional.count == 2, let name = arguments.positional.last else {
      throw UsageError("one NAME is expected; see `lorapress new --help`")
    }
    guard RunFolder.isSafeName(name) else {
      throw UsageError("'\(name)' can't be a file's name; use letters, digits, '.', '-' and '_'")
    }
    let project = try Project.locate()
    let language = try language(arguments, console)
    let made: URL
    switch kind {
    case "post":
      made = project.content.appendingPathComponent("posts/\(name).md")
      try write(Scaffold.post(name: name, language: language), to: made)
      console.note(
        Words(
          "It tells of the run \"\(name)\"; change `run:` to tell of another, then `lorapress render`.",
          ko: "실행 \"\(name)\"의 글이에요. 다른 실행이면 `run:`을 고친 뒤 `lorapress render`를 실행해 주세요."))
    case "experiment":
      made = project.content.appendingPathComponent("experiments/\(name).yaml")
      try write(Scaffold.experiment(name: name, language: language), to: made)
      console.note(
        Words(
          "Set the model and the data, then `lorapress run \(made.path)`.",
          ko: "모델과 데이터를 정한 뒤 `lorapress run \(made.path)`를 실행해 주세요."))
    default:
      made = project.root.appendingPathComponent("themes/\(name)")
      try copy(project.templates, to: made)
      console.note(
        Words(
          "Change it, then `lorapress render --theme \(made.path)`.",
          ko: "고친 뒤 `lorapress render --theme \(made.path)`를 실행해 주세요."))
    }
    console.print(made.path)
  }

  private static func language(_ arguments: Arguments, _ console: Console) throws -> SiteLanguage {
    guard let name = arguments.value("--lang") else { return console.isKorean ? .ko : .en }
    guard let language = SiteLanguage(rawValue: name) else {
      throw UsageError("--lang must be ko or en, not '\(name)'")
    }
    return language
  }

  private static func refuse(_ url: URL) throws {
    guard (try? FileManager.default.attributesOfItem(atPath: url.path)) == nil else {
      throw RunsError("\(url.path): is there already and stays as it is; choose another name, or remove it first")
    }
  }

  private static func write(_ text: String, to url: URL) throws {
    try refuse(url)
    try AtomicFile.makeFolder(url.deletingLastPathComponent())
    try AtomicFile.write(text, to: url)
  }

  /// Copied under another name first, so that a theme is there whole or not at all.
  private static func copy(_ folder: URL, to url: URL) throws {
    try refuse(url)
    let parent = url.deletingLastPathComponent()
    try AtomicFile.makeFolder(parent)
    let aside = parent.appendingPathComponent(".\(url.lastPathComponent)-\(getpid())")
    defer { try? FileManager.default.removeItem(at: aside) }
    do {
      try FileManager.default.copyItem(at: folder, to: aside)
      try FileManager.default.moveItem(at: aside, to: url)
    } catch {
      throw RunsError("\(url.path): could not be made (\(RunsError.reason(error))); check space and permissions")
    }
  }
}
