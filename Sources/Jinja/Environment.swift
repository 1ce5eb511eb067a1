/// How templates are read and rendered.
public struct Options: Sendable {
  /// The first line end after a tag is dropped.
  public var trimBlocks = false
  /// The space from the start of a line to a tag is dropped.
  public var lstripBlocks = false
  public var keepTrailingNewline = false
  /// What `{{ }}` prints is made safe for HTML.
  public var autoescape = false
  /// A name that is not there is an error with its place, not an empty text.
  public var strictUndefined = false
  public var json = JSONStyle.page
  /// The most bytes that one rendering may print.
  public var maximumOutput = 64 << 20
  /// The most turns that the loops of one rendering may take together.
  public var maximumSteps = 5_000_000

  public init() {}

  /// The settings that transformers renders chat templates with.
  public static var chat: Options {
    var options = Options()
    options.trimBlocks = true
    options.lstripBlocks = true
    options.json = .chat
    return options
  }

  /// HTML pages: escaped, strict, tags on their own lines leave no trace.
  public static var page: Options {
    var options = Options()
    options.trimBlocks = true
    options.lstripBlocks = true
    options.autoescape = true
    options.strictUndefined = true
    return options
  }
}

/// What templates share: options, host functions and filters, and where other templates come from.
public struct Environment: Sendable {
  public var options: Options
  /// Values and host functions that every template sees.
  public var globals: [String: Value]
  /// Host filters by name; they go before the built-in ones.
  public var filters: [String: HostFunction]
  /// The source of a template that is included or extended, nil where there is none of that name.
  public var loader: (@Sendable (String) throws -> String?)?

  /// What `{{ }}` prints passes through here before escaping; it may refuse a value.
  public var finalize: (@Sendable (Value) throws -> Value)?

  public init(
    options: Options = Options(), globals: [String: Value] = [:], filters: [String: HostFunction] = [:],
    loader: (@Sendable (String) throws -> String?)? = nil
  ) {
    self.options = options
    self.globals = globals
    self.filters = filters
    self.loader = loader
  }

  public mutating func register(
    function name: String, _ body: @escaping @Sendable (Arguments) throws -> Value
  ) {
    globals[name] = .function(HostFunction(name, body))
  }

  /// Registers a filter; the filtered value is the first positional argument.
  public mutating func register(filter name: String, _ body: @escaping @Sendable (Arguments) throws -> Value) {
    filters[name] = HostFunction(name, body)
  }

  /// Parses a template. `name` stands in errors.
  public func template(_ source: String, name: String) throws -> Template {
    Template(document: try Parser.parse(source, name: name, options: options), environment: self)
  }

  /// Parses the template that the loader has under `name`.
  public func template(named name: String) throws -> Template {
    guard let source = try loader?(name) else {
      throw JinjaError(template: name, line: 1, column: 1, message: "there is no template of this name")
    }
    return try template(source, name: name)
  }
}

/// A parsed template; rendering it any number of times, from any thread, changes nothing in it.
public struct Template: Sendable {
  let document: Document
  let environment: Environment

  public var name: String { document.name }

  /// - Throws: ``JinjaError`` naming the template, line and column.
  public func render(_ context: [String: Value] = [:]) throws -> String {
    try Interpreter(environment: environment, context: context).render(document)
  }
}
