import Foundation
import Jinja
import Runs

/// The page templates of a folder: `layout.html` around `post.html`, `index.html` or `404.html`; `run.md`, the post
/// that shows any run, and `run.en.md`, the same in English; and `style.css`.
struct PageTemplates: Sendable {
  private let folder: URL
  private let environment: Environment
  let style: Data
  private let runText: String
  /// For runs whose record names English as the language of their page.
  private let runTextEnglish: String?

  init(folder: URL) throws {
    self.folder = folder
    let location = folder
    environment = Environment(options: .page) { name in
      guard RunFolder.isSafeName(name) else { return nil }
      return try? String(contentsOf: location.appendingPathComponent(name), encoding: .utf8)
    }
    do {
      style = try Data(contentsOf: folder.appendingPathComponent("style.css"))
      runText = try String(contentsOf: folder.appendingPathComponent("run.md"), encoding: .utf8)
      let english = folder.appendingPathComponent("run.en.md")
      let isThere = FileManager.default.fileExists(atPath: english.path)
      runTextEnglish = isThere ? try String(contentsOf: english, encoding: .utf8) : nil
    } catch {
      throw SiteError(
        "\(folder.path): a template can't be read (\(RunsError.reason(error))); restore the templates folder")
    }
  }

  /// The page of a run, written as a post.
  func runPost(_ run: RunData) throws -> Post {
    let english = run.record.language == SiteLanguage.en.rawValue ? runTextEnglish : nil
    let name = english == nil ? "run.md" : "run.en.md"
    var post = try Post(english ?? runText, file: "\(folder.lastPathComponent)/\(name)", folder: folder)
    post.title = run.record.title ?? run.id
    post.slug = run.id
    post.run = run.id
    return post
  }

  func page(
    _ template: String, language: SiteLanguage, title: String, description: String, root: String,
    values: [String: Value]
  ) throws -> String {
    var values = values
    values["lang"] = .string(language.rawValue)
    values["title"] = .string(title)
    values["description"] = .string(description)
    values["root"] = .string(root)
    values["words"] = Self.words(SiteWords(language: language))
    values = values.mapValues(Self.cleaned)
    return try environment.template(named: template).render(values)
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

  private static func words(_ words: SiteWords) -> Value {
    [
      "skip": .string(words.skip), "posts": .string(words.posts), "all_posts": .string(words.allPosts),
      "runs": .string(words.runs),
      "not_found": .string(words.notFoundText), "no_posts": .string(words.noPosts),
    ]
  }
}

/// Every file of a build, by its path below `site`, `posts` and `runs`.
struct SitePlan {
  var site: [String: Data] = [:]
  var posts: [String: Data] = [:]
  /// Charts, by their path below the output folder's `runs`.
  var charts: [String: Data] = [:]

  init(posts rendered: [RenderedPost], runs: [(run: RunData, page: RenderedPost)], pages: PageTemplates) throws {
    site["assets/style.css"] = pages.style
    for post in rendered {
      let html = try Self.post(
        post, pages, run: post.run.map { id in runs.contains { $0.run.id == id } ? id : "" } ?? "")
      site["posts/\(post.slug)/index.html"] = Data(html.utf8)
      posts["\(post.slug)/index.md"] = Data(post.markdown.utf8)
      for (path, data) in post.assets { posts["\(post.slug)/\(path)"] = data }
      if let picture = post.linkPreview { site["posts/\(post.slug)/og.png"] = picture }
      for (name, data) in post.images {
        site["posts/\(post.slug)/\(name)"] = data
        // The Markdown post shows the light, wide picture.
        if !name.hasSuffix(".dark.png"), !name.hasSuffix(".phone.png") { posts["\(post.slug)/\(name)"] = data }
      }
    }
    for (run, page) in runs {
      site["runs/\(run.id)/index.html"] = Data(try Self.post(page, pages, run: "").utf8)
      for (name, data) in page.images {
        site["runs/\(run.id)/\(name)"] = data
        charts["\(run.id)/charts/\(name)"] = data
      }
    }
    let language: SiteLanguage = rendered.isEmpty || rendered.contains { $0.language == .ko } ? .ko : .en
    let words = SiteWords(language: language)
    let values: [String: Value] = [
      "posts": .list(rendered.map(Self.card)),
      "runs": .list(
        runs.map { run, page in
          ["id": .string(run.id), "title": .string(page.title), "date": .string(words.date(page.date) ?? "")]
        }),
    ]
    site["index.html"] = Data(
      try pages.page("index.html", language: language, title: words.posts, description: "", root: "", values: values)
        .utf8)
    site["404.html"] = Data(
      try pages.page("404.html", language: language, title: words.notFoundTitle, description: "", root: "", values: [:])
        .utf8)
    site[ProvenanceRecord.path] = try ProvenanceRecord(plan: all, runs: runs.map(\.run)).data
  }

  /// Every file by its path below the output folder.
  private var all: [String: Data] {
    var all: [String: Data] = [:]
    for (folder, files) in [("site", site), ("posts", posts), ("runs", charts)] {
      for (path, data) in files { all["\(folder)/\(path)"] = data }
    }
    return all
  }

  private static func card(_ post: RenderedPost) -> Value {
    [
      "slug": .string(post.slug), "title": .string(post.title), "description": .string(post.description),
      "lang": .string(post.language.rawValue), "finding": post.finding.map { .string($0) } ?? .none,
      "iso": .string(post.date),
      "date": .string(SiteWords(language: post.language).date(post.date) ?? ""),
      "reading": .string(SiteWords(language: post.language).reading(minutes: post.minutes)),
    ]
  }

  private static func post(_ post: RenderedPost, _ pages: PageTemplates, run: String) throws -> String {
    let words = SiteWords(language: post.language)
    let values: [String: Value] = [
      "iso": .string(post.date), "date": .string(words.date(post.date) ?? ""),
      "author": post.author.map { .string($0) } ?? .none,
      "reading": .string(words.reading(minutes: post.minutes)), "source_count": .int(post.sourceCount),
      "source_link": .string(words.sourceCount(post.sourceCount)), "summary": .safe(post.summary.html),
      "contents": .safe(post.contents),
      "body": .safe(post.body), "sources": .safe(post.sources), "run": .string(run),
    ]
    return try pages.page(
      "post.html", language: post.language, title: post.title, description: post.description, root: "../../",
      values: values)
  }
}
