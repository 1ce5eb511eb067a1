import Compute
import Testing

@testable import Models

@Suite struct PackedBatchTests {
  private let a = TokenizedExample(prompt: [1, 2, 3, 4], answer: [5, 6])
  private let b = TokenizedExample(prompt: [1, 2, 9], answer: [7])

  @Test func rowsLieOneAfterAnother() {
    let batch = PackedBatch([a, b], sharesPrefix: false)
    #expect(batch.ids == [1, 2, 3, 4, 5, 6, 1, 2, 9, 7])
    #expect(batch.positions == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3])
    #expect(
      batch.segments == [
        AttentionSegment(queryRows: 0..<6, keyRows: [0..<6]), AttentionSegment(queryRows: 6..<10, keyRows: [6..<10]),
      ])
    #expect(batch.predicting == [3, 4, 8])
    #expect(batch.targets == [5, 6, 7])
    #expect(batch.targetRanges == [0..<2, 2..<3])
  }

  @Test func aCommonBeginningIsLaidDownOnce() {
    let batch = PackedBatch([a, b])
    #expect(batch.ids == [1, 2, 3, 4, 5, 6, 9, 7])
    #expect(batch.positions == [0, 1, 2, 3, 4, 5, 2, 3])
    #expect(batch.segments[2] == AttentionSegment(queryRows: 6..<8, keyRows: [0..<2, 6..<8]))
    #expect(batch.predicting == [3, 4, 6])
    #expect(batch.targets == [5, 6, 7])
  }

  @Test func thePrefixEndsBeforeTheLastPromptToken() {
    // Equal prompts: the place that predicts the first answer token belongs to each row.
    let batch = PackedBatch([
      TokenizedExample(prompt: [1, 2], answer: [3]), TokenizedExample(prompt: [1, 2], answer: [4]),
    ])
    #expect(batch.ids == [1, 2, 3, 2, 4])
    #expect(batch.predicting == [1, 3])
  }

  @Test func aRowWithoutAPromptSupervisesAllButItsFirstToken() {
    let batch = PackedBatch([TokenizedExample(prompt: [], answer: [3, 4, 5])])
    #expect(batch.predicting == [0, 1])
    #expect(batch.targets == [4, 5])
  }
}
