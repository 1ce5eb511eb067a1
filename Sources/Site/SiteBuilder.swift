import Foundation
import Formats
import Jinja
import Runs
import Workers

/// What a build of the site did.
public struct SiteSummary: Sendable, Equatable {
  /// `index.html` of the site just built.
  public var index: URL
  /// Slugs of the posts, newest first.
  public var posts: [String]
  public var runs: [String]
  /// HTML pages.
  public var pages: Int
  /// Files of posts, site and charts that are new or different, the same as before, and gone.
  public var written: Int
  public var unchanged: Int
  public var removed: Int
  /// One line each.
  public var warnings: [String]
  /// The profiles asked for.
  public var profiles: [ProfileSummary] = []
}

/// Makes Markdown posts, the HTML site and the charts of an output folder from its runs and the posts of `content`.
///
/// The result depends on those files alone: not on the clock, the locale, the order of a dictionary or where the folders lie.
public struct SiteBuilder: Sendable {
  /// What the build is doing, for a progress line.
  public enum Event: Sendable, Equatable {
    case run(String)
    case post(String)
    case writing
  }

  private let output: URL
  private let content: URL
  private let templates: URL
  private let sources: URL
  private let highlighter: any CodeHighlighter
  private let makesCards: Bool
  private let cache: CacheStore?

  /// - Parameters:
  ///   - output: the folder with `runs/`; `posts/` and `site/` come beside it.
  ///   - content: the folder with `posts/*.md`.
  ///   - templates: the folder with the page templates and `style.css`.
  ///   - sources: the project's root, where code regions are looked for.
  ///   - highlighter: by default Debian's `highlight`.
  ///   - cache: where drawn charts, cards and coloured code are kept for the next build; without one all is made anew.
  ///   - cards: whether posts get `assets/`, pictures of their code, samples and scores.
  public init(
    output: URL, content: URL, templates: URL, sources: URL, highlighter: (any CodeHighlighter)? = nil,
    cache: CacheStore? = nil, cards: Bool = true
  ) {
    self.output = output
    self.content = content
    self.templates = templates
    self.sources = sources
    self.highlighter = highlighter ?? HighlightCommand(store: cache)
    self.cache = cache
    makesCards = cards
  }

  /// Builds everything aside and puts it in place at the end; on an error posts and site stay as they were.
  ///
  /// A post whose run is missing or unreadable is left out with a warning, unless that run is named in `asked`: then, and for
  /// an asked run that is missing itself, it is an error.
  /// - Parameters:
  ///   - asked: run ids that must be there.
  ///   - names: profiles to make besides the site; see ``Profiles``.
  public func render(runs asked: [String] = [], profiles names: [String] = [], progress: (Event) -> Void = { _ in })
    throws
    -> SiteSummary
  {
    let profiles = try Profiles.named(names)
    let pen = try makePen()
    let (library, pages, drafts) = (pen.library, pen.pages, pen.drafts)
    for id in asked { _ = try library.run(id) }
    var warnings: [String] = []
    var runPages: [(run: RunData, page: RenderedPost)] = []
    let ids = try library.ids()
    for outcome in try Parallel.map(ids, finished: { progress(.run(ids[$0])) }, { try pen.page(ofRun: $0) }) {
      switch outcome {
      case .page(let run, let page): runPages.append((run, page))
      case .leftOut(let reason): warnings.append(reason)
      }
    }
    var told: [Post] = []
    for var post in drafts {
      if let stand = substitute(of: post, library, runPages.map(\.run)) {
        warnings.append(
          "\(post.file) tells of the run \"\(stand)\", since its own, \"\(post.run ?? "")\", is not there")
        post.run = stand
      }
      if let reason = try missingRun(of: post, library, asked: asked) {
        warnings.append(reason)
        continue
      }
      told.append(post)
    }
    let slugs = told.map(\.slug)
    var posts = try Parallel.map(told, finished: { progress(.post(slugs[$0])) }, { try pen.page(of: $0) })
    posts.sort { a, b in a.date != b.date ? a.date > b.date : a.slug.utf8.lexicographicallyPrecedes(b.slug.utf8) }
    warnings += (runPages.map(\.page) + posts).flatMap(\.warnings)
    let comparisons = try ComparisonPages(
      posts: posts, runs: runPages.map(\.run), settings: pen.settings, templates: pages)
    warnings += comparisons.warnings
    let compared = try Parallel.map(comparisons.drafts) { try pen.page(of: $0, isWritten: false) }
    progress(.writing)
    let plan = try SitePlan(
      RenderedSite(posts: posts, runs: runPages, comparisons: compared, settings: pen.settings), pages: pages)
    warnings += plan.warnings
    let others = try ProfileBuild(
      profiles, ProfileInput(posts: posts, runs: runPages, pages: pages, charts: pen.charts, content: content))
    warnings += others.warnings
    let installed = try Staging(output: output).install(plan, more: others.trees)
    let counts = installed.site
    cache?.prune()
    return SiteSummary(
      index: output.appendingPathComponent("site/index.html"), posts: posts.map(\.slug), runs: runPages.map(\.run.id),
      pages: plan.site.keys.filter { $0.hasSuffix(".html") }.count, written: counts.written,
      unchanged: counts.unchanged,
      removed: counts.removed, warnings: warnings, profiles: others.summaries(output: output, written: installed.more))
  }

  private func makePen() throws -> Pen {
    let pictures = PictureCache(store: cache)
    return Pen(
      library: RunLibrary(output: output), pages: try PageTemplates(folder: templates),
      charts: RunCharts(cache: pictures), regions: try CodeRegions(root: sources), highlighter: highlighter,
      pictures: pictures, settings: try SiteSettings(content: content), drafts: try readPosts(), makesCards: makesCards)
  }

  /// A run's model card (`README.md`) and its pictures by their names, as the profile `hub` makes them.
  ///
  /// - Parameter repository: the adapter's name on the Hub, which the card's code then has.
  public func modelCard(
    of folder: RunFolder, repository: String? = nil
  ) throws -> (files: [String: Data], warnings: [String]) {
    let run = try RunData(folder: folder)
    let pen = try makePen()
    let language = Self.language(of: run, pen.drafts, pen.settings)
    // A run outside the output folder has no post.
    let isHere = RunFolder(output: output, id: run.id).url.standardizedFileURL == folder.url.standardizedFileURL
    let posts = isHere ? try pen.drafts.filter { $0.run == run.id }.map { try pen.page(of: $0, isWritten: false) } : []
    let post = posts.max { a, b in
      a.date != b.date ? a.date < b.date : b.slug.utf8.lexicographicallyPrecedes(a.slug.utf8)
    }
    let card = try HubCard.files(
      of: run, finding: post?.finding, title: pen.pages.runPost(run, language: language).title,
      base: HubCatalog(content.appendingPathComponent("models.yaml")).base(of: run.record), repository: repository,
      language: post?.language ?? language, charts: pen.charts)
    cache?.prune()
    return (card.files, card.warnings)
  }

  /// The language of a run's page.
  public func language(ofRun id: String) throws -> SiteLanguage {
    try Self.language(of: RunData(output: output, id: id), readPosts(), SiteSettings(content: content))
  }

  /// A run's page speaks the language of the posts about it; Korean goes first where they differ.
  static func language(of run: RunData, _ posts: [Post], _ settings: SiteSettings) -> SiteLanguage {
    let own = posts.filter { $0.run == run.id || run.config?["post"]?.string == $0.file }.map(\.language)
    if own.isEmpty { return run.record.language.flatMap(SiteLanguage.init) ?? settings.language ?? .ko }
    return own.contains(.ko) ? .ko : .en
  }

  /// What writes pages, from any thread.
  private struct Pen: Sendable {
    let library: RunLibrary
    let pages: PageTemplates
    let charts: RunCharts
    let regions: CodeRegions
    let highlighter: any CodeHighlighter
    let pictures: PictureCache
    let settings: SiteSettings
    let drafts: [Post]
    let makesCards: Bool

    enum Outcome: Sendable {
      case page(RunData, RenderedPost)
      case leftOut(String)
    }

    func page(ofRun id: String) throws -> Outcome {
      let run: RunData
      do { run = try library.run(id) } catch { return .leftOut("run \(id) is left out: \(error)") }
      let post = try pages.runPost(run, language: SiteBuilder.language(of: run, drafts, settings))
      return .page(run, try page(of: post, isWritten: false))
    }

    /// `isWritten`: an author's post gets a link preview and cards; the page of a run or of a comparison has none.
    func page(of post: Post, isWritten: Bool = true) throws -> RenderedPost {
      try PostPage(
        post: post, runs: library, charts: charts, regions: regions, highlighter: highlighter,
        cache: isWritten ? pictures : nil, makesCards: makesCards, siteName: settings.title
      ).render()
    }
  }

  private func readPosts() throws -> [Post] {
    let folder = content.appendingPathComponent("posts")
    var posts: [Post] = []
    for name in try CodeRegions.files(below: folder) where name.hasSuffix(".md") && !name.contains("/") {
      posts.append(
        try Post(file: folder.appendingPathComponent(name), named: "\(content.lastPathComponent)/posts/\(name)"))
    }
    var slugs: [String: String] = [:]
    for post in posts {
      if let other = slugs[post.slug] {
        throw SiteError(
          "\(post.file): has the same slug \"\(post.slug)\" as \(other); give one of them another `slug:`")
      }
      slugs[post.slug] = post.file
    }
    return posts
  }

  /// The run that stands in for a post's own where that isn't there: the latest of those whose experiment names this post, such as
  /// a quick trial under another id. Nil where none is needed or none is to be had.
  private func substitute(of post: Post, _ library: RunLibrary, _ runs: [RunData]) -> String? {
    guard let id = post.run, !library.exists(id) else { return nil }
    let candidates = runs.filter { $0.config?["post"]?.string == post.file && $0.evaluation != nil }
    return candidates.max { ($0.record.created ?? "", $0.id) < ($1.record.created ?? "", $1.id) }?.id
  }

  /// Why a post can't be rendered; nil when its run is there.
  private func missingRun(of post: Post, _ library: RunLibrary, asked: [String]) throws -> String? {
    guard let id = post.run else { return nil }
    if !library.exists(id), !asked.contains(id) {
      return
        "\(post.file) is left out: there is no run \"\(id)\" here yet; `lorapress run` with its experiment makes one"
    }
    do {
      _ = try library.run(id)
      return nil
    } catch {
      if asked.contains(id) { throw SiteError("\(post.file): \(error)") }
      return "\(post.file) is left out: its run \"\(id)\" is not to be read (\(error))"
    }
  }
}
