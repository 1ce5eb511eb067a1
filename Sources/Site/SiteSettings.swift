import Foundation
import Formats
import Runs

/// `content/site.yaml`: what the site is called, where it will stand, and which runs are set side by side. All of it may be left out.
public struct SiteSettings: Sendable, Equatable {
  public var title: String?
  public var description: String?
  /// Where the site will stand, ending with "/"; without it there is no feed, no sitemap and no canonical address.
  public var url: String?
  public var author: String?
  /// The language of the index and of pages whose own is not known.
  public var language: SiteLanguage?
  /// Groups of runs with a page of their own.
  public var compare: [[String]] = []

  private static let keys = ["title", "description", "url", "author", "language", "compare"]

  public init() {}

  /// Reads `content/site.yaml`; where there is none, nothing is set.
  init(content: URL) throws {
    self.init()
    let url = content.appendingPathComponent("site.yaml")
    let file = "\(content.lastPathComponent)/site.yaml"
    guard FileManager.default.fileExists(atPath: url.path) else { return }
    let text: String
    do { text = try String(contentsOf: url, encoding: .utf8) } catch {
      throw SiteError("\(file): can't be read (\(RunsError.reason(error))); save it as UTF-8 text")
    }
    self = try SiteSettings(text, file: file)
  }

  init(_ text: String, file: String) throws {
    let isEmpty = text.split(whereSeparator: \.isNewline).allSatisfy { line in
      let rest = line.drop { $0 == " " || $0 == "\t" }
      return rest.isEmpty || rest.hasPrefix("#")
    }
    if isEmpty { return }
    let node = try YAMLNode(parsing: text, file: file)
    let named = try NamedSettings(node, file: file, keys: Self.keys)
    func setting(_ key: String) throws -> String? {
      let clean = try named.text(key)?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
      return clean.isEmpty ? nil : clean
    }
    title = try setting("title")
    description = try setting("description")
    author = try setting("author")
    if let address = try setting("url") {
      guard let base = Self.base(address) else {
        throw named.wrong("url", "must be the site's address, like https://NAME.github.io/blog/, not \"\(address)\"")
      }
      url = base
    }
    if let name = try setting("language") {
      guard let language = SiteLanguage(rawValue: name) else {
        throw named.wrong("language", "must be ko or en, not \"\(name)\"")
      }
      self.language = language
    }
    compare = try Self.groups(node["compare"], file: file)
  }

  /// `[[a, b], [a, c]]`.
  private static func groups(_ node: YAMLNode?, file: String) throws -> [[String]] {
    guard let node, !node.isNull else { return [] }
    guard let lists = node.sequence else {
      throw FormatError(
        file: file, line: node.line, column: node.column,
        message: "'compare' must be a list of groups of runs, like [[RUN, OTHER]], not \(node.kind)")
    }
    return try lists.map { try RunGroup(node: $0, key: "compare", file: file).ids }
  }

  /// An http or https address without query and fragment, with "/" at its end; nil for anything else.
  private static func base(_ address: String) -> String? {
    guard let parts = URLComponents(string: address), ["http", "https"].contains(parts.scheme?.lowercased() ?? ""),
      let host = parts.host, !host.isEmpty, parts.query == nil, parts.fragment == nil, parts.user == nil,
      PageRenderer.safeAddress(address) != nil
    else { return nil }
    return PageRenderer.percentEncoded(address.hasSuffix("/") ? address : address + "/")
  }
}

/// Runs that are set side by side.
struct RunGroup: Sendable, Equatable {
  let ids: [String]

  init(ids: [String]) { self.ids = ids }

  /// A list of two or more different run names, as `compare:` of a post or one entry of that in site.yaml holds.
  init(node: YAMLNode, key: String, file: String) throws {
    func wrong(_ message: String) -> FormatError {
      FormatError(file: file, line: node.line, column: node.column, message: "'\(key)' \(message)")
    }
    guard let items = node.sequence else {
      throw wrong("must be a list of runs, like [RUN, OTHER], not \(node.kind)")
    }
    ids = try items.map { item in
      guard let id = item.string, RunFolder.isSafeName(id) else {
        throw wrong("must name runs by letters, digits, '.', '-' and '_', not \(item.kind)")
      }
      return id
    }
    guard ids.count >= 2 else { throw wrong("needs two runs or more") }
    if let twice = ids.first(where: { id in ids.filter { $0 == id }.count > 1 }) {
      throw wrong("names the run \"\(twice)\" twice")
    }
  }

  /// The folder of the group's page: `a-vs-b`. A name too long for a folder keeps its start and a hash of the whole.
  var slug: String {
    let whole = ids.joined(separator: "-vs-")
    guard whole.utf8.count > 180 else { return whole }
    var start = ""
    for character in whole where start.utf8.count + character.utf8.count <= 150 { start.append(character) }
    return start + "-" + SHA256.hex(of: Data(whole.utf8)).prefix(12)
  }
}
