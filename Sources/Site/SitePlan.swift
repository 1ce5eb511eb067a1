import Foundation
import Jinja
import Runs
import Workers

/// All that was rendered, before it becomes pages.
struct RenderedSite: Sendable {
  /// Newest first.
  var posts: [RenderedPost]
  var runs: [(run: RunData, page: RenderedPost)]
  var comparisons: [RenderedPost]
  var settings: SiteSettings
}

/// Every file of a build, by its path below `site`, `posts` and `runs`.
struct SitePlan {
  var site: [String: Data] = [:]
  var posts: [String: Data] = [:]
  /// Charts, by their path below the output folder's `runs`.
  var charts: [String: Data] = [:]
  var warnings: [String] = []

  init(_ rendered: RenderedSite, pages: PageTemplates) throws {
    site["assets/style.css"] = pages.style
    for (path, data) in pages.assets { site["assets/\(path)"] = data }
    addImages(rendered)
    let builder = SitePages(rendered, pages: pages, files: Set(site.keys))
    for post in rendered.posts {
      posts["\(post.slug)/index.md"] = Data(post.markdown.utf8)
      for (path, data) in post.assets { posts["\(post.slug)/\(path)"] = data }
    }
    let made = try Parallel.map(Self.pages(rendered, builder)) { ($0.address, try $0.make()) }
    for (address, data) in made { site[address] = data }
    for (path, text) in builder.feeds.files { site[path] = Data(text.utf8) }
    warnings = builder.feeds.warnings
    // Last, when every file is there.
    site[ProvenanceRecord.path] = try ProvenanceRecord(plan: all, runs: rendered.runs.map(\.run)).data
  }

  private struct Page: Sendable {
    var address: String
    var make: @Sendable () throws -> Data
  }

  /// The index first: of all pages it takes the longest.
  private static func pages(_ rendered: RenderedSite, _ builder: SitePages) -> [Page] {
    [
      Page(address: "index.html", make: builder.index), Page(address: "tags/index.html", make: builder.tagList),
      Page(address: "404.html", make: builder.notFound),
    ]
      + rendered.posts.map { post in Page(address: PageValues.address(post: post)) { try builder.post(post) } }
      + rendered.runs.map { run, page in
        Page(address: PageValues.address(run: run.id)) { try builder.run(run, page) }
      }
      + rendered.comparisons.map { page in
        Page(address: PageValues.address(comparison: page.slug)) { try builder.comparison(page) }
      }
      + builder.tags.all.map { tag in Page(address: PageValues.address(tag: tag)) { try builder.tag(tag) } }
  }

  /// Every file by its path below the output folder.
  private var all: [String: Data] {
    var all: [String: Data] = [:]
    for (folder, files) in [("site", site), ("posts", posts), ("runs", charts)] {
      for (path, data) in files { all["\(folder)/\(path)"] = data }
    }
    return all
  }

  /// The pictures come first: a page tells of its card only where there is one.
  private mutating func addImages(_ rendered: RenderedSite) {
    for post in rendered.posts {
      if let picture = post.linkPreview { site["posts/\(post.slug)/og.png"] = picture }
      for (name, data) in post.images {
        site["posts/\(post.slug)/\(name)"] = data
        // The Markdown post shows the light, wide picture.
        if !name.hasSuffix(".dark.png"), !name.hasSuffix(".phone.png") { posts["\(post.slug)/\(name)"] = data }
      }
    }
    for (run, page) in rendered.runs {
      for (name, data) in page.images {
        site["runs/\(run.id)/\(name)"] = data
        charts["\(run.id)/charts/\(name)"] = data
      }
    }
    for page in rendered.comparisons {
      for (name, data) in page.images { site["compare/\(page.slug)/\(name)"] = data }
    }
  }
}
