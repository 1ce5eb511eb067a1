import Compute
import Tokenizers

/// The tokens of a conversation whose keys and values are kept from turn to turn: of the next prompt only what differs is read.
///
/// It belongs to one ``Generator``, since another adapter makes other keys and values. Use it from one thread at a time.
public final class KeptPrompt {
  private let generator: Generator
  private var cache: KeyValueCache
  /// The tokens that the cache holds.
  public private(set) var ids: [Int32] = []
  /// How many tokens of the last prompt were read; the others were held already.
  public private(set) var readCount = 0
  private let pieceTokens: Int
  private let leastCapacity: Int

  /// - Parameters:
  ///   - pieceTokens: how many tokens of a long prompt are read in one go.
  ///   - leastCapacity: for how many tokens room is made at first; it doubles when it is full.
  public init(_ generator: Generator, pieceTokens: Int = 512, leastCapacity: Int = 1024) {
    self.generator = generator
    self.pieceTokens = max(pieceTokens, 1)
    self.leastCapacity = leastCapacity
    cache = KeyValueCache(generator.session.decoder.configuration, capacities: [0])
  }

  /// Continues a prompt up to an end token or `maxNewTokens`, as ``Generator/generate(_:maxNewTokens:sampling:onToken:)`` does.
  ///
  /// - Parameters:
  ///   - stream: which random numbers sampling draws; the same prompt, seed and stream give the same answer.
  ///   - isCancelled: asked from piece to piece of a long prompt; the answer is empty where it says yes.
  public func generate(
    _ prompt: [Int32], maxNewTokens: Int, sampling: Sampling = .greedy, stream: UInt64 = 0,
    isCancelled: () -> Bool = { false }, onToken: (Int32) -> Generator.Continuation = { _ in .goOn }
  ) throws -> Generation {
    try generator.check(prompt, maxNewTokens: maxNewTokens, name: "the conversation")
    rewind(for: prompt)
    makeRoom(for: prompt.count + maxNewTokens)
    guard maxNewTokens > 0, read(prompt, isCancelled: isCancelled) else { return Generation() }
    var answers = [
      Generator.Answer(index: 0, prompt: prompt, sampler: Sampler(sampling, stream: stream, prompt: prompt))
    ][...]
    let batch = Generator.Batch(cache: cache, maxNewTokens: maxNewTokens, isGreedy: sampling.temperature <= 0)
    _ = generator.answer(&answers, batch) { onToken($1) }
    // The last token was chosen and not read.
    ids = Array((prompt + answers[0].generation.ids).prefix(cache.lengths[0]))
    return answers[0].generation
  }

  /// Forgets what is held from the first token on that the prompt doesn't share. Its last token is always read: the answer's first
  /// follows from it.
  private func rewind(for prompt: [Int32]) {
    let shared = zip(ids, prompt.dropLast()).prefix { $0 == $1 }.count
    cache.rewind(0, to: shared)
    ids.removeLast(ids.count - shared)
    readCount = prompt.count - shared
  }

  private func makeRoom(for count: Int) {
    guard cache.capacities[0] < count else { return }
    let configuration = generator.session.decoder.configuration
    let roomy = max(count, 2 * cache.capacities[0], leastCapacity)
    cache = cache.grown(configuration, to: max(count, min(roomy, configuration.maxPositionEmbeddings)))
  }

  /// Reads all of a long prompt but its last piece. False where it was cancelled.
  private func read(_ prompt: [Int32], isCancelled: () -> Bool) -> Bool {
    while prompt.count - ids.count > pieceTokens {
      if isCancelled() { return false }
      let piece = prompt[ids.count..<ids.count + pieceTokens]
      _ = generator.session.step([(0, Array(piece))], cache: cache)
      ids += piece
    }
    return !isCancelled()
  }
}

extension KeptPrompt {
  /// Answers in text. `onText` hears the text of every token, as in ``Generator/answers(_:_:_:onText:)``, and may end the answer.
  public func answer(
    _ prompt: [Int32], _ tokenizer: Tokenizer, _ options: GenerationOptions, stream: UInt64 = 0,
    isCancelled: () -> Bool = { false }, onText: (String) -> Bool = { _ in true }
  ) throws -> TextAnswer {
    var texts = AnswerTexts(1, tokenizer, options)
    let generation = try generate(
      prompt, maxNewTokens: options.maxNewTokens, sampling: options.sampling, stream: stream, isCancelled: isCancelled
    ) { token in texts.take(0, token) { onText($1) } }
    return texts.answers([generation]) { onText($1) }[0]
  }
}
