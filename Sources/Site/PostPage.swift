import Charts
import Foundation
import Formats
import Jinja
import Runs

/// A post rendered for both targets.
struct RenderedPost: Sendable {
  var slug: String
  var title: String
  var description: String
  var language: SiteLanguage
  var author: String?
  /// "2025-03-14"; empty where neither the post nor its run has a date.
  var date: String
  var finding: String?
  var tags: [String]
  var run: String?
  /// Runs that the post sets side by side.
  var compare: [String]
  var summary: Rich
  /// The page's parts, HTML.
  var body: String
  var contents: String
  var sources: String
  var sourceCount: Int
  var minutes: Int
  var markdown: String
  /// Files beside the page.
  var images: [String: Data]
  /// Pictures of its code, samples, questions and scores, by their path beside the Markdown post.
  var assets: [String: Data] = [:]
  /// The picture a link preview shows.
  var linkPreview: Data?
  var warnings: [String]
}

/// Renders one post: template, then Markdown, then the parts of the page.
struct PostPage {
  let post: Post
  let runs: RunLibrary
  let charts: RunCharts
  let regions: CodeRegions
  let highlighter: any CodeHighlighter
  /// Nil makes no link preview and no cards: a run's own page has none.
  var cache: PictureCache?
  var makesCards = false
  /// The site's name on link previews.
  var siteName: String?

  private var words: SiteWords { SiteWords(language: post.language) }

  func render() throws -> RenderedPost {
    let ledger = Ledger()
    let summary = try opening(ledger)
    let text = MarkdownPreparation.prepare(MathText.protect(try expand(ledger)) { ledger.addMath($0) })
    var renderer = PageRenderer(resources(ledger))
    let body: String
    do { body = try renderer.render(text) } catch let error as SiteError { throw SiteError("\(post.file): \(error)") }
    for warning in renderer.warnings { ledger.warn(warning) }
    let state = ledger.read { $0 }
    let sources = SourcesTable(traces: state.traces, words: words)
    let date = try post.date ?? post.run.map { String(try (runs.run($0).record.created ?? "").prefix(10)) } ?? ""
    let minutes =
      post.language == .ko ? Double(renderer.characters) / 500 : Double(renderer.words) / 220
    var result = RenderedPost(
      slug: post.slug, title: post.title, description: post.description, language: post.language, author: post.author,
      date: date,
      finding: post.finding, tags: post.tags, run: post.run, compare: post.compare,
      summary: summary, body: body,
      contents: Self.contents(renderer.headings, words: words), sources: sources.html, sourceCount: state.traces.count,
      minutes: max(1, Int(minutes.rounded(.up))), markdown: "", images: state.images,
      warnings: state.warnings.map { "\(post.file): \($0)" })
    result.markdown = markdown(result, text: text, ledger: ledger, sources: sources)
    if let cache { try addCards(to: &result, listings: state.code, cache: cache) }
    return result
  }

  private func addCards(to page: inout RenderedPost, listings: [CodeListing], cache: PictureCache) throws {
    var assets = PostAssets(words: words, cache: cache, highlighter: highlighter)
    let run = try post.run.map { try runs.run($0) }
    if makesCards {
      try assets.add(code: listings)
      if let run { try assets.add(run: run) }
    }
    page.linkPreview = try assets.linkPreview(
      title: page.title, site: siteName ?? words.posts, author: page.author, date: page.date, run: run)
    page.assets = assets.files
    page.warnings += assets.warnings.map { "\(post.file): \($0)" }
  }

  /// The opening list comes first on the page, and so do its numbers in the table of sources.
  private func opening(_ ledger: Ledger) throws -> Rich {
    guard let id = post.run else { return Rich(html: "", markdown: "", plain: "") }
    do {
      return try Blocks(run: runs.run(id), words: words, ledger: ledger, charts: charts).summary(finding: post.finding)
    } catch let error as SiteError {
      throw SiteError("\(post.file): \(error)")
    }
  }

  private func expand(_ ledger: Ledger) throws -> String {
    var environment = Environment(options: .page)
    environment.options.keepTrailingNewline = true
    let functions = PostFunctions(
      words: words, ledger: ledger, defaultRun: post.run, compared: post.compare, runs: runs, charts: charts,
      regions: regions,
      highlighter: highlighter)
    functions.register(in: &environment)
    environment.finalize = { try functions.printed($0) }
    return try environment.template(post.text, name: post.file).render(functions.context(for: post.text))
  }

  private func resources(_ ledger: Ledger) -> PageResources {
    PageResources(
      fragment: { ledger.fragment($0) },
      highlight: { code, language in highlighter.html(code: code, language: language) ?? Escape.html(code) },
      image: { try image($0, ledger: ledger) }, words: words)
  }

  /// A picture beside the post: copied to the page.
  private func image(_ path: String, ledger: Ledger) throws -> (address: String, width: Int, height: Int)? {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !path.contains(":"), !parts.contains(where: { $0.isEmpty || $0 == ".." }),
      let name = parts.last.map(String.init),
      RunFolder.isSafeName(name),
      ["png", "jpg", "jpeg", "gif", "webp"].contains((name as NSString).pathExtension.lowercased())
    else { return nil }
    let url = post.folder.appendingPathComponent(path)
    let data: Data
    do { data = try Data(contentsOf: url) } catch {
      throw SiteError("the image \"\(path)\" can't be read (\(RunsError.reason(error))); put it beside the post")
    }
    let suffix = (name as NSString).pathExtension
    let base = ledger.addImages(base: (name as NSString).deletingPathExtension) {
      [(name: "\($0).\(suffix)", data: data)]
    }
    guard let picture = try? PNGFile.readTexts(Array(data)) else { return ("\(base).\(suffix)", 0, 0) }
    return ("\(base).\(suffix)", picture.width, picture.height)
  }

  // MARK: Parts of the page

  /// The table of contents, from three h2 up; h3 are shown where there is room for them.
  static func contents(_ headings: [Heading], words: SiteWords) -> String {
    guard headings.filter({ $0.level == 2 }).count >= 3 else { return "" }
    var items: [(heading: Heading, children: [Heading])] = []
    for heading in headings {
      if heading.level == 2 { items.append((heading, [])) }
      if heading.level == 3, !items.isEmpty { items[items.count - 1].children.append(heading) }
    }
    func link(_ heading: Heading) -> String {
      "<a href=\"#\(PageRenderer.percentEncoded(heading.id))\">\(Escape.html(heading.text))</a>"
    }
    var out =
      "<nav class=\"toc\" aria-label=\"\(words.contents)\">\n<details open>\n<summary>\(words.contents)</summary>\n<ol>\n"
    for item in items {
      let children = item.children.map { "<li>\(link($0))</li>\n" }.joined()
      out += "<li>\(link(item.heading))" + (children.isEmpty ? "" : "\n<ol>\n\(children)</ol>\n") + "</li>\n"
    }
    return out + "</ol>\n</details>\n</nav>\n"
  }

  // MARK: Markdown

  private func markdown(_ page: RenderedPost, text: String, ledger: Ledger, sources: SourcesTable) -> String {
    var out = "# \(Escape.markdown(page.title))\n\n"
    let meta = [words.date(page.date) ?? "", page.author ?? ""].filter { !$0.isEmpty }
    if !meta.isEmpty { out += Escape.markdown(meta.joined(separator: " · ")) + "\n\n" }
    if !page.summary.markdown.isEmpty { out += page.summary.markdown + "\n" }
    var body = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      body += Self.substituted(String(line), ledger: ledger) + "\n"
    }
    // Tags on lines of their own leave empty lines: one is enough.
    while body.contains("\n\n\n\n") { body = body.replacing("\n\n\n\n", with: "\n\n\n") }
    out += body.trimmingCharacters(in: .newlines) + "\n"
    if !sources.markdown.isEmpty { out += "\n\(sources.markdown)" }
    out += SourcesComment.text(ledger.read { $0.traces }, language: page.language)
    return out
  }

  /// One line with its marks replaced; further lines of a block are set in as the first one is.
  private static func substituted(_ line: String, ledger: Ledger) -> String {
    var out = ""
    for part in Mark.parts(of: line) {
      switch part {
      case .text(let text): out += text
      case .mark(Mark.strongOpen): out += "<strong>"
      case .mark(Mark.strongClose): out += "</strong>"
      case .mark(Mark.emphasisOpen): out += "<em>"
      case .mark(Mark.emphasisClose): out += "</em>"
      case .mark: break
      case .fragment(let number, let isCode):
        guard let fragment = ledger.fragment(number) else { break }
        if isCode {
          out += Escape.insideMarkdownCode(fragment.content.plain)
        } else if fragment.isBlock {
          let margin = String(out.map { $0 == ">" || $0 == " " ? $0 : " " })
          out += fragment.content.markdown.trimmingCharacters(in: .newlines)
            .split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n" + margin)
        } else {
          out += fragment.content.markdown
        }
      }
    }
    return out
  }
}

/// The table at the end of a page that tells where each number comes from.
struct SourcesTable {
  let html: String
  let markdown: String

  init(traces: [Trace], words: SiteWords) {
    guard !traces.isEmpty else {
      html = ""
      markdown = ""
      return
    }
    let columns = words.sourceColumns.enumerated().map { DataTable.Column(name: $1, isNumeric: $0 == 3 || $0 == 5) }
    let table = DataTable(columns: columns, rows: traces.map { Self.row($0, words) })
    let title = Escape.html(words.sources)
    html =
      "<div class=\"sources\">\n<h2 id=\"sources\">\(title)</h2>\n"
      + table.html(label: words.sources) + "</div>\n"
    markdown = "## \(Escape.markdown(words.sources))\n\n\(table.markdown)"
  }

  private static func row(_ trace: Trace, _ words: SiteWords) -> [Rich] {
    func unique(_ texts: [String]) -> String {
      var seen: [String] = []
      for text in texts where !seen.contains(text) { seen.append(text) }
      return seen.joined(separator: ", ")
    }
    let steps = trace.sources.compactMap { $0.step.map(NumberFormat.grouped) }
    var metric = trace.sources.first?.reference.metric ?? ""
    if case .computed(let operation) = trace.kind { metric = "\(words.computed): \(trace.formula(operation, words))" }
    if trace.kind == .setting, metric.isEmpty { metric = words.setting }
    return [
      .text(trace.shown), .text(metric), .text(unique(trace.sources.map(\.reference.run))),
      .text(steps.isEmpty ? "—" : unique(steps)), .text(unique(trace.sources.map(\.reference.file))),
      .text(shortened(trace.raw)),
    ]
  }

  /// A recorded text may be long; a hash is given whole in the page's `data-source`.
  private static func shortened(_ raw: String) -> String { raw.count > 40 ? raw.prefix(39) + "…" : raw }
}
