/// Statements: reads the tokens of a template into a ``Document``.
struct Parser {
  static let deepest = 100

  let name: String
  let tokens: [PlacedToken]
  var at = 0
  var depth = 0
  var loops = 0
  var blocks: [String: [Statement]] = [:]

  static func parse(_ source: String, name: String, options: Options) throws -> Document {
    var parser = Parser(name: name, tokens: try Lexer.tokens(of: source, name: name, options: options))
    let statements = try parser.statements(until: [], of: "")
    return Document(name: name, statements: statements, blocks: parser.blocks)
  }

  init(name: String, tokens: [PlacedToken]) {
    self.name = name
    self.tokens = tokens
  }

  // MARK: Tokens

  var token: Token { tokens[min(at, tokens.count - 1)].token }
  var place: Place { tokens[min(at, tokens.count - 1)].place }
  var following: Token { tokens[min(at + 1, tokens.count - 1)].token }

  func error(_ message: String, _ place: Place? = nil) -> JinjaError {
    let place = place ?? self.place
    return JinjaError(template: name, line: place.line, column: place.column, message: message)
  }

  func isName(_ word: String) -> Bool { token == .name(word) }

  mutating func take(symbol: String) -> Bool {
    guard token == .symbol(symbol) else { return false }
    at += 1
    return true
  }

  mutating func take(word: String) -> Bool {
    guard isName(word) else { return false }
    at += 1
    return true
  }

  mutating func expect(symbol: String) throws {
    guard take(symbol: symbol) else { throw error("'\(symbol)' was expected here, not \(describe(token))") }
  }

  mutating func expectName() throws -> String {
    guard case .name(let word) = token else { throw error("a name was expected here, not \(describe(token))") }
    at += 1
    return word
  }

  mutating func expectBlockEnd() throws {
    guard token == .blockEnd else { throw error("'%}' was expected here, not \(describe(token))") }
    at += 1
  }

  func describe(_ token: Token) -> String {
    switch token {
    case .text: "text"
    case .blockStart: "'{%'"
    case .blockEnd: "'%}'"
    case .outputStart: "'{{'"
    case .outputEnd: "'}}'"
    case .name(let word): "'\(word)'"
    case .integer(let value): "\(value)"
    case .decimal(let value): "\(value)"
    case .string: "a text"
    case .symbol(let symbol): "'\(symbol)'"
    case .end: "the end of the template"
    }
  }

  // MARK: Statements

  /// Reads statements up to a tag named in `ends`, which is left for the caller (its name is the current token).
  mutating func statements(until ends: [String], of opening: String, at start: Place? = nil) throws -> [Statement] {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw error("tags nested more than \(Self.deepest) deep") }
    var out: [Statement] = []
    while true {
      switch token {
      case .end:
        if ends.isEmpty { return out }
        throw error("{% \(opening) %} is never closed; end it with {% \(ends[ends.count - 1]) %}", start)
      case .text(let text):
        at += 1
        out.append(.text(text))
      case .outputStart:
        at += 1
        let expression = try tupleOrExpression()
        guard token == .outputEnd else { throw error("'}}' was expected here, not \(describe(token))") }
        at += 1
        out.append(.output(expression))
      case .blockStart:
        at += 1
        if case .name(let word) = token, ends.contains(word) { return out }
        out.append(try statement())
      default: throw error("unexpected \(describe(token))")
      }
    }
  }

  private mutating func statement() throws -> Statement {
    let start = place
    let word = try expectName()
    switch word {
    case "if": return try conditional(start)
    case "for": return try loop(start)
    case "set": return try set(start)
    case "with": return try with(start)
    case "macro": return try macro(start)
    case "block": return try block(start)
    case "include": return try include()
    case "extends":
      let source = try expression()
      try expectBlockEnd()
      return .extends(source)
    case "generation":
      try expectBlockEnd()
      let body = try statements(until: ["endgeneration"], of: word, at: start)
      at += 1
      try expectBlockEnd()
      return .group(body)
    case "do":
      let work = try expression()
      try expectBlockEnd()
      return .evaluate(work)
    case "break", "continue":
      guard loops > 0 else { throw error("{% \(word) %} outside of a loop", start) }
      try expectBlockEnd()
      return word == "break" ? .breakLoop : .continueLoop
    default:
      throw error(word.hasPrefix("end") ? "{% \(word) %} closes nothing" : "unknown tag {% \(word) %}", start)
    }
  }

  private mutating func conditional(_ start: Place) throws -> Statement {
    var branches: [(condition: Expression, body: [Statement])] = []
    var otherwise: [Statement] = []
    var condition = try tupleOrExpression(conditionals: false)
    while true {
      try expectBlockEnd()
      let body = try statements(until: ["elif", "else", "endif"], of: "if", at: start)
      branches.append((condition, body))
      if take(word: "elif") {
        condition = try tupleOrExpression(conditionals: false)
        continue
      }
      if take(word: "else") {
        try expectBlockEnd()
        otherwise = try statements(until: ["endif"], of: "if", at: start)
      }
      at += 1
      try expectBlockEnd()
      return .conditional(branches, otherwise: otherwise)
    }
  }

  private mutating func loop(_ start: Place) throws -> Statement {
    let target = try target()
    guard take(word: "in") else { throw error("'in' was expected here, not \(describe(token))") }
    let source = try tupleOrExpression(conditionals: false)
    if isName("recursive") { throw error("recursive loops are not supported; use a macro") }
    let filter = take(word: "if") ? try expression() : nil
    try expectBlockEnd()
    loops += 1
    let body = try statements(until: ["else", "endfor"], of: "for", at: start)
    loops -= 1
    var otherwise: [Statement] = []
    if take(word: "else") {
      try expectBlockEnd()
      otherwise = try statements(until: ["endfor"], of: "for", at: start)
    }
    at += 1
    try expectBlockEnd()
    return .loop(
      ForLoop(target: target, source: source, filter: filter, body: body, otherwise: otherwise, place: start))
  }

  private mutating func set(_ start: Place) throws -> Statement {
    let target = try target(attributes: true)
    if take(symbol: "=") {
      let value = try tupleOrExpression()
      try expectBlockEnd()
      return .set(target, value)
    }
    var filters: [(name: String, arguments: CallArguments, place: Place)] = []
    while take(symbol: "|") {
      let place = place
      let name = try dottedName()
      filters.append((name, token == .symbol("(") ? try callArguments() : CallArguments(), place))
    }
    try expectBlockEnd()
    let body = try statements(until: ["endset"], of: "set", at: start)
    at += 1
    try expectBlockEnd()
    return .setBlock(target, filters: filters, body: body)
  }

  private mutating func with(_ start: Place) throws -> Statement {
    var values: [(Target, Expression)] = []
    while token != .blockEnd {
      if !values.isEmpty { try expect(symbol: ",") }
      let target = try target()
      try expect(symbol: "=")
      values.append((target, try expression()))
    }
    try expectBlockEnd()
    let body = try statements(until: ["endwith"], of: "with", at: start)
    at += 1
    try expectBlockEnd()
    return .with(values, body: body)
  }

  private mutating func macro(_ start: Place) throws -> Statement {
    let name = try expectName()
    try expect(symbol: "(")
    var parameters: [(name: String, fallback: Expression?)] = []
    while !take(symbol: ")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      let place = place
      let parameter = try expectName()
      let fallback = take(symbol: "=") ? try expression() : nil
      if fallback == nil, parameters.last?.fallback != nil {
        throw error("a parameter without a default follows one with a default", place)
      }
      parameters.append((parameter, fallback))
    }
    try expectBlockEnd()
    let outer = loops
    loops = 0
    let body = try statements(until: ["endmacro"], of: "macro", at: start)
    loops = outer
    at += 1
    try expectBlockEnd()
    return .macro(Macro(name: name, parameters: parameters, body: body, place: start))
  }

  private mutating func block(_ start: Place) throws -> Statement {
    let name = try expectName()
    let scoped = take(word: "scoped")
    _ = take(word: "required")
    try expectBlockEnd()
    guard blocks[name] == nil else { throw error("the block '\(name)' is defined twice", start) }
    blocks[name] = []
    let outer = loops
    loops = 0
    blocks[name] = try statements(until: ["endblock"], of: "block", at: start)
    loops = outer
    at += 1
    if case .name(let closing) = token {
      guard closing == name else { throw error("this closes the block '\(name)', not '\(closing)'") }
      at += 1
    }
    try expectBlockEnd()
    return .block(name: name, scoped: scoped, start)
  }

  private mutating func include() throws -> Statement {
    let source = try expression()
    var ignoreMissing = false
    var withContext = true
    if isName("ignore"), following == .name("missing") {
      at += 2
      ignoreMissing = true
    }
    if isName("with") || isName("without"), following == .name("context") {
      withContext = isName("with")
      at += 2
    }
    try expectBlockEnd()
    return .include(source, ignoreMissing: ignoreMissing, withContext: withContext)
  }

  /// One name, or several with commas between them, with or without parentheses.
  private mutating func target(attributes: Bool = false) throws -> Target {
    var targets: [Target] = []
    var isTuple = false
    while true {
      targets.append(try oneTarget(attributes: attributes))
      guard take(symbol: ",") else { break }
      isTuple = true
      if isName("in") || token == .symbol("=") { break }
    }
    return isTuple ? .tuple(targets) : targets[0]
  }

  private mutating func oneTarget(attributes: Bool) throws -> Target {
    let start = place
    if take(symbol: "(") {
      depth += 1
      defer { depth -= 1 }
      if depth > Self.deepest { throw error("nested too deep") }
      let inner = try target()
      try expect(symbol: ")")
      return inner
    }
    let name = try expectName()
    if ["true", "false", "none", "True", "False", "None", "loop"].contains(name) {
      throw error("'\(name)' cannot be assigned to", start)
    }
    if attributes, take(symbol: ".") { return .attribute(name, try expectName(), start) }
    return .name(name)
  }
}
