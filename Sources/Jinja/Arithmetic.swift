import Foundation

/// Python's arithmetic on template values.
enum Arithmetic {
  static func negated(_ value: Value) throws -> Value {
    if let whole = value.wholeNumber, whole != .min { return .int(-whole) }
    if let number = value.number { return .float(-number) }
    throw JinjaFault("'-' needs a number, not \(value.kind)")
  }

  /// - Parameter limit: the longest text or list that a repetition may make.
  static func apply(_ symbol: String, _ left: Value, _ right: Value, limit: Int) throws -> Value {
    for case .undefined(let message) in [left, right] { throw JinjaFault(message) }
    if let result = try onTexts(symbol, left, right, limit: limit) { return result }
    if let a = left.wholeNumber, let b = right.wholeNumber, symbol != "/" { return try onIntegers(symbol, a, b) }
    guard let a = left.number, let b = right.number else {
      throw JinjaFault("'\(symbol)' does not work between \(left.kind) and \(right.kind)")
    }
    switch symbol {
    case "+": return .float(a + b)
    case "-": return .float(a - b)
    case "*": return .float(a * b)
    case "**": return .float(pow(a, b))
    default:
      guard b != 0 else { throw JinjaFault("division by zero") }
      if symbol == "/" { return .float(a / b) }
      let quotient = (a / b).rounded(.down)
      if symbol == "//" { return .float(quotient) }
      let rest = fmod(a, b)
      return .float(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest)
    }
  }

  private static func onIntegers(_ symbol: String, _ a: Int, _ b: Int) throws -> Value {
    func checked(_ result: (partialValue: Int, overflow: Bool)) throws -> Value {
      if result.overflow { throw JinjaFault("the result of '\(symbol)' is too large") }
      return .int(result.partialValue)
    }
    switch symbol {
    case "+": return try checked(a.addingReportingOverflow(b))
    case "-": return try checked(a.subtractingReportingOverflow(b))
    case "*": return try checked(a.multipliedReportingOverflow(by: b))
    case "**":
      if b < 0 { return .float(pow(Double(a), Double(b))) }
      var result = 1
      if abs(a) > 1, b > 64 { throw JinjaFault("the result of '**' is too large") }
      for _ in 0..<(abs(a) > 1 ? b : min(b, 2 - b % 2)) {
        guard case .int(let next) = try checked(result.multipliedReportingOverflow(by: a)) else { break }
        result = next
      }
      return .int(result)
    default:
      guard b != 0 else { throw JinjaFault("division by zero") }
      if b == -1 { return symbol == "//" ? try checked(Int(0).subtractingReportingOverflow(a)) : .int(0) }
      let rest = a % b
      let adjust = rest != 0 && (rest < 0) != (b < 0)
      return .int(symbol == "//" ? a / b - (adjust ? 1 : 0) : rest + (adjust ? b : 0))
    }
  }

  private static func onTexts(_ symbol: String, _ left: Value, _ right: Value, limit: Int) throws -> Value? {
    switch (symbol, left, right) {
    case ("+", .list(let a), .list(let b)): return .list(a + b)
    case ("+", .tuple(let a), .tuple(let b)): return .tuple(a + b)
    case ("+", _, _):
      guard let a = left.plainText, let b = right.plainText else { return nil }
      if !left.isSafe && !right.isSafe { return .string(a + b) }
      return .safe((left.isSafe ? a : Value.escaped(a)) + (right.isSafe ? b : Value.escaped(b)))
    case ("*", _, _):
      let (base, count) = left.wholeNumber == nil ? (left, right.wholeNumber) : (right, left.wholeNumber)
      guard let count else { return nil }
      switch base {
      case .string(let text), .safe(let text):
        guard text.utf8.count.multipliedReportingOverflow(by: max(count, 0)).partialValue <= limit,
          count <= limit
        else { throw JinjaFault("this repetition is too long") }
        let repeated = String(repeating: text, count: max(count, 0))
        return base.isSafe ? .safe(repeated) : .string(repeated)
      case .list(let elements):
        guard count <= 100_000, elements.count * max(count, 0) <= 1_000_000 else {
          throw JinjaFault("this repetition is too long")
        }
        return .list(Array((0..<max(count, 0)).map { _ in elements }.joined()))
      default: return nil
      }
    case ("%", .string(let format), _), ("%", .safe(let format), _):
      if case .tuple(let values) = right { return .string(try Text.format(format, values)) }
      return .string(try Text.format(format, [right]))
    default: return nil
    }
  }
}
