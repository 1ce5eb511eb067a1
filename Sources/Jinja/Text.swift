import Foundation

/// Python's text methods, on Unicode scalars.
enum Text {
  /// Where `part` first stands in `text`, in scalars from `start` on.
  static func find(_ part: String, in text: String) -> Int? {
    let whole = Array(text.utf8)
    let wanted = Array(part.utf8)
    guard let place = find(wanted, in: whole, from: 0) else { return nil }
    return String(decoding: whole[..<place], as: UTF8.self).unicodeScalars.count
  }

  /// UTF-8 finds itself only at character borders, so bytes do for texts.
  static func find(_ part: [UInt8], in whole: [UInt8], from start: Int) -> Int? {
    guard let first = part.first else { return start <= whole.count ? start : nil }
    guard whole.count >= part.count else { return nil }
    var place = start
    while place <= whole.count - part.count {
      if whole[place] == first, whole[place..<(place + part.count)].elementsEqual(part) { return place }
      place += 1
    }
    return nil
  }

  static func replace(_ text: String, _ old: String, _ new: String, count: Int = -1) -> String {
    if old.isEmpty { return interleave(text, new, count: count) }
    let pieces = split(text, by: old, most: count)
    return pieces.joined(separator: new)
  }

  /// Python's `replace("", new)`: before every character and at the end.
  private static func interleave(_ text: String, _ new: String, count: Int) -> String {
    var out = ""
    var left = count < 0 ? Int.max : count
    for scalar in text.unicodeScalars {
      if left > 0 {
        out += new
        left -= 1
      }
      out.unicodeScalars.append(scalar)
    }
    return left > 0 ? out + new : out
  }

  static func split(_ text: String, by separator: String, most: Int = -1) -> [String] {
    let whole = Array(text.utf8)
    let wanted = Array(separator.utf8)
    var out: [String] = []
    var start = 0
    while most < 0 || out.count < most, let place = find(wanted, in: whole, from: start) {
      out.append(String(decoding: whole[start..<place], as: UTF8.self))
      start = place + wanted.count
    }
    out.append(String(decoding: whole[start...], as: UTF8.self))
    return out
  }

  static func splitFromRight(_ text: String, by separator: String, most: Int) -> [String] {
    let pieces = split(text, by: separator)
    guard most >= 0, pieces.count > most + 1 else { return pieces }
    let first = pieces.count - most
    return [pieces[..<first].joined(separator: separator)] + pieces[first...]
  }

  /// `split()` without a separator: at runs of whitespace, none of it kept.
  static func splitAtSpace(_ text: String, most: Int = -1) -> [String] {
    let scalars = Array(text.unicodeScalars)
    var out: [String] = []
    var at = 0
    while true {
      while at < scalars.count, Value.isSpace(scalars[at]) { at += 1 }
      if at == scalars.count { return out }
      if most >= 0, out.count == most {
        return out + [strip(string(scalars[at...]), nil, left: false)]
      }
      let start = at
      while at < scalars.count, !Value.isSpace(scalars[at]) { at += 1 }
      out.append(string(scalars[start..<at]))
    }
  }

  static func strip(_ text: String, _ characters: String?, left: Bool = true, right: Bool = true) -> String {
    let set = characters.map { Set($0.unicodeScalars) }
    func drops(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? Value.isSpace(scalar) }
    var view = text.unicodeScalars[...]
    while left, let first = view.first, drops(first) { view.removeFirst() }
    while right, let last = view.last, drops(last) { view.removeLast() }
    return String(String.UnicodeScalarView(view))
  }

  static func lines(_ text: String) -> [String] {
    var out: [String] = []
    var line = String.UnicodeScalarView()
    var previous: Unicode.Scalar = " "
    var isOpen = false
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0A where previous == "\r": break
      case 0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029:
        out.append(String(line))
        line = String.UnicodeScalarView()
        isOpen = false
      default:
        line.append(scalar)
        isOpen = true
      }
      previous = scalar
    }
    return isOpen ? out + [String(line)] : out
  }

  static func starts(_ text: String, with part: String) -> Bool { text.utf8.starts(with: part.utf8) }
  static func ends(_ text: String, with part: String) -> Bool {
    text.utf8.count >= part.utf8.count && text.utf8.suffix(part.utf8.count).elementsEqual(part.utf8)
  }

  static func capitalized(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return text }
    return first.properties.titlecaseMapping + string(text.unicodeScalars.dropFirst()).lowercased()
  }

  /// `str.title`: every run of letters starts large and goes on small.
  static func titled(_ text: String) -> String {
    var out = ""
    var inside = false
    for scalar in text.unicodeScalars {
      let cased = scalar.properties.isCased
      out += !cased ? String(scalar) : inside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
      inside = cased
    }
    return out
  }

  static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  static func percentEncoded(_ text: String, forQuery: Bool) -> String {
    var out = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(Character(Unicode.Scalar(byte)))
      case 0x2F where !forQuery: out += "/"
      case 0x20 where forQuery: out += "+"
      default: out += "%" + Value.hexadecimal(UInt32(byte), width: 2).uppercased()
      }
    }
    return out
  }

  /// `format % values` for the conversions s, d, i, f, e, g, x and %, with flags, width and precision.
  static func format(_ format: String, _ values: [Value]) throws -> String {
    var out = ""
    var values = values[...]
    var rest = format.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        out.unicodeScalars.append(scalar)
        continue
      }
      var spec = ""
      while let next = rest.first, "-+ #0123456789.".unicodeScalars.contains(next) {
        spec.unicodeScalars.append(next)
        rest.removeFirst()
      }
      guard let conversion = rest.popFirst() else { throw JinjaFault("the format ends in '%'") }
      if conversion == "%" {
        out += "%"
        continue
      }
      guard spec.utf8.count < 8, !spec.split(whereSeparator: { !$0.isNumber }).contains(where: { $0.count > 3 }) else {
        throw JinjaFault("the format's width is too large")
      }
      guard let value = values.popFirst() else { throw JinjaFault("the format needs more values") }
      out += try one(spec, conversion, value)
    }
    if !values.isEmpty { throw JinjaFault("the format takes fewer values") }
    return out
  }

  private static func one(_ spec: String, _ conversion: Unicode.Scalar, _ value: Value) throws -> String {
    switch conversion {
    case "s":
      let parts = spec.split(separator: ".", omittingEmptySubsequences: false)
      var text = value.printed()
      if parts.count > 1, let most = Int(parts[1]) { text = string(text.unicodeScalars.prefix(most)) }
      let width = parts.first.flatMap { Int($0) } ?? 0
      let pad = String(repeating: " ", count: max(0, abs(width) - text.unicodeScalars.count))
      return width < 0 ? text + pad : pad + text
    case "d", "i", "x":
      guard let number = value.number, number.isFinite, abs(number) < 9e18 else {
        throw JinjaFault("the format needs a whole number, not \(value.kind)")
      }
      return String(format: "%\(spec)l\(conversion)", value.wholeNumber ?? Int(number))
    case "f", "e", "g", "F", "E", "G":
      guard let number = value.number else { throw JinjaFault("the format needs a number, not \(value.kind)") }
      return String(format: "%\(spec)\(conversion)", number)
    default: throw JinjaFault("the format knows no '%\(conversion)'")
    }
  }
}
