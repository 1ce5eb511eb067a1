/// What is wrong in a template, and where. Lines and columns count from one; columns count Unicode scalars.
public struct JinjaError: Error, CustomStringConvertible, Sendable, Equatable {
  public let template: String
  public let line: Int
  public let column: Int
  public let message: String

  public init(template: String, line: Int, column: Int, message: String) {
    self.template = template
    self.line = line
    self.column = column
    // One line, whatever a host function or a `raise_exception` put into it.
    self.message = message.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  public var description: String { "\(template):\(line):\(column): \(message)" }
}

/// A fault without a place: the interpreter adds the place of the expression it was evaluating.
///
/// Host functions and filters may throw it too.
public struct JinjaFault: Error, CustomStringConvertible, Sendable {
  public let message: String
  public init(_ message: String) { self.message = message }
  public var description: String { message }
}

/// A place in a template's source.
struct Place: Sendable, Equatable {
  var line: Int
  var column: Int
}
