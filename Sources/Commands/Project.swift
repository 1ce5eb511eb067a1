import Datasets
import Foundation
import Runs

/// Where the project's own files lie: content, templates, sources.
struct Project: Sendable {
  let root: URL

  var content: URL { root.appendingPathComponent("content") }
  var templates: URL { root.appendingPathComponent("templates") }
  var models: URL { content.appendingPathComponent("models.yaml") }

  /// The current folder or the nearest one above it that has `content/models.yaml`; else the nearest above the program itself, so that
  /// a build inside the checkout works from anywhere.
  static func locate() throws -> Project {
    let files = FileManager.default
    var starts = [URL(fileURLWithPath: files.currentDirectoryPath)]
    if let program = try? files.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
      starts.append(URL(fileURLWithPath: program).deletingLastPathComponent())
    }
    for start in starts {
      var folder = start.standardizedFileURL
      while true {
        if files.fileExists(atPath: folder.appendingPathComponent("content/models.yaml").path) {
          return Project(root: folder)
        }
        let above = folder.deletingLastPathComponent()
        if above.path == folder.path { break }
        folder = above
      }
    }
    throw RunsError(
      "\(files.currentDirectoryPath): no LoraPress project here or above (content/models.yaml is missing); change into your checkout"
    )
  }

  /// The folder that an experiment's data paths are relative to: the current one if the files are there, else the project's.
  func base(for settings: DatasetSettings) -> URL {
    let here = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    let all = settings.files + settings.validationFiles + settings.testFiles
    return all.allSatisfy(DataFiles(base: here).isThere) ? here : root
  }
}

/// `--output` of the commands that only read runs.
let runsOption = Option(
  "--output", "DIR", Words("where the runs are (default: output)", ko: "실행 기록이 있는 폴더 (기본: output)"))

/// `--output DIR`, by default `output` in the current folder.
func outputFolder(_ arguments: Arguments) -> URL {
  URL(fileURLWithPath: arguments.value("--output") ?? "output").standardizedFileURL
}

/// A run by its id or its folder.
func runFolder(_ argument: String, output: URL) throws -> RunFolder {
  let candidates = [
    RunFolder(output: output, id: argument), RunFolder(URL(fileURLWithPath: argument).standardizedFileURL),
  ]
  for folder in candidates where FileManager.default.fileExists(atPath: folder.record.path) { return folder }
  throw RunsError(
    "\(argument): no such run (looked for \(candidates[0].record.relativePath)); `ls \(output.path)/runs` shows the runs, --output DIR looks elsewhere"
  )
}
