import Compute
import Testing

@testable import Models

@Suite struct PackedBatchTests {
  private let a = TokenizedExample(prompt: [1, 2, 3, 4], answer: [5, 6])
  private let b = TokenizedExample(prompt: [1, 2, 9], answer: [7])

  @Test func rowsLieOneAfterAnother() {
    let batch = PackedBatch([a, b], sharesPrefix: false)
    // The last token of each predicts nothing.
    #expect(batch.ids == [1, 2, 3, 4, 5, 1, 2, 9])
    #expect(batch.positions == [0, 1, 2, 3, 4, 0, 1, 2])
    #expect(
      batch.segments == [
        AttentionSegment(queryRows: 0..<5, keyRows: [0..<5]), AttentionSegment(queryRows: 5..<8, keyRows: [5..<8]),
      ])
    #expect(batch.predicting == [3, 4, 7])
    #expect(batch.targets == [5, 6, 7])
    #expect(batch.targetRanges == [0..<2, 2..<3])
    #expect(batch.lengths == [6, 4])
  }

  @Test func aCommonBeginningIsLaidDownOnce() {
    let batch = PackedBatch([a, b])
    #expect(batch.ids == [1, 2, 3, 4, 5, 9])
    #expect(batch.positions == [0, 1, 2, 3, 4, 2])
    #expect(batch.segments[2] == AttentionSegment(queryRows: 5..<6, keyRows: [0..<2, 5..<6]))
    #expect(batch.predicting == [3, 4, 5])
    #expect(batch.targets == [5, 6, 7])
  }

  @Test func thePrefixEndsBeforeTheLastPromptToken() {
    // Equal prompts: the place that predicts the first answer token belongs to each row.
    let batch = PackedBatch([
      TokenizedExample(prompt: [1, 2], answer: [3]), TokenizedExample(prompt: [1, 2], answer: [4]),
    ])
    #expect(batch.ids == [1, 2, 2])
    #expect(batch.predicting == [1, 2])
  }

  @Test func aRowWithoutAPromptSupervisesAllButItsFirstToken() {
    let batch = PackedBatch([TokenizedExample(prompt: [], answer: [3, 4, 5])])
    #expect(batch.ids == [3, 4])
    #expect(batch.predicting == [0, 1])
    #expect(batch.targets == [4, 5])
  }

  @Test func whatFollowsTheLastAnswerIsLeftOut() {
    let batch = PackedBatch([TokenizedExample(ids: [1, 2, 3, 4, 5, 6, 7], supervised: [1..<2, 3..<4, 7..<7])])
    #expect(batch.ids == [1, 2, 3])
    #expect(batch.predicting == [0, 2])
    #expect(batch.targets == [2, 4])
  }

  @Test func ofARowThatPredictsNothingAllIsLaidDown() {
    #expect(PackedBatch(prompts: [[1, 2, 3]]).ids == [1, 2, 3])
    #expect(PackedBatch([TokenizedExample(ids: [1, 2, 3], supervised: [0..<1])]).ids == [1, 2, 3])
  }
}
