import Foundation
import Jinja
import Runs

/// The page templates of a folder: `layout.html` around the pages; `run.ko.md`, `run.en.md`, `compare.ko.md` and `compare.en.md`,
/// posts that show any run or comparison; `style.css`; and what lies in `assets`. docs/templates.md says what each may use.
struct PageTemplates: Sendable {
  private let folder: URL
  private let environment: Environment
  let style: Data
  /// Further files of the theme (fonts, pictures), by their path below `assets`.
  let assets: [String: Data]
  private let texts: [String: String]

  /// Templates that every theme has.
  static let pages = ["layout.html", "index.html", "post.html", "tag.html", "tags.html", "404.html"]
  private static let posts = ["run.ko.md", "run.en.md", "compare.ko.md", "compare.en.md"]

  init(folder: URL) throws {
    self.folder = folder
    let location = folder
    environment = Environment(options: .page) { name in
      guard RunFolder.isSafeName(name) else { return nil }
      return try? String(contentsOf: location.appendingPathComponent(name), encoding: .utf8)
    }
    func data(_ name: String) throws -> Data {
      do { return try Data(contentsOf: folder.appendingPathComponent(name)) } catch {
        throw SiteError(
          "\(folder.path)/\(name): the template can't be read (\(RunsError.reason(error))); `lorapress new theme NAME` makes a whole set"
        )
      }
    }
    style = try data("style.css")
    for name in Self.pages { _ = try data(name) }
    var texts: [String: String] = [:]
    for name in Self.posts { texts[name] = String(decoding: try data(name), as: UTF8.self) }
    self.texts = texts
    var assets: [String: Data] = [:]
    for path in try CodeRegions.files(below: folder.appendingPathComponent("assets")) where path != "style.css" {
      assets[path] = try data("assets/\(path)")
    }
    self.assets = assets
  }

  /// The page of a run, written as a post.
  func runPost(_ run: RunData, language: SiteLanguage) throws -> Post {
    var post = try post("run", language)
    post.title = run.record.title ?? run.id
    post.slug = run.id
    post.run = run.id
    return post
  }

  /// The page that sets runs side by side, written as a post.
  func comparePost(_ group: RunGroup, runs: [RunData], language: SiteLanguage) throws -> Post {
    let words = SiteWords(language: language)
    var post = try post("compare", language)
    post.title = words.compareTitle(group.ids)
    post.description = words.compareDescription
    post.slug = group.slug
    post.compare = group.ids
    // The page is as young as its youngest run.
    post.date = runs.compactMap { $0.record.created.map { String($0.prefix(10)) } }.filter { words.date($0) != nil }
      .max()
    return post
  }

  private func post(_ kind: String, _ language: SiteLanguage) throws -> Post {
    let name = "\(kind).\(language.rawValue).md"
    var post = try Post(texts[name] ?? "", file: "\(folder.lastPathComponent)/\(name)", folder: folder)
    post.language = language
    return post
  }

  func page(_ template: String, values: [String: Value]) throws -> Data {
    Data(try environment.template(named: template).render(values.mapValues(Self.cleaned)).utf8)
  }

  /// Texts without control characters; templates escape the rest.
  private static func cleaned(_ value: Value) -> Value {
    switch value {
    case .string(let text): .string(Escape.plain(text))
    case .list(let values): .list(values.map(cleaned))
    case .dict(let mapping): .dict(Mapping(mapping.entries.map { ($0.key, cleaned($0.value)) }))
    default: value
    }
  }
}
