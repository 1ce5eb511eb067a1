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

/// The texts of answers as their tokens come.
struct AnswerTexts {
  private var decoders: [StoppingDecoder]
  private var texts: [String]
  /// Whether the listener wanted no more.
  private var isEnded = false

  init(_ count: Int, _ tokenizer: Tokenizer, _ options: GenerationOptions) {
    let decoder = StoppingDecoder(tokenizer, stops: options.stopStrings, skipSpecial: true)
    decoders = (0..<count).map { _ in decoder }
    texts = (0..<count).map { _ in "" }
  }

  /// Takes a token of an answer; what `onText` hears and says is told at ``Generator/answers(_:_:_:onText:)``.
  mutating func take(_ index: Int, _ token: Int32, _ onText: (Int, String) -> Bool) -> Generator.Continuation {
    let text = decoders[index].push(token)
    texts[index] += text
    isEnded = !onText(index, text)
    if isEnded { return .endAll }
    return decoders[index].isStopped ? .endAnswer : .goOn
  }

  /// The whole answers, when the generations are over.
  mutating func answers(_ generations: [Generation], _ onText: (Int, String) -> Bool) -> [TextAnswer] {
    generations.indices.map { index in
      // Whoever ended the work wants no half character.
      let rest = isEnded ? "" : decoders[index].finish()
      if !rest.isEmpty { _ = onText(index, rest) }
      return TextAnswer(
        text: texts[index] + rest, stopReason: generations[index].stopReason, tokens: generations[index].ids.count)
    }
  }
}

extension Generator {
  /// Answers in text. `onText` hears (prompt's index, text) with every token, the text empty where a character isn't whole yet or may
  /// become a stop string, and may end the work by returning false; the answers are then what there is.
  public func answers(
    _ prompts: [[Int32]], _ tokenizer: Tokenizer, _ options: GenerationOptions,
    onText: (Int, String) -> Bool = { _, _ in true }
  ) throws -> [TextAnswer] {
    var texts = AnswerTexts(prompts.count, tokenizer, options)
    let generations = try generate(prompts, maxNewTokens: options.maxNewTokens, sampling: options.sampling) {
      texts.take($0, $1, onText)
    }
    return texts.answers(generations, onText)
  }
}
