import Foundation

/// The built-in filters on texts, numbers and single values; those on sequences are in `FiltersSequences.swift`.
extension Interpreter {
  func applyFilter(_ name: String, _ value: Value, _ arguments: Arguments) throws -> Value {
    if let filter = environment.filters[name] {
      return try filter.body(
        Arguments(
          function: name, positional: [value] + arguments.positional, named: arguments.named,
          autoescape: options.autoescape))
    }
    if let result = try textFilter(name, value, arguments) { return result }
    if let result = try numberFilter(name, value, arguments) { return result }
    if let result = try sequenceFilter(name, value, arguments) { return result }
    throw JinjaFault("there is no filter '\(name)'")
  }

  func isFilter(_ name: String) -> Bool { environment.filters[name] != nil || Self.filterNames.contains(name) }

  static let filterNames: Set<String> = [
    "abs", "attr", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "forceescape",
    "format", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject",
    "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string", "sum", "title",
    "tojson", "trim", "unique", "upper", "urlencode", "wordcount",
  ]

  private func textFilter(_ name: String, _ value: Value, _ arguments: Arguments) throws -> Value? {
    /// The same kind of text, safe or not, that the value was.
    func kept(_ text: String) -> Value { value.isSafe ? .safe(text) : .string(text) }
    switch name {
    case "upper": return kept(value.printed().uppercased())
    case "lower": return kept(value.printed().lowercased())
    case "capitalize": return kept(Text.capitalized(value.printed()))
    case "title": return .string(titleWords(value.printed()))
    case "trim":
      let characters = arguments.optional(0, "chars")
      return kept(Text.strip(value.printed(), characters.flatMap { $0.isNone ? nil : $0.printed() }))
    case "replace": return try replaced(value, arguments)
    case "string": return value.isSafe ? value : .string(value.printed())
    case "escape", "e": return value.isSafe ? value : .safe(Value.escaped(value.printed()))
    case "forceescape": return .safe(Value.escaped(value.printed()))
    case "safe": return .safe(value.printed())
    case "indent": return kept(try indented(value.printed(), arguments))
    case "urlencode":
      if case .dict(let mapping) = value { return .string(query(mapping.entries)) }
      return .string(Text.percentEncoded(value.printed(), forQuery: false))
    case "tojson": return try json(value, arguments)
    case "wordcount":
      let isWord = { (scalar: Unicode.Scalar) in scalar == "_" || scalar.properties.isXIDContinue }
      return .int(value.printed().unicodeScalars.split { !isWord($0) }.count)
    case "format":
      let text = try Text.format(value.printed(), arguments.positional)
      return kept(text)
    default: return nil
    }
  }

  /// Jinja's `title` starts a word after whitespace, a hyphen or an opening bracket, unlike Python's.
  private func titleWords(_ text: String) -> String {
    var out = ""
    var atStart = true
    for scalar in text.unicodeScalars {
      out += atStart ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
      atStart = Value.isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar)
    }
    return out
  }

  private func replaced(_ value: Value, _ arguments: Arguments) throws -> Value {
    let old = try arguments.required(0, "old")
    let new = try arguments.required(1, "new")
    let count = try arguments.optional(2, "count").map {
      $0.isNone ? -1 : try arguments.integer(2, "count", default: -1)
    }
    guard options.autoescape else {
      return .string(Text.replace(value.printed(), old.printed(), new.printed(), count: count ?? -1))
    }
    if value.isSafe || old.isSafe || new.isSafe {
      return .safe(Text.replace(escaped(value), escaped(old), escaped(new), count: count ?? -1))
    }
    return .string(Text.replace(value.printed(), old.printed(), new.printed(), count: count ?? -1))
  }

  private func indented(_ text: String, _ arguments: Arguments) throws -> String {
    let width = arguments.optional(0, "width") ?? .int(4)
    guard width.plainText != nil || (0...1000).contains(width.wholeNumber ?? -1) else {
      throw JinjaFault("indent() needs a width from 0 to 1000 or a text")
    }
    let pad = width.plainText ?? String(repeating: " ", count: width.wholeNumber ?? 4)
    let first = arguments.flag(1, "first", default: false)
    let blank = arguments.flag(2, "blank", default: false)
    let lines = Text.lines(text + "\n")
    let rest = lines.dropFirst().map { $0.isEmpty && !blank ? $0 : pad + $0 }
    return (first ? pad : "") + ([lines.first ?? ""] + rest).joined(separator: "\n")
  }

  private func query(_ entries: [(key: Value, value: Value)]) -> String {
    entries.map { entry in
      Text.percentEncoded(entry.key.printed(), forQuery: true) + "="
        + Text.percentEncoded(entry.value.printed(), forQuery: true)
    }.joined(separator: "&")
  }

  private func json(_ value: Value, _ arguments: Arguments) throws -> Value {
    let isChat = options.json == .chat
    let indent = isChat ? arguments.named.first { $0.name == "indent" }?.value : arguments.optional(0, "indent")
    let columns = indent.flatMap { $0.isNone ? nil : $0.wholeNumber }
    if let columns, !(0...100).contains(columns) { throw JinjaFault("tojson: 'indent' must be from 0 to 100") }
    func flag(_ name: String, _ fallback: Bool) -> Bool {
      isChat ? arguments.named.first { $0.name == name }?.value.isTrue() ?? fallback : fallback
    }
    var printer = JSONPrinter(
      ascii: flag("ensure_ascii", !isChat), sorted: flag("sort_keys", !isChat), htmlSafe: !isChat, indent: columns,
      itemSeparator: columns == nil ? ", " : ",")
    if isChat, case .tuple(let separators)? = arguments.named.first(where: { $0.name == "separators" })?.value,
      separators.count == 2
    {
      printer.itemSeparator = separators[0].printed()
      printer.keySeparator = separators[1].printed()
    }
    let text = try printer.text(value)
    return isChat ? .string(text) : .safe(text)
  }

  // MARK: Numbers and defaults

  private func numberFilter(_ name: String, _ value: Value, _ arguments: Arguments) throws -> Value? {
    switch name {
    case "default", "d":
      let fallback = arguments.optional(0, "default_value") ?? .string("")
      let falsy = arguments.flag(1, "boolean", default: false)
      return value.isUndefined || (falsy && !value.isTrue()) ? fallback : value
    case "abs":
      if let whole = value.wholeNumber, whole != .min { return .int(abs(whole)) }
      guard let number = value.number else { throw JinjaFault("abs needs a number, not \(value.kind)") }
      return .float(abs(number))
    case "int": return integer(value, arguments)
    case "float":
      if let number = value.number { return .float(number) }
      let text = Text.strip(value.printed(), nil)
      return Double(text).map { .float($0) } ?? arguments.optional(0, "default") ?? .float(0)
    case "round": return try rounded(value, arguments)
    default: return nil
    }
  }

  private func integer(_ value: Value, _ arguments: Arguments) -> Value {
    let fallback = arguments.optional(0, "default") ?? .int(0)
    if let whole = value.wholeNumber { return .int(whole) }
    guard let text = value.plainText else {
      guard case .float(let number) = value, let whole = Int(exactly: number.rounded(.towardZero)) else {
        return fallback
      }
      return .int(whole)
    }
    let trimmed = Text.strip(text, nil)
    let base = arguments.optional(1, "base")?.wholeNumber ?? 10
    if (2...36).contains(base), let whole = Int(trimmed, radix: base) { return .int(whole) }
    guard let number = Double(trimmed), let whole = Int(exactly: number.rounded(.towardZero)) else { return fallback }
    return .int(whole)
  }

  private func rounded(_ value: Value, _ arguments: Arguments) throws -> Value {
    guard let number = value.number else { throw JinjaFault("round needs a number, not \(value.kind)") }
    let precision = try arguments.integer(0, "precision", default: 0)
    guard (-300...300).contains(precision) else { throw JinjaFault("round: the precision is out of range") }
    let method = arguments.optional(1, "method")?.printed() ?? "common"
    switch method {
    case "common":
      if value.wholeNumber != nil && precision >= 0 { return value }
      if precision > 17 || !number.isFinite { return value }
      if precision < 0 {
        let scale = pow(10, Double(-precision))
        let result = (number / scale).rounded(.toNearestOrEven) * scale
        return value.wholeNumber == nil ? .float(result) : Int(exactly: result).map { .int($0) } ?? value
      }
      // Correctly rounded from the exact binary value, as Python's round is.
      return .float(Double(String(format: "%.\(precision)f", number)) ?? number)
    case "ceil", "floor":
      let scale = pow(10, Double(precision))
      return .float((number * scale).rounded(method == "ceil" ? .up : .down) / scale)
    default: throw JinjaFault("round: the method must be common, ceil or floor")
    }
  }
}

extension Character {
  var isCased: Bool { unicodeScalars.contains { $0.properties.isCased } }
}
