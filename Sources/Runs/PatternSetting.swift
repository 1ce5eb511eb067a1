import Formats

/// A mapping of module patterns to values, in the order it was written: PEFT's `rank_pattern` and `alpha_pattern`.
public struct PatternSetting<Value: SettingValue & Sendable & Equatable>: SettingValue, Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    public var pattern: String
    public var value: Value
  }

  public var entries: [Entry]

  public init(_ entries: [Entry] = []) { self.entries = entries }

  public static var expectation: String { "a mapping of layer names of which each value is \(Value.expectation)" }

  public init?(setting node: YAMLNode) {
    entries = []
    if node.isNull { return }
    guard let given = node.mapping else { return nil }
    for entry in given {
      guard let pattern = entry.key.string, let value = Value(setting: entry.value) else { return nil }
      entries.append(Entry(pattern: pattern, value: value))
    }
  }

  public var settingNode: YAMLNode { .mapping(entries.map { ($0.pattern, $0.value.settingNode) }) }
}
