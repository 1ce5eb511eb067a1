/// A piece of HTML that this program wrote, as a tree: what profiles turn into other HTML. Texts and attribute values stay
/// escaped as they were.
indirect enum HTMLNode: Equatable {
  case text(String)
  case element(HTMLElement)

  var element: HTMLElement? { if case .element(let element) = self { element } else { nil } }

  /// Reads HTML leniently: an end tag closes the nearest element of its name, or nothing.
  static func parse(_ html: String) -> [HTMLNode] {
    // Open elements, outermost first; the first stands for the whole.
    var open = [HTMLElement("")]
    func closeLast() {
      let element = open.removeLast()
      open[open.count - 1].children.append(.element(element))
    }
    for item in HTMLScanner(html) {
      switch item.token {
      case .text where item.raw.hasPrefix("<"):
        // No tag after all.
        open[open.count - 1].children.append(.text("&lt;" + item.raw.dropFirst()))
      case .text: open[open.count - 1].children.append(.text(item.raw))
      case .start(let name, let attributes):
        open.append(HTMLElement(name, attributes.map { ($0.name, quoted($0.raw)) }))
        if item.isClosed || HTMLScanner.empty.contains(name) { closeLast() }
      case .end(let name):
        guard let place = open.lastIndex(where: { $0.name == name }), place > 0 else { continue }
        while open.count > place { closeLast() }
      case .other: break
      }
    }
    while open.count > 1 { closeLast() }
    return open[0].children
  }

  /// All that is written again stands in double quotes.
  private static func quoted(_ value: String?) -> String? { value?.replacing("\"", with: "&quot;") }

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
      case .text(let text): HTMLScanner.unescaped(text)
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
      if HTMLScanner.empty.contains(element.name) { return "<\(element.name)\(attributes)>" }
      return "<\(element.name)\(attributes)>\(HTMLNode.html(element.children))</\(element.name)>"
    }
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
