import Foundation

/// What is wrong with a file of weights, where, and what to do: one line.
public struct CheckpointError: Error, CustomStringConvertible, Sendable, Equatable {
  /// The file or folder, as the user gave it.
  public let file: String
  public let message: String
  public let remedy: String

  public init(file: String, _ message: String, remedy: String) {
    self.file = file
    self.message = message
    self.remedy = remedy
  }

  public var description: String { "\(file): \(message); \(remedy)" }

  static func unreadable(_ file: String, code: Int32) -> CheckpointError {
    let remedy =
      switch code {
      case ENOENT, ENOTDIR: "check the path, or get a model of the catalogue with `lorapress model pull NAME`"
      case EACCES, EPERM: "check the file's permissions"
      default: "check the file and its disk"
      }
    return CheckpointError(file: file, "can't be read (\(String(cString: strerror(code))))", remedy: remedy)
  }

  static func unwritable(_ file: String, code: Int32) -> CheckpointError {
    let remedy =
      switch code {
      case ENOSPC, EDQUOT: "free some space or choose another place with --output DIR"
      default: "choose a folder you may write to with --output DIR"
      }
    return CheckpointError(file: file, "can't be written (\(String(cString: strerror(code))))", remedy: remedy)
  }
}

/// Text from a file, made fit for a one-line message: control characters escaped, length bounded.
func shown(_ text: String) -> String {
  var out = ""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    if index == 120 { return out + "…" }
    out += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
  }
  return out
}
