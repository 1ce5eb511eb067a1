/// Why a tokeniser could not be made, or a chat not be rendered; one line with the file and the remedy.
public struct TokenizerError: Error, CustomStringConvertible, Sendable, Equatable {
  public let file: String
  public let message: String

  public init(file: String, message: String) {
    self.file = file
    self.message = message
  }

  public var description: String { "\(file): \(message)" }
}
