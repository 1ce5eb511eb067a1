import Formats
import Runs

/// Settings that a person wrote by name (a post's front matter, site.yaml), with errors that name file, line and column.
struct NamedSettings {
  let node: YAMLNode
  private let file: String

  /// Throws where `node` holds anything but settings of these names.
  /// - Parameter what: how a message calls the whole, "the front matter"; nil leaves it out.
  init(_ node: YAMLNode, file: String, keys: [String], what: String? = nil) throws {
    self.node = node
    self.file = file
    guard let entries = node.mapping else {
      throw FormatError(
        file: file, line: node.line, column: what == nil ? node.column : nil,
        message: "\(what.map { "\($0) " } ?? "")must be settings like `title: …`, not \(node.kind)")
    }
    for entry in entries {
      let key = entry.key.string ?? ""
      if keys.contains(key) { continue }
      let hint = Spelling.nearest(to: key, among: keys).map { "did you mean '\($0)'?" }
      throw FormatError(
        file: file, line: entry.key.line, column: entry.key.column,
        message: "unknown setting '\(key)'; \(hint ?? "known here: \(keys.joined(separator: ", "))")")
    }
  }

  func wrong(_ key: String, _ message: String) -> FormatError {
    FormatError(file: file, line: node[key]?.line, column: node[key]?.column, message: "'\(key)' \(message)")
  }

  /// A setting's text without anything that looks like a mark of ours; nil where it is not set.
  func text(_ key: String) throws -> String? {
    guard let value = node[key], !value.isNull else { return nil }
    guard let text = value.string else { throw wrong(key, "must be a text, not \(value.kind)") }
    return Mark.removed(from: text)
  }
}
