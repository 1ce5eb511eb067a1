import CMarkdown
import Foundation

/// A parsed Markdown text.
final class MarkdownDocument {
  let root: MarkdownNode
  private let pointer: OpaquePointer

  /// Registering cmark's extensions is not thread-safe: done once.
  private static let isPrepared: Bool = {
    cmarkdown_prepare()
    return true
  }()

  /// cmark-gfm keeps some of a parser's settings in global variables.
  private static let parsing = NSLock()

  init(_ text: String) throws {
    guard Self.isPrepared else { throw SiteError("Markdown: cmark-gfm can't be prepared; run scripts/setup again") }
    var text = text
    let node = text.withUTF8 { bytes in
      Self.parsing.lock()
      defer { Self.parsing.unlock() }
      return bytes.withMemoryRebound(to: CChar.self) { cmarkdown_parse($0.baseAddress, $0.count) }
    }
    guard let node else {
      throw SiteError("Markdown: cmark-gfm's tables extension is missing; install libcmark-gfm-extensions-dev")
    }
    pointer = node
    root = MarkdownNode(node)
  }

  deinit { cmark_node_free(pointer) }
}

/// One node of a document; valid as long as its document lives.
struct MarkdownNode {
  enum Kind: Equatable {
    case document, blockQuote, list, item, codeBlock, htmlBlock, paragraph, heading, thematicBreak, footnoteDefinition
    case table, tableRow, tableCell
    case text, softBreak, lineBreak, code, htmlInline, emphasis, strong, link, image, footnoteReference
    case other
  }

  enum Alignment { case none, left, center, right }

  private let pointer: OpaquePointer

  init(_ pointer: OpaquePointer) { self.pointer = pointer }

  private static let kinds: [String: Kind] = [
    "document": .document, "block_quote": .blockQuote, "list": .list, "item": .item, "code_block": .codeBlock,
    "html_block": .htmlBlock, "paragraph": .paragraph, "heading": .heading, "thematic_break": .thematicBreak,
    "table": .table, "table_row": .tableRow, "table_header": .tableRow,
    "table_cell": .tableCell, "text": .text, "softbreak": .softBreak, "linebreak": .lineBreak, "code": .code,
    "html_inline": .htmlInline, "emph": .emphasis, "strong": .strong, "link": .link, "image": .image,
  ]

  var kind: Kind {
    // cmark has no names for the two kinds of footnote.
    if cmark_node_get_type(pointer) == CMARK_NODE_FOOTNOTE_REFERENCE { return .footnoteReference }
    if cmark_node_get_type(pointer) == CMARK_NODE_FOOTNOTE_DEFINITION { return .footnoteDefinition }
    return cmark_node_get_type_string(pointer).flatMap { Self.kinds[String(cString: $0)] } ?? .other
  }
  var literal: String { cmark_node_get_literal(pointer).map { String(cString: $0) } ?? "" }
  var address: String { cmark_node_get_url(pointer).map { String(cString: $0) } ?? "" }
  var title: String { cmark_node_get_title(pointer).map { String(cString: $0) } ?? "" }
  var info: String { cmark_node_get_fence_info(pointer).map { String(cString: $0) } ?? "" }
  var level: Int { Int(cmark_node_get_heading_level(pointer)) }
  var isOrdered: Bool { cmark_node_get_list_type(pointer) == CMARK_ORDERED_LIST }
  var start: Int { Int(cmark_node_get_list_start(pointer)) }
  var isTight: Bool { cmark_node_get_list_tight(pointer) != 0 }
  var isHeaderRow: Bool { cmark_gfm_extensions_get_table_row_is_header(pointer) != 0 }

  var alignments: [Alignment] {
    let count = Int(cmark_gfm_extensions_get_table_columns(pointer))
    guard let bytes = cmark_gfm_extensions_get_table_alignments(pointer) else { return [] }
    return (0..<count).map { index in
      switch bytes[index] {
      case UInt8(ascii: "l"): .left
      case UInt8(ascii: "c"): .center
      case UInt8(ascii: "r"): .right
      default: .none
      }
    }
  }

  var children: [MarkdownNode] {
    var nodes: [MarkdownNode] = []
    var next = cmark_node_first_child(pointer)
    while let node = next {
      nodes.append(MarkdownNode(node))
      next = cmark_node_next(node)
    }
    return nodes
  }

  /// The text of the node and all below it, marks included.
  var flatText: String {
    switch kind {
    case .text, .code: literal
    case .softBreak, .lineBreak: " "
    default: children.map(\.flatText).joined()
    }
  }
}
