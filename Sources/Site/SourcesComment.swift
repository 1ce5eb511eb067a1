import Formats
import Foundation

/// The places of a Markdown post's numbers, in a comment at its end: what `<data>` holds on a page.
///
/// One JSON list a line: shown text, kind, format, raw value, then the places. No brace, angle bracket or pair of hyphens
/// stands in it, so that neither a site generator nor the comment's end is misled by a recorded text.
enum SourcesComment {
  static let opening = "<!-- lorapress sources "

  static func text(_ traces: [Trace], language: SiteLanguage) -> String {
    guard !traces.isEmpty else { return "" }
    return "\n\(opening)\(language.rawValue)\n" + traces.map { line($0) + "\n" }.joined() + "-->\n"
  }

  private static func line(_ trace: Trace) -> String {
    let kind =
      switch trace.kind {
      case .measured: "measured"
      case .setting: "setting"
      case .computed(let operation): operation
      }
    let parts = [trace.shown, kind, trace.format?.rawValue ?? ValueFormat.written, trace.raw]
    let json = JSONValue.array((parts + trace.sources.map(\.reference.text)).map(JSONValue.string)).text()
    var line = ""
    for scalar in json.unicodeScalars {
      let isMisleading = "<>{}".unicodeScalars.contains(scalar) || (scalar == "-" && line.hasSuffix("-"))
      if isMisleading || Escape.isForbidden(scalar) {
        line += Character(scalar).utf16.map { "\\u" + String(0x10000 + UInt32($0), radix: 16).dropFirst() }.joined()
      } else {
        line.unicodeScalars.append(scalar)
      }
    }
    return line
  }

  struct Entry: Equatable {
    var line: Int
    var shown: String
    var kind: String
    var format: String
    var raw: String
    var places: [String]
  }

  struct Found: Equatable {
    var language: SiteLanguage
    var line: Int
    var entries: [Entry]
    /// Lines that are no such list.
    var broken: [Int]
  }

  /// The comment of a post; nil where it has none.
  static func read(_ lines: [Substring]) -> Found? {
    guard let start = lines.lastIndex(where: { $0.hasPrefix(opening) }) else { return nil }
    let language = SiteLanguage(rawValue: String(lines[start].dropFirst(opening.count))) ?? .ko
    var found = Found(language: language, line: start + 1, entries: [], broken: [])
    for (index, line) in lines.enumerated().dropFirst(start + 1) {
      if line == "-->" { return found }
      let parts = (try? JSONValue(parsing: String(line), file: ""))?.array?.compactMap(\.string) ?? []
      guard parts.count > 4 else {
        found.broken.append(index + 1)
        continue
      }
      found.entries.append(
        Entry(
          line: index + 1, shown: parts[0], kind: parts[1], format: parts[2], raw: parts[3],
          places: Array(parts.dropFirst(4))))
    }
    found.broken.append(lines.count)
    return found
  }
}
