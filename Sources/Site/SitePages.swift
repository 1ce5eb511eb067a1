import Foundation
import Jinja
import Runs

/// Puts what was rendered into the page templates.
struct SitePages {
  let tags: TagNames
  let feeds: SiteFeeds
  private let rendered: RenderedSite
  private let pages: PageTemplates
  private let values: PageValues
  private let files: Set<String>
  /// Of the index and the tag pages.
  private let language: SiteLanguage

  /// - Parameter files: what is in the site besides pages.
  init(_ rendered: RenderedSite, pages: PageTemplates, files: Set<String>) {
    self.rendered = rendered
    self.pages = pages
    self.files = files
    tags = TagNames(posts: rendered.posts.map(\.tags))
    values = PageValues(
      tags: tags, runs: Dictionary(rendered.runs.map { ($0.run.id, $0.run) }, uniquingKeysWith: { first, _ in first }))
    let posts = rendered.posts
    language = rendered.settings.language ?? (posts.isEmpty || posts.contains { $0.language == .ko } ? .ko : .en)
    feeds = SiteFeeds(rendered, tags: tags, language: language)
  }

  private var words: SiteWords { SiteWords(language: language) }

  private func page(_ template: String, _ head: PageHead, _ more: [String: Value]) throws -> Data {
    let common = rendered.settings.values(head, hasFeed: feeds.hasFeed)
    return try pages.page(template, values: common.merging(more) { _, new in new })
  }

  // MARK: Posts, runs, comparisons

  func post(_ post: RenderedPost) throws -> Data {
    let place = rendered.posts.firstIndex { $0.slug == post.slug } ?? 0
    let newer = place > 0 ? rendered.posts[place - 1] : nil
    let older = place + 1 < rendered.posts.count ? rendered.posts[place + 1] : nil
    let run = post.run.flatMap { values.runs[$0] }
    var more = article(post)
    more["tags"] = values.list(post.tags)
    more["run"] = run.map { runLink($0.id) } ?? Value.none
    more["comparisons"] = comparisons { post.compare == $0.compare }
    more["older"] = older.map(values.link) ?? Value.none
    more["newer"] = newer.map(values.link) ?? Value.none
    more["related"] = .list(related(to: post).map(values.link))
    let card = "posts/\(post.slug)/og.png"
    let head = PageHead(
      language: post.language, title: post.title, description: post.description,
      address: PageValues.address(post: post),
      kind: .article, date: post.date, image: files.contains(card) ? card : nil)
    return try page("post.html", head, more)
  }

  func run(_ run: RunData, _ rendered: RenderedPost) throws -> Data {
    var more = article(rendered)
    more["comparisons"] = comparisons { $0.compare.contains(run.id) }
    more["posts"] = .list(self.rendered.posts.filter { $0.run == run.id }.map(values.link))
    let head = PageHead(
      language: rendered.language, title: rendered.title, description: rendered.description,
      address: PageValues.address(run: run.id), kind: .article, date: rendered.date)
    return try page("post.html", head, more)
  }

  func comparison(_ rendered: RenderedPost) throws -> Data {
    var more = article(rendered)
    // The names are long, and stand right below.
    more["heading"] = .string(SiteWords(language: rendered.language).compareHeading(rendered.compare.count))
    more["posts"] = .list(self.rendered.posts.filter { $0.compare == rendered.compare }.map(values.link))
    let head = PageHead(
      language: rendered.language, title: rendered.title, description: rendered.description,
      address: PageValues.address(comparison: rendered.slug), kind: .article, date: rendered.date)
    return try page("post.html", head, more)
  }

  /// The parts of a rendered text; what only some pages have is empty.
  private func article(_ post: RenderedPost) -> [String: Value] {
    let words = SiteWords(language: post.language)
    return [
      "heading": .string(post.title), "date": .string(words.date(post.date) ?? ""),
      "author": post.author.map { .string($0) } ?? .none,
      "reading": .string(words.reading(minutes: post.minutes)), "source_count": .int(post.sourceCount),
      "source_link": .string(words.sourceCount(post.sourceCount)), "summary": .safe(post.summary.html),
      "contents": .safe(post.contents), "body": .safe(post.body), "sources": .safe(post.sources),
      "tags": .list([]), "run": .none, "comparisons": .list([]), "older": .none, "newer": .none, "related": .list([]),
      "posts": .list([]),
    ]
  }

  private func runLink(_ id: String) -> Value {
    ["id": .string(id), "address": .string(PageRenderer.percentEncoded(PageValues.address(run: id)))]
  }

  private func comparisons(_ isMeant: (RenderedPost) -> Bool) -> Value {
    .list(rendered.comparisons.filter(isMeant).map(PageValues.link))
  }

  /// At most three other posts: by the number of shared tags, then those of the same run, then the newest.
  func related(to post: RenderedPost) -> [RenderedPost] {
    let scored = rendered.posts.enumerated().compactMap { place, other -> (post: RenderedPost, key: (Int, Int, Int))? in
      guard other.slug != post.slug else { return nil }
      let shared = tags.shared(post.tags, other.tags)
      let sameRun = post.run != nil && post.run == other.run ? 1 : 0
      return shared + sameRun == 0 ? nil : (other, (-shared, -sameRun, place))
    }
    return scored.sorted { $0.key < $1.key }.prefix(3).map(\.post)
  }

  // MARK: Lists

  func index() throws -> Data {
    let title = rendered.settings.title ?? words.posts
    let head = PageHead(
      language: language, title: title, description: rendered.settings.description ?? "", address: "index.html")
    return try page(
      "index.html", head,
      [
        "posts": .list(rendered.posts.map(values.card)),
        "runs": .list(rendered.runs.map { values.row($0.run, $0.page, words) }),
        "comparisons": comparisons { _ in true },
        "tags": .list(tags.all.map(PageValues.value)),
      ])
  }

  func tag(_ tag: TagNames.Tag) throws -> Data {
    let posts = rendered.posts.filter { tags.tags($0.tags).contains(tag) }
    let head = PageHead(language: language, title: words.tagTitle(tag.name), address: PageValues.address(tag: tag))
    return try page(
      "tag.html", head,
      [
        "tag": PageValues.value(tag), "count": .string(words.postCount(posts.count)),
        "posts": .list(posts.map(values.card)),
      ])
  }

  func tagList() throws -> Data {
    let head = PageHead(language: language, title: words.tags, address: "tags/index.html")
    let list = tags.all.map { tag -> Value in
      guard case .dict(var entry) = PageValues.value(tag) else { return .none }
      entry["posts"] = .string(words.postCount(tag.count))
      return .dict(entry)
    }
    return try page("tags.html", head, ["tags": .list(list)])
  }

  /// Served at any depth, so its looks are inside it, and its link is whole where the site's address is known.
  func notFound() throws -> Data {
    var head = PageHead(language: language, title: words.notFoundTitle, address: "404.html")
    head.isHidden = true
    let style = "data:text/css;base64," + pages.style.base64EncodedString()
    return try page(
      "404.html", head, ["style": .string(style), "home": .string(rendered.settings.url ?? "index.html")])
  }
}
