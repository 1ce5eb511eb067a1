/// One JSON value, as it stood in the text: the order of keys and the digits of numbers are kept.
///
/// Why not Foundation's: its dictionaries merge keys that are canonically equal (a composed and a decomposed "가" are two
/// entries of a vocabulary), it loses the recorded digits of a number, and its errors name no line.
public enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

/// A number with the digits it was written with.
public struct JSONNumber: Sendable, Equatable {
  public let text: String

  public init(_ value: Int) { text = String(value) }

  /// NaN and the infinities have no JSON number: use ``JSONValue/init(_:)-(Double)``, which makes them null.
  init(text: String) { self.text = text }

  public var double: Double { Double(text) ?? .nan }
  /// The number as an integer, when it is written as one and fits.
  public var integer: Int? { Int(text) }
}

/// Key-value pairs in their order; keys are compared by their UTF-8 bytes.
public struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  public struct Entry: Sendable, Equatable {
    public var key: String
    public var value: JSONValue
    public init(key: String, value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  public var entries: [Entry]

  public init(_ entries: [Entry] = []) { self.entries = entries }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    entries = elements.map { Entry(key: $0.0, value: $0.1) }
  }

  /// The value of a key, nil if absent; the last one where a key is repeated. Setting replaces or appends, nil removes.
  public subscript(key: String) -> JSONValue? {
    get { entries.last { $0.key.utf8.elementsEqual(key.utf8) }?.value }
    set {
      let place = entries.lastIndex { $0.key.utf8.elementsEqual(key.utf8) }
      switch (place, newValue) {
      case (let place?, let value?): entries[place].value = value
      case (let place?, nil): entries.remove(at: place)
      case (nil, let value?): entries.append(Entry(key: key, value: value))
      case (nil, nil): break
      }
    }
  }

  public var keys: [String] { entries.map(\.key) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByFloatLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = JSONValue(value) }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements.map { JSONObject.Entry(key: $0.0, value: $0.1) }))
  }

  public init(_ value: Int) { self = .number(JSONNumber(value)) }
  /// The shortest digits that read back as the same number; NaN and the infinities become null.
  public init(_ value: Double) { self = value.isFinite ? .number(JSONNumber(text: "\(value)")) : .null }
  public init(_ value: String) { self = .string(value) }
  public init(_ value: Bool) { self = .bool(value) }
}

extension JSONValue {
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var double: Double? { if case .number(let value) = self { value.double } else { nil } }
  public var integer: Int? { if case .number(let value) = self { value.integer } else { nil } }
  public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
  public var isNull: Bool { self == .null }

  /// A member of an object; nil for other kinds of value.
  public subscript(key: String) -> JSONValue? { object?[key] }
  /// An element of an array; nil for other kinds of value and beyond the end.
  public subscript(index: Int) -> JSONValue? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// What kind of value this is, in words for an error message.
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true/false"
    case .number: "a number"
    case .string: "a text"
    case .array: "a list"
    case .object: "an object"
    }
  }

  /// The value a JSON Pointer (RFC 6901) leads to, nil where it leads nowhere.
  public func value(at pointer: String) -> JSONValue? {
    if pointer.isEmpty { return self }
    guard pointer.hasPrefix("/") else { return nil }
    var here = self
    for part in pointer.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
      let token = JSONPointer.key(part)
      switch here {
      case .object(let object):
        guard let next = object[token] else { return nil }
        here = next
      case .array(let elements):
        guard let index = Int(token), String(index) == token, elements.indices.contains(index) else { return nil }
        here = elements[index]
      default: return nil
      }
    }
    return here
  }
}

/// The parts of a JSON Pointer (RFC 6901), in which "~" and "/" of a key stand for themselves.
public enum JSONPointer {
  /// A key as a part: "a/b" is "a~1b".
  public static func part(_ key: String) -> String { key.replacing("~", with: "~0").replacing("/", with: "~1") }

  /// The key that a part means.
  public static func key(_ part: some StringProtocol) -> String {
    String(part).replacing("~1", with: "/").replacing("~0", with: "~")
  }
}
