// Expressions.

extension Interpreter {
  /// - Parameter lenient: an undefined result is fine even where the options are strict (`is defined`, `default`).
  func evaluate(_ expression: Expression, lenient: Bool = false) throws -> Value {
    try placed(expression.place) {
      let value = try deeper { try evaluateKind(expression) }
      if case .undefined(let message) = value, options.strictUndefined, !lenient { throw JinjaFault(message) }
      return value
    }
  }

  private func evaluateKind(_ expression: Expression) throws -> Value {
    switch expression.kind {
    case .constant(let value): return value
    case .name(let name): return lookUp(name)
    case .list(let elements): return .list(try elements.map { try evaluate($0) })
    case .tuple(let elements): return .tuple(try elements.map { try evaluate($0) })
    case .dict(let items):
      var mapping = Mapping()
      for (key, value) in items { mapping[try evaluate(key)] = try evaluate(value) }
      return .dict(mapping)
    case .attribute(let base, let name): return try attribute(name, of: try evaluate(base))
    case .subscripted(let base, let key):
      return try element(try evaluate(key), of: try evaluate(base))
    case .slice(let base, let from, let to, let step):
      return try slice(
        try evaluate(base), try from.map { try evaluate($0) }, try to.map { try evaluate($0) },
        try step.map { try evaluate($0) })
    case .call(let callee, let arguments): return try call(callee, arguments)
    case .filter(let base, let name, let arguments):
      let value = try evaluate(base, lenient: name == "default" || name == "d")
      return try applyFilter(name, value, try self.arguments(name, arguments))
    case .test(let base, let name, let arguments, let negated):
      let value = try evaluate(base, lenient: name == "defined" || name == "undefined")
      return .bool(try applyTest(name, value, try self.arguments(name, arguments)) != negated)
    default: return try evaluateOperator(expression)
    }
  }

  private func evaluateOperator(_ expression: Expression) throws -> Value {
    switch expression.kind {
    case .negative(let operand): return try Arithmetic.negated(try evaluate(operand))
    case .positive(let operand):
      let value = try evaluate(operand)
      guard value.number != nil else { throw JinjaFault("'+' needs a number, not \(value.kind)") }
      return value.wholeNumber.map { .int($0) } ?? value
    case .not(let operand): return .bool(!(try evaluate(operand).isTrue()))
    case .and(let left, let right):
      let value = try evaluate(left)
      return value.isTrue() ? try evaluate(right) : value
    case .or(let left, let right):
      let value = try evaluate(left)
      return value.isTrue() ? value : try evaluate(right)
    case .arithmetic(let symbol, let left, let right):
      return try Arithmetic.apply(
        symbol, try evaluate(left), try evaluate(right), limit: options.maximumOutput)
    case .concatenation(let parts):
      let values = try parts.map { try evaluate($0) }
      guard options.autoescape, values.contains(where: \.isSafe) else {
        return .string(values.map { $0.printed() }.joined())
      }
      return .safe(values.map { escaped($0) }.joined())
    case .comparison(let first, let rest): return try compare(first, rest)
    case .conditional(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue() { return try evaluate(value) }
      if let otherwise { return try evaluate(otherwise) }
      return .undefined("this inline 'if' is false here and has no 'else'")
    default: return .none
    }
  }

  private func compare(_ first: Expression, _ rest: [(String, Expression)]) throws -> Value {
    var left = try evaluate(first)
    for (symbol, expression) in rest {
      let right = try evaluate(expression)
      let holds =
        switch symbol {
        case "==": left.equals(right)
        case "!=": !left.equals(right)
        case "<": try left.isLess(than: right)
        case ">": try right.isLess(than: left)
        case "<=": try left.equals(right) || left.isLess(than: right)
        case ">=": try left.equals(right) || right.isLess(than: left)
        case "in": try contains(right, left)
        default: try !contains(right, left)
        }
      if !holds { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  func lookUp(_ name: String) -> Value {
    if let value = scope.find(name) ?? environment.globals[name] ?? Globals.table[name] { return value }
    if name == "super" || name == "self" { return .none }
    return .undefined("'\(name)' is undefined")
  }

  // MARK: Attributes and elements

  func attribute(_ name: String, of base: Value) throws -> Value {
    switch base {
    case .undefined(let message): throw JinjaFault(message)
    case .dict(let mapping): return mapping[name] ?? missing(name, base)
    case .namespace(let id): return namespaces[id][name] ?? missing(name, base)
    case .loop(let id) where id < loops.count: return loopAttribute(name, loops[id]) ?? missing(name, base)
    case .macro(let id) where name == "name": return .string(macros[id].macro.name)
    default: return missing(name, base)
    }
  }

  private func missing(_ name: String, _ base: Value) -> Value {
    .undefined("\(base.kind) here has no attribute '\(name)'")
  }

  private func loopAttribute(_ name: String, _ state: LoopState) -> Value? {
    let index = state.index
    let count = state.items.count
    switch name {
    case "index": return .int(index + 1)
    case "index0": return .int(index)
    case "revindex": return .int(count - index)
    case "revindex0": return .int(count - index - 1)
    case "first": return .bool(index == 0)
    case "last": return .bool(index == count - 1)
    case "length": return .int(count)
    case "previtem": return index > 0 ? state.items[index - 1] : .undefined("there is no previous item")
    case "nextitem": return index + 1 < count ? state.items[index + 1] : .undefined("there is no next item")
    default: return nil
    }
  }

  func element(_ key: Value, of base: Value) throws -> Value {
    switch base {
    case .list(let elements), .tuple(let elements):
      if let index = key.wholeNumber {
        let place = index < 0 ? index + elements.count : index
        return elements.indices.contains(place) ? elements[place] : .undefined("there is no element \(index)")
      }
    case .string(let text), .safe(let text):
      if let index = key.wholeNumber {
        let scalars = Array(text.unicodeScalars)
        let place = index < 0 ? index + scalars.count : index
        guard scalars.indices.contains(place) else { return .undefined("there is no character \(index)") }
        return .string(String(scalars[place]))
      }
    case .dict(let mapping):
      if let value = mapping[key] { return value }
      return .undefined("the dict here has no key \(key.represented())")
    default: break
    }
    if let name = key.plainText { return try attribute(name, of: base) }
    if case .undefined(let message) = base { throw JinjaFault(message) }
    return .undefined("\(base.kind) has no element \(key.represented())")
  }

  private func slice(_ base: Value, _ from: Value?, _ to: Value?, _ step: Value?) throws -> Value {
    func bound(_ value: Value?) throws -> Int? {
      guard let value, !value.isNone else { return nil }
      guard let number = value.wholeNumber else { throw JinjaFault("a slice needs whole numbers, not \(value.kind)") }
      return number
    }
    let indices = try Self.indices(try bound(from), try bound(to), try bound(step))
    switch base {
    case .list(let elements): return .list(indices(elements.count).map { elements[$0] })
    case .tuple(let elements): return .tuple(indices(elements.count).map { elements[$0] })
    case .string(let text), .safe(let text):
      let scalars = Array(text.unicodeScalars)
      var out = String.UnicodeScalarView()
      for index in indices(scalars.count) { out.append(scalars[index]) }
      return base.isSafe ? .safe(String(out)) : .string(String(out))
    case .undefined(let message): throw JinjaFault(message)
    default: throw JinjaFault("\(base.kind) cannot be sliced")
    }
  }

  /// The indices that Python's `[from:to:step]` picks out of a sequence of a given length.
  private static func indices(_ from: Int?, _ to: Int?, _ step: Int?) throws -> (Int) -> [Int] {
    let step = step ?? 1
    guard step != 0 else { throw JinjaFault("a slice's step cannot be zero") }
    return { count in
      func clamp(_ value: Int?, _ fallback: Int) -> Int {
        guard var value else { return fallback }
        if value < 0 { value = max(value + count, step < 0 ? -1 : 0) }
        return min(value, step < 0 ? count - 1 : count)
      }
      let start = clamp(from, step < 0 ? count - 1 : 0)
      let end = clamp(to, step < 0 ? -1 : count)
      return Array(stride(from: start, to: end, by: max(-count - 1, min(step, count + 1))))
    }
  }

  func contains(_ container: Value, _ item: Value) throws -> Bool {
    switch container {
    case .string(let text), .safe(let text):
      guard let part = item.plainText else { throw JinjaFault("'in' a text needs a text, not \(item.kind)") }
      return Text.find(part, in: text) != nil
    case .dict(let mapping): return mapping[item] != nil
    case .undefined: return false
    default: return try elements(of: container).contains { $0.equals(item) }
    }
  }

  /// The items that a `for` over a value sees.
  func elements(of value: Value) throws -> [Value] {
    switch value {
    case .list(let elements), .tuple(let elements): return elements
    case .dict(let mapping): return mapping.entries.map(\.key)
    case .string(let text), .safe(let text): return text.unicodeScalars.map { .string(String($0)) }
    case .undefined: return []
    default: throw JinjaFault("\(value.kind) cannot be iterated over")
    }
  }

  // MARK: Calls

  func arguments(_ name: String, _ call: CallArguments) throws -> Arguments {
    // `default`'s fallback and a test's operand may be undefined only where the options allow it.
    Arguments(
      function: name, positional: try call.positional.map { try evaluate($0) },
      named: try call.named.map { ($0.name, try evaluate($0.value)) }, autoescape: options.autoescape)
  }

  private func call(_ callee: Expression, _ call: CallArguments) throws -> Value {
    switch callee.kind {
    case .name("super"):
      guard let block = blockStack.last else { throw JinjaFault("super() is only there in a block") }
      return markup(try capture { try runBlock(block.name, level: block.level + 1, scoped: false, callee.place) })
    case .attribute(let base, let name):
      if case .name("self") = base.kind, blocks[name] != nil {
        return markup(try capture { try runBlock(name, level: 0, scoped: false, callee.place) })
      }
      let value = try evaluate(base)
      let arguments = try arguments(name, call)
      if case .loop(let id) = value, id < loops.count, let result = try callLoop(id, name, arguments) { return result }
      if let result = try Methods.call(name, on: value, arguments, self) { return result }
      return try invoke(try attribute(name, of: value), name, arguments)
    case .name(let name):
      if name == "namespace", scope.find(name) == nil { return try makeNamespace(try arguments(name, call)) }
      return try invoke(try evaluate(callee), name, try arguments(name, call))
    default: return try invoke(try evaluate(callee), "this", try arguments("this", call))
    }
  }

  private func invoke(_ value: Value, _ name: String, _ arguments: Arguments) throws -> Value {
    switch value {
    case .function(let function): return try function.body(arguments)
    case .macro(let id): return try callMacro(id, arguments)
    case .undefined(let message): throw JinjaFault(message)
    default: throw JinjaFault("'\(name)' is \(value.kind), which cannot be called")
    }
  }

  private func makeNamespace(_ arguments: Arguments) throws -> Value {
    var mapping = Mapping()
    for value in arguments.positional {
      guard case .dict(let given) = value else { throw JinjaFault("namespace() takes names and values") }
      for entry in given.entries { mapping[entry.key] = entry.value }
    }
    for (name, value) in arguments.named { mapping[name] = value }
    namespaces.append(mapping)
    return .namespace(namespaces.count - 1)
  }

  private func callLoop(_ id: Int, _ name: String, _ arguments: Arguments) throws -> Value? {
    switch name {
    case "cycle":
      guard !arguments.positional.isEmpty else { throw JinjaFault("loop.cycle() needs items") }
      return arguments.positional[loops[id].index % arguments.positional.count]
    case "changed":
      let values = arguments.positional
      let isSame = loops[id].changed.map { old in
        old.count == values.count && zip(old, values).allSatisfy { $0.equals($1) }
      }
      loops[id].changed = values
      return .bool(!(isSame ?? false))
    default: return nil
    }
  }
}
