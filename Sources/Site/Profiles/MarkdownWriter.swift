import Foundation

/// Writes a parsed post again for another Markdown reader: no raw HTML, one line a paragraph, everything that reader would take
/// for its own syntax escaped.
struct MarkdownWriter {
  let dialect: MarkdownDialect
  let words: SiteWords
  /// The pictures in the order in which they come, each once.
  private(set) var images: [PlacedImage] = []
  private(set) var warnings: [String] = []
  /// From the site's ids of headings to this platform's.
  private var anchors: [String: String] = [:]
  /// The headings' texts and this platform's ids for them, in order.
  private var headings: [(text: String, slug: String)] = []
  private var section = ""
  private var notes: [String] = []

  init(_ dialect: MarkdownDialect, words: SiteWords) {
    self.dialect = dialect
    self.words = words
  }

  /// The text of a Markdown post without its title and the line under it, which platforms print themselves.
  mutating func write(_ post: RenderedPost) throws -> String {
    let document = try MarkdownDocument(post.markdown)
    var nodes = document.root.children
    if let first = nodes.first, first.kind == .heading, first.level == 1 { nodes.removeFirst() }
    let meta = [words.date(post.date) ?? "", post.author ?? ""].filter { !$0.isEmpty }.joined(separator: " · ")
    if !meta.isEmpty, let first = nodes.first, first.kind == .paragraph, first.flatText == meta { nodes.removeFirst() }
    nameAnchors(nodes, ids: HTMLNode.parse(post.body + post.sources))
    return finish(nodes)
  }

  /// Any Markdown of ours that has no title.
  mutating func write(markdown: String) throws -> String {
    let document = try MarkdownDocument(markdown)
    return finish(document.root.children)
  }

  private mutating func finish(_ nodes: [MarkdownNode]) -> String {
    var parts = blocks(nodes)
    if !notes.isEmpty { parts += ["**\(words.footnotes)**", notes.joined(separator: "\n")] }
    return parts.joined(separator: "\n\n") + "\n"
  }

  /// Pairs the ids of the site's headings with those this platform will give the same headings.
  private mutating func nameAnchors(_ nodes: [MarkdownNode], ids page: [HTMLNode]) {
    var ids: [String: [String]] = [:]
    for heading in HTMLNode.elements(in: page) where ["h2", "h3", "h4", "h5", "h6"].contains(heading.name) {
      guard let id = heading["id"] else { continue }
      let text = HTMLNode.text(of: heading.children.filter { $0.element?.has("anchor") != true })
      ids[Self.bare(text), default: []].append(HTMLScanner.unescaped(id))
    }
    var slugs = HeadingSlugs()
    for node in nodes where node.kind == .heading {
      let slug = slugs.next(node.flatText)
      headings.append((node.flatText, slug))
      let text = Self.bare(node.flatText)
      guard let id = ids[text]?.first else { continue }
      ids[text]?.removeFirst()
      anchors[id] = slug
    }
  }

  private static func bare(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  // MARK: Blocks

  private mutating func blocks(_ nodes: [MarkdownNode]) -> [String] {
    var out: [String] = []
    var previous: (isOrdered: Bool, isOther: Bool)?
    for node in nodes {
      guard node.kind == .list else {
        previous = nil
        let text = block(node)
        if !text.isEmpty { out.append(text) }
        continue
      }
      // A list right after one of its kind would go on with it.
      let follows = previous?.isOrdered == node.isOrdered
      let isOther = follows && !(previous?.isOther ?? false)
      if follows, let end = dialect.listEnd { out.append(end) }
      out.append(list(node, isOther: isOther && dialect.listEnd == nil))
      previous = (node.isOrdered, isOther)
    }
    return out
  }

  private mutating func block(_ node: MarkdownNode) -> String {
    switch node.kind {
    case .paragraph: return line(node.children)
    case .heading: return heading(node)
    case .list: return list(node, isOther: false)
    case .blockQuote:
      return blocks(node.children).joined(separator: "\n\n").split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.isEmpty ? ">" : "> " + $0 }.joined(separator: "\n")
    case .codeBlock:
      let language = node.info.split(separator: " ").first.map(String.init) ?? ""
      return Escape.markdownBlock(dialect.code(node.literal), language: language)
    case .table: return table(node)
    case .thematicBreak: return "---"
    case .htmlBlock: return ""
    case .footnoteDefinition: return note(node)
    default: return blocks(node.children).joined(separator: "\n\n")
    }
  }

  private mutating func heading(_ node: MarkdownNode) -> String {
    section = node.flatText
    var text = line(node.children)
    if headings.first?.text == section {
      let slug = headings.removeFirst().slug
      // Hugo makes the id from what is written: an entity's digits would get into it.
      if dialect.namesHeadings, text.contains("&#") { text += " {#\(slug)}" }
    }
    return String(repeating: "#", count: max(2, min(node.level, 6))) + " " + text
  }

  /// `isOther` takes the other of the two marks that lists can have.
  private mutating func list(_ node: MarkdownNode, isOther: Bool) -> String {
    var items: [String] = []
    for (index, item) in node.children.enumerated() {
      let marker = node.isOrdered ? "\(node.start + index)\(isOther ? ")" : ".") " : isOther ? "* " : "- "
      let margin = String(repeating: " ", count: marker.count)
      let inner = blocks(item.children).joined(separator: node.isTight ? "\n" : "\n\n")
      items.append(marker + Self.indented(inner, by: margin))
    }
    let text = items.joined(separator: node.isTight ? "\n" : "\n\n")
    return node.isOrdered && node.start != 1 ? text + dialect.listStart(node.start) : text
  }

  /// All lines but the first and the empty ones are set in.
  private static func indented(_ text: String, by margin: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .map { $0 == 0 || $1.isEmpty ? String($1) : margin + $1 }.joined(separator: "\n")
  }

  private mutating func table(_ node: MarkdownNode) -> String {
    if let list = pairs(node) { return list }
    var lines: [String] = []
    for row in node.children {
      var cells: [String] = []
      for cell in row.children {
        let text = line(cell.children, inTable: true)
        cells.append(text.isEmpty ? " " : text)
      }
      lines.append("| " + cells.joined(separator: " | ") + " |")
      if row.isHeaderRow {
        let rules = node.alignments.map { alignment in
          switch alignment {
          case .none, .left: "---"
          case .center: ":---:"
          case .right: "---:"
          }
        }
        lines.append("| " + rules.joined(separator: " | ") + " |")
      }
    }
    return lines.joined(separator: "\n")
  }

  /// A table of two columns without a head, as a post's opening list is written: platforms would show an empty row above it.
  private mutating func pairs(_ node: MarkdownNode) -> String? {
    guard let head = node.children.first, head.children.count == 2,
      head.children.allSatisfy({ $0.flatText.trimmingCharacters(in: .whitespaces).isEmpty })
    else { return nil }
    var items: [String] = []
    for row in node.children.dropFirst() where row.children.count == 2 {
      let value = Self.indented(line(row.children[1].children), by: "  ")
      items.append("- \(line(row.children[0].children)): \(value)")
    }
    return items.joined(separator: "\n")
  }

  private mutating func note(_ node: MarkdownNode) -> String {
    // cmark numbers notes in the order of their first reference, and lists them so.
    let inner = blocks(node.children)
    guard dialect.hasFootnotes else {
      notes.append("\(notes.count + 1). " + Self.indented(inner.joined(separator: "\n\n"), by: "   "))
      return ""
    }
    footnotes += 1
    return "[^\(footnotes)]: " + Self.indented(inner.joined(separator: "\n\n"), by: "    ")
  }
  private var footnotes = 0

  // MARK: Inlines

  private mutating func line(_ nodes: [MarkdownNode], inTable: Bool = false) -> String {
    let inlines = MarkdownInline.read(nodes)
    for case .image(let address, let alt) in Self.flat(inlines) { place(address, alt: alt) }
    var writer = MarkdownLine(dialect: dialect, anchors: anchors, inTable: inTable)
    for link in Self.flat(inlines) {
      guard case .link(let address, _) = link, !address.hasPrefix("#"), PageRenderer.safeAddress(address) != nil,
        !["http:", "https:", "mailto:"].contains(where: address.lowercased().hasPrefix)
      else { continue }
      warnings.append("the link to \"\(address)\" leads within the site; write its whole address for this platform")
    }
    writer.write(inlines)
    return writer.finish()
  }

  private static func flat(_ inlines: [MarkdownInline]) -> [MarkdownInline] {
    inlines.flatMap { inline -> [MarkdownInline] in
      switch inline {
      case .strong(let inner), .emphasis(let inner), .link(_, let inner): [inline] + flat(inner)
      default: [inline]
      }
    }
  }

  private mutating func place(_ address: String, alt: String) {
    if !images.contains(where: { $0.name == address }) {
      images.append(PlacedImage(name: address, section: section, alt: alt))
    }
  }
}

/// A picture of a post, with where it stands.
struct PlacedImage: Equatable {
  /// The file beside the post.
  var name: String
  /// The heading above it.
  var section: String
  var alt: String

  /// `01-loss.png`: files sort in the order in which they are put in.
  static func numbered(_ name: String, _ index: Int) -> String {
    (index < 9 ? "0" : "") + "\(index + 1)-\(name)"
  }
}
