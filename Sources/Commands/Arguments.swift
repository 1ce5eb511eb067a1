import Runs

/// Wrong usage: exit code 64, with a pointer to the command's help.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// One option of a command, as its help shows it.
struct Option: Sendable {
  /// "--output"
  let name: String
  /// The placeholder of its value ("DIR"); nil for a flag.
  let value: String?
  let help: Words
  var repeats = false

  /// A flag.
  init(_ name: String, _ help: Words) {
    self.name = name
    value = nil
    self.help = help
  }

  /// An option with a value.
  init(_ name: String, _ value: String, repeats: Bool = false, _ help: Words) {
    self.name = name
    self.value = value
    self.help = help
    self.repeats = repeats
  }
}

/// What was given on the command line, checked against a command's options.
struct Arguments: Sendable {
  private(set) var positional: [String] = []
  private var values: [String: [String]] = [:]
  private var flags: Set<String> = []

  /// Takes `--name value`, `--name=value` and flags in any order; `--` ends the options.
  init(_ words: [String], options: [Option], command: String) throws {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        positional += rest
        break
      }
      guard word.hasPrefix("--"), word.count > 2 else {
        if word.hasPrefix("-"), word.count > 1 { throw Self.unknown(word, options, command) }
        positional.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let option = options.first(where: { $0.name == parts[0] }) else {
        throw Self.unknown(parts[0], options, command)
      }
      if option.value == nil {
        if parts.count > 1 { throw UsageError("\(option.name) takes no value; see `lorapress \(command) --help`") }
        flags.insert(option.name)
        continue
      }
      guard let value = parts.count > 1 ? parts[1] : rest.popFirst() else {
        throw UsageError("\(option.name) needs a value (\(option.value ?? "")); see `lorapress \(command) --help`")
      }
      if !option.repeats, values[option.name] != nil { throw UsageError("\(option.name) is given twice") }
      values[option.name, default: []].append(value)
    }
  }

  private static func unknown(_ word: String, _ options: [Option], _ command: String) -> UsageError {
    let nearest = Spelling.nearest(to: word, among: options.map(\.name))
    let hint = nearest.map { "did you mean \($0)?" } ?? "see `lorapress \(command) --help`"
    return UsageError("unknown option \(word); \(hint)")
  }

  func flag(_ name: String) -> Bool { flags.contains(name) }
  func value(_ name: String) -> String? { values[name]?.last }
  func list(_ name: String) -> [String] { values[name] ?? [] }

  func integer(_ name: String, atLeast least: Int = 0) throws -> Int? {
    guard let text = value(name) else { return nil }
    guard let number = Int(text), number >= least else {
      throw UsageError("\(name) must be a whole number from \(least) up, not '\(text)'")
    }
    return number
  }

  func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
    guard let text = value(name) else { return nil }
    guard let number = Double(text), range.contains(number) else {
      throw UsageError("\(name) must be a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return number
  }

  func required(_ name: String, _ command: String) throws -> String {
    guard let value = value(name) else { throw UsageError("\(name) is missing; see `lorapress \(command) --help`") }
    return value
  }

  /// The one positional argument a command takes.
  func single(_ what: String, _ command: String) throws -> String {
    guard let first = positional.first else {
      throw UsageError("\(what) is missing; see `lorapress \(command) --help`")
    }
    if positional.count > 1 {
      throw UsageError("one \(what) is expected, not \(positional.count); see `lorapress \(command) --help`")
    }
    return first
  }

  func none(_ command: String) throws {
    if let first = positional.first {
      throw UsageError("'\(first)' is not expected here; see `lorapress \(command) --help`")
    }
  }

  /// `--set path=value` pairs.
  func overrides() throws -> [(path: String, value: String)] {
    try list("--set").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw UsageError("--set needs PATH=VALUE (for example training.max_steps=20), not '\(pair)'")
      }
      return (parts[0], parts[1])
    }
  }
}
