import Formats

/// A value that can stand in an experiment file.
public protocol SettingValue {
  /// What the value has to be, in words for an error: "a whole number".
  static var expectation: String { get }
  /// Nil when the node is something else.
  init?(setting node: YAMLNode)
  var settingNode: YAMLNode { get }
}

extension Int: SettingValue {
  public static let expectation = "a whole number"
  public init?(setting node: YAMLNode) {
    guard let value = node.integer else { return nil }
    self = value
  }
  public var settingNode: YAMLNode { .plain(String(self)) }
}

extension Double: SettingValue {
  public static let expectation = "a number"
  public init?(setting node: YAMLNode) {
    guard let value = node.double else { return nil }
    self = value
  }
  public var settingNode: YAMLNode { .plain(self == rounded() && abs(self) < 1e15 ? String(Int(self)) : "\(self)") }
}

extension Bool: SettingValue {
  public static let expectation = "true or false"
  public init?(setting node: YAMLNode) {
    guard let value = node.bool else { return nil }
    self = value
  }
  public var settingNode: YAMLNode { .plain(self ? "true" : "false") }
}

extension String: SettingValue {
  public static let expectation = "a text"
  public init?(setting node: YAMLNode) {
    guard let value = node.string else { return nil }
    self = value
  }
  public var settingNode: YAMLNode { .text(self) }
}

extension Array: SettingValue where Element: SettingValue {
  public static var expectation: String { "a list of which each is \(Element.expectation)" }
  /// A single value is a list of one.
  public init?(setting node: YAMLNode) {
    var values: [Element] = []
    for item in node.sequence ?? [node] {
      guard let value = Element(setting: item) else { return nil }
      values.append(value)
    }
    self = values
  }
  public var settingNode: YAMLNode { YAMLNode(.sequence(map(\.settingNode))) }
}

extension Optional: SettingValue where Wrapped: SettingValue {
  public static var expectation: String { Wrapped.expectation }
  public init?(setting node: YAMLNode) {
    if node.isNull {
      self = nil
    } else {
      guard let value = Wrapped(setting: node) else { return nil }
      self = value
    }
  }
  public var settingNode: YAMLNode { self?.settingNode ?? .plain("null") }
}

extension SettingValue where Self: RawRepresentable & CaseIterable, RawValue == String {
  public static var expectation: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }
  public init?(setting node: YAMLNode) {
    guard let text = node.string, let value = Self(rawValue: text) else { return nil }
    self = value
  }
  public var settingNode: YAMLNode { .text(rawValue) }
}

/// A group of settings. One list of names serves for reading, for writing and for finding misspelt keys.
public protocol SettingsSection {
  mutating func bind(_ binder: inout SettingsBinder) throws
}

/// Reads settings from a mapping into a section's properties, or writes them out.
///
/// Any setting may be written as `{value: …, why: "…"}`; the reason is kept under the setting's path.
public struct SettingsBinder {
  private enum Mode { case reading, writing }

  private let mode: Mode
  private let file: String
  private let path: String
  private var given: [YAMLNode.Entry]
  private var known: [String] = []
  private var written: [(String, YAMLNode)] = []
  /// Setting path ("lora.r") → why it has this value.
  public private(set) var reasons: [String: String]

  private init(mode: Mode, file: String, path: String, given: [YAMLNode.Entry], reasons: [String: String]) {
    self.mode = mode
    self.file = file
    self.path = path
    self.given = given
    self.reasons = reasons
  }

  /// Fills `section` from `node`; a key that no property claims is an error that names the nearest one.
  static func read<Section: SettingsSection>(
    _ section: inout Section, from node: YAMLNode, file: String, path: String = "", reasons: inout [String: String]
  ) throws {
    guard let entries = node.mapping else {
      let name = path.isEmpty ? "an experiment" : "'\(path)'"
      throw FormatError(
        file: file, line: node.line, column: node.column,
        message: "\(name) must be a mapping of settings, not \(node.kind)")
    }
    var binder = SettingsBinder(mode: .reading, file: file, path: path, given: entries, reasons: reasons)
    try section.bind(&binder)
    reasons = binder.reasons
    for entry in binder.given {
      let key = entry.key.string ?? ""
      let nearest = Spelling.nearest(to: key, among: binder.known)
      let hint = nearest.map { "did you mean '\($0)'?" } ?? "known here: \(binder.known.joined(separator: ", "))"
      throw FormatError(
        file: file, line: entry.key.line, column: entry.key.column,
        message: "unknown setting '\(binder.full(key))'; \(hint)")
    }
  }

  static func write<Section: SettingsSection>(_ section: Section, path: String = "", reasons: [String: String]) throws
    -> YAMLNode
  {
    var copy = section
    var binder = SettingsBinder(mode: .writing, file: "", path: path, given: [], reasons: reasons)
    try copy.bind(&binder)
    return .mapping(binder.written)
  }

  private func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  private mutating func take(_ key: String) -> YAMLNode? {
    known.append(key)
    guard let index = given.firstIndex(where: { $0.key.string == key }) else { return nil }
    var node = given.remove(at: index).value
    if let entries = node.mapping, let inner = node["value"],
      entries.allSatisfy({ ["value", "why"].contains($0.key.string) })
    {
      if let why = node["why"]?.string { reasons[full(key)] = why }
      node = inner
    }
    return node
  }

  /// One setting. `check` returns what the value must be when it isn't acceptable: "at least 1".
  public mutating func bind<Value: SettingValue>(
    _ key: String, _ value: inout Value, check: (Value) -> String? = { _ in nil }
  ) throws {
    switch mode {
    case .writing:
      let node = value.settingNode
      written.append((key, reasons[full(key)].map { .mapping([("value", node), ("why", .text($0))]) } ?? node))
    case .reading:
      guard let node = take(key) else { return }
      guard let new = Value(setting: node) else {
        throw failure(key, node, "must be \(Value.expectation), not \(node.kind)")
      }
      if let wish = check(new) { throw failure(key, node, "must be \(wish), not \(node.kind)") }
      value = new
    }
  }

  /// A setting that may be null; `check` is asked of any other value.
  public mutating func bind<Value: SettingValue>(
    _ key: String, _ value: inout Value?, check: (Value) -> String?
  ) throws {
    try bind(key, &value) { (value: Value?) -> String? in value.flatMap(check) }
  }

  /// A group of settings one level down.
  public mutating func bind<Section: SettingsSection>(section key: String, _ section: inout Section) throws {
    switch mode {
    case .writing: written.append((key, try Self.write(section, path: full(key), reasons: reasons)))
    case .reading:
      known.append(key)
      guard let index = given.firstIndex(where: { $0.key.string == key }) else { return }
      let node = given.remove(at: index).value
      try Self.read(&section, from: node, file: file, path: full(key), reasons: &reasons)
    }
  }

  /// A group that may be left out, or switched off by the word `none`.
  public mutating func bind<Section: SettingsSection>(
    optionalSection key: String, _ section: inout Section?, empty: Section
  ) throws {
    switch mode {
    case .writing:
      if let section {
        written.append((key, try Self.write(section, path: full(key), reasons: reasons)))
      } else {
        written.append((key, .text("none")))
      }
    case .reading:
      known.append(key)
      guard let index = given.firstIndex(where: { $0.key.string == key }) else { return }
      let node = given[index].value
      if node.string == "none" || node.isNull {
        given.remove(at: index)
        section = nil
        return
      }
      given.remove(at: index)
      var filled = section ?? empty
      try Self.read(&filled, from: node, file: file, path: full(key), reasons: &reasons)
      section = filled
    }
  }

  private func failure(_ key: String, _ node: YAMLNode, _ message: String) -> FormatError {
    FormatError(file: file, line: node.line, column: node.column, message: "'\(full(key))' \(message)")
  }
}

/// The nearest known word to a misspelt one.
public enum Spelling {
  /// Nil when nothing is near enough to be meant.
  public static func nearest(to word: String, among known: [String]) -> String? {
    let candidates = known.map { ($0, distance(word, $0)) }.min { $0.1 < $1.1 }
    guard let (name, edits) = candidates, edits <= max(2, name.count / 3) else { return nil }
    return name
  }

  /// Levenshtein's edit distance.
  static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a)
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, right) in b.enumerated() {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (left == right ? 0 : 1))
        diagonal = above
      }
    }
    return row[b.count]
  }
}
