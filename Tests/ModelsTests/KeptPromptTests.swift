import Compute
import ModelFixtures
import Testing

@testable import Models

/// What is kept of a conversation changes no answer: each equals the one of the whole prompt read anew.
@Suite struct KeptPromptTests {
  private struct Case {
    let session: DecoderSession
    /// The first prompt, and tokens for further turns.
    let prompt: [Int32]
    let more: [Int32]
  }

  private func cases(_ name: String) throws -> [Case] {
    let fixture = try PeerFixture(name, backend: CPUBackend())
    let rows = fixture.rows.map(\.ids)
    let adapter = try fixture.adapter()
    return [nil, adapter].map {
      Case(session: DecoderSession(fixture.decoder, adapter: $0), prompt: rows[0], more: rows[1])
    }
  }

  private func fresh(_ session: DecoderSession, _ prompt: [Int32], _ count: Int) throws -> Generation {
    try Generator(session, endTokens: []).generate([prompt], maxNewTokens: count)[0]
  }

  @Test(arguments: ["qwen2-gqa", "qwen3", "dora", "llama3-rope"])
  func turnsEqualAWholePrompt(_ name: String) throws {
    for some in try cases(name) {
      // Small pieces and little room, so that both come to their ends.
      let kept = KeptPrompt(Generator(some.session, endTokens: []), pieceTokens: 3, leastCapacity: 4)
      let first = try kept.generate(some.prompt, maxNewTokens: 6)
      #expect(first == (try fresh(some.session, some.prompt, 6)))
      #expect(kept.readCount == some.prompt.count)
      // The last token of an answer was chosen, not read.
      #expect(kept.ids == some.prompt + first.ids.dropLast())

      let second = some.prompt + first.ids + some.more.prefix(5)
      let answer = try kept.generate(second, maxNewTokens: 6)
      #expect(answer == (try fresh(some.session, second, 6)))
      #expect(kept.readCount == 6)

      // The same again: only the last token is read.
      #expect(try kept.generate(second, maxNewTokens: 6) == answer)
      #expect(kept.readCount == 1)

      // Another second turn, as after an undo.
      let third = some.prompt + some.more.reversed().prefix(4)
      #expect(try kept.generate(third, maxNewTokens: 5) == fresh(some.session, third, 5))
      #expect(kept.readCount <= 4 && kept.readCount >= 1)

      // Nothing in common.
      let other = [(some.prompt[0] + 1) % 60] + some.more.prefix(7)
      #expect(try kept.generate(other, maxNewTokens: 5) == fresh(some.session, other, 5))
      #expect(kept.readCount == other.count)
    }
  }

  @Test func samplingDrawsAsThePromptOfThatNumber() throws {
    let some = try cases("qwen2-gqa")[1]
    let sampling = Sampling(temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1.2, seed: 5)
    let prompts = (0..<3).map { _ in some.prompt }
    let all = try Generator(some.session, endTokens: []).generate(prompts, maxNewTokens: 8, sampling: sampling)
    let kept = KeptPrompt(Generator(some.session, endTokens: []))
    for (index, expected) in all.enumerated() {
      let stream = UInt64(index)
      #expect(try kept.generate(some.prompt, maxNewTokens: 8, sampling: sampling, stream: stream) == expected)
    }
    #expect(all[0] != all[1])
  }

  @Test func whatWasStoppedGoesOnRight() throws {
    let some = try cases("qwen2-gqa")[0]
    let kept = KeptPrompt(Generator(some.session, endTokens: []), pieceTokens: 4)
    // Stopped between two pieces of the prompt.
    var asked = 0
    let cancels: () -> Bool = {
      asked += 1
      return asked > 1
    }
    let none = try kept.generate(some.prompt, maxNewTokens: 6, isCancelled: cancels)
    #expect(none.ids.isEmpty && kept.ids == Array(some.prompt.prefix(4)))
    // Stopped in the answer.
    var heard = 0
    let listener: (Int32) -> Generator.Continuation = { _ in
      heard += 1
      return heard == 3 ? .endAll : .goOn
    }
    let cut = try kept.generate(some.prompt, maxNewTokens: 6, onToken: listener)
    let whole = try fresh(some.session, some.prompt, 6)
    #expect(kept.readCount == some.prompt.count - 4)
    #expect(cut.ids == Array(whole.ids.prefix(3)))
    #expect(try kept.generate(some.prompt, maxNewTokens: 6) == whole)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let some = try cases("qwen2-gqa")[0]
    let kept = KeptPrompt(Generator(some.session, endTokens: []))
    #expect(throws: ModelError.self) { try kept.generate([], maxNewTokens: 1) }
    #expect(throws: ModelError.self) { try kept.generate(some.prompt, maxNewTokens: 65) }
    #expect(try kept.generate(some.prompt, maxNewTokens: 4) == fresh(some.session, some.prompt, 4))
  }
}
