import Foundation
import Jinja

/// What a page says about itself outside its text: title, addresses, what a shared link shows.
struct PageHead: Sendable {
  enum Kind: String, Sendable { case website, article }

  var language: SiteLanguage
  var title: String
  var description = ""
  /// The page's file below the site, as in a link: "posts/a/index.html".
  var address: String
  var kind = Kind.website
  /// "2025-03-14", of an article.
  var date = ""
  /// The picture of a shared link, below the site.
  var image: String?
  /// Whether search engines are told to leave it out.
  var isHidden = false

  /// The way from the page to the site's root: "../../".
  var root: String { String(repeating: "../", count: address.split(separator: "/").count - 1) }
}

extension SiteSettings {
  /// The whole address of a file of the site; nil where the site's own isn't known. A folder's index goes by the folder.
  func whole(_ address: String) -> String? {
    url.map { base in
      let path = address == "index.html" || address.hasSuffix("/index.html") ? String(address.dropLast(10)) : address
      return base + PageRenderer.percentEncoded(path)
    }
  }

  /// What every template may use.
  func values(_ head: PageHead, hasFeed: Bool) -> [String: Value] {
    let words = SiteWords(language: head.language)
    let text = { (text: String?) -> Value in text.map { .string($0) } ?? .none }
    return [
      "lang": .string(head.language.rawValue), "title": .string(head.title), "description": .string(head.description),
      "root": .string(head.root), "canonical": head.isHidden ? .none : text(whole(head.address)),
      "type": .string(head.kind.rawValue), "iso": .string(head.date), "hidden": .bool(head.isHidden),
      "image": text(head.image.map { whole($0) ?? head.root + PageRenderer.percentEncoded($0) }),
      "image_alt": .string(words.ogAlt(head.title)),
      "locale": .string(head.language == .ko ? "ko_KR" : "en_US"),
      "site": [
        "title": .string(title ?? words.posts), "description": text(description), "author": text(author),
        "url": text(url), "feed": hasFeed ? "feed.xml" : .none,
      ],
      "words": words.values,
    ]
  }
}

extension SiteWords {
  /// The words that templates use, by name.
  var values: Value {
    [
      "skip": .string(skip), "posts": .string(posts), "all_posts": .string(allPosts), "runs": .string(runs),
      "not_found": .string(notFoundText), "no_posts": .string(noPosts), "no_runs": .string(noRuns),
      "tags": .string(tags), "comparisons": .string(comparisons),
      "navigation": .string(siteNavigation), "siblings": .string(siblings), "older": .string(older),
      "newer": .string(newer), "related": .string(related), "run_of_post": .string(runOfPost),
      "feed": .string(feed), "evaluation_loss": .string(evaluationLoss),
      "first_to_best": .string(firstToBest), "lowest_loss": .string(lowestLoss),
      "tokens_per_second": .string(tokensPerSecond),
    ]
  }
}
