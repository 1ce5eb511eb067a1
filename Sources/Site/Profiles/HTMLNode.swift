/// A piece of HTML that this program wrote, as a tree: what profiles turn into other HTML. Texts and attribute values stay
/// escaped as they were.
indirect enum HTMLNode: Equatable {
  case text(String)
  case element(HTMLElement)

  var element: HTMLElement? { if case .element(let element) = self { element } else { nil } }

  /// Reads HTML leniently: an end tag closes the nearest element of its name, or nothing.
  static func parse(_ html: String) -> [HTMLNode] {
    var parser = HTMLParser(html)
    return parser.parse()
  }

  /// All elements, each before what it holds.
  static func elements(in nodes: [HTMLNode]) -> [HTMLElement] {
    nodes.flatMap { node -> [HTMLElement] in
      node.element.map { [$0] + elements(in: $0.children) } ?? []
    }
  }

  /// The text a reader sees, unescaped.
  static func text(of nodes: [HTMLNode]) -> String {
    nodes.map { node in
      switch node {
      case .text(let text): unescaped(text)
      case .element(let element): element.name == "br" ? " " : text(of: element.children)
      }
    }.joined()
  }

  static func html(_ nodes: [HTMLNode]) -> String { nodes.map(\.html).joined() }

  var html: String {
    switch self {
    case .text(let text): return text
    case .element(let element):
      let attributes = element.attributes.map { name, value in
        value.map { " \(name)=\"\($0)\"" } ?? " \(name)"
      }.joined()
      if HTMLParser.void.contains(element.name) { return "<\(element.name)\(attributes)>" }
      return "<\(element.name)\(attributes)>\(HTMLNode.html(element.children))</\(element.name)>"
    }
  }

  static func unescaped(_ text: String) -> String {
    guard text.contains("&") else { return text }
    return text.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"")
      .replacing("&#39;", with: "'").replacing("&amp;", with: "&")
  }
}

struct HTMLElement: Equatable {
  var name: String
  var attributes: [(name: String, value: String?)]
  var children: [HTMLNode]

  init(_ name: String, _ attributes: [(name: String, value: String?)] = [], _ children: [HTMLNode] = []) {
    self.name = name
    self.attributes = attributes
    self.children = children
  }

  static func == (a: HTMLElement, b: HTMLElement) -> Bool {
    a.name == b.name && a.children == b.children
      && a.attributes.elementsEqual(b.attributes) { $0.name == $1.name && $0.value == $1.value }
  }

  subscript(attribute: String) -> String? { attributes.first { $0.name == attribute }?.value ?? nil }

  func has(_ name: String) -> Bool { self["class"]?.split(separator: " ").contains(Substring(name)) ?? false }
}

/// The reader behind ``HTMLNode/parse(_:)``.
private struct HTMLParser {
  static let void: Set<String> = ["img", "br", "hr", "wbr", "source", "input", "meta", "link", "col"]

  private var rest: Substring
  /// Open elements, outermost first; the first stands for the whole.
  private var open: [HTMLElement] = [HTMLElement("")]

  init(_ html: String) { rest = html[...] }

  mutating func parse() -> [HTMLNode] {
    while !rest.isEmpty {
      let text = rest.prefix { $0 != "<" }
      if !text.isEmpty { add(.text(String(text))) }
      rest = rest[text.endIndex...]
      if !rest.isEmpty { readTag() }
    }
    while open.count > 1 { closeLast() }
    return open[0].children
  }

  private mutating func add(_ node: HTMLNode) { open[open.count - 1].children.append(node) }

  private mutating func closeLast() {
    let element = open.removeLast()
    add(.element(element))
  }

  private mutating func readTag() {
    if rest.hasPrefix("<!--") {
      rest = rest.firstRange(of: "-->").map { rest[$0.upperBound...] } ?? ""
      return
    }
    rest = rest.dropFirst()
    let isEnd = rest.first == "/"
    if isEnd { rest = rest.dropFirst() }
    let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "-" }
    guard !name.isEmpty else {
      add(.text("&lt;" + (isEnd ? "/" : "")))
      return
    }
    rest = rest[name.endIndex...]
    let (attributes, isClosed) = readAttributes()
    if isEnd {
      guard open.count > 1, let place = open.lastIndex(where: { $0.name == name }), place > 0 else { return }
      while open.count > place { closeLast() }
    } else if Self.void.contains(String(name)) || isClosed {
      add(.element(HTMLElement(String(name), attributes)))
    } else {
      open.append(HTMLElement(String(name), attributes))
    }
  }

  /// Up to and with the closing `>`.
  private mutating func readAttributes() -> ([(name: String, value: String?)], isClosed: Bool) {
    var attributes: [(name: String, value: String?)] = []
    while let first = rest.first {
      if first == ">" {
        rest = rest.dropFirst()
        return (attributes, false)
      }
      if rest.hasPrefix("/>") {
        rest = rest.dropFirst(2)
        return (attributes, true)
      }
      if first.isWhitespace || first == "/" {
        rest = rest.dropFirst()
        continue
      }
      let name = rest.prefix { !$0.isWhitespace && $0 != "=" && $0 != ">" && $0 != "/" }
      guard !name.isEmpty else {
        rest = rest.dropFirst()
        continue
      }
      rest = rest[name.endIndex...]
      attributes.append((String(name), readValue()))
    }
    return (attributes, false)
  }

  private mutating func readValue() -> String? {
    guard rest.first == "=" else { return nil }
    rest = rest.dropFirst()
    let quote = rest.first == "'" ? "'" : "\"" as Character
    guard rest.first == quote else {
      let value = rest.prefix { !$0.isWhitespace && $0 != ">" }
      rest = rest[value.endIndex...]
      return String(value)
    }
    rest = rest.dropFirst()
    let value = rest.prefix { $0 != quote }
    rest = rest[value.endIndex...].dropFirst()
    // All that is written again stands in double quotes.
    return quote == "'" ? String(value).replacing("\"", with: "&quot;") : String(value)
  }
}
