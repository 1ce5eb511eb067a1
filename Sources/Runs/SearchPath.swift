import Foundation

/// Programs by their names, as a shell finds them.
public enum SearchPath {
  /// The first program of this name in the folders of a `PATH`; nil where none may be run.
  public static func program(
    _ name: String, path: String? = ProcessInfo.processInfo.environment["PATH"]
  ) -> URL? {
    (path ?? "/usr/bin:/bin").split(separator: ":").lazy
      .map { URL(fileURLWithPath: String($0)).appendingPathComponent(name) }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }
}
