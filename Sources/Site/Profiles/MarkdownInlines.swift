/// Running text of a post as a tree, `<strong>`, `<em>` and `<br>` of the Markdown post among its parts.
indirect enum MarkdownInline: Equatable {
  case text(String)
  case code(String)
  case strong([MarkdownInline])
  case emphasis([MarkdownInline])
  case link(address: String, [MarkdownInline])
  case image(address: String, alt: String)
  case lineBreak
  case footnote(String)

  /// The inline children of a node. Other HTML than that of our own Markdown is left out, as the site leaves it out.
  static func read(_ nodes: [MarkdownNode]) -> [MarkdownInline] {
    var reader = Reader()
    for node in nodes { reader.read(node) }
    return reader.finish()
  }

  private struct Reader {
    /// Open elements, outermost first, with what they hold so far.
    var open: [(tag: String, content: [MarkdownInline])] = [("", [])]

    mutating func read(_ node: MarkdownNode) {
      switch node.kind {
      case .text: append(.text(node.literal))
      case .softBreak: append(.text(" "))
      case .lineBreak: append(.lineBreak)
      case .code: append(.code(node.literal))
      case .strong: append(.strong(MarkdownInline.read(node.children)))
      case .emphasis: append(.emphasis(MarkdownInline.read(node.children)))
      case .link: append(.link(address: node.address, MarkdownInline.read(node.children)))
      case .image: append(.image(address: node.address, alt: node.flatText))
      case .footnoteReference: append(.footnote(node.literal))
      case .htmlInline: readTag(node.literal.lowercased())
      default: for child in node.children { read(child) }
      }
    }

    private mutating func readTag(_ tag: String) {
      switch tag {
      case "<strong>", "<b>": open.append(("strong", []))
      case "<em>", "<i>": open.append(("em", []))
      case "</strong>", "</b>": close("strong")
      case "</em>", "</i>": close("em")
      case "<br>", "<br/>", "<br />": append(.lineBreak)
      default: break
      }
    }

    private mutating func close(_ tag: String) {
      guard open.count > 1, open.last?.tag == tag, let last = open.popLast() else { return }
      append(tag == "strong" ? .strong(last.content) : .emphasis(last.content))
    }

    private mutating func append(_ inline: MarkdownInline) {
      let last = open.count - 1
      // Neighbours of one kind become one: `**a****b**` would not be read as two.
      switch (open[last].content.last, inline) {
      case (.text(let a), .text(let b)): open[last].content[open[last].content.count - 1] = .text(a + b)
      case (.strong(let a), .strong(let b)): open[last].content[open[last].content.count - 1] = .strong(a + b)
      case (.emphasis(let a), .emphasis(let b)): open[last].content[open[last].content.count - 1] = .emphasis(a + b)
      default: open[last].content.append(inline)
      }
    }

    mutating func finish() -> [MarkdownInline] {
      while open.count > 1 {
        let content = open.removeLast().content
        for inline in content { append(inline) }
      }
      return open[0].content
    }
  }
}
