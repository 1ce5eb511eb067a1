/// The built-in filters on lists and dicts.
extension Interpreter {
  func sequenceFilter(_ name: String, _ value: Value, _ arguments: Arguments) throws -> Value? {
    switch name {
    case "length", "count": return .int(try length(value))
    case "first":
      return try elements(of: value).first ?? .undefined("'first' of an empty sequence")
    case "last":
      return try elements(of: value).last ?? .undefined("'last' of an empty sequence")
    case "list": return .list(try elements(of: value))
    case "reverse":
      guard let text = value.plainText else { return .list(try elements(of: value).reversed()) }
      return .string(Text.string(text.unicodeScalars.reversed()))
    case "join": return try joined(value, arguments)
    case "items":
      if value.isUndefined { return .list([]) }
      guard case .dict(let mapping) = value else { throw JinjaFault("items needs a dict, not \(value.kind)") }
      return .list(mapping.entries.map { .tuple([$0.key, $0.value]) })
    case "dictsort": return try dictsorted(value, arguments)
    case "sort": return try sorted(value, arguments)
    case "unique": return try unique(value, arguments)
    case "min", "max": return try extreme(name, value, arguments)
    case "sum":
      let attribute = arguments.optional(0, "attribute")
      var total = arguments.optional(1, "start") ?? .int(0)
      for item in try elements(of: value) {
        total = try Arithmetic.apply("+", total, try picked(attribute, item), limit: options.maximumOutput)
      }
      return total
    case "attr": return try attribute(try arguments.text(0, "name"), of: value)
    case "map": return .list(try mapped(value, arguments))
    case "select", "reject", "selectattr", "rejectattr": return .list(try selected(name, value, arguments))
    default: return nil
    }
  }

  private func length(_ value: Value) throws -> Int {
    switch value {
    case .string(let text), .safe(let text): return text.unicodeScalars.count
    case .list, .tuple, .dict, .undefined: return try elements(of: value).count
    default: throw JinjaFault("\(value.kind) has no length")
    }
  }

  /// The part of an item that an attribute path such as `a.b.0` leads to; the item itself without one.
  private func picked(_ path: Value?, _ item: Value, fallback: Value? = nil) throws -> Value {
    guard let path, !path.isNone else { return item }
    if path.wholeNumber != nil { return try element(path, of: item) }
    var here = item
    for part in Text.split(path.printed(), by: ".") {
      here = try element(Int(part).map { .int($0) } ?? .string(part), of: here)
      if here.isUndefined, let fallback { return fallback }
    }
    if case .undefined(let message) = here, options.strictUndefined { throw JinjaFault(message) }
    return here
  }

  private func joined(_ value: Value, _ arguments: Arguments) throws -> Value {
    let separator = arguments.optional(0, "d") ?? .string("")
    let attribute = arguments.optional(1, "attribute")
    let items = try elements(of: value).map { try picked(attribute, $0) }
    guard options.autoescape, separator.isSafe || items.contains(where: \.isSafe) else {
      return .string(items.map { $0.printed() }.joined(separator: separator.printed()))
    }
    return .safe(items.map { escaped($0) }.joined(separator: escaped(separator)))
  }

  /// Texts sort and compare without regard to case unless asked for.
  private func folded(_ value: Value, caseSensitive: Bool) -> Value {
    guard !caseSensitive, let text = value.plainText else { return value }
    return .string(text.lowercased())
  }

  private func dictsorted(_ value: Value, _ arguments: Arguments) throws -> Value {
    guard case .dict(let mapping) = value else { throw JinjaFault("dictsort needs a dict, not \(value.kind)") }
    let caseSensitive = arguments.flag(0, "case_sensitive", default: false)
    let byValue = arguments.optional(1, "by")?.printed() == "value"
    let reverse = arguments.flag(2, "reverse", default: false)
    let keyed = mapping.entries.map {
      (key: folded(byValue ? $0.value : $0.key, caseSensitive: caseSensitive), item: Value.tuple([$0.key, $0.value]))
    }
    return .list(try ordered(keyed, reverse: reverse))
  }

  private func ordered(_ keyed: [(key: Value, item: Value)], reverse: Bool) throws -> [Value] {
    try Sorting.sorted(keyed) { reverse ? try $1.key.isLess(than: $0.key) : try $0.key.isLess(than: $1.key) }
      .map(\.item)
  }

  private func sorted(_ value: Value, _ arguments: Arguments) throws -> Value {
    let reverse = arguments.flag(0, "reverse", default: false)
    let caseSensitive = arguments.flag(1, "case_sensitive", default: false)
    let paths = arguments.optional(2, "attribute").map { Text.split($0.printed(), by: ",") } ?? []
    let keyed = try elements(of: value).map { item in
      let parts = try paths.map { folded(try picked(.string($0), item), caseSensitive: caseSensitive) }
      let key = paths.isEmpty ? folded(item, caseSensitive: caseSensitive) : parts.count == 1 ? parts[0] : .list(parts)
      return (key: key, item: item)
    }
    return .list(try ordered(keyed, reverse: reverse))
  }

  private func unique(_ value: Value, _ arguments: Arguments) throws -> Value {
    let caseSensitive = arguments.flag(0, "case_sensitive", default: false)
    let attribute = arguments.optional(1, "attribute")
    var seen: [Value] = []
    return .list(
      try elements(of: value).filter { item in
        let key = folded(try picked(attribute, item), caseSensitive: caseSensitive)
        if seen.contains(where: { $0.equals(key) }) { return false }
        seen.append(key)
        return true
      })
  }

  private func extreme(_ name: String, _ value: Value, _ arguments: Arguments) throws -> Value {
    let caseSensitive = arguments.flag(0, "case_sensitive", default: false)
    let attribute = arguments.optional(1, "attribute")
    var best: (key: Value, item: Value)?
    for item in try elements(of: value) {
      let key = folded(try picked(attribute, item), caseSensitive: caseSensitive)
      guard let current = best else {
        best = (key, item)
        continue
      }
      if try name == "min" ? key.isLess(than: current.key) : current.key.isLess(than: key) { best = (key, item) }
    }
    return best?.item ?? .undefined("'\(name)' of an empty sequence")
  }

  private func mapped(_ value: Value, _ arguments: Arguments) throws -> [Value] {
    let items = try elements(of: value)
    if let attribute = arguments.named.first(where: { $0.name == "attribute" })?.value {
      let fallback = arguments.named.first { $0.name == "default" }?.value
      return try items.map { try picked(attribute, $0, fallback: fallback) }
    }
    let filter = try arguments.text(0, "filter")
    let rest = Arguments(
      function: filter, positional: Array(arguments.positional.dropFirst()), named: arguments.named,
      autoescape: options.autoescape)
    return try items.map { try applyFilter(filter, $0, rest) }
  }

  private func selected(_ name: String, _ value: Value, _ arguments: Arguments) throws -> [Value] {
    let byAttribute = name.hasSuffix("attr")
    let attribute: Value? = byAttribute ? try arguments.required(0, "attribute") : nil
    var rest = arguments.positional.dropFirst(byAttribute ? 1 : 0)
    let test = rest.popFirst()?.printed()
    let wanted = name.hasPrefix("select")
    let operands = Arguments(function: test ?? name, positional: Array(rest), autoescape: options.autoescape)
    return try elements(of: value).filter { item in
      // `selectattr("x", "defined")` may ask for what is not there, even where that is an error otherwise.
      var part = item
      if let attribute { part = try picked(attribute, item, fallback: .undefined("")) }
      let holds = try test.map { try applyTest($0, part, operands) } ?? part.isTrue()
      return holds == wanted
    }
  }
}
