/// A heading of a rendered page.
struct Heading: Sendable, Equatable {
  var level: Int
  var id: String
  var text: String
}

/// What the body of a page needs from outside.
struct PageResources {
  var fragment: (Int) -> Fragment?
  /// Code in HTML with the site's classes.
  var highlight: (_ code: String, _ language: String) -> String
  /// An image named by the author: its address on the page, and its size where known.
  var image: (String) throws -> (address: String, width: Int, height: Int)?
  var words: SiteWords
}

/// Markdown (prepared, with marks) to HTML: headings with anchors, tables in regions, callouts, footnotes; no raw HTML, no
/// address that runs something.
struct PageRenderer {
  private let resources: PageResources
  private(set) var headings: [Heading] = []
  private(set) var warnings: [String] = []
  /// Characters and words of the running text, for the reading time.
  private(set) var characters = 0
  private(set) var words = 0
  private var takenIds: Set<String> = []
  private var footnotes = 0
  private var tables = 0

  init(_ resources: PageResources) { self.resources = resources }

  mutating func render(_ markdown: String) throws -> String {
    let document = try MarkdownDocument(markdown)
    var definitions = ""
    var body = ""
    for node in document.root.children {
      if node.kind == .footnoteDefinition {
        footnotes += 1
        definitions += try footnote(node, number: footnotes)
      } else {
        body += try block(node)
      }
    }
    guard !definitions.isEmpty else { return body }
    let title = Escape.html(resources.words.footnotes)
    return body + "<section class=\"footnotes\" aria-label=\"\(title)\">\n<ol>\n\(definitions)</ol>\n</section>\n"
  }

  // MARK: Blocks

  private mutating func blocks(_ nodes: [MarkdownNode]) throws -> String {
    var out = ""
    for node in nodes { out += try block(node) }
    return out
  }

  private mutating func block(_ node: MarkdownNode, isTight: Bool = false) throws -> String {
    switch node.kind {
    case .paragraph: return try paragraph(node, isTight: isTight)
    case .heading: return try heading(node)
    case .list: return try list(node)
    case .blockQuote: return try quote(node)
    case .codeBlock: return code(node)
    case .table: return try table(node)
    case .thematicBreak: return "<hr>\n"
    case .htmlBlock:
      rawHTML(node.literal)
      return ""
    default: return try blocks(node.children)
    }
  }

  private mutating func paragraph(_ node: MarkdownNode, isTight: Bool) throws -> String {
    let parts = Mark.parts(of: node.flatText)
    if parts.count == 1, case .fragment(let number, _) = parts[0], let fragment = resources.fragment(number),
      fragment.isBlock
    {
      return fragment.content.html
    }
    let text = try inlines(node.children)
    count(node.flatText)
    return isTight ? text + "\n" : "<p>\(text)</p>\n"
  }

  private mutating func heading(_ node: MarkdownNode) throws -> String {
    let text = plain(node.flatText)
    // The page's title is its only h1.
    let level = max(2, min(node.level, 6))
    let id = identifier(text)
    headings.append(Heading(level: level, id: id, text: text))
    let label = Escape.html(resources.words.linkTo(text))
    let anchor = "<a class=\"anchor\" href=\"#\(Self.percentEncoded(id))\" aria-label=\"\(label)\">#</a>"
    return "<h\(level) id=\"\(Escape.html(id))\">\(try inlines(node.children)) \(anchor)</h\(level)>\n"
  }

  private mutating func list(_ node: MarkdownNode) throws -> String {
    let tag = node.isOrdered ? "ol" : "ul"
    let start = node.isOrdered && node.start != 1 ? " start=\"\(node.start)\"" : ""
    var out = "<\(tag)\(start)>\n"
    for item in node.children {
      var inner = ""
      for child in item.children { inner += try block(child, isTight: node.isTight) }
      out += "<li>" + inner.trimmingNewline() + "</li>\n"
    }
    return out + "</\(tag)>\n"
  }

  /// A quote that begins with a bold **참고**, **팁**, **주의** or **한계** is a callout.
  private mutating func quote(_ node: MarkdownNode) throws -> String {
    let inner = try blocks(node.children)
    if let first = node.children.first, first.kind == .paragraph, let word = first.children.first, word.kind == .strong,
      let callout = Callout(word: plain(word.flatText))
    {
      return callout.html(inner)
    }
    return "<blockquote>\n\(inner)</blockquote>\n"
  }

  private func code(_ node: MarkdownNode) -> String {
    let language = node.info.split(separator: " ").first.map(String.init) ?? ""
    let code = plain(node.literal)
    return CodeBlock.html(resources.highlight(code, language), label: resources.words.code)
  }

  private mutating func table(_ node: MarkdownNode) throws -> String {
    let alignments = node.alignments
    var head = ""
    var body = ""
    for row in node.children {
      let isHead = row.isHeaderRow
      var cells = ""
      for (index, cell) in row.children.enumerated() {
        let isNumber = alignments.indices.contains(index) && alignments[index] == .right
        let tag = isHead || index == 0 ? "th" : "td"
        let scope = isHead ? " scope=\"col\"" : index == 0 ? " scope=\"row\"" : ""
        let text = try inlines(cell.children)
        let isProse = plain(cell.flatText).unicodeScalars.count > 24
        let name = isNumber ? " class=\"num\"" : isProse && !isHead ? " class=\"prose\"" : ""
        cells += "<\(tag)\(scope)\(name)>\(text)</\(tag)>"
      }
      if isHead { head += "<tr>\(cells)</tr>\n" } else { body += "<tr>\(cells)</tr>\n" }
    }
    tables += 1
    let label = Escape.html(resources.words.plainTable(tables))
    let tableBody = body.isEmpty ? "" : "<tbody>\n\(body)</tbody>\n"
    return
      "<div class=\"scroll\" role=\"region\" aria-label=\"\(label)\" tabindex=\"0\">\n<table>\n<thead>\n\(head)</thead>\n"
      + tableBody + "</table>\n</div>\n"
  }

  private mutating func footnote(_ node: MarkdownNode, number: Int) throws -> String {
    let back = "<a href=\"#fnref-\(number)\" aria-label=\"\(Escape.html(resources.words.back))\">↩</a>"
    var inner = ""
    for (index, child) in node.children.enumerated() {
      let text = try block(child)
      let isLast = index == node.children.count - 1
      inner += isLast && text.hasSuffix("</p>\n") ? String(text.dropLast(5)) + " \(back)</p>\n" : text
    }
    return "<li id=\"fn-\(number)\">\n\(inner)</li>\n"
  }

  // MARK: Inlines

  private mutating func inlines(_ nodes: [MarkdownNode]) throws -> String {
    var out = ""
    for node in nodes { out += try inline(node) }
    return out
  }

  private mutating func inline(_ node: MarkdownNode) throws -> String {
    switch node.kind {
    case .text: return try marked(node.literal)
    case .softBreak: return "\n"
    case .lineBreak: return "<br>\n"
    case .code: return "<code>\(try marked(node.literal))</code>"
    case .emphasis: return "<em>\(try inlines(node.children))</em>"
    case .strong: return "<strong>\(try inlines(node.children))</strong>"
    case .link: return try link(node)
    case .image: return try image(node)
    case .footnoteReference:
      let number = Int(node.literal) ?? 0
      let id = identifier("fnref-\(number)", isFree: true)
      return "<sup><a id=\"\(id)\" href=\"#fn-\(number)\" role=\"doc-noteref\">\(number)</a></sup>"
    case .htmlInline:
      rawHTML(node.literal)
      return ""
    default: return try inlines(node.children)
    }
  }

  /// Text with marks: everything else is escaped.
  private func marked(_ text: String) throws -> String {
    try Mark.parts(of: text).map { part in
      switch part {
      case .text(let text): return Escape.html(text)
      case .mark(Mark.strongOpen): return "<strong>"
      case .mark(Mark.strongClose): return "</strong>"
      case .mark(Mark.emphasisOpen): return "<em>"
      case .mark(Mark.emphasisClose): return "</em>"
      case .mark: return ""
      case .fragment(let number, _):
        guard let fragment = resources.fragment(number) else { return "" }
        if fragment.isBlock {
          throw SiteError(
            "\(fragment.name)() makes a block; put it into a paragraph of its own, with empty lines around it")
        }
        return fragment.content.html
      }
    }.joined()
  }

  private mutating func link(_ node: MarkdownNode) throws -> String {
    let text = try inlines(node.children)
    guard let address = Self.safeAddress(plain(node.address)) else {
      warnings.append(
        "the link to \"\(plain(node.address))\" is left out: only http, https, mailto and relative addresses are kept")
      return text
    }
    let title = node.title.isEmpty ? "" : " title=\"\(Escape.html(plain(node.title)))\""
    return "<a href=\"\(Escape.html(address))\"\(title)>\(text)</a>"
  }

  private mutating func image(_ node: MarkdownNode) throws -> String {
    let alt = Escape.html(plain(node.flatText))
    guard let image = try resources.image(plain(node.address)) else {
      warnings.append("the image \"\(plain(node.address))\" is left out: only files beside the post are shown")
      return alt
    }
    let size = image.width > 0 ? " width=\"\(image.width)\" height=\"\(image.height)\"" : ""
    return "<img src=\"\(Escape.html(image.address))\"\(size) alt=\"\(alt)\">"
  }

  /// The address if it can't run anything: http, https, mailto, or relative.
  static func safeAddress(_ address: String) -> String? {
    let shown = String(String.UnicodeScalarView(address.unicodeScalars.filter { $0.value > 0x20 && $0.value != 0x7F }))
    let head = shown.prefix { !"/?#".contains($0) }
    guard let colon = head.firstIndex(of: ":") else { return shown.hasPrefix("//") ? nil : percentEncoded(shown) }
    let scheme = head[..<colon].lowercased()
    return ["http", "https", "mailto"].contains(scheme) ? percentEncoded(shown) : nil
  }

  static func percentEncoded(_ address: String) -> String {
    let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#@!$&'()*+,;=%".utf8)
    return address.utf8.map { byte -> String in
      if plain.contains(byte) { return String(UnicodeScalar(byte)) }
      let hex = String(byte, radix: 16, uppercase: true)
      return "%" + (hex.count < 2 ? "0" : "") + hex
    }.joined()
  }

  // MARK: Helpers

  private mutating func rawHTML(_ text: String) {
    guard !text.hasPrefix("<!--") else { return }
    let start = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? text
    warnings.append("raw HTML is left out of the page: \(start.prefix(60))")
  }

  private func plain(_ text: String) -> String {
    Mark.parts(of: text).map { part in
      switch part {
      case .text(let text): text
      case .fragment(let number, _): resources.fragment(number)?.content.plain ?? ""
      case .mark: ""
      }
    }.joined()
  }

  private mutating func count(_ text: String) {
    let text = plain(text)
    characters += text.unicodeScalars.filter { !$0.properties.isWhitespace }.count
    words += text.split(whereSeparator: \.isWhitespace).count
  }

  /// A unique id: letters and digits of any script, joined by hyphens.
  private mutating func identifier(_ text: String, isFree: Bool = false) -> String {
    var id = ""
    for scalar in text.lowercased().unicodeScalars {
      if scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" {
        id.unicodeScalars.append(scalar)
      } else if !id.hasSuffix("-"), !id.isEmpty {
        id += "-"
      }
    }
    while id.hasSuffix("-") { id.removeLast() }
    if id.isEmpty { id = "section" }
    // Ids that the page itself uses.
    if !isFree, ["main", "sources", "toc"].contains(id) { id += "-1" }
    var candidate = id
    var number = 2
    while !takenIds.insert(candidate).inserted {
      candidate = "\(id)-\(number)"
      number += 1
    }
    return candidate
  }
}

extension String {
  func trimmingNewline() -> String { hasSuffix("\n") ? String(dropLast()) : self }
}
