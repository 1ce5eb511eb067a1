/// What may follow `is`.
extension Interpreter {
  func applyTest(_ name: String, _ value: Value, _ arguments: Arguments) throws -> Bool {
    func operand() throws -> Value { try arguments.required(0, "other") }
    switch name {
    case "defined": return !value.isUndefined
    case "undefined": return value.isUndefined
    case "none": return value.isNone
    case "boolean": if case .bool = value { return true } else { return false }
    case "true": if case .bool(true) = value { return true } else { return false }
    case "false": if case .bool(false) = value { return true } else { return false }
    case "integer": if case .int = value { return true } else { return false }
    case "float": if case .float = value { return true } else { return false }
    case "number": return value.number != nil
    case "string": return value.plainText != nil
    case "mapping": if case .dict = value { return true } else { return false }
    case "sequence":
      switch value {
      case .list, .tuple, .string, .safe, .dict, .undefined: return true
      default: return false
      }
    case "iterable":
      switch value {
      case .list, .tuple, .string, .safe, .dict, .undefined: return true
      default: return false
      }
    case "callable":
      switch value {
      case .function, .macro, .undefined: return true
      default: return false
      }
    case "escaped": return value.isSafe
    case "lower": return value.printed() == value.printed().lowercased() && value.printed().contains { $0.isCased }
    case "upper": return value.printed() == value.printed().uppercased() && value.printed().contains { $0.isCased }
    case "divisibleby", "even", "odd": return try divides(name, value, arguments)
    case "filter": return isFilter(value.printed())
    case "in": return try contains(try operand(), value)
    case "sameas", "eq", "equalto", "==": return value.equals(try operand())
    case "ne", "!=": return !value.equals(try operand())
    case "lt", "lessthan", "<": return try value.isLess(than: try operand())
    case "gt", "greaterthan", ">": return try operand().isLess(than: value)
    case "le", "<=": return try value.equals(try operand()) || value.isLess(than: try operand())
    case "ge", ">=": return try value.equals(try operand()) || operand().isLess(than: value)
    default: throw JinjaFault("there is no test '\(name)'")
    }
  }

  private func divides(_ name: String, _ value: Value, _ arguments: Arguments) throws -> Bool {
    guard let number = value.wholeNumber else { throw JinjaFault("'\(name)' needs a whole number, not \(value.kind)") }
    if name == "even" { return number % 2 == 0 }
    if name == "odd" { return number % 2 != 0 }
    let divisor = try arguments.integer(0, "num", default: 0)
    guard divisor != 0 else { throw JinjaFault("'divisibleby' needs a number other than zero") }
    return divisor == -1 || number % divisor == 0
  }
}
