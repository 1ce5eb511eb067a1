// Numbers and quoted texts of expressions.

extension Lexer {
  private func isDigit(_ index: Int) -> Bool { index < source.count && ("0"..."9").contains(source[index]) }

  /// Digits, without the underscores that may stand between them.
  private mutating func takeDigits() -> String {
    var digits = ""
    while isDigit(at) || (at < source.count && source[at] == "_" && isDigit(at + 1)) {
      if source[at] != "_" { digits.unicodeScalars.append(source[at]) }
      advance()
    }
    return digits
  }

  mutating func readNumber() throws {
    let start = place
    var digits = ""
    var isDecimal = false
    digits += takeDigits()
    if at < source.count, source[at] == ".", isDigit(at + 1) {
      isDecimal = true
      digits += "."
      advance()
      digits += takeDigits()
    }
    if at < source.count, source[at] == "e" || source[at] == "E" {
      let signed = at + 1 < source.count && (source[at + 1] == "+" || source[at + 1] == "-")
      if isDigit(at + (signed ? 2 : 1)) {
        isDecimal = true
        digits += "e"
        advance()
        if signed {
          digits.unicodeScalars.append(source[at])
          advance()
        }
        digits += takeDigits()
      }
    }
    if isDecimal, let value = Double(digits) { return add(.decimal(value), start) }
    guard let value = Int(digits) else { throw error("the number \(digits) is too large", start) }
    add(.integer(value), start)
  }

  mutating func readString(_ quote: Unicode.Scalar) throws {
    let start = place
    advance()
    var out = String.UnicodeScalarView()
    while true {
      guard at < source.count else { throw error("this text is never closed; end it with \(quote)", start) }
      let scalar = source[at]
      advance()
      if scalar == quote { return add(.string(String(out)), start) }
      if scalar == "\\" { try readEscape(into: &out, start) } else { out.append(scalar) }
    }
  }

  /// An escape as in a Python text; one that Python does not know stays as it is written.
  private mutating func readEscape(into out: inout String.UnicodeScalarView, _ start: Place) throws {
    guard at < source.count else { throw error("this text is never closed", start) }
    let scalar = source[at]
    advance()
    let simple: [Unicode.Scalar: Unicode.Scalar] = [
      "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}", "f": "\u{C}",
      "v": "\u{B}",
    ]
    if let plain = simple[scalar] { return out.append(plain) }
    switch scalar {
    case "\n": return
    case "x": out.append(try readHexadecimal(2, start))
    case "u": out.append(try readHexadecimal(4, start))
    case "U": out.append(try readHexadecimal(8, start))
    case "0"..."7":
      var value = scalar.value - 48
      var count = 1
      while count < 3, at < source.count, ("0"..."7").contains(source[at]) {
        value = value * 8 + source[at].value - 48
        advance()
        count += 1
      }
      out.append(Unicode.Scalar(value) ?? "\u{FFFD}")
    default:
      out.append("\\")
      out.append(scalar)
    }
  }

  private mutating func readHexadecimal(_ count: Int, _ start: Place) throws -> Unicode.Scalar {
    var value: UInt32 = 0
    for _ in 0..<count {
      guard at < source.count, let digit = Character(source[at]).hexDigitValue, source[at].isASCII else {
        throw error("an escape in this text needs \(count) hexadecimal digits", start)
      }
      value = value &* 16 &+ UInt32(digit)
      advance()
    }
    guard let scalar = Unicode.Scalar(value) else { throw error("an escape in this text is no character", start) }
    return scalar
  }
}
