import Foundation

/// A page bundle a post: the folder's content is copied into a Hugo site.
struct HugoProfile: Profile {
  static let name = "hugo"

  func files(_ input: ProfileInput) throws -> ProfileOutput {
    var output = ProfileOutput()
    for post in input.posts {
      var writer = MarkdownWriter(.hugo, words: SiteWords(language: post.language))
      let body = try writer.write(post)
      let folder = "\(post.slug)/content/posts/\(post.slug)"
      output.add("\(folder)/index.md", Self.front(post).text + body)
      for image in writer.images {
        if let data = post.images[image.name] { output.files["\(folder)/\(image.name)"] = data }
      }
      if body.contains(ShortcodeEscape.unclosed) {
        output.warnings.append(
          "\(post.slug): code holds a shortcode that is not closed; an invisible U+2060 keeps Hugo from reading it")
      }
      output.warnings += writer.warnings.map { "\(post.slug): \($0)" }
    }
    return output
  }

  private static func front(_ post: RenderedPost) -> FrontMatter {
    var front = FrontMatter()
    front.add("title", post.title)
    if !post.date.isEmpty { front.add("date", plain: post.date) }
    if !post.description.isEmpty { front.add("description", post.description) }
    if let author = post.author { front.add("author", author) }
    if !post.tags.isEmpty { front.add("tags", list: post.tags) }
    front.add("slug", post.slug)
    front.add("draft", plain: "false")
    return front
  }
}
