import Foundation
import Runs

/// What machines read: the Atom feed, the sitemap and robots.txt. Feed and sitemap need whole addresses, so they are made only
/// where `content/site.yaml` gives the site's.
struct SiteFeeds: Sendable {
  private(set) var files: [String: String] = [:]
  private(set) var warnings: [String] = []
  private(set) var hasFeed = false

  /// An entry of the feed: a post with a date.
  private struct Entry {
    var post: RenderedPost
    var published: String
    var updated: Moment
  }

  init(_ rendered: RenderedSite, tags: TagNames, language: SiteLanguage) {
    guard let url = rendered.settings.url else {
      files["robots.txt"] =
        "# There is no sitemap: content/site.yaml names no url.\nUser-agent: *\nAllow: /\n"
      return
    }
    let runs = Dictionary(rendered.runs.map { ($0.run.id, $0.run) }, uniquingKeysWith: { first, _ in first })
    var entries: [Entry] = []
    for post in rendered.posts {
      guard let day = Moment(post.date) else {
        warnings.append("the post \"\(post.slug)\" is not in feed.xml, since neither it nor its run has a date")
        continue
      }
      // A post changes with its run.
      let run = post.run.flatMap { runs[$0] }.flatMap { $0.record.created.flatMap { Moment($0) } }
      entries.append(Entry(post: post, published: day.text, updated: run.map { max($0, day) } ?? day))
    }
    if let newest = entries.map(\.updated).max() {
      files["feed.xml"] = Self.atom(entries, newest, rendered.settings, tags, language)
      hasFeed = true
    }
    files["sitemap.xml"] = Self.sitemap(rendered, tags)
    files["robots.txt"] = "User-agent: *\nAllow: /\n\nSitemap: \(url)sitemap.xml\n"
  }

  private static func atom(
    _ entries: [Entry], _ newest: Moment, _ settings: SiteSettings, _ tags: TagNames, _ language: SiteLanguage
  ) -> String {
    let words = SiteWords(language: language)
    func whole(_ address: String) -> String { Escape.html(settings.whole(address) ?? address) }
    let title = settings.title ?? words.posts
    var out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
    out += "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"\(language.rawValue)\">\n"
    out += "<id>\(whole("index.html"))</id>\n<title>\(Escape.html(title))</title>\n"
    if let description = settings.description { out += "<subtitle>\(Escape.html(description))</subtitle>\n" }
    out += "<link rel=\"self\" type=\"application/atom+xml\" href=\"\(whole("feed.xml"))\"/>\n"
    out += "<link rel=\"alternate\" type=\"text/html\" href=\"\(whole("index.html"))\"/>\n"
    out += "<updated>\(newest.text)</updated>\n"
    out += "<author><name>\(Escape.html(settings.author ?? title))</name></author>\n"
    for entry in entries.prefix(50) {
      let post = entry.post
      let address = whole(PageValues.address(post: post))
      out += "<entry xml:lang=\"\(post.language.rawValue)\">\n<id>\(address)</id>\n"
      out += "<title>\(Escape.html(post.title))</title>\n"
      out += "<link rel=\"alternate\" type=\"text/html\" hreflang=\"\(post.language.rawValue)\" href=\"\(address)\"/>\n"
      out += "<published>\(entry.published)</published>\n<updated>\(entry.updated.text)</updated>\n"
      if let author = post.author { out += "<author><name>\(Escape.html(author))</name></author>\n" }
      for tag in tags.tags(post.tags) { out += "<category term=\"\(Escape.html(tag.name))\"/>\n" }
      let summary = post.description.isEmpty ? post.finding ?? "" : post.description
      if !summary.isEmpty { out += "<summary>\(Escape.html(summary))</summary>\n" }
      out += "</entry>\n"
    }
    return out + "</feed>\n"
  }

  private static func sitemap(_ rendered: RenderedSite, _ tags: TagNames) -> String {
    var pages: [(address: String, date: String)] = []
    pages += rendered.posts.map { (PageValues.address(post: $0), $0.date) }
    pages += rendered.runs.map { (PageValues.address(run: $0.run.id), $0.page.date) }
    pages += rendered.comparisons.map { (PageValues.address(comparison: $0.slug), $0.date) }
    let newest = pages.map(\.date).max() ?? ""
    pages.insert(("index.html", newest), at: 0)
    pages.append(("tags/index.html", ""))
    pages += tags.all.map { (PageValues.address(tag: $0), "") }
    var out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
    out += "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n"
    // The protocol allows no more in one file.
    for page in pages.prefix(50_000) {
      let date = Moment(page.date).map { "<lastmod>\($0.day)</lastmod>" } ?? ""
      out += "<url><loc>\(Escape.html(rendered.settings.whole(page.address) ?? page.address))</loc>\(date)</url>\n"
    }
    return out + "</urlset>\n"
  }
}

/// A time as records write it: "2025-03-14" or "2026-11-23T21:04:05+00:00". A day alone is its start, in UTC.
struct Moment: Sendable, Comparable {
  /// As RFC 3339 has it, in UTC.
  let text: String
  var day: String { String(text.prefix(10)) }

  /// Nil for what is no such time.
  init?(_ written: String) {
    let pattern = /(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(Z|[+-]\d{2}:\d{2}))?/
    guard let match = written.wholeMatch(of: pattern) else { return nil }
    func number(_ part: Substring?) -> Int { part.flatMap { Int($0) } ?? 0 }
    let (year, month, day) = (number(match.1), number(match.2), number(match.3))
    let (hour, minute, second) = (number(match.4), number(match.5), number(match.6))
    guard year >= 1, (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61 else {
      return nil
    }
    var offset = 0
    if let zone = match.7, zone != "Z" {
      let parts = zone.dropFirst().split(separator: ":")
      offset = (number(parts.first) * 60 + number(parts.last)) * (zone.hasPrefix("-") ? -60 : 60)
    }
    var parts = DateComponents()
    (parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second) = (
      year, month, day, hour, minute, second
    )
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    guard let date = calendar.date(from: parts)?.addingTimeInterval(Double(-offset)) else { return nil }
    let found = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
    func two(_ value: Int?) -> String { String(format: "%02d", value ?? 0) }
    text =
      String(format: "%04d", found.year ?? 0) + "-\(two(found.month))-\(two(found.day))"
      + "T\(two(found.hour)):\(two(found.minute)):\(two(found.second))Z"
  }

  static func < (a: Moment, b: Moment) -> Bool { a.text < b.text }
}
