import Foundation

/// A run's `evaluation/review.json`. Many may write to it at once, from this program or from another: each step reads the file,
/// changes it and puts it back while it alone may.
public struct ReviewFile: Sendable {
  private let url: URL

  public init(_ run: RunFolder) { url = run.review }

  /// An empty record where there is no file.
  public func read() throws -> ReviewRecord {
    guard FileManager.default.fileExists(atPath: url.path) else { return ReviewRecord() }
    let data: Data
    do { data = try Data(contentsOf: url) } catch { throw RunsError.unreadable(url.relativePath, error) }
    return try ReviewRecord(parsing: data, file: url.relativePath)
  }

  /// One step. Nothing is written where `body` throws or changes nothing.
  public func update<Result>(_ body: (inout ReviewRecord) throws -> Result) throws -> Result {
    let folder = url.deletingLastPathComponent()
    // The folder itself is what is locked: the file is another one after each step.
    let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw RunsError.unwritable(url.relativePath, code: errno) }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else { throw RunsError.unwritable(url.relativePath, code: errno) }
    }
    let before = try read()
    var record = before
    let result = try body(&record)
    if record != before { try RecordFile.write(record, to: url) }
    return result
  }
}
