/// A site that can't be built: one line with the file, what is wrong and what to do.
public struct SiteError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String

  public init(_ description: String) {
    // One line, whatever a file name or a data value put into it.
    self.description = description.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
