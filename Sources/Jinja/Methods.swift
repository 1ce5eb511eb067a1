/// The methods of Python's str, dict and list that templates call.
enum Methods {
  /// nil where values of this kind have no such method.
  static func call(_ name: String, on value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Value?
  {
    switch value {
    case .string(let text): return try onText(name, text, arguments, interpreter)
    case .safe(let text): return try onSafeText(name, text, arguments, interpreter)
    case .dict(let mapping): return try onDict(name, mapping, arguments)
    case .list(let elements), .tuple(let elements): return try onList(name, elements, arguments)
    default: return nil
    }
  }

  /// Methods of markup give markup; what they put into it is escaped first.
  private static func onSafeText(
    _ name: String, _ text: String, _ arguments: Arguments, _ interpreter: Interpreter
  ) throws -> Value? {
    let escaped = Arguments(
      function: arguments.function,
      positional: arguments.positional.map { value in
        if case .string(let text) = value { return .string(Value.escaped(text)) }
        return value
      }, named: arguments.named, autoescape: arguments.autoescape)
    let result = try onText(name, text, escaped, interpreter)
    switch result {
    case .string(let text): return .safe(text)
    case .list(let parts): return .list(parts.map { part in part.plainText.map { .safe($0) } ?? part })
    default: return result
    }
  }

  private static func onText(
    _ name: String, _ text: String, _ arguments: Arguments, _ interpreter: Interpreter
  ) throws -> Value? {
    func characters() throws -> String? {
      guard let value = arguments.optional(0, "chars"), !value.isNone else { return nil }
      return try arguments.text(0, "chars")
    }
    switch name {
    case "strip": return .string(Text.strip(text, try characters()))
    case "lstrip": return .string(Text.strip(text, try characters(), right: false))
    case "rstrip": return .string(Text.strip(text, try characters(), left: false))
    case "upper": return .string(text.uppercased())
    case "lower": return .string(text.lowercased())
    case "title": return .string(Text.titled(text))
    case "capitalize": return .string(Text.capitalized(text))
    case "startswith": return .bool(try anyOf(arguments, "prefix") { Text.starts(text, with: $0) })
    case "endswith": return .bool(try anyOf(arguments, "suffix") { Text.ends(text, with: $0) })
    case "removeprefix":
      let part = try arguments.text(0, "prefix")
      return .string(Text.starts(text, with: part) ? String(text.utf8.dropFirst(part.utf8.count)) ?? text : text)
    case "removesuffix":
      let part = try arguments.text(0, "suffix")
      return .string(Text.ends(text, with: part) ? String(text.utf8.dropLast(part.utf8.count)) ?? text : text)
    case "replace":
      let count = try arguments.integer(2, "count", default: -1)
      return .string(Text.replace(text, try arguments.text(0, "old"), try arguments.text(1, "new"), count: count))
    case "split", "rsplit": return try split(name, text, arguments)
    case "splitlines": return .list(Text.lines(text).map { .string($0) })
    case "find": return .int(Text.find(try arguments.text(0, "sub"), in: text) ?? -1)
    case "count":
      let part = try arguments.text(0, "sub")
      return .int(part.isEmpty ? text.unicodeScalars.count + 1 : Text.split(text, by: part).count - 1)
    case "join":
      let parts = try interpreter.elements(of: try arguments.required(0, "iterable")).map { part in
        guard let text = part.plainText else { throw JinjaFault("join() needs texts, not \(part.kind)") }
        return text
      }
      return .string(parts.joined(separator: text))
    case "isdigit":
      return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.numericType == .decimal })
    case "isalpha": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.isAlphabetic })
    case "isspace": return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy(Value.isSpace))
    default: return nil
    }
  }

  private static func anyOf(_ arguments: Arguments, _ name: String, _ holds: (String) -> Bool) throws -> Bool {
    if case .tuple(let parts) = try arguments.required(0, name) {
      return parts.contains { $0.plainText.map(holds) ?? false }
    }
    return holds(try arguments.text(0, name))
  }

  private static func split(_ name: String, _ text: String, _ arguments: Arguments) throws -> Value {
    let most = try arguments.integer(1, "maxsplit", default: -1)
    let separator = arguments.optional(0, "sep") ?? Value.none
    if case Value.none = separator {
      guard name == "split" || most < 0 else { throw JinjaFault("rsplit() with a limit needs a separator") }
      return .list(Text.splitAtSpace(text, most: most).map { .string($0) })
    }
    guard let by = separator.plainText, !by.isEmpty else {
      throw JinjaFault("\(name)() needs a separator that is a text")
    }
    let parts = name == "split" ? Text.split(text, by: by, most: most) : Text.splitFromRight(text, by: by, most: most)
    return .list(parts.map { .string($0) })
  }

  private static func onDict(_ name: String, _ mapping: Mapping, _ arguments: Arguments) throws -> Value? {
    switch name {
    case "items": return .list(mapping.entries.map { .tuple([$0.key, $0.value]) })
    case "keys": return .list(mapping.entries.map(\.key))
    case "values": return .list(mapping.entries.map(\.value))
    case "get": return mapping[try arguments.required(0, "key")] ?? arguments.optional(1, "default") ?? Value.none
    case "copy": return .dict(mapping)
    default: return nil
    }
  }

  private static func onList(_ name: String, _ elements: [Value], _ arguments: Arguments) throws -> Value? {
    switch name {
    case "index":
      let wanted = try arguments.required(0, "value")
      guard let place = elements.firstIndex(where: { $0.equals(wanted) }) else {
        throw JinjaFault("index(): \(wanted.represented()) is not in the list")
      }
      return .int(place)
    case "count":
      let wanted = try arguments.required(0, "value")
      return .int(elements.count { $0.equals(wanted) })
    default: return nil
    }
  }
}
