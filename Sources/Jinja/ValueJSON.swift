/// How `tojson` writes, the two ways that are in use.
public enum JSONStyle: Sendable {
  /// Jinja's own: keys sorted, ASCII only, `<`, `>`, `&` and `'` escaped, the result marked safe for HTML.
  case page
  /// transformers' for chat templates: keys in their order, every character as it is.
  case chat
}

struct JSONPrinter {
  var ascii: Bool
  var sorted: Bool
  var htmlSafe: Bool
  /// Columns a level; nil puts all on one line.
  var indent: Int?
  var itemSeparator: String
  var keySeparator = ": "

  func text(_ value: Value, level: Int = 0) throws -> String {
    guard level < 200 else { throw JinjaFault("tojson: nested too deep") }
    switch value {
    case .none: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .int(let value): return String(value)
    case .float(let value):
      return value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : Value.python(value)
    case .string(let text), .safe(let text): return string(text)
    case .list(let elements), .tuple(let elements):
      return try block(elements.map { try text($0, level: level + 1) }, "[", "]", level)
    case .dict(let mapping):
      var entries = mapping.entries
      if sorted { entries = try Sorting.sorted(entries) { try $0.key.isLess(than: $1.key) } }
      let items = try entries.map { entry in
        string(try key(entry.key)) + keySeparator + (try text(entry.value, level: level + 1))
      }
      return try block(items, "{", "}", level)
    default: throw JinjaFault("tojson: \(value.kind) cannot be written as JSON")
    }
  }

  private func key(_ value: Value) throws -> String {
    switch value {
    case .string(let text), .safe(let text): return text
    case .none, .bool, .int, .float: return try text(value)
    default: throw JinjaFault("tojson: a key must be a text, it is \(value.kind)")
    }
  }

  private func block(_ items: [String], _ open: String, _ close: String, _ level: Int) throws -> String {
    if items.isEmpty { return open + close }
    guard let indent else { return open + items.joined(separator: itemSeparator) + close }
    let pad = "\n" + String(repeating: " ", count: indent * (level + 1))
    let end = "\n" + String(repeating: " ", count: indent * level)
    return open + pad + items.joined(separator: itemSeparator + pad) + end + close
  }

  private func string(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case "\u{8}": out += "\\b"
      case "\u{C}": out += "\\f"
      case "<", ">", "&", "'":
        if htmlSafe { out += unit(scalar.value) } else { out.unicodeScalars.append(scalar) }
      default:
        if scalar.value < 0x20 || (ascii && scalar.value > 0x7E) {
          out += scalar.utf16.map { unit(UInt32($0)) }.joined()
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + "\""
  }

  private func unit(_ value: UInt32) -> String { "\\u" + Value.hexadecimal(value, width: 4) }
}

enum Sorting {
  /// A stable merge sort whose comparison may throw (Swift's own may crash or lose the error when it does).
  static func sorted<Element>(_ elements: [Element], by less: (Element, Element) throws -> Bool) rethrows -> [Element] {
    if elements.count < 2 { return elements }
    let middle = elements.count / 2
    let left = try sorted(Array(elements[..<middle]), by: less)
    let right = try sorted(Array(elements[middle...]), by: less)
    var out: [Element] = []
    out.reserveCapacity(elements.count)
    var i = 0
    var j = 0
    while i < left.count, j < right.count {
      if try less(right[j], left[i]) {
        out.append(right[j])
        j += 1
      } else {
        out.append(left[i])
        i += 1
      }
    }
    return out + left[i...] + right[j...]
  }
}
