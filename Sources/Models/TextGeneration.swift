import Tokenizers

/// How answers are generated, by the names of Hugging Face's `GenerationConfig`.
public struct GenerationOptions: Sendable, Equatable {
  public var maxNewTokens: Int
  public var sampling: Sampling
  /// Texts that end an answer; they are no part of it.
  public var stopStrings: [String]

  public init(maxNewTokens: Int, sampling: Sampling = .greedy, stopStrings: [String] = []) {
    self.maxNewTokens = maxNewTokens
    self.sampling = sampling
    self.stopStrings = stopStrings
  }
}

/// An answer as text, without control tokens.
public struct TextAnswer: Sendable, Equatable {
  public var text: String
  /// `stop` at an end token or a stop string, `length` where the answer was cut off.
  public var stopReason: Generation.StopReason
  /// The tokens that were generated, without the end token; those of a stop string are counted.
  public var tokens: Int

  public init(text: String, stopReason: Generation.StopReason, tokens: Int) {
    self.text = text
    self.stopReason = stopReason
    self.tokens = tokens
  }
}

extension Generator {
  /// Answers in text. `onText` hears (prompt's index, text) with every token, the text empty where a character isn't whole yet or may
  /// become a stop string, and may end the work by returning false; the answers are then what there is.
  public func answers(
    _ prompts: [[Int32]], _ tokenizer: Tokenizer, _ options: GenerationOptions,
    onText: (Int, String) -> Bool = { _, _ in true }
  ) throws -> [TextAnswer] {
    var decoders = prompts.map { _ in StoppingDecoder(tokenizer, stops: options.stopStrings, skipSpecial: true) }
    var texts = prompts.map { _ in "" }
    let generations = try generate(prompts, maxNewTokens: options.maxNewTokens, sampling: options.sampling) {
      index, token in
      let text = decoders[index].push(token)
      texts[index] += text
      if !onText(index, text) { return .endAll }
      return decoders[index].isStopped ? .endAnswer : .goOn
    }
    return generations.indices.map { index in
      let rest = decoders[index].finish()
      if !rest.isEmpty { _ = onText(index, rest) }
      return TextAnswer(
        text: texts[index] + rest, stopReason: generations[index].stopReason, tokens: generations[index].ids.count)
    }
  }
}
