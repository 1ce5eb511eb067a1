/// Variables of one level; inner levels see the outer ones and write to themselves alone.
final class Scope {
  var values: [String: Value]
  let parent: Scope?

  init(parent: Scope?, values: [String: Value] = [:]) {
    self.parent = parent
    self.values = values
  }

  func find(_ name: String) -> Value? {
    var scope: Scope? = self
    while let here = scope {
      if let value = here.values[name] { return value }
      scope = here.parent
    }
    return nil
  }
}

/// One rendering: walks the statements of a document and its parents.
final class Interpreter {
  struct LoopState {
    var items: [Value]
    var index: Int
    var changed: [Value]?
  }

  struct BoundMacro {
    let macro: Macro
    let scope: Scope
    let document: String
  }

  static let deepest = 400

  let environment: Environment
  var options: Options { environment.options }
  var output = ""
  var scope: Scope
  let top: Scope
  /// The template whose statements run, for errors.
  var document: String
  var macros: [BoundMacro] = []
  var namespaces: [Mapping] = []
  var loops: [LoopState] = []
  /// For each block its bodies, the most derived template's first.
  var blocks: [String: [(body: [Statement], document: String)]] = [:]
  /// The blocks under way: name and which of its bodies.
  var blockStack: [(name: String, level: Int)] = []
  var parsed: [String: Document] = [:]
  var steps = 0
  var depth = 0

  /// The template that the running one extends, once its tag was met.
  var parent: Document?

  enum Flow { case normal, breakLoop, continueLoop }

  init(environment: Environment, context: [String: Value]) {
    self.environment = environment
    top = Scope(parent: nil, values: context)
    scope = top
    document = ""
  }

  func render(_ start: Document) throws -> String {
    var current = start
    var chain = 0
    while true {
      chain += 1
      document = current.name
      if chain > 50 { throw error("templates extend each other without end", Place(line: 1, column: 1)) }
      for (name, body) in current.blocks { blocks[name, default: []].append((body, current.name)) }
      _ = try run(current.statements)
      guard let next = parent else { return output }
      // What a template prints outside of its blocks is dropped when it extends another.
      output = ""
      parent = nil
      current = next
    }
  }

  // MARK: Errors and limits

  func error(_ message: String, _ place: Place) -> JinjaError {
    JinjaError(template: document, line: place.line, column: place.column, message: message)
  }

  /// Runs `work`; a fault without a place gets this one.
  func placed<R>(_ place: Place, _ work: () throws -> R) throws -> R {
    do { return try work() } catch let error as JinjaError { throw error } catch { throw self.error("\(error)", place) }
  }

  func deeper<R>(_ work: () throws -> R) throws -> R {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw JinjaFault("macros, includes or expressions are nested too deep") }
    return try work()
  }

  func step() throws {
    steps += 1
    if steps > options.maximumSteps {
      throw JinjaFault("more than \(options.maximumSteps) loop turns in one rendering")
    }
  }

  func print(_ text: String) throws {
    output += text
    if output.utf8.count > options.maximumOutput {
      throw JinjaFault("more than \(options.maximumOutput) bytes of output")
    }
  }

  /// Runs `work` with an output of its own, and gives what it printed.
  func capture(_ work: () throws -> Void) throws -> String {
    let outer = output
    output = ""
    defer { output = outer }
    try work()
    return output
  }

  func within<R>(_ inner: Scope, _ work: () throws -> R) rethrows -> R {
    let outer = scope
    scope = inner
    defer { scope = outer }
    return try work()
  }

  /// Captured markup: safe where the template escapes.
  func markup(_ text: String) -> Value { options.autoescape ? .safe(text) : .string(text) }

  func escaped(_ value: Value) -> String {
    options.autoescape && !value.isSafe ? Value.escaped(value.printed()) : value.printed()
  }

  // MARK: Statements

  func run(_ statements: [Statement]) throws -> Flow {
    for statement in statements {
      let flow = try run(statement)
      if case .normal = flow { continue }
      return flow
    }
    return .normal
  }

  private func run(_ statement: Statement) throws -> Flow {
    switch statement {
    case .text(let text): try placed(Place(line: 1, column: 1)) { try print(text) }
    case .output(let expression):
      let value = try evaluate(expression)
      try placed(expression.place) { try print(escaped(environment.finalize?(value) ?? value)) }
    case .conditional(let branches, let otherwise):
      for branch in branches where try evaluate(branch.condition).isTrue() { return try run(branch.body) }
      return try run(otherwise)
    case .loop(let loop): return try run(loop)
    case .set(let target, let expression):
      let value = try evaluate(expression, lenient: false)
      try placed(expression.place) { try assign(target, value) }
    case .setBlock(let target, let filters, let body): try runSetBlock(target, filters, body)
    case .with(let values, let body):
      let inner = Scope(parent: scope)
      for (target, expression) in values {
        let value = try evaluate(expression)
        try placed(expression.place) { try within(inner) { try assign(target, value) } }
      }
      return try within(inner) { try run(body) }
    case .macro(let macro):
      macros.append(BoundMacro(macro: macro, scope: scope, document: document))
      scope.values[macro.name] = .macro(macros.count - 1)
    case .include(let source, let ignoreMissing, let withContext):
      try runInclude(source, ignoreMissing: ignoreMissing, withContext: withContext)
    case .extends(let source):
      let name = try evaluate(source)
      try placed(source.place) {
        guard parent == nil else { throw JinjaFault("a template can extend only one other") }
        guard let text = name.plainText else { throw JinjaFault("{% extends %} needs a template's name") }
        guard let found = try load(text) else { throw JinjaFault("there is no template '\(text)'") }
        parent = found
      }
    case .block(let name, let scoped, let place):
      // In a template that extends another, a block is only defined; the other one says where it prints.
      if parent == nil { try runBlock(name, level: 0, scoped: scoped, place) }
    case .group(let body): return try run(body)
    case .evaluate(let expression): _ = try evaluate(expression)
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .normal
  }

  private func runSetBlock(
    _ target: Target, _ filters: [(name: String, arguments: CallArguments, place: Place)], _ body: [Statement]
  ) throws {
    let inner = Scope(parent: scope)
    var value = markup(try capture { _ = try within(inner) { try run(body) } })
    for filter in filters {
      value = try placed(filter.place) {
        try applyFilter(filter.name, value, try arguments(filter.name, filter.arguments))
      }
    }
    try assign(target, value)
  }

  private func run(_ loop: ForLoop) throws -> Flow {
    let source = try evaluate(loop.source)
    var items = try placed(loop.source.place) { try elements(of: source) }
    if let filter = loop.filter {
      items = try items.filter { item in
        let inner = Scope(parent: scope)
        return try within(inner) {
          try placed(loop.place) { try assign(loop.target, item) }
          return try evaluate(filter).isTrue()
        }
      }
    }
    if items.isEmpty { return try within(Scope(parent: scope)) { try run(loop.otherwise) } }
    loops.append(LoopState(items: items, index: 0))
    let id = loops.count - 1
    defer { loops.removeLast(loops.count - id) }
    for index in items.indices {
      loops[id].index = index
      let inner = Scope(parent: scope, values: ["loop": .loop(id)])
      let flow = try within(inner) {
        try placed(loop.place) {
          try step()
          try assign(loop.target, items[index])
        }
        return try run(loop.body)
      }
      switch flow {
      case .breakLoop: return .normal
      case .normal, .continueLoop: continue
      }
    }
    return .normal
  }

  func assign(_ target: Target, _ value: Value) throws {
    switch target {
    case .name(let name): scope.values[name] = value
    case .attribute(let name, let attribute, let place):
      guard case .namespace(let id) = scope.find(name) ?? .none else {
        throw error("'\(name)' is no namespace: only a namespace's attributes can be set", place)
      }
      namespaces[id][attribute] = value
    case .tuple(let targets):
      let items = try elements(of: value)
      guard items.count == targets.count else {
        throw JinjaFault("cannot unpack \(items.count) values into \(targets.count) names")
      }
      for (target, item) in zip(targets, items) { try assign(target, item) }
    }
  }

  // MARK: Other templates, blocks, macros

  func load(_ name: String) throws -> Document? {
    if let document = parsed[name] { return document }
    guard let source = try environment.loader?(name) else { return nil }
    let document = try Parser.parse(source, name: name, options: options)
    parsed[name] = document
    return document
  }

  private func runInclude(_ source: Expression, ignoreMissing: Bool, withContext: Bool) throws {
    let value = try evaluate(source)
    try placed(source.place) {
      let names: [Value]
      if case .list(let several) = value { names = several } else { names = [value] }
      for name in names {
        guard let text = name.plainText else { throw JinjaFault("{% include %} needs a template's name") }
        guard let included = try load(text) else { continue }
        let inner = withContext ? scope : Scope(parent: nil)
        let part = Interpreter(environment: environment, context: [:], sharing: self, scope: inner)
        return try deeper { try print(try part.renderIncluded(included, depth: depth, from: self)) }
      }
      if !ignoreMissing {
        throw JinjaFault("there is no template \(names.map { "'\($0.printed())'" }.joined(separator: " or "))")
      }
    }
  }

  /// An included template has blocks of its own; macros, namespaces and limits are those of the whole rendering.
  private convenience init(environment: Environment, context: [String: Value], sharing outer: Interpreter, scope: Scope)
  {
    // As in Jinja, an included template does not see the loop around it.
    let hidden: [String: Value] = ["loop": .undefined("'loop' is undefined")]
    self.init(environment: environment, context: context, top: Scope(parent: scope, values: hidden))
    macros = outer.macros
    namespaces = outer.namespaces
    loops = outer.loops
    parsed = outer.parsed
    steps = outer.steps
  }

  private init(environment: Environment, context: [String: Value], top: Scope) {
    self.environment = environment
    self.top = top
    scope = top
    document = ""
  }

  private func renderIncluded(_ included: Document, depth: Int, from outer: Interpreter) throws -> String {
    self.depth = depth
    let text = try render(included)
    outer.macros = macros
    outer.namespaces = namespaces
    outer.loops = loops
    outer.steps = steps
    outer.parsed = parsed
    return text
  }

  func runBlock(_ name: String, level: Int, scoped: Bool, _ place: Place) throws {
    guard let bodies = blocks[name], level < bodies.count else { throw error("there is no block '\(name)'", place) }
    let outerDocument = document
    document = bodies[level].document
    blockStack.append((name, level))
    defer {
      document = outerDocument
      blockStack.removeLast()
    }
    // A block sees the template's own variables, and a loop's only where it is marked `scoped`.
    let inner = Scope(parent: scoped ? scope : top)
    try placed(place) { try deeper { _ = try within(inner) { try run(bodies[level].body) } } }
  }

  func callMacro(_ id: Int, _ arguments: Arguments) throws -> Value {
    let bound = macros[id]
    let macro = bound.macro
    let inner = Scope(parent: bound.scope)
    guard arguments.positional.count <= macro.parameters.count else {
      throw JinjaFault("the macro '\(macro.name)' takes \(macro.parameters.count) arguments")
    }
    for argument in arguments.named where !macro.parameters.contains(where: { $0.name == argument.name }) {
      throw JinjaFault("the macro '\(macro.name)' takes no argument '\(argument.name)'")
    }
    let outerDocument = document
    document = bound.document
    defer { document = outerDocument }
    return try deeper {
      try within(inner) {
        for (index, parameter) in macro.parameters.enumerated() {
          if let value = arguments.optional(index, parameter.name) {
            inner.values[parameter.name] = value
          } else if let fallback = parameter.fallback {
            inner.values[parameter.name] = try evaluate(fallback)
          } else {
            inner.values[parameter.name] = .undefined("parameter '\(parameter.name)' was not provided")
          }
        }
        return markup(try capture { _ = try run(macro.body) })
      }
    }
  }
}
