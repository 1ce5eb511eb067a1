import Foundation

/// A post and its pictures where Jekyll looks for them: the folder's content is copied into a Jekyll site.
struct JekyllProfile: Profile {
  static let name = "jekyll"

  func files(_ input: ProfileInput) throws -> ProfileOutput {
    var output = ProfileOutput()
    for post in input.posts {
      guard !post.date.isEmpty else {
        output.warnings.append("\(post.slug): is left out, as Jekyll's file names need a date; add `date:` to the post")
        continue
      }
      let slug = post.slug
      // The addresses are put in after Liquid has been escaped, since they are Liquid themselves.
      var dialect = MarkdownDialect.jekyll
      dialect.image = { "\(Self.mark)\($0)\(Self.mark)" }
      var writer = MarkdownWriter(dialect, words: SiteWords(language: post.language))
      var body = LiquidEscape.escape(try writer.write(post))
      for image in writer.images {
        body = body.replacing(
          "\(Self.mark)\(image.name)\(Self.mark)", with: "{{ \"/assets/\(slug)/\(image.name)\" | relative_url }}")
        if let data = post.images[image.name] { output.files["\(slug)/assets/\(slug)/\(image.name)"] = data }
      }
      output.add("\(slug)/_posts/\(post.date)-\(slug).md", Self.front(post).text + body)
      output.warnings += writer.warnings.map { "\(slug): \($0)" }
    }
    return output
  }

  /// Never in a rendered post: a mark of ours.
  private static let mark = String(Character(Mark.end))

  private static func front(_ post: RenderedPost) -> FrontMatter {
    var front = FrontMatter()
    front.add("layout", "post")
    front.add("title", post.title)
    front.add("date", plain: post.date)
    front.add("permalink", "/posts/\(post.slug)/")
    front.add("lang", post.language.rawValue)
    if !post.description.isEmpty { front.add("description", post.description) }
    if let author = post.author { front.add("author", author) }
    if !post.tags.isEmpty { front.add("tags", list: post.tags) }
    return front
  }
}
