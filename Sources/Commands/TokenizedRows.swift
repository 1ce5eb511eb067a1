import Models
import Runs
import Tokenizers

/// Prepared rows as token ids, no longer than `training.max_seq_length`.
struct TokenizedRows {
  private(set) var rows: [TokenizedExample] = []
  /// Rows left out as longer than `max_seq_length` (`truncate` cuts the answers instead).
  private(set) var dropped = 0
  /// Rows of which every answer's end-of-turn token is supervised.
  private(set) var rowsWithSupervisedEnd = 0

  init(_ chats: [ChatRow], _ tokenizer: Tokenizer, _ training: TrainingSettings) throws {
    let ends = Set(tokenizer.eosTokens)
    let encoded = tokenizer.supervisedTurns(all: chats.map { chatMessages($0.messages) })
    for (index, row) in encoded.enumerated() {
      let (ids, turns) = try row.get()
      var example = TokenizedExample(ids: ids, supervised: turns, line: index + 1)
      // The model is not taught to stop where an answer was cut.
      if chats[index].overLong == CleaningSettings.OverLong.truncate.rawValue, let last = turns.last,
        let end = ids[last].lastIndex(where: ends.contains)
      {
        example = example.prefix(end)
      }
      if example.count > training.maxSeqLength {
        guard training.overflow == .truncate, example.promptLength < training.maxSeqLength else {
          dropped += 1
          continue
        }
        example = example.prefix(training.maxSeqLength)
      }
      let answersEnd = example.supervised.allSatisfy { !ends.isDisjoint(with: example.ids[$0]) }
      if answersEnd, example.supervised.count == turns.count { rowsWithSupervisedEnd += 1 }
      if training.trainOnInputs { example.supervised = [0..<example.count] }
      rows.append(example)
    }
  }
}
