import Runs

/// Which runs get a page that sets them side by side: the groups of site.yaml, then those that posts ask for.
struct ComparisonPages: Sendable {
  /// The pages, written as posts.
  private(set) var drafts: [Post] = []
  private(set) var warnings: [String] = []

  init(posts: [RenderedPost], runs: [RunData], settings: SiteSettings, templates: PageTemplates) throws {
    var groups: [(group: RunGroup, language: SiteLanguage?, source: String)] = settings.compare.map {
      (RunGroup(ids: $0), nil, "site.yaml")
    }
    for post in posts where !post.compare.isEmpty {
      groups.append((RunGroup(ids: post.compare), post.language, "the post \"\(post.slug)\""))
    }
    let fallback = settings.language ?? (posts.isEmpty || posts.contains { $0.language == .ko } ? .ko : .en)
    var made: [RunGroup] = []
    for (group, language, source) in groups where !made.contains(group) {
      made.append(group)
      let found = group.ids.compactMap { id in runs.first { $0.id == id } }
      guard found.count == group.ids.count else {
        let missing = group.ids.filter { id in !runs.contains { $0.id == id } }
        warnings.append(
          "the comparison of \(group.ids.joined(separator: ", ")) (\(source)) is left out: there is no run \"\(missing.joined(separator: "\", \""))\" here"
        )
        continue
      }
      if let other = drafts.first(where: { $0.slug == group.slug }) {
        throw SiteError(
          "the comparisons of \(other.compare.joined(separator: ", ")) and of \(group.ids.joined(separator: ", ")) would have the same page \(group.slug); leave one out"
        )
      }
      // Posts that ask for the same group speak for it.
      let asked = language ?? posts.first { $0.compare == group.ids }?.language
      drafts.append(try templates.comparePost(group, runs: found, language: asked ?? fallback))
    }
  }
}
