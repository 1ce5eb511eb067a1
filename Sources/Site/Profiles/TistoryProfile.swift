import Foundation

/// The body of a post for Tistory's HTML mode, pictures beside it in the order of upload, and the same with pictures inside.
struct TistoryProfile: Profile {
  static let name = "tistory"

  func files(_ input: ProfileInput) throws -> ProfileOutput {
    var output = ProfileOutput()
    for post in input.posts {
      let words = SiteWords(language: post.language)
      let page = HTMLNode.parse(post.summary.html + post.body + post.sources)
      var body = TistoryBody(words: words, pictures: .placeholders)
      output.add("\(post.slug)/body.html", body.html(page))
      var whole = TistoryBody(words: words, pictures: .inside(post.images))
      output.add("\(post.slug)/body-data-uri.html", whole.html(page))
      output.add("\(post.slug)/upload.txt", UploadList.tistory(post, body.images, words))
      for (index, image) in body.images.enumerated() {
        if let data = post.images[image.name] {
          output.files["\(post.slug)/\(PlacedImage.numbered(image.name, index))"] = data
        }
      }
      output.warnings += body.warnings.map { "\(post.slug): \($0)" }
    }
    return output
  }
}

/// Turns the site's HTML into one that keeps its looks in an editor that knows none of the site's styles.
///
/// The editor (TinyMCE underneath) keeps headings, paragraphs, lists, tables, and `span` with `style`, `title` and `data-…`, and
/// drops `<data>`, `<picture>` and what depends on classes: so a traced number is a `span` with its title, `data-value` and
/// `data-source`, a chart its light picture, and what the site folds away is shown or, for a chart's values, left out.
struct TistoryBody {
  enum Pictures {
    /// A line that says which file comes here.
    case placeholders
    case inside([String: Data])
  }

  private let words: SiteWords
  private let pictures: Pictures
  private(set) var images: [PlacedImage] = []
  private(set) var warnings: [String] = []
  /// The heading above the current place.
  private var section = ""
  /// How many pictures the post has.
  private var total = 0

  init(words: SiteWords, pictures: Pictures) {
    self.words = words
    self.pictures = pictures
  }

  mutating func html(_ page: [HTMLNode]) -> String {
    let names = HTMLNode.elements(in: page).filter { $0.name == "img" }.compactMap { $0["src"] }
    total = Set(names.filter { !Self.isDark($0) }).count
    let lineHeight = words.language == .ko ? "1.75" : "1.65"
    let wrapped = HTMLElement("div", [("style", TistoryStyle.body + ";line-height:\(lineHeight)")], convert(page))
    return HTMLNode.element(wrapped).html + "\n"
  }

  private static func isDark(_ name: String) -> Bool { name.hasSuffix(".dark.png") }

  // MARK: Elements

  private mutating func convert(_ nodes: [HTMLNode]) -> [HTMLNode] { nodes.flatMap { convert($0) } }

  private mutating func convert(_ node: HTMLNode) -> [HTMLNode] {
    guard case .element(let element) = node else { return [node] }
    switch element.name {
    case "a" where element.has("anchor"), "wbr", "nav": return []
    case "h2", "h3", "h4", "h5", "h6": return [heading(element)]
    case "data": return [traced(element)]
    case "picture": return picture(element)
    case "img": return image(element)
    case "dl": return element.has("summary") ? [summary(element)] : [.element(definitions(element))]
    case "details": return details(element)
    case "figcaption": return caption(element)
    case "span": return span(element)
    case "a": return link(element)
    case "div" where element.has("pair"): return [pair(element)]
    default: return [plain(element)]
    }
  }

  /// An element under a name that editors know, with its style inside, its id, and the attributes that carry meaning.
  private mutating func plain(_ element: HTMLElement) -> HTMLNode {
    let names = ["section": "div", "article": "div", "aside": "div", "figure": "div", "b": "strong", "i": "em"]
    let name = names[element.name] ?? element.name
    var made = HTMLElement(name)
    if name == "pre" {
      // The block has a ground of its own: its code element needs none.
      let code = element.children.compactMap(\.element).first { $0.name == "code" }
      made.attributes = [("style", TistoryStyle.of(element))]
      made.children = [.element(HTMLElement("code", [], convert(code?.children ?? element.children)))]
      return .element(made)
    }
    let kept = ["id", "href", "title", "start", "colspan", "rowspan", "scope"]
    made.attributes = element.attributes.filter { kept.contains($0.name) }
    let style = TistoryStyle.of(element)
    if !style.isEmpty { made.attributes.append(("style", style)) }
    if name == "p" { made.attributes.append(("data-ke-size", "size16")) }
    made.children = unfolded(element)
    if element.has("callout") || name == "blockquote" { Self.closeUp(&made) }
    return .element(made)
  }

  /// The last paragraph in a box leaves no room below it.
  private static func closeUp(_ box: inout HTMLElement) {
    guard let last = box.children.lastIndex(where: { $0.element != nil }),
      case .element(var element) = box.children[last],
      let style = element.attributes.firstIndex(where: { $0.name == "style" })
    else { return }
    element.attributes[style].value = element.attributes[style].value?.replacing("margin:0 0 20px", with: "margin:0")
    box.children[last] = .element(element)
  }

  /// What an element holds; a long text that the site cut short, with the whole in `<details>`, comes whole.
  private mutating func unfolded(_ element: HTMLElement) -> [HTMLNode] {
    let folds = element.children.compactMap(\.element).filter { $0.name == "details" }
    let shown = HTMLNode.text(of: element.children.filter { $0.element?.name != "details" })
    guard folds.count == 1, let fold = folds.first,
      shown.trimmingCharacters(in: .whitespacesAndNewlines).hasSuffix("…")
    else { return convert(element.children) }
    return convert(fold.children.filter { $0.element?.name != "summary" })
  }

  private mutating func heading(_ element: HTMLElement) -> HTMLNode {
    let sizes = ["h2": "size26", "h3": "size23"]
    let children = convert(element.children)
    section = HTMLNode.text(of: children).trimmingCharacters(in: .whitespaces)
    var made = HTMLElement(element.name == "h5" || element.name == "h6" ? "h4" : element.name)
    if let id = element["id"] { made.attributes.append(("id", id)) }
    made.attributes += [("style", TistoryStyle.of(element)), ("data-ke-size", sizes[element.name] ?? "size20")]
    made.children = children
    if case .text(let last)? = made.children.last {
      var text = last[...]
      while text.hasSuffix(" ") { text = text.dropLast() }
      made.children[made.children.count - 1] = .text(String(text))
    }
    return .element(made)
  }

  private mutating func traced(_ element: HTMLElement) -> HTMLNode {
    var made = HTMLElement("span")
    for (name, value) in element.attributes {
      switch name {
      case "title": made.attributes.append((name, value))
      case "value": made.attributes.append(("data-value", value))
      case "data-source", "data-operation": made.attributes.append((name, value))
      default: break
      }
    }
    if !element.has("word") { made.attributes.append(("style", TistoryStyle.traced)) }
    made.children = convert(element.children)
    return .element(made)
  }

  private mutating func span(_ element: HTMLElement) -> [HTMLNode] {
    guard let colour = TistoryStyle.code(element) else { return convert(element.children) }
    return [.element(HTMLElement("span", [("style", colour)], convert(element.children)))]
  }

  private mutating func link(_ element: HTMLElement) -> [HTMLNode] {
    let address = element["href"] ?? ""
    if !["#", "http:", "https:", "mailto:"].contains(where: address.hasPrefix) {
      warnings.append("the link to \"\(address)\" leads within the site; write its whole address for this platform")
    }
    return [plain(element)]
  }

  // MARK: Pictures

  /// Of a picture for light and one for dark pages the light one; of its sizes the wide one.
  private mutating func picture(_ element: HTMLElement) -> [HTMLNode] {
    guard !element.has("on-dark"), let wide = element.children.compactMap(\.element).first(where: { $0.name == "img" })
    else { return [] }
    return image(wide)
  }

  private mutating func image(_ element: HTMLElement) -> [HTMLNode] {
    let name = HTMLScanner.unescaped(element["src"] ?? "")
    let alt = element["alt"] ?? ""
    if !images.contains(where: { $0.name == name }) {
      images.append(PlacedImage(name: name, section: section, alt: HTMLScanner.unescaped(alt)))
    }
    switch pictures {
    case .inside(let data):
      guard let bytes = data[name] else { return [.text(alt)] }
      return [
        .element(
          HTMLElement(
            "img", [("src", DataURI.address(bytes, name: name)), ("alt", alt), ("style", TistoryStyle.image)]))
      ]
    case .placeholders:
      let index = images.firstIndex { $0.name == name } ?? 0
      let file = PlacedImage.numbered(name, index)
      let text = words.pick("[이미지 \(index + 1)/\(total)] \(file)", "[Picture \(index + 1)/\(total)] \(file)")
      return [.element(HTMLElement("span", [("style", TistoryStyle.placeholder)], [.text(Escape.html(text))]))]
    }
  }

  /// The caption of a figure in lines of its own, without the folded table of a chart's values: the picture's alternative text
  /// tells them, and the post stays a post.
  private mutating func caption(_ element: HTMLElement) -> [HTMLNode] {
    let children = element.children.filter { $0.element?.name != "details" }
    let paragraphs = children.compactMap(\.element).filter { $0.name == "p" }
    if !paragraphs.isEmpty {
      return paragraphs.map { paragraph in
        .element(
          HTMLElement("p", [("style", TistoryStyle.caption), ("data-ke-size", "size14")], convert(paragraph.children)))
      }
    }
    return [
      .element(HTMLElement("p", [("style", TistoryStyle.caption), ("data-ke-size", "size14")], convert(children)))
    ]
  }

  // MARK: Lists of terms, folds, pairs

  private mutating func summary(_ element: HTMLElement) -> HTMLNode {
    var rows: [HTMLNode] = []
    var term: [HTMLNode] = []
    for child in element.children.compactMap(\.element) {
      if child.name == "dt" {
        term = convert(child.children)
      } else {
        rows.append(
          .element(
            HTMLElement(
              "tr", [],
              [
                .element(HTMLElement("th", [("scope", "row"), ("style", TistoryStyle.rowHead)], term)),
                .element(HTMLElement("td", [("style", TistoryStyle.cell)], convert(child.children))),
              ])))
      }
    }
    let body = HTMLNode.element(HTMLElement("tbody", [], rows))
    return .element(HTMLElement("table", [("style", TistoryStyle.table)], [body]))
  }

  private mutating func definitions(_ element: HTMLElement) -> HTMLElement {
    var children: [HTMLNode] = []
    for child in element.children.compactMap(\.element) {
      let style = child.name == "dt" ? TistoryStyle.term : "margin:0 0 8px"
      children.append(
        .element(HTMLElement("p", [("style", style), ("data-ke-size", "size16")], unfolded(child))))
    }
    return HTMLElement("div", [], children)
  }

  private mutating func details(_ element: HTMLElement) -> [HTMLNode] {
    let summary = element.children.compactMap(\.element).first { $0.name == "summary" }
    let title = HTMLElement(
      "p", [("style", TistoryStyle.label), ("data-ke-size", "size16")], convert(summary?.children ?? []))
    return [.element(title)] + convert(element.children.filter { $0.element?.name != "summary" })
  }

  /// Side by side where there is room, one below the other where not, without a media query.
  private mutating func pair(_ element: HTMLElement) -> HTMLNode {
    var columns: [HTMLNode] = []
    var below: [HTMLNode] = []
    for child in element.children.compactMap(\.element) {
      if child.has("before") || child.has("after") { columns.append(plain(child)) } else { below.append(plain(child)) }
    }
    let row = HTMLElement("div", [("style", "display:flex;flex-wrap:wrap;gap:16px 24px")], columns)
    return .element(HTMLElement("div", [("style", "margin:0 0 24px")], [.element(row)] + below))
  }
}
