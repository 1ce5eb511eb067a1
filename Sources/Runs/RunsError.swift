import Foundation

/// A file of a run that can't be read or written, or holds something else than it should: one line with file and remedy.
public struct RunsError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String

  public init(_ description: String) { self.description = description }

  /// The operating system's reason, in its own words, without Foundation's wrapping.
  public static func reason(_ error: any Error) -> String {
    let error = error as NSError
    if let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError, underlying.domain == NSPOSIXErrorDomain {
      return String(cString: strerror(Int32(underlying.code)))
    }
    if error.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(error.code))) }
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
