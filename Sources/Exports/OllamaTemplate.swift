import Tokenizers

/// A model's chat format as Ollama's Modelfile has it, found by rendering the model's own template with marks for texts.
///
/// Ollama's template language: https://github.com/ollama/ollama/blob/main/docs/template.md.
public struct OllamaTemplate: Sendable, Equatable {
  /// What stands around each role's text.
  struct Turn: Sendable, Equatable {
    var begin = ""
    var end = ""
  }

  /// What stands before the first turn, such as a begin-of-text token.
  var start = ""
  var system = Turn()
  var user = Turn()
  var assistant = Turn()
  /// The system prompt that the template takes where none is given.
  public var defaultSystem: String?
  /// What ends an answer.
  public var stops: [String]

  public init(_ tokenizer: Tokenizer) throws {
    // Private-use characters, which no template writes.
    let (s, u, a, v) = ("\u{E000}", "\u{E001}", "\u{E002}", "\u{E003}")
    func render(_ turns: [(String, String)], generating: Bool = false) throws -> String {
      try tokenizer.renderChat(
        turns.map { ChatMessage(role: $0.0, content: $0.1) }, addGenerationPrompt: generating)
    }
    func refuse() -> TokenizerError {
      TokenizerError(
        file: tokenizer.file,
        message:
          "the chat template prints turns in a way that a Modelfile can't say; write the Modelfile by hand beside the file of `lorapress export gguf`"
      )
    }
    let asked = [("system", s), ("user", u)]
    let whole = try render(asked + [("assistant", a)])
    let long = try render(asked + [("assistant", a), ("user", v)], generating: true)
    guard let head = Self.parts(whole, [s, u, a]), let rest = Self.parts(long, [s, u, a, v]), head[0] == rest[0],
      head[1] == rest[1], head[2] == rest[2], rest[3].hasPrefix(head[3])
    else { throw refuse() }
    assistant.end = head[3]
    user.begin = String(rest[3].dropFirst(head[3].count))
    guard head[1].hasSuffix(user.begin), rest[4] == head[2] else { throw refuse() }
    system = Turn(begin: head[0], end: String(head[1].dropLast(user.begin.count)))
    // A question ends as a system prompt does, where a template has ends at all.
    user.end = head[2].hasPrefix(system.end) ? system.end : ""
    assistant.begin = String(head[2].dropFirst(user.end.count))

    let plain = try render([("user", u)], generating: true)
    guard let around = Self.parts(plain, [u]), around[0].hasSuffix(user.begin), around[1] == head[2] else {
      throw refuse()
    }
    let before = String(around[0].dropLast(user.begin.count))
    if before.hasPrefix(system.begin), before.hasSuffix(system.end),
      before.count > system.begin.count + system.end.count
    {
      defaultSystem = String(before.dropFirst(system.begin.count).dropLast(system.end.count))
    } else {
      // What is printed without a system prompt stands there with one too.
      guard system.begin.hasPrefix(before) else { throw refuse() }
      start = before
      system.begin = String(system.begin.dropFirst(before.count))
    }
    stops = tokenizer.eosTokens.map { String(decoding: tokenizer.bytes(of: $0), as: UTF8.self) }
  }

  /// The stretches of a text around marks that stand in it once each, in this order; nil where they don't.
  private static func parts(_ text: String, _ marks: [String]) -> [String]? {
    var parts: [String] = []
    var rest = text[...]
    for mark in marks {
      let pieces = rest.split(separator: mark, maxSplits: 1, omittingEmptySubsequences: false)
      guard pieces.count == 2 else { return nil }
      parts.append(String(pieces[0]))
      rest = pieces[1]
    }
    return marks.contains { rest.contains($0) } ? nil : parts + [String(rest)]
  }

  /// The template in Ollama's language.
  public var text: String {
    "\(start){{ if .System }}\(system.begin){{ .System }}\(system.end){{ end }}{{ if .Prompt }}\(user.begin){{ .Prompt }}\(user.end){{ end }}"
      + "\(assistant.begin){{ .Response }}\(assistant.end)"
  }

  /// A Modelfile for a GGUF file beside it.
  public func modelfile(for file: String) -> String {
    var lines = ["FROM ./\(file)", "TEMPLATE \"\"\"\(text)\"\"\""]
    if let defaultSystem { lines.append("SYSTEM \"\"\"\(defaultSystem)\"\"\"") }
    // As evaluated: the likeliest token, no penalty.
    lines += ["PARAMETER temperature 0", "PARAMETER repeat_penalty 1.0"]
    lines += stops.map { "PARAMETER stop \"\($0)\"" }
    return lines.joined(separator: "\n") + "\n"
  }
}
