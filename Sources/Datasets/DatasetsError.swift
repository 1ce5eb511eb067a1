import Formats
import Runs

/// Data that can't be used: one line naming file, place and remedy.
public struct DatasetsError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String

  public init(_ description: String) { self.description = description }

  init(file: String, line: Int? = nil, _ problem: String, remedy: String) {
    description = "\(file)\(line.map { ":\($0)" } ?? ""): \(problem); \(remedy)"
  }
}
