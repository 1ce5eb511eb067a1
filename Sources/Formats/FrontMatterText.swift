extension YAMLNode {
  /// The settings between two lines of `---` at the start of a Markdown text; nil where it has none. Errors name the text's own lines.
  public init?(frontMatterOf text: String, file: String) throws {
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    func isFence(_ line: Substring) -> Bool { line.hasPrefix("---") && line.dropFirst(3).allSatisfy(\.isWhitespace) }
    guard let first = lines.first, isFence(first), let end = lines.dropFirst().firstIndex(where: isFence) else {
      return nil
    }
    try self.init(parsing: lines[1..<end].joined(separator: "\n"), file: file, firstLine: 2)
  }
}
