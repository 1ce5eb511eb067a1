import Foundation
import Runs

/// Pieces of the project's own sources, between `// region: NAME` and `// endregion: NAME` (`#` in shell, Python and YAML).
struct CodeRegions: Sendable {
  struct Region: Sendable, Equatable {
    var name: String
    /// Relative to the project.
    var file: String
    /// Of the first and last line shown, from 1.
    var firstLine: Int
    var lastLine: Int
    /// Without the indentation that all lines share.
    var code: String
    var language: String { CodeRegions.language(of: file) }
  }

  private let regions: [String: [Region]]
  private let root: URL

  /// Reads all sources under `Sources`, `scripts` and `content/experiments`.
  init(root: URL) throws {
    self.root = root
    var regions: [String: [Region]] = [:]
    let mention = Data("region:".utf8)
    for folder in ["Sources", "scripts", "content/experiments"] {
      for path in try Self.files(below: root.appendingPathComponent(folder)) {
        let file = "\(folder)/\(path)"
        let url = root.appendingPathComponent(file)
        guard let data = try? Data(contentsOf: url), data.range(of: mention) != nil,
          let text = String(validating: data, as: UTF8.self)
        else { continue }
        for region in try Self.regions(in: text, file: file) { regions[region.name, default: []].append(region) }
      }
    }
    self.regions = regions
  }

  func region(_ name: String) throws -> Region {
    guard let found = regions[name] else {
      let near = Spelling.nearest(to: name, among: regions.keys.sorted()).map { "did you mean \"\($0)\"?" }
      throw SiteError("there is no region \"\(name)\" in the sources; \(near ?? "mark it with `// region: \(name)`")")
    }
    guard found.count == 1 else {
      throw SiteError(
        "the region \"\(name)\" is marked more than once (\(found.map(\.file).joined(separator: ", "))); rename one")
    }
    return found[0]
  }

  /// A whole file of the project.
  func file(_ path: String) throws -> (code: String, language: String) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !path.isEmpty, !parts.contains(where: { $0.isEmpty || $0 == ".." || $0 == "." }) else {
      throw SiteError("\"\(path)\" is not a path inside the project")
    }
    let url = root.appendingPathComponent(path)
    // A link must not lead out of the project.
    guard url.resolvingSymlinksInPath().path.hasPrefix(root.resolvingSymlinksInPath().path + "/") else {
      throw SiteError("\"\(path)\" leads out of the project")
    }
    do {
      return (try String(contentsOf: url, encoding: .utf8), Self.language(of: path))
    } catch {
      throw SiteError(
        "\"\(path)\" can't be read (\(RunsError.reason(error))); name a text file by its path from the project's root")
    }
  }

  static func language(of file: String) -> String {
    switch (file as NSString).pathExtension {
    case "swift": "swift"
    case "py": "python"
    case "yaml", "yml": "yaml"
    case "json", "jsonl": "json"
    case "c", "h": "c"
    case "md": "markdown"
    case "sh", "": "bash"
    default: ""
    }
  }

  static func regions(in text: String, file: String) throws -> [Region] {
    var open: [(name: String, line: Int, lines: [Substring])] = []
    var done: [Region] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      switch marker(line) {
      case .begin(let name): open.append((name, index + 1, []))
      case .end(let name):
        guard let place = open.lastIndex(where: { $0.name == name }) else {
          throw SiteError(
            "\(file):\(index + 1): endregion \"\(name)\" without its region; add `region: \(name)` before it")
        }
        let region = open.remove(at: place)
        done.append(
          Region(name: name, file: file, firstLine: region.line + 1, lastLine: index, code: dedented(region.lines)))
      case nil:
        for place in open.indices { open[place].lines.append(line) }
      }
    }
    if let region = open.first {
      throw SiteError("\(file):\(region.line): region \"\(region.name)\" never ends; add `endregion: \(region.name)`")
    }
    return done
  }

  /// The text without the lines that mark regions.
  static func withoutMarkers(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).filter { marker($0) == nil }.joined(separator: "\n")
  }

  private enum Marker { case begin(String), end(String) }

  private static func marker(_ line: Substring) -> Marker? {
    var rest = line.drop { $0 == " " || $0 == "\t" }
    if rest.hasPrefix("//") {
      rest = rest.dropFirst(2)
    } else if rest.hasPrefix("#") {
      rest = rest.dropFirst()
    } else {
      return nil
    }
    rest = rest.drop { $0 == " " }
    for (word, isEnd) in [("region:", false), ("endregion:", true)] where rest.hasPrefix(word) {
      let name = rest.dropFirst(word.count).trimmingCharacters(in: .whitespaces)
      let isName =
        !name.isEmpty
        && name.unicodeScalars.allSatisfy { $0.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains($0) }
      return isName ? (isEnd ? .end(name) : .begin(name)) : nil
    }
    return nil
  }

  private static func dedented(_ lines: [Substring]) -> String {
    var lines = lines
    func isBlank(_ line: Substring) -> Bool { line.allSatisfy { $0 == " " || $0 == "\t" } }
    while let first = lines.first, isBlank(first) { lines.removeFirst() }
    while let last = lines.last, isBlank(last) { lines.removeLast() }
    let indent = lines.filter { !isBlank($0) }.map { $0.prefix { $0 == " " }.count }.min() ?? 0
    return lines.map { isBlank($0) ? "" : String($0.dropFirst(indent)) }.joined(separator: "\n")
  }

  /// Paths of all files below a folder, sorted by their bytes; none where there is no folder.
  static func files(below folder: URL) throws -> [String] {
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    var found: [String] = []
    func walk(_ url: URL, _ prefix: String) throws {
      let names: [String]
      do { names = try FileManager.default.contentsOfDirectory(atPath: url.path) } catch {
        throw RunsError.unreadable(url.path, error)
      }
      for name in names where !name.hasPrefix(".") {
        let child = url.appendingPathComponent(name)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: child.path, isDirectory: &isFolder) else { continue }
        let path = prefix + name
        if isFolder.boolValue {
          // A link to a folder may lead round in circles.
          let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: child.path)) != nil
          if !isLink { try walk(child, path + "/") }
        } else {
          found.append(path)
        }
      }
    }
    try walk(folder, "")
    return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}
