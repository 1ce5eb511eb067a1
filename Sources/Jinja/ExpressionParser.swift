// Expressions, from the loosest operator to the tightest, in Jinja's order of precedence.

extension Parser {
  func node(
    _ kind: Expression.Kind, _ place: Place, _ below: [Expression] = [], calls: CallArguments? = nil
  ) throws -> Expression {
    let node = Expression(kind, place, below: below, calls: calls)
    if node.height > Expression.tallest { throw error("this expression is nested too deep", place) }
    return node
  }

  /// An expression, or a tuple without parentheses where commas follow.
  mutating func tupleOrExpression(conditionals: Bool = true) throws -> Expression {
    let start = place
    let first = try expression(conditionals: conditionals)
    guard token == .symbol(",") else { return first }
    var elements = [first]
    while take(symbol: ",") {
      if token == .blockEnd || token == .outputEnd || token == .symbol(")") { break }
      elements.append(try expression(conditionals: conditionals))
    }
    return try node(.tuple(elements), start, elements)
  }

  mutating func expression(conditionals: Bool = true) throws -> Expression {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw error("nested more than \(Self.deepest) deep") }
    let start = place
    var value = try disjunction()
    while conditionals, take(word: "if") {
      let condition = try disjunction()
      let otherwise = take(word: "else") ? try expression() : nil
      value = try node(
        .conditional(value, condition: condition, otherwise: otherwise), start,
        [value, condition] + (otherwise.map { [$0] } ?? []))
    }
    return value
  }

  private mutating func disjunction() throws -> Expression {
    let start = place
    var left = try conjunction()
    while take(word: "or") {
      let right = try conjunction()
      left = try node(.or(left, right), start, [left, right])
    }
    return left
  }

  private mutating func conjunction() throws -> Expression {
    let start = place
    var left = try negation()
    while take(word: "and") {
      let right = try negation()
      left = try node(.and(left, right), start, [left, right])
    }
    return left
  }

  private mutating func negation() throws -> Expression {
    let start = place
    guard take(word: "not") else { return try comparison() }
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw error("nested more than \(Self.deepest) deep") }
    let operand = try negation()
    return try node(.not(operand), start, [operand])
  }

  private mutating func comparison() throws -> Expression {
    let start = place
    let first = try sum()
    var rest: [(String, Expression)] = []
    while true {
      if case .symbol(let symbol) = token, ["==", "!=", "<", "<=", ">", ">="].contains(symbol) {
        at += 1
        rest.append((symbol, try sum()))
      } else if take(word: "in") {
        rest.append(("in", try sum()))
      } else if isName("not"), following == .name("in") {
        at += 2
        rest.append(("not in", try sum()))
      } else {
        break
      }
    }
    return rest.isEmpty ? first : try node(.comparison(first, rest), start, [first] + rest.map(\.1))
  }

  private mutating func sum() throws -> Expression {
    var left = try concatenation()
    while case .symbol(let symbol) = token, symbol == "+" || symbol == "-" {
      let start = place
      at += 1
      let right = try concatenation()
      left = try node(.arithmetic(symbol, left, right), start, [left, right])
    }
    return left
  }

  private mutating func concatenation() throws -> Expression {
    let start = place
    var parts = [try product()]
    while take(symbol: "~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try node(.concatenation(parts), start, parts)
  }

  private mutating func product() throws -> Expression {
    var left = try power()
    while case .symbol(let symbol) = token, ["*", "/", "//", "%"].contains(symbol) {
      let start = place
      at += 1
      let right = try power()
      left = try node(.arithmetic(symbol, left, right), start, [left, right])
    }
    return left
  }

  private mutating func power() throws -> Expression {
    var left = try unary()
    while token == .symbol("**") {
      let start = place
      at += 1
      let right = try unary()
      left = try node(.arithmetic("**", left, right), start, [left, right])
    }
    return left
  }

  private mutating func unary(filters: Bool = true) throws -> Expression {
    let start = place
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw error("nested more than \(Self.deepest) deep") }
    var value: Expression
    if take(symbol: "-") {
      let operand = try unary(filters: false)
      value = try node(.negative(operand), start, [operand])
    } else if take(symbol: "+") {
      let operand = try unary(filters: false)
      value = try node(.positive(operand), start, [operand])
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return filters ? try filtersAndTests(value) : value
  }

  private mutating func primary() throws -> Expression {
    let start = place
    let current = token
    at += 1
    switch current {
    case .name("true"), .name("True"): return try node(.constant(.bool(true)), start)
    case .name("false"), .name("False"): return try node(.constant(.bool(false)), start)
    case .name("none"), .name("None"): return try node(.constant(.none), start)
    case .name(let word): return try node(.name(word), start)
    case .integer(let value): return try node(.constant(.int(value)), start)
    case .decimal(let value): return try node(.constant(.float(value)), start)
    case .string(var text):
      while case .string(let more) = token {
        text += more
        at += 1
      }
      return try node(.constant(.string(text)), start)
    case .symbol("("):
      if take(symbol: ")") { return try node(.tuple([]), start) }
      let inner = try tupleOrExpression()
      try expect(symbol: ")")
      return inner
    case .symbol("["):
      var elements: [Expression] = []
      while !take(symbol: "]") {
        if !elements.isEmpty { try expect(symbol: ",") }
        if take(symbol: "]") { break }
        elements.append(try expression())
      }
      return try node(.list(elements), start, elements)
    case .symbol("{"): return try dictionary(start)
    default:
      at -= 1
      throw error("a value was expected here, not \(describe(current))")
    }
  }

  private mutating func dictionary(_ start: Place) throws -> Expression {
    var items: [(Expression, Expression)] = []
    while !take(symbol: "}") {
      if !items.isEmpty { try expect(symbol: ",") }
      if take(symbol: "}") { break }
      let key = try expression()
      try expect(symbol: ":")
      items.append((key, try expression()))
    }
    return try node(.dict(items), start, items.flatMap { [$0.0, $0.1] })
  }

  private mutating func postfix(_ start: Expression) throws -> Expression {
    var value = start
    while true {
      let place = place
      if take(symbol: ".") {
        if case .integer(let index) = token {
          at += 1
          let key = try node(.constant(.int(index)), place)
          value = try node(.subscripted(value, key), place, [value])
        } else {
          let attributePlace = self.place
          let name = try expectName()
          value = try node(.attribute(value, name), attributePlace, [value])
        }
      } else if take(symbol: "[") {
        value = try subscripted(value, place)
      } else if token == .symbol("(") {
        let arguments = try callArguments()
        value = try node(.call(value, arguments), value.place, [value], calls: arguments)
      } else {
        return value
      }
    }
  }

  private mutating func subscripted(_ value: Expression, _ place: Place) throws -> Expression {
    var parts: [Expression?] = []
    var colons = 0
    if token != .symbol(":") { parts.append(try tupleOrExpression()) } else { parts.append(nil) }
    while colons < 2, take(symbol: ":") {
      colons += 1
      let isEmpty = token == .symbol(":") || token == .symbol("]")
      parts.append(isEmpty ? nil : try expression())
    }
    try expect(symbol: "]")
    if colons == 0, let key = parts[0] { return try node(.subscripted(value, key), place, [value, key]) }
    let step = parts.count > 2 ? parts[2] : nil
    return try node(
      .slice(value, from: parts[0], to: parts[1], step: step), place, [value] + parts.compactMap { $0 })
  }

  mutating func callArguments() throws -> CallArguments {
    try expect(symbol: "(")
    var arguments = CallArguments()
    var isFirst = true
    while !take(symbol: ")") {
      if !isFirst { try expect(symbol: ",") }
      isFirst = false
      if take(symbol: ")") { break }
      if token == .symbol("*") || token == .symbol("**") { throw error("unpacking arguments is not supported") }
      if case .name(let name) = token, following == .symbol("=") {
        at += 2
        arguments.named.append((name, try expression()))
      } else {
        if !arguments.named.isEmpty { throw error("an argument without a name follows one with a name") }
        arguments.positional.append(try expression())
      }
    }
    return arguments
  }

  mutating func dottedName() throws -> String {
    var name = try expectName()
    while take(symbol: ".") { name += "." + (try expectName()) }
    return name
  }

  private mutating func filtersAndTests(_ start: Expression) throws -> Expression {
    var value = start
    while true {
      let place = place
      if take(symbol: "|") {
        let namePlace = self.place
        let name = try dottedName()
        let arguments = token == .symbol("(") ? try callArguments() : CallArguments()
        value = try node(.filter(value, name, arguments), namePlace, [value], calls: arguments)
      } else if take(word: "is") {
        let negated = take(word: "not")
        value = try test(value, negated: negated, place)
      } else if token == .symbol("(") {
        let arguments = try callArguments()
        value = try node(.call(value, arguments), value.place, [value], calls: arguments)
      } else {
        return value
      }
    }
  }

  private mutating func test(_ value: Expression, negated: Bool, _ place: Place) throws -> Expression {
    let name = try dottedName()
    var arguments = CallArguments()
    switch token {
    case .symbol("("): arguments = try callArguments()
    case .name("else"), .name("or"), .name("and"), .name("if"), .name("is"), .name("not"), .name("in"): break
    case .name, .string, .integer, .decimal, .symbol("["), .symbol("{"):
      arguments.positional = [try postfix(try primary())]
    default: break
    }
    return try node(.test(value, name, arguments, negated: negated), place, [value], calls: arguments)
  }
}
