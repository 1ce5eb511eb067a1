import Foundation

/// Paths of a repository by a data card's pattern: `*`, `?` and `[…]` within a name, `**` for folders of any depth.
///
/// As in the Hub's `datasets`, hidden files, folders that begin with `__`, and a card's own files are meant only where the pattern names them.
struct PathPattern {
  /// Files of which none is data.
  private static let others: Set<String> = [
    "README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json",
  ]

  private let text: String
  private let parts: [String]

  init(_ text: String) {
    self.text = text.hasPrefix("./") ? String(text.dropFirst(2)) : text
    parts = self.text.split(separator: "/").map(String.init)
  }

  func matches(_ path: String) -> Bool {
    if path == text { return true }
    let names = path.split(separator: "/").map(String.init)
    guard let file = names.last, !Self.others.contains(file) || parts.last == file,
      Self.hidden(names) == Self.hidden(parts)
    else { return false }
    return Self.matches(names[...], parts[...])
  }

  private static func matches(_ names: ArraySlice<String>, _ parts: ArraySlice<String>) -> Bool {
    guard let part = parts.first else { return names.isEmpty }
    guard let name = names.first else { return false }
    let rest = parts.dropFirst()
    if part == "**" {
      // No folder, or any folder and the same again; at the end any file.
      if rest.isEmpty { return true }
      return matches(names, rest) || matches(names.dropFirst(), parts)
    }
    return fnmatch(part, name, 0) == 0 && matches(names.dropFirst(), rest)
  }

  /// How many of a path's names are left out unless they are asked for.
  private static func hidden(_ names: [String]) -> Int {
    names.count { $0.hasPrefix(".") && $0.contains { $0 != "." } } + names.dropLast().count { $0.hasPrefix("__") }
  }
}
