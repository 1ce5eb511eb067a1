import Foundation

// Numbers in the author's own words that look like results.

extension VerificationWork {
  /// Reads the sources of the posts; their text outside of functions, code and front matter is the author's.
  func checkProse() throws {
    guard let content = verification.content else { return }
    let folder = content.appendingPathComponent("posts")
    guard FileManager.default.fileExists(atPath: folder.path) else {
      report.notes.append(VerificationFault(.noProse, "\(content.lastPathComponent)/posts"))
      return
    }
    for name in try CodeRegions.files(below: folder) where name.hasSuffix(".md") && !name.contains("/") {
      let file = "\(content.lastPathComponent)/posts/\(name)"
      guard let text = try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8) else { continue }
      report.prose += ProseScan.findings(in: text).map {
        VerificationFault(.proseNumber, file, line: $0.line, column: $0.column, says: $0.text)
      }
    }
  }
}
