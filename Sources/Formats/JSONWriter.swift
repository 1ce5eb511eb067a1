import Foundation

extension JSONValue {
  /// The value as JSON text; the same value gives the same bytes.
  ///
  /// - Parameter pretty: two-space indentation, one member a line.
  public func text(pretty: Bool = false) -> String {
    var out = ""
    write(into: &out, pretty: pretty, indent: 0)
    return out
  }

  private func write(into out: inout String, pretty: Bool, indent: Int) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .number(let value): out += value.text
    case .string(let value): Self.writeString(value, into: &out)
    case .array(let elements):
      Self.writeList(elements, "[", "]", into: &out, pretty: pretty, indent: indent) { element, out in
        element.write(into: &out, pretty: pretty, indent: indent + 1)
      }
    case .object(let object):
      Self.writeList(object.entries, "{", "}", into: &out, pretty: pretty, indent: indent) { entry, out in
        Self.writeString(entry.key, into: &out)
        out += pretty ? ": " : ":"
        entry.value.write(into: &out, pretty: pretty, indent: indent + 1)
      }
    }
  }

  private static func writeList<Element>(
    _ elements: [Element], _ open: String, _ close: String, into out: inout String, pretty: Bool, indent: Int,
    each: (Element, inout String) -> Void
  ) {
    out += open
    for (index, element) in elements.enumerated() {
      if index > 0 { out += "," }
      if pretty { out += "\n" + String(repeating: "  ", count: indent + 1) }
      each(element, &out)
    }
    if pretty, !elements.isEmpty { out += "\n" + String(repeating: "  ", count: indent) }
    out += close
  }

  private static func writeString(_ text: String, into out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      // U+2028 and U+2029 end a line in JavaScript: escaped so that the text can stand in a page.
      case "\u{0}"..."\u{1F}", "\u{7F}", "\u{2028}", "\u{2029}":
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}
