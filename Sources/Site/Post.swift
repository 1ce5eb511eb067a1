import Foundation
import Formats
import Runs

/// A post as its author wrote it: front matter, then text.
struct Post: Sendable {
  /// Relative to the project, for messages.
  var file: String
  var folder: URL
  var title: String
  var description: String
  var language: SiteLanguage
  /// "2025-03-14", nil where the run's date stands in.
  var date: String?
  var author: String?
  var slug: String
  var tags: [String]
  var run: String?
  /// Runs to set side by side, on a page of their own and by the `compare_…` functions.
  var compare: [String] = []
  /// The result in a short line.
  var finding: String?
  /// The text, with as many empty lines before it as the front matter had, so that errors name the file's own lines.
  var text: String

  private static let keys = [
    "title", "description", "lang", "date", "author", "slug", "tags", "run", "finding", "compare",
  ]

  init(file url: URL, named file: String) throws {
    let source: String
    do { source = try String(contentsOf: url, encoding: .utf8) } catch {
      throw SiteError("\(file): can't be read (\(RunsError.reason(error))); save it as UTF-8 text")
    }
    try self.init(source, file: file, folder: url.deletingLastPathComponent())
  }

  init(_ source: String, file: String, folder: URL) throws {
    var lines = source.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
    if let first = lines.first, first.hasPrefix("\u{FEFF}") { lines[0] = first.dropFirst() }
    guard lines.first == "---", let end = lines.dropFirst().firstIndex(of: "---") else {
      throw SiteError(
        "\(file):1: the front matter is missing; begin the post with its settings between two lines of ---")
    }
    let node = try YAMLNode(parsing: lines[1..<end].joined(separator: "\n"), file: file, firstLine: 2)
    let named = try NamedSettings(node, file: file, keys: Self.keys, what: "the front matter")
    guard let title = try named.text("title"), !title.isEmpty else {
      throw FormatError(file: file, line: 2, message: "'title' is missing; give the post a title")
    }
    self.file = file
    self.folder = folder
    self.title = title
    description = try named.text("description") ?? ""
    let lang = try named.text("lang") ?? "ko"
    guard let language = SiteLanguage(rawValue: lang) else {
      throw named.wrong("lang", "must be ko or en, not \"\(lang)\"")
    }
    self.language = language
    date = try named.text("date")
    if let date, SiteWords(language: language).date(date) == nil || date.utf8.count != 10 {
      throw named.wrong("date", "must be a day like 2025-03-14, not \"\(date)\"")
    }
    author = try named.text("author")
    slug = try named.text("slug") ?? (file as NSString).lastPathComponent.replacing(".md", with: "")
    guard RunFolder.isSafeName(slug) else {
      throw named.wrong("slug", "must be a name of letters, digits, '.', '-' and '_', not \"\(slug)\"")
    }
    tags = []
    for item in node["tags"]?.sequence ?? [] {
      guard let tag = item.string else { throw named.wrong("tags", "must be a list of texts") }
      tags.append(Mark.removed(from: tag))
    }
    run = try named.text("run")
    finding = try named.text("finding")
    if let node = node["compare"], !node.isNull { compare = try RunGroup(node: node, key: "compare", file: file).ids }
    let body = lines[(end + 1)...].joined(separator: "\n")
    self.text = String(repeating: "\n", count: end + 1) + Mark.removed(from: body)
  }
}
