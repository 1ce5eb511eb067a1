import Foundation

/// A YAML value with the place it stood at, so that every complaint can name a line.
public struct YAMLNode: Sendable, Equatable {
  public indirect enum Content: Sendable, Equatable {
    /// `quoted` scalars are always text.
    case scalar(String, quoted: Bool)
    case sequence([YAMLNode])
    case mapping([Entry])
  }

  public struct Entry: Sendable, Equatable {
    public var key: YAMLNode
    public var value: YAMLNode
    public init(key: YAMLNode, value: YAMLNode) {
      self.key = key
      self.value = value
    }
  }

  public var content: Content
  /// One-based; 0 for a node that was made, not read.
  public var line: Int
  public var column: Int

  public init(_ content: Content, line: Int = 0, column: Int = 0) {
    self.content = content
    self.line = line
    self.column = column
  }

  public static func text(_ value: String) -> YAMLNode { YAMLNode(.scalar(value, quoted: true)) }
  public static func plain(_ value: String) -> YAMLNode { YAMLNode(.scalar(value, quoted: false)) }
  public static func mapping(_ entries: [(String, YAMLNode)]) -> YAMLNode {
    YAMLNode(.mapping(entries.map { Entry(key: .text($0.0), value: $0.1) }))
  }
}

extension YAMLNode {
  /// The scalar's text, whatever it looks like; nil for null and for lists and mappings.
  public var string: String? {
    guard case .scalar(let text, let quoted) = content, quoted || !isNull else { return nil }
    return text
  }

  /// null, Null, NULL, ~ or nothing at all.
  public var isNull: Bool {
    guard case .scalar(let text, quoted: false) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// true or false (YAML 1.2: yes, no, on and off are texts).
  public var bool: Bool? {
    guard case .scalar(let text, quoted: false) = content else { return nil }
    switch text {
    case "true", "True", "TRUE": return true
    case "false", "False", "FALSE": return false
    default: return nil
    }
  }

  public var integer: Int? {
    guard case .scalar(let text, quoted: false) = content else { return nil }
    return Int(text.replacing("_", with: ""))
  }

  /// A number; `2e-4`, which YAML 1.1 readers take for text, is one.
  public var double: Double? {
    guard case .scalar(let text, quoted: false) = content, let first = text.utf8.first,
      first == UInt8(ascii: "-") || first == UInt8(ascii: "+") || first == UInt8(ascii: ".")
        || (0x30...0x39).contains(first),
      let value = Double(text.replacing("_", with: "")), value.isFinite
    else { return nil }
    return value
  }

  public var sequence: [YAMLNode]? { if case .sequence(let nodes) = content { nodes } else { nil } }
  public var mapping: [Entry]? { if case .mapping(let entries) = content { entries } else { nil } }

  /// The value of a key; nil if absent or if this is no mapping.
  public subscript(key: String) -> YAMLNode? { mapping?.first { $0.key.string == key }?.value }

  /// What kind of value this is, in words for an error message.
  public var kind: String {
    switch content {
    case .sequence: "a list"
    case .mapping: "a mapping"
    case .scalar(let text, _):
      isNull ? "nothing" : bool != nil ? "true/false" : double != nil ? "the number \(text)" : "the text \"\(text)\""
    }
  }

  /// The same value as JSON: numbers, true/false and null by YAML 1.2's rules.
  public var json: JSONValue {
    switch content {
    case .sequence(let nodes): return .array(nodes.map(\.json))
    case .mapping(let entries):
      return .object(JSONObject(entries.map { .init(key: $0.key.string ?? "null", value: $0.value.json) }))
    case .scalar(let text, _):
      if isNull { return .null }
      if let bool { return .bool(bool) }
      if let integer { return JSONValue(integer) }
      if let double { return JSONValue(double) }
      return .string(text)
    }
  }
}

// MARK: - Writing

extension YAMLNode {
  /// The node as YAML text (block style, two-space indentation), with a line end.
  public func yaml() -> String {
    var out = ""
    write(into: &out, indent: 0, afterKey: false)
    return out
  }

  private func write(into out: inout String, indent: Int, afterKey: Bool) {
    let margin = String(repeating: "  ", count: indent)
    switch content {
    case .scalar(let text, let quoted):
      out += (afterKey ? " " : margin) + Self.scalarText(text, quoted: quoted) + "\n"
    case .sequence(let nodes):
      if nodes.isEmpty { return out += (afterKey ? " " : margin) + "[]\n" }
      if nodes.allSatisfy({ if case .scalar = $0.content { true } else { false } }) {
        let items = nodes.map { node -> String in
          guard case .scalar(let text, let quoted) = node.content else { return "" }
          return Self.scalarText(text, quoted: quoted)
        }
        return out += (afterKey ? " " : margin) + "[" + items.joined(separator: ", ") + "]\n"
      }
      if afterKey { out += "\n" }
      for node in nodes {
        out += margin + "-"
        node.write(into: &out, indent: indent + 1, afterKey: true)
      }
    case .mapping(let entries):
      if entries.isEmpty { return out += (afterKey ? " " : margin) + "{}\n" }
      if afterKey { out += "\n" }
      for entry in entries {
        out += margin + Self.scalarText(entry.key.string ?? "null", quoted: true) + ":"
        entry.value.write(into: &out, indent: indent + 1, afterKey: true)
      }
    }
  }

  /// A text without quotes where it stays that text when read again, else in double quotes.
  private static func scalarText(_ text: String, quoted: Bool) -> String {
    if !quoted { return text.isEmpty ? "null" : text }
    let node = YAMLNode.plain(text)
    let safe = text.unicodeScalars.allSatisfy { scalar in
      scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "_-./ ".unicodeScalars.contains(scalar)
    }
    let first = text.unicodeScalars.first
    if safe, let first, first.properties.isAlphabetic, !text.hasSuffix(" "), !node.isNull, node.bool == nil,
      node.double == nil
    {
      return text
    }
    return JSONValue.string(text).text()
  }
}
