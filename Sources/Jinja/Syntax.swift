/// An expression with the place it stands at, which errors name.
struct Expression: Sendable {
  indirect enum Kind: Sendable {
    case constant(Value)
    case name(String)
    case list([Expression])
    case tuple([Expression])
    case dict([(Expression, Expression)])
    case attribute(Expression, String)
    case subscripted(Expression, Expression)
    case slice(Expression, from: Expression?, to: Expression?, step: Expression?)
    case call(Expression, CallArguments)
    case filter(Expression, String, CallArguments)
    case test(Expression, String, CallArguments, negated: Bool)
    case negative(Expression)
    case positive(Expression)
    case not(Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case arithmetic(String, Expression, Expression)
    case concatenation([Expression])
    /// `a < b <= c`: the first operand and each comparison after it.
    case comparison(Expression, [(String, Expression)])
    case conditional(Expression, condition: Expression, otherwise: Expression?)
  }

  let kind: Kind
  let place: Place
  /// How many levels lie below: bounded, so that a hostile template cannot exhaust the stack.
  let height: Int

  static let tallest = 150

  init(_ kind: Kind, _ place: Place, below: [Expression] = [], calls: CallArguments? = nil) {
    self.kind = kind
    self.place = place
    var height = below.map(\.height).max() ?? 0
    if let calls { height = max(height, calls.all.map(\.height).max() ?? 0) }
    self.height = height + 1
  }
}

struct CallArguments: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  var all: [Expression] { positional + named.map(\.value) }
}

/// What a `for` or a `set` writes to.
indirect enum Target: Sendable {
  case name(String)
  case attribute(String, String, Place)
  case tuple([Target])
}

indirect enum Statement: Sendable {
  case text(String)
  case output(Expression)
  case conditional([(condition: Expression, body: [Statement])], otherwise: [Statement])
  case loop(ForLoop)
  case set(Target, Expression)
  case setBlock(Target, filters: [(name: String, arguments: CallArguments, place: Place)], body: [Statement])
  case with([(Target, Expression)], body: [Statement])
  case macro(Macro)
  case include(Expression, ignoreMissing: Bool, withContext: Bool)
  case extends(Expression)
  case block(name: String, scoped: Bool, Place)
  /// Statements that print in place: what stands in a `{% generation %}` of a chat template.
  case group([Statement])
  /// An expression evaluated for what it does, `{% do %}`.
  case evaluate(Expression)
  case breakLoop
  case continueLoop
}

struct ForLoop: Sendable {
  let target: Target
  let source: Expression
  let filter: Expression?
  let body: [Statement]
  let otherwise: [Statement]
  let place: Place
}

struct Macro: Sendable {
  let name: String
  let parameters: [(name: String, fallback: Expression?)]
  let body: [Statement]
  let place: Place
}

/// A template, parsed.
struct Document: Sendable {
  let name: String
  let statements: [Statement]
  let blocks: [String: [Statement]]
}
