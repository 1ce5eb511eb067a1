import Foundation

/// Where a test finds the files that lie beside it, whatever folder the suite was started from.
public enum Fixtures {
  /// The repository's root.
  public static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// `Tests/<suite>Tests/fixtures/<path>`.
  public static func url(_ suite: String, _ path: String) -> URL {
    root.appendingPathComponent("Tests/\(suite)Tests/fixtures").appendingPathComponent(path)
  }

  public static func data(_ suite: String, _ path: String) throws -> Data {
    try Data(contentsOf: url(suite, path))
  }

  /// A new empty folder, removed when the closure returns.
  public static func withTemporaryFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lorapress-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}
