import Foundation

/// A file of a run that can't be read or written, or holds something else than it should: one line with file and remedy.
public struct RunsError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String

  public init(_ description: String) { self.description = description }

  /// The operating system's number of a failure, also where Foundation wrapped it; nil where it is none of the system's.
  public static func code(_ error: any Error) -> Int32? {
    let error = error as NSError
    let system = [error.userInfo[NSUnderlyingErrorKey] as? NSError, error].first { $0?.domain == NSPOSIXErrorDomain }
    return system.flatMap { $0 }.map { Int32($0.code) }
  }

  /// The operating system's reason, in its own words, without Foundation's wrapping.
  public static func reason(_ error: any Error) -> String {
    if let code = code(error) { return String(cString: strerror(code)) }
    let error = error as NSError
    switch CocoaError.Code(rawValue: error.code) {
    case .fileReadNoSuchFile, .fileNoSuchFile: return "No such file or directory"
    case .fileReadNoPermission, .fileWriteNoPermission: return "Permission denied"
    case .fileWriteOutOfSpace: return "No space left on device"
    default: return error.localizedDescription
    }
  }

  public static func unreadable(_ path: String, _ error: any Error) -> RunsError {
    RunsError("\(path): can't be read (\(reason(error))); check that the file exists and may be read")
  }

  public static func unwritable(_ path: String, code: Int32) -> RunsError {
    let why = String(cString: strerror(code))
    let remedy =
      switch code {
      case ENOSPC, EDQUOT: "free some space or choose another place with --output DIR"
      case EACCES, EPERM, EROFS: "choose a folder you may write to with --output DIR"
      default: "check the folder, or choose another with --output DIR"
      }
    return RunsError("\(path): can't be written (\(why)); \(remedy)")
  }
}
