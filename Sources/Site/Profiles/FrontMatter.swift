import Formats

/// The settings at the top of a Markdown file. Texts stand in double quotes, where every YAML reader takes them for texts.
struct FrontMatter {
  private var lines: [String] = []

  mutating func add(_ key: String, _ value: String) { lines.append("\(key): \(Self.quoted(value))") }

  /// A value that is no text: a date, true, a number.
  mutating func add(_ key: String, plain value: String) { lines.append("\(key): \(value)") }

  mutating func add(_ key: String, list values: [String]) {
    lines.append("\(key): [\(values.map(Self.quoted).joined(separator: ", "))]")
  }

  mutating func add(lines more: [String]) { lines += more }

  var text: String { "---\n" + lines.map { $0 + "\n" }.joined() + "---\n\n" }

  /// JSON's string, which is YAML's double-quoted scalar too, without the characters that YAML doesn't print.
  static func quoted(_ text: String) -> String {
    var out = ""
    for scalar in JSONValue.string(text).text().unicodeScalars {
      switch scalar.value {
      case 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
