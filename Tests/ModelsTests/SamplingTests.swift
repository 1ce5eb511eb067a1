import Compute
import Foundation
import Formats
import ModelFixtures
import TestSupport
import Testing

@testable import Models
@testable import Tokenizers

@Suite struct SamplingTests {
  private static func fixture() throws -> JSONValue {
    try JSONValue(parsing: Fixtures.data("Models", "sampling.json"), file: "sampling.json")
  }

  private func sampling(
    _ temperature: Float = 1, topK: Int = 0, topP: Float = 1, penalty: Float = 1, seed: UInt64 = 3
  ) -> Sampling {
    Sampling(temperature: temperature, topK: topK, topP: topP, repetitionPenalty: penalty, seed: seed)
  }

  /// Positive logits are divided, negative ones multiplied, a token that came twice once only; 0 stays, and so does what never came.
  @Test func thePenaltyByHand() {
    let logits = Matrix(1, 6, [3, -2, 0, 4, -1, 1])
    var sampler = Sampler(sampling(penalty: 2), stream: 0, prompt: [0, 1, 2, 0, 99])
    sampler.penalise(logits)
    #expect(logits.elements == [1.5, -4, 0, 4, -1, 1])
    sampler.note(3)
    sampler.note(3)
    let next = Matrix(1, 6, [3, -2, 0, 4, -1, 1])
    sampler.penalise(next)
    #expect(next.elements == [1.5, -4, 0, 2, -1, 1])
    let off = Matrix(1, 2, [3, -2])
    Sampler(sampling(penalty: 1), stream: 0, prompt: [0, 1]).penalise(off)
    #expect(off.elements == [3, -2])
  }

  @Test func chainsEqualTransformers() throws {
    let chains = try Self.fixture()["chains"]?.array ?? []
    #expect(chains.count == 10)
    for (number, chain) in chains.enumerated() {
      func floats(_ key: String) -> [Float] { (chain[key]?.array ?? []).compactMap(\.double).map(Float.init) }
      func value(_ key: String) -> Float { Float(chain[key]?.double ?? .nan) }
      let logits = floats("logits")
      let row = Matrix(1, logits.count, logits)
      let sampler = Sampler(
        sampling(
          value("temperature"), topK: chain["top_k"]?.integer ?? 0, topP: value("top_p"),
          penalty: value("repetition_penalty")), stream: 0,
        prompt: (chain["ids"]?.array ?? []).compactMap(\.integer).map(Int32.init))
      sampler.penalise(row)
      #expect(row.elements == floats("penalised"), "chain \(number)")
      let found = row.withElements { sampler.candidates(UnsafeBufferPointer($0)) }
      let sum = found.reduce(0) { $0 + Double($1.weight) }
      let expected = chain["probabilities"]?.object?.entries ?? []
      // What underflowed in the peer's float32 has no place in its list.
      let probabilities = found.map { (String($0.token), Double($0.weight) / sum) }.filter { $0.1 > 1e-37 }
      #expect(Set(probabilities.map(\.0)) == Set(expected.map(\.key)), "chain \(number)")
      for (token, probability) in probabilities {
        let peer = expected.first { $0.key == token }?.value.double ?? .nan
        #expect(abs(probability - peer) < 1e-5, "chain \(number), token \(token)")
      }
    }
  }

  /// The partial selections give what sorting everything would, ties and all.
  @Test func selectionsEqualASortOfEverything() {
    var random = RandomNumbers(seed: 11)
    // Whole numbers, so that many are equal.
    let logits = (0..<5000).map { _ in Float(Int(random.nextUnit() * 12)) }
    for (topK, topP) in [(1, 1), (7, 1), (900, 1), (4999, 1), (0, 0.3), (0, 0.999), (40, 0.5), (0, 0), (9000, 0.9)]
      as [(Int, Float)]
    {
      var sorted = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
      if topK > 0 { sorted = Array(sorted.prefix(topK)) }
      let weights = sorted.map { Double(exp(logits[$0] - logits[sorted[0]])) }
      let sum = weights.reduce(0, +)
      var share = 0.0
      var kept = 0
      while kept < weights.count, share < Double(topP) * sum {
        share += weights[kept]
        kept += 1
      }
      let sampler = Sampler(sampling(topK: topK, topP: topP), stream: 0, prompt: [])
      let found = logits.withUnsafeBufferPointer { sampler.candidates($0) }
      #expect(found.map { Int($0.token) } == Array(sorted.prefix(max(kept, 1))), "top_k \(topK), top_p \(topP)")
    }
  }

  @Test func drawsFollowTheSeedAndTheProbabilities() {
    let logits = Matrix(1, 4, [0, 1, 2, -.infinity])
    func draws(_ seed: UInt64, _ stream: UInt64) -> [Int32] {
      var sampler = Sampler(sampling(seed: seed), stream: stream, prompt: [])
      return (0..<4000).map { _ in sampler.draw(logits) }
    }
    let drawn = draws(1, 0)
    #expect(drawn == draws(1, 0) && drawn != draws(2, 0) && drawn != draws(1, 1))
    let sum = 1 + exp(1.0) + exp(2.0)
    for (token, share) in [1 / sum, exp(1.0) / sum, exp(2.0) / sum, 0].enumerated() {
      let found = Double(drawn.filter { $0 == token }.count) / 4000
      #expect(abs(found - share) < 0.03, "token \(token)")
    }
    // Logits that are no numbers end in some token, never in a trap.
    for bad in [Float.nan, .infinity] {
      var sampler = Sampler(sampling(topP: 0.5), stream: 0, prompt: [])
      #expect((0..<3).contains(sampler.draw(Matrix(1, 3, [bad, bad, bad]))))
    }
  }

  @Test func greedyAnswersWithAPenaltyEqualThePeers() throws {
    let cases = try Self.fixture()["greedy"]?.array ?? []
    #expect(cases.count == 8)
    for (name, own) in Dictionary(grouping: cases, by: { $0["model"]?.string ?? "" }) {
      func ids(_ value: JSONValue?) -> [Int32] { (value?.array ?? []).compactMap(\.integer).map(Int32.init) }
      let session = DecoderSession(try PeerFixture(name, backend: CPUBackend()).decoder, adapter: nil)
      var greedy = Sampling.greedy
      greedy.repetitionPenalty = Float(own[0]["repetition_penalty"]?.double ?? .nan)
      let answers = try Generator(session, endTokens: []).generate(
        own.map { ids($0["prompt"]) }, maxNewTokens: 12, sampling: greedy)
      #expect(answers.map(\.ids) == own.map { ids($0["ids"]) }, "\(name)")
    }
  }

  /// However many tokens are asked for, the sum with the prompt's is no trap.
  @Test func moreTokensThanTheModelTakesAreRefused() throws {
    let session = DecoderSession(try PeerFixture("qwen2-gqa", backend: CPUBackend()).decoder, adapter: nil)
    for count in [1 << 40, Int.max] {
      #expect(throws: ModelError.self) {
        try Generator(session, endTokens: []).generate([[1, 2, 3]], maxNewTokens: count)
      }
    }
  }

  /// Together, in twos and one by one, whether by number or by memory: every answer is the same.
  @Test(arguments: [0, 0.9] as [Float])
  func groupsChangeNoAnswer(temperature: Float) throws {
    let decoder = try PeerFixture("qwen2-gqa", backend: CPUBackend()).decoder
    let session = DecoderSession(decoder, adapter: nil)
    let prompts = (0..<7).map { number -> [Int32] in
      let length = number * 3 % 11 + 1
      return (0..<length).map { Int32(($0 * 7 + number * 5) % 96) }
    }
    let how = sampling(temperature, topK: 20, topP: 0.95, penalty: 1.2)
    let perToken = KeyValueCache.bytesPerToken(decoder.configuration)
    let answers = try [(8, 1 << 20), (2, 1 << 20), (1, 1 << 20), (8, 45 * perToken), (8, 0)].map { together, bytes in
      try Generator(session, endTokens: [7, 20], together: together, cacheBytes: bytes).generate(
        prompts, maxNewTokens: 15, sampling: how)
    }
    #expect(answers.allSatisfy { $0 == answers[0] })
    #expect(Set(answers[0].map(\.ids)).count == 7)
    #expect(answers[0].allSatisfy { $0.ids.count <= 15 && $0.ids.allSatisfy { $0 != 7 && $0 != 20 } })
  }

  /// A tokeniser in which token i is two letters, so that every answer is a text one can cut anywhere.
  private func letters(_ count: Int) throws -> Tokenizer {
    let alphabet = Array("abcdefghij")
    let tokens = (0..<count).map { String([alphabet[$0 / 10], alphabet[$0 % 10]]) }
    return try Tokenizer(
      gguf: TokenizerSource(
        file: "m.gguf", model: "gpt2", pre: "qwen2", tokens: tokens, types: tokens.map { _ in 1 }, merges: []))
  }

  @Test func stopStringsEndTheirOwnAnswerAlone() throws {
    let decoder = try PeerFixture("llama", backend: CPUBackend()).decoder
    let tokenizer = try letters(96)
    let generator = Generator(DecoderSession(decoder, adapter: nil), endTokens: [])
    let prompts: [[Int32]] = [[39, 91, 57, 5], [56, 27], [60, 71, 47]]
    let free = try generator.answers(prompts, tokenizer, GenerationOptions(maxNewTokens: 12))
    #expect(free.allSatisfy { $0.text.count == 24 && $0.tokens == 12 && $0.stopReason == .length })
    // The second letter of one token and the first of the next.
    let text = free[1].text
    let stop = String(text.dropFirst(7).prefix(2))
    let some = GenerationOptions(maxNewTokens: 12, stopStrings: ["no such text", stop])
    var heard = prompts.map { _ in "" }
    let answers = try generator.answers(prompts, tokenizer, some) { index, text in
      heard[index] += text
      return true
    }
    for (answer, whole) in zip(answers, free) {
      if let found = whole.text.firstRange(of: stop) {
        #expect(answer.text == whole.text[..<found.lowerBound] && answer.stopReason == .stop)
        #expect(answer.tokens == (whole.text.distance(from: whole.text.startIndex, to: found.upperBound) + 1) / 2)
      } else {
        #expect(answer == whole)
      }
    }
    #expect(answers[1].text.count <= 7 && heard == answers.map(\.text))
    #expect(answers.contains { $0.stopReason == .length })
    // One by one the same.
    for (index, prompt) in prompts.enumerated() {
      #expect(try generator.answers([prompt], tokenizer, some) == [answers[index]])
    }
    // The listener ends everything.
    var count = 0
    let cut = try generator.answers(prompts, tokenizer, some) { _, _ in
      count += 1
      return count < 5
    }
    #expect(cut.reduce(0) { $0 + $1.tokens } == 5)
  }
}
