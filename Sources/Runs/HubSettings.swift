/// Rows of a data set on the Hugging Face Hub, named as `datasets.load_dataset` names them.
public struct HubSettings: SettingsSection, Sendable, Equatable {
  /// The repository: "maywell/korean_textbooks".
  public var path = ""
  /// The config; nil takes the only or the default one.
  public var name: String?
  public var split = "train"
  /// Splits that are validation and test already, with `dataset.split: none`.
  public var validationSplit: String?
  public var testSplit: String?
  /// A branch, a tag or a commit.
  public var revision = "main"

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    func named(_ value: String) -> String? { value.isEmpty ? "a name" : nil }
    try binder.bind("path", &path) { Self.isPath($0) ? nil : "a repository's OWNER/NAME" }
    try binder.bind("name", &name, check: named)
    try binder.bind("split", &split, check: named)
    try binder.bind("validation_split", &validationSplit, check: named)
    try binder.bind("test_split", &testSplit, check: named)
    try binder.bind("revision", &revision, check: named)
  }

  /// "OWNER/NAME", or the single name that old data sets have.
  public static func isPath(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count)
      && parts.allSatisfy { part in
        !part.isEmpty && !part.hasPrefix(".") && !part.hasPrefix("-") && !part.contains("--")
          && part.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
              || "._-".utf8.contains(byte)
          }
      }
  }

  private static let prefix = "hub:"

  /// Whether a command's argument means a data set of the Hub.
  public static func isMeant(by argument: String) -> Bool { argument.hasPrefix(prefix) }

  /// `hub:OWNER/NAME[/CONFIG[/SPLIT]][@REVISION]`; nil where it is written otherwise.
  public init?(argument: String) {
    guard Self.isMeant(by: argument) else { return nil }
    let halves = argument.dropFirst(Self.prefix.count).split(
      separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = halves[0].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard (2...4).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }), halves.count == 1 || !halves[1].isEmpty
    else { return nil }
    path = parts[0...1].joined(separator: "/")
    guard Self.isPath(path) else { return nil }
    if parts.count > 2 { name = parts[2] }
    if parts.count > 3 { split = parts[3] }
    if halves.count > 1 { revision = String(halves[1]) }
  }
}
