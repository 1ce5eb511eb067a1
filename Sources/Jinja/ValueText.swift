import Foundation

// How values are printed and compared: Python's str(), repr(), == and <.

extension Value {
  /// What `{{ value }}` prints before escaping: Python's `str`.
  public func printed() -> String {
    switch self {
    case .undefined: ""
    case .string(let text), .safe(let text): text
    default: represented()
    }
  }

  /// Python's `repr`.
  func represented() -> String {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .int(let value): String(value)
    case .float(let value): Self.python(value)
    case .string(let text): Self.quoted(text)
    case .safe(let text): "Markup(\(Self.quoted(text)))"
    case .list(let elements): "[" + elements.map { $0.represented() }.joined(separator: ", ") + "]"
    case .tuple(let elements):
      "(" + elements.map { $0.represented() }.joined(separator: ", ") + (elements.count == 1 ? ",)" : ")")
    case .dict(let mapping):
      "{" + mapping.entries.map { $0.key.represented() + ": " + $0.value.represented() }.joined(separator: ", ") + "}"
    case .function(let function): "<function \(function.name)>"
    case .macro: "<Macro>"
    case .namespace: "<Namespace>"
    case .loop: "<LoopContext>"
    }
  }

  /// A float as Python's `repr` writes it: shortest digits, an exponent from 1e16 and below 1e-4.
  static func python(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
    let sign = value < 0 ? "-" : ""
    let (digits, point) = shortestDigits(abs(value))
    if point > 16 || point <= -4 {
      let exponent = point - 1
      let rest = digits.dropFirst()
      let size = abs(exponent) < 10 ? "0\(abs(exponent))" : "\(abs(exponent))"
      return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + "e" + (exponent < 0 ? "-" : "+") + size
    }
    if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
    if point >= digits.count { return sign + digits + String(repeating: "0", count: point - digits.count) + ".0" }
    return sign + digits.prefix(point) + "." + digits.dropFirst(point)
  }

  /// The digits of a positive finite number d1d2d3… and the place of its decimal point: 0.d1d2d3… × 10^point.
  private static func shortestDigits(_ value: Double) -> (digits: String, point: Int) {
    let text = "\(value)"
    let parts = text.split(separator: "e")
    var exponent = 0
    if parts.count == 2 { exponent = Int(parts[1]) ?? 0 }
    let mantissa = (parts.first ?? "0").split(separator: ".", omittingEmptySubsequences: false)
    let whole = mantissa.first.map(String.init) ?? ""
    var digits = whole + (mantissa.count > 1 ? mantissa[1] : "")
    var point = whole.count + exponent
    while digits.hasPrefix("0"), digits.count > 1 {
      digits.removeFirst()
      point -= 1
    }
    while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
    return (digits, point)
  }

  /// A text in quotes as Python's `repr` writes it.
  static func quoted(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
    var out = String(quote)
    for scalar in scalars {
      switch scalar {
      case quote: out += "\\\(scalar)"
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      default:
        if isPrintable(scalar) { out.unicodeScalars.append(scalar) } else { out += escape(scalar) }
      }
    }
    return out + String(quote)
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .spaceSeparator: scalar == " "
    default: true
    }
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    let (prefix, width) = scalar.value < 0x100 ? ("\\x", 2) : scalar.value < 0x10000 ? ("\\u", 4) : ("\\U", 8)
    return prefix + hexadecimal(scalar.value, width: width)
  }

  static func hexadecimal(_ value: UInt32, width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  /// Python's `==`. True equals 1, a safe text equals its text, a list never equals a tuple.
  func equals(_ other: Value) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
      return a.count == b.count && zip(a, b).allSatisfy { $0.equals($1) }
    case (.dict(let a), .dict(let b)):
      return a.entries.count == b.entries.count && a.entries.allSatisfy { b[$0.key]?.equals($0.value) ?? false }
    case (.macro(let a), .macro(let b)), (.namespace(let a), .namespace(let b)), (.loop(let a), .loop(let b)):
      return a == b
    default: break
    }
    if let a = plainText, let b = other.plainText { return a.utf8.elementsEqual(b.utf8) }
    if let a = wholeNumber, let b = other.wholeNumber { return a == b }
    if let a = number, let b = other.number { return a == b }
    return false
  }

  /// Python's `<`, which knows numbers, texts (by code point), and lists and tuples element by element.
  func isLess(than other: Value) throws -> Bool {
    if let a = wholeNumber, let b = other.wholeNumber { return a < b }
    if let a = number, let b = other.number { return a < b }
    // UTF-8 bytes sort as code points do.
    if let a = plainText, let b = other.plainText { return a.utf8.lexicographicallyPrecedes(b.utf8) }
    switch (self, other) {
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
      for (left, right) in zip(a, b) where !left.equals(right) { return try left.isLess(than: right) }
      return a.count < b.count
    default: throw JinjaFault("\(kind) and \(other.kind) cannot be put in order")
    }
  }

  /// Text made safe for HTML exactly as MarkupSafe does it.
  public static func escaped(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == 0x26 || $0 == 0x3C || $0 == 0x3E || $0 == 0x22 || $0 == 0x27 }) else {
      return text
    }
    var out = ""
    out.reserveCapacity(text.utf8.count + 32)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "'": out += "&#39;"
      case "\"": out += "&#34;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// Python's whitespace: what `strip`, `split` and the regular expression `\s` take.
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }
}
