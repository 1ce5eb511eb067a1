/// The names that every template knows.
enum Globals {
  /// As in Jinja's sandbox: a longer range is an attack or a mistake.
  static let longestRange = 100_000

  static let table: [String: Value] = [
    "range": .function(HostFunction("range", range)),
    "dict": .function(HostFunction("dict", dict)),
    "raise_exception": .function(
      HostFunction("raise_exception") { arguments in
        throw JinjaFault(try arguments.required(0, "message").printed())
      }),
  ]

  private static func range(_ arguments: Arguments) throws -> Value {
    let numbers = try arguments.positional.indices.map { try arguments.integer($0, "stop", default: 0) }
    guard (1...3).contains(numbers.count) else { throw JinjaFault("range() takes one to three whole numbers") }
    let start = numbers.count > 1 ? numbers[0] : 0
    let end = numbers.count > 1 ? numbers[1] : numbers[0]
    let step = numbers.count > 2 ? numbers[2] : 1
    guard step != 0 else { throw JinjaFault("range(): the step cannot be zero") }
    let span = Double(end) - Double(start)
    guard span / Double(step) <= Double(longestRange) else {
      throw JinjaFault("range() is longer than \(longestRange)")
    }
    return .list(stride(from: start, to: end, by: step).map { .int($0) })
  }

  private static func dict(_ arguments: Arguments) throws -> Value {
    var mapping = Mapping()
    if let base = arguments.positional.first {
      guard case .dict(let given) = base else { throw JinjaFault("dict() takes a dict or names and values") }
      mapping = given
    }
    for (name, value) in arguments.named { mapping[name] = value }
    return .dict(mapping)
  }
}
