import Foundation
import Runs

/// `--theme DIR`: another folder of page templates than the project's own.
enum Theme {
  static let option = Option(
    "--theme", "DIR", Words("page templates to use (default: templates)", ko: "페이지 템플릿 폴더 (기본: templates)"))

  static func folder(_ arguments: Arguments, _ project: Project) throws -> URL {
    guard let path = arguments.value("--theme") else { return project.templates }
    let folder = URL(fileURLWithPath: path).standardizedFileURL
    guard FileManager.default.fileExists(atPath: folder.appendingPathComponent("layout.html").path) else {
      throw RunsError(
        "\(path): no theme there (layout.html is missing); `lorapress new theme NAME` makes one to start from")
    }
    return folder
  }
}
