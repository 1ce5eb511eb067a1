import Foundation
import Jinja

/// One HTML file a post, styles and pictures inside: to mail, to hand in, to open without a network.
struct StandaloneProfile: Profile {
  static let name = "standalone"

  func files(_ input: ProfileInput) throws -> ProfileOutput {
    var output = ProfileOutput()
    let style = String(decoding: input.pages.style, as: UTF8.self)
    guard style.range(of: "</style", options: .caseInsensitive) == nil else {
      throw SiteError("style.css: holds \"</style\", which would end the styles of a standalone page; leave it out")
    }
    for post in input.posts {
      output.add("\(post.slug)/\(post.slug).html", try page(post, style: style, pages: input.pages))
    }
    return output
  }

  private func page(_ post: RenderedPost, style: String, pages: PageTemplates) throws -> String {
    let words = SiteWords(language: post.language)
    let body = HTMLNode.html(DataURI.embed(HTMLNode.parse(post.body), images: post.images))
    let values: [String: Value] = [
      "style": .safe(style), "iso": .string(post.date), "date": .string(words.date(post.date) ?? ""),
      "author": post.author.map { .string($0) } ?? .none,
      "reading": .string(words.reading(minutes: post.minutes)), "source_count": .int(post.sourceCount),
      "source_link": .string(words.sourceCount(post.sourceCount)), "summary": .safe(post.summary.html),
      "contents": .safe(post.contents), "body": .safe(body), "sources": .safe(post.sources),
    ]
    let common: [String: Value] = [
      "lang": .string(post.language.rawValue), "title": .string(post.title), "description": .string(post.description),
      "root": "", "words": ["skip": .string(words.skip)],
    ]
    let page = try pages.page("standalone.html", values: common.merging(values) { _, new in new })
    return String(decoding: page, as: UTF8.self)
  }
}
