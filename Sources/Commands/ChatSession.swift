import Models
import Runs
import Tokenizers

/// A conversation with one model, with its adapter and without: what was said, and what of it either has read.
final class ChatSession {
  enum Voice: String { case base, tuned }

  /// A question and who answered it how. A voice that hasn't answered it takes the other's answer for its own.
  private struct Exchange {
    let question: String
    var answers: [Voice: String] = [:]
  }

  /// An answer and what it took.
  struct Reply {
    let answer: TextAnswer
    let speed: AnswerSpeed
    /// The tokens of the conversation with its last question, and how many of them had to be read for the answer.
    let promptTokens: Int
    let readTokens: Int
    /// Exchanges that were forgotten, oldest first, since the model's context was full.
    let forgotten: Int
  }

  /// Nil leaves it to the model's template.
  var system: String?
  let voices: [Voice]
  private let tokenizer: Tokenizer
  private let options: GenerationOptions
  /// The tokens of the model's context.
  private let limit: Int
  private let kept: [Voice: KeptPrompt]
  private var exchanges: [Exchange] = []
  private var answered: UInt64 = 0

  init(_ decoder: Decoder, adapter: LoraAdapter?, tokenizer: Tokenizer, system: String?, options: GenerationOptions) {
    self.tokenizer = tokenizer
    self.system = system
    self.options = options
    limit = decoder.configuration.maxPositionEmbeddings
    voices = adapter == nil ? [.base] : [.base, .tuned]
    kept = Dictionary(
      uniqueKeysWithValues: voices.map { voice in
        let session = DecoderSession(decoder, adapter: voice == .tuned ? adapter : nil)
        return (voice, KeptPrompt(Generator(session, endTokens: tokenizer.eosTokens)))
      })
  }

  var isEmpty: Bool { exchanges.isEmpty }

  /// Takes a question into the conversation, to be answered.
  func ask(_ question: String) { exchanges.append(Exchange(question: question)) }

  /// Takes the last question back, with its answers.
  func undo() { exchanges = exchanges.dropLast() }

  /// Takes the last question back if nobody has answered it.
  func dropUnanswered() {
    if let last = exchanges.last, last.answers.isEmpty { undo() }
  }

  func reset() { exchanges = [] }

  /// Answers the last question, once more if it is answered. What was said until `isStopped` says yes counts as the answer; where nothing
  /// was, the answer before stands.
  func answer(
    by voice: Voice, isStopped: () -> Bool = { false }, onText: (String) -> Void = { _ in }
  ) throws -> Reply {
    guard let kept = kept[voice], !exchanges.isEmpty else {
      throw RunsError("there is no question to answer; ask one first")
    }
    let (ids, forgotten) = try prompt(voice)
    var options = options
    options.maxNewTokens = min(options.maxNewTokens, limit - ids.count)
    var speed = AnswerSpeed()
    let answer = try kept.answer(ids, tokenizer, options, stream: answered, isCancelled: isStopped) { text in
      speed.note()
      onText(text)
      return !isStopped()
    }
    answered += 1
    if answer.tokens > 0 || !isStopped() { exchanges[exchanges.count - 1].answers[voice] = answer.text }
    return Reply(
      answer: answer, speed: speed, promptTokens: ids.count, readTokens: kept.readCount, forgotten: forgotten)
  }

  /// The tokens up to the last question. Where they leave no room for an answer, the oldest exchanges are forgotten until half of the
  /// context is free, so that the next turns have room too and don't read all of the rest again.
  private func prompt(_ voice: Voice) throws -> (ids: [Int32], forgotten: Int) {
    var rest = exchanges[...]
    var ids = try encoded(rest, voice)
    if ids.count + min(options.maxNewTokens, limit / 4) > limit {
      while rest.count > 1, ids.count > limit / 2 {
        rest.removeFirst()
        ids = try encoded(rest, voice)
      }
    }
    guard ids.count < limit else {
      throw RunsError(
        "the question has \(ids.count) tokens with what the template and the system prompt add, and the model's context holds \(limit); shorten it"
      )
    }
    defer { exchanges = Array(rest) }
    return (ids, exchanges.count - rest.count)
  }

  /// The tokens of some exchanges, without the last one's answer.
  private func encoded(_ exchanges: ArraySlice<Exchange>, _ voice: Voice) throws -> [Int32] {
    var messages = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
    for exchange in exchanges {
      let answer = exchange.answers[voice] ?? exchange.answers.values.first ?? ""
      messages.append(ChatMessage(role: "user", content: exchange.question))
      messages.append(ChatMessage(role: "assistant", content: answer))
    }
    messages = messages.dropLast()
    return try tokenizer.encodeChat(messages, addGenerationPrompt: true)
  }
}
