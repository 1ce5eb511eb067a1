import Formats

/// A value of the template language: Python's data model as far as templates see it.
///
/// Values are immutable. Strings are compared, measured and cut by Unicode scalars, as Python does, never by Swift's
/// characters (which would make one of "\r\n" and merge canonically equal texts).
public enum Value: Sendable {
  /// A name, attribute or element that is not there; carries what a message says about it.
  case undefined(String)
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  /// Markup: text that is HTML already and is not escaped again.
  case safe(String)
  case list([Value])
  case tuple([Value])
  case dict(Mapping)
  case function(HostFunction)
  /// A macro, namespace or loop of the rendering under way, by its number there.
  case macro(Int)
  case namespace(Int)
  case loop(Int)
}

/// Key-value pairs in their order; keys are compared as Python compares them.
public struct Mapping: Sendable {
  public var entries: [(key: Value, value: Value)]

  public init(_ entries: [(key: Value, value: Value)] = []) { self.entries = entries }

  public subscript(key: Value) -> Value? {
    get { entries.first { $0.key.equals(key) }?.value }
    set {
      let place = entries.firstIndex { $0.key.equals(key) }
      switch (place, newValue) {
      case (let place?, let value?): entries[place].value = value
      case (let place?, nil): entries.remove(at: place)
      case (nil, let value?): entries.append((key, value))
      case (nil, nil): break
      }
    }
  }

  public subscript(key: String) -> Value? {
    get {
      for entry in entries {
        if let name = entry.key.plainText, name.utf8.elementsEqual(key.utf8) { return entry.value }
      }
      return nil
    }
    set { self[.string(key)] = newValue }
  }
}

/// A function or filter of the host program.
public struct HostFunction: Sendable {
  public let name: String
  let body: @Sendable (Arguments) throws -> Value

  /// - Parameter body: gets the arguments (for a filter, the filtered value is the first positional one). What it throws
  ///   becomes a ``JinjaError`` at the place of the call.
  public init(_ name: String, _ body: @escaping @Sendable (Arguments) throws -> Value) {
    self.name = name
    self.body = body
  }
}

/// The arguments of a call, read by place or by name.
public struct Arguments: Sendable {
  public let function: String
  public let positional: [Value]
  public let named: [(name: String, value: Value)]
  /// Whether the template escapes what it prints: a host function may then answer with ``Value/safe(_:)``.
  public let autoescape: Bool

  public init(
    function: String, positional: [Value] = [], named: [(name: String, value: Value)] = [], autoescape: Bool = false
  ) {
    self.function = function
    self.positional = positional
    self.named = named
    self.autoescape = autoescape
  }

  /// An argument by place or by name, nil where it was not given.
  public func optional(_ index: Int, _ name: String) -> Value? {
    if positional.indices.contains(index) { return positional[index] }
    return named.first { $0.name == name }?.value
  }

  public func required(_ index: Int, _ name: String) throws -> Value {
    guard let value = optional(index, name) else { throw JinjaFault("\(function)() needs the argument '\(name)'") }
    return value
  }

  /// A text argument; safe text counts as text.
  public func text(_ index: Int, _ name: String) throws -> String {
    let value = try required(index, name)
    guard let text = value.plainText else {
      throw JinjaFault("\(function)(): '\(name)' must be a text, it is \(value.kind)")
    }
    return text
  }

  public func integer(_ index: Int, _ name: String, default fallback: Int) throws -> Int {
    guard let value = optional(index, name) else { return fallback }
    guard let number = value.wholeNumber else {
      throw JinjaFault("\(function)(): '\(name)' must be a whole number, it is \(value.kind)")
    }
    return number
  }

  public func flag(_ index: Int, _ name: String, default fallback: Bool) -> Bool {
    optional(index, name)?.isTrue() ?? fallback
  }

  /// Fails on an argument that the function does not know: a misspelt name must not be passed over.
  public func allow(_ names: String..., positional most: Int) throws {
    if positional.count > most { throw JinjaFault("\(function)() takes at most \(most) arguments") }
    for argument in named where !names.contains(argument.name) {
      throw JinjaFault("\(function)() knows no argument '\(argument.name)'")
    }
  }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .int(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = .float(value) }
  public init(arrayLiteral elements: Value...) { self = .list(elements) }
  public init(nilLiteral: ()) { self = .none }
  public init(dictionaryLiteral elements: (String, Value)...) {
    self = .dict(Mapping(elements.map { (.string($0.0), $0.1) }))
  }

  /// A JSON value as Python's `json.loads` reads it: whole numbers stay whole.
  public init(_ json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .number(let number): self = number.integer.map { .int($0) } ?? .float(number.double)
    case .string(let text): self = .string(text)
    case .array(let elements): self = .list(elements.map { Value($0) })
    case .object(let object): self = .dict(Mapping(object.entries.map { (.string($0.key), Value($0.value)) }))
    }
  }
}

extension Value {
  /// The text of a text value, safe or not.
  public var plainText: String? {
    switch self {
    case .string(let text), .safe(let text): text
    default: nil
    }
  }

  /// A number that Python would take as an index: an int or a bool.
  public var wholeNumber: Int? {
    switch self {
    case .int(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  public var number: Double? {
    switch self {
    case .float(let value): value
    default: wholeNumber.map(Double.init)
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }
  var isNone: Bool { if case .none = self { true } else { false } }
  var isSafe: Bool { if case .safe = self { true } else { false } }

  /// What kind of value this is, in Python's words, for messages.
  public var kind: String {
    switch self {
    case .undefined: "undefined"
    case .none: "none"
    case .bool: "a bool"
    case .int: "an int"
    case .float: "a float"
    case .string, .safe: "a text"
    case .list: "a list"
    case .tuple: "a tuple"
    case .dict: "a dict"
    case .function: "a function"
    case .macro: "a macro"
    case .namespace: "a namespace"
    case .loop: "a loop"
    }
  }

  /// Python's truth of a value.
  public func isTrue() -> Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .int(let value): value != 0
    case .float(let value): value != 0
    case .string(let text), .safe(let text): !text.isEmpty
    case .list(let elements), .tuple(let elements): !elements.isEmpty
    case .dict(let mapping): !mapping.entries.isEmpty
    case .function, .macro, .namespace, .loop: true
    }
  }
}
