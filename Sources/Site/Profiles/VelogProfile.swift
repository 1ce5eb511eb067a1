import Foundation

/// Markdown for velog's editor, the pictures beside it in the order in which they are put in.
struct VelogProfile: Profile {
  static let name = "velog"

  func files(_ input: ProfileInput) throws -> ProfileOutput {
    var output = ProfileOutput()
    for post in input.posts {
      let words = SiteWords(language: post.language)
      // The order of the pictures is known once the text has been read: their names follow it.
      var reader = MarkdownWriter(.velog, words: words)
      _ = try reader.write(post)
      let names = PlacedImage.names(reader.images)
      var dialect = MarkdownDialect.velog
      dialect.image = { names[$0] ?? $0 }
      var writer = MarkdownWriter(dialect, words: words)
      output.add("\(post.slug)/index.md", try writer.write(post))
      output.add("\(post.slug)/upload.txt", UploadList.velog(post, writer.images, words))
      for image in writer.images {
        if let data = post.images[image.name] { output.files["\(post.slug)/\(names[image.name] ?? image.name)"] = data }
      }
      output.warnings += writer.warnings.map { "\(post.slug): \($0)" }
    }
    return output
  }
}

extension PlacedImage {
  /// The numbered file names of a post's pictures, by their own.
  static func names(_ images: [PlacedImage]) -> [String: String] {
    var names: [String: String] = [:]
    for (index, image) in images.enumerated() { names[image.name] = numbered(image.name, index) }
    return names
  }
}
