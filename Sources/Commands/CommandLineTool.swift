import Foundation
import Runs

/// One command: its name, its help and what it does.
struct Command: Sendable {
  let name: String
  let summary: Words
  /// "EXPERIMENT [options]"
  let usage: String
  let options: [Option]
  let example: String
  let run: @Sendable (Arguments, Console) throws -> Void
}

public enum CommandLineTool {
  public static let version = "0.1.0"

  static let commands: [Command] = [
    PipelineCommands.run, PipelineCommands.prepare, PipelineCommands.train, PipelineCommands.evaluate,
    SiteCommands.render,
    VerifyCommand.verify, SiteCommands.serve, ReviewCommand.review, ResultsCommand.results, CompareCommand.compare,
    NewCommand.new,
    GenerateCommand.generate, ChatCommand.chat, InferenceCommands.score, InferenceCommands.tokenize,
    ExportCommand.export, PushCommand.push,
    ImportCommand.importRun, DatasetCommand.dataset, ModelCommands.model, DoctorCommand.doctor, BenchCommand.bench,
  ]

  /// Runs a command line (without the program's name) and returns its exit code: 0 done, 1 failed, 64 wrong usage, 130 interrupted.
  public static func main(_ words: [String]) -> Int32 {
    let console = Console()
    Interruption.watch()
    guard let name = words.first, name != "--help", name != "-h", name != "help" else {
      console.print(overview(console))
      return words.isEmpty ? 64 : 0
    }
    if name == "--version" {
      console.print("lorapress \(version)")
      return 0
    }
    do {
      guard let command = commands.first(where: { $0.name == name }) else {
        let nearest = Spelling.nearest(to: name, among: commands.map(\.name))
        throw UsageError(
          "unknown command '\(name)'; " + (nearest.map { "did you mean '\($0)'?" } ?? "see `lorapress --help`"))
      }
      let rest = Array(words.dropFirst())
      if rest.contains("--help") || rest.contains("-h") {
        console.print(help(command, console))
        return 0
      }
      try command.run(Arguments(rest, options: command.options, command: name), console)
      return 0
    } catch let error as UsageError {
      console.error(error.description)
      return 64
    } catch let error as Interrupted {
      console.note(error.advice)
      return 130
    } catch {
      console.error("\(error)")
      return 1
    }
  }

  private static func overview(_ console: Console) -> String {
    let width = commands.map(\.name.count).max() ?? 0
    let list = commands.map {
      "  \($0.name.padding(toLength: width, withPad: " ", startingAt: 0))  \(console.text($0.summary))"
    }
    let head = Words(
      "lorapress fine-tunes a small language model on Korean data and writes the post about it.",
      ko: "lorapress는 작은 언어 모델을 한국어 데이터로 미세 조정하고, 그 기록을 글로 만들어 줍니다.")
    let foot = Words(
      "`lorapress COMMAND --help` tells more. Start with: lorapress run content/experiments/korean-textbooks-qwen2.5-0.5b.yaml",
      ko:
        "자세한 도움말: `lorapress COMMAND --help`. 시작하기: lorapress run content/experiments/korean-textbooks-qwen2.5-0.5b.yaml"
    )
    return ([console.text(head), ""] + list + ["", console.text(foot)]).joined(separator: "\n")
  }

  private static func help(_ command: Command, _ console: Console) -> String {
    var lines = [console.text(command.summary), "", "  lorapress \(command.name) \(command.usage)"]
    if !command.options.isEmpty {
      lines.append("")
      let names = command.options.map { $0.name + ($0.value.map { " \($0)" } ?? "") }
      let width = names.map(\.count).max() ?? 0
      for (name, option) in zip(names, command.options) {
        lines.append("  \(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(console.text(option.help))")
      }
    }
    lines += ["", console.text(Words("Example:", ko: "예:")), "  \(command.example)"]
    return lines.joined(separator: "\n")
  }
}
