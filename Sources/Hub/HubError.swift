import Foundation

/// A model or data set that can't be fetched, kept or found: one line with the remedy.
public struct HubError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String
  /// The user stopped it (Ctrl-C); what was fetched stays for the next time.
  public let isCancelled: Bool

  init(_ subject: String, _ message: String, remedy: String) {
    description = "\(subject): \(message); \(remedy)"
    isCancelled = false
  }

  private init(cancelled description: String) {
    self.description = description
    isCancelled = true
  }

  /// `again` is the command that goes on.
  static func cancelled(_ subject: String, again: String) -> HubError {
    HubError(cancelled: "\(subject): stopped; \(again) goes on where it was")
  }

  /// What the operating system says of a file in the cache.
  static func storage(_ path: String, code: Int32) -> HubError {
    let remedy =
      switch code {
      case ENOSPC, EDQUOT: "free some space, or set LORAPRESS_CACHE to a folder on another disk"
      case EACCES, EPERM, EROFS: "set LORAPRESS_CACHE to a folder you may write to"
      default: "check the folder, or set LORAPRESS_CACHE to another"
      }
    return HubError(path, "can't be written (\(String(cString: strerror(code))))", remedy: remedy)
  }
}

/// Why one source did not give the file; the next source is asked.
struct SourceFailure: Error {
  let reason: String
  /// What the server answered, where it refused.
  var refusal: HTTPRequest.Refusal?
}
