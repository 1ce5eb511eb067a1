import Runs

/// A row that made it: what splitting and reporting ask of it. Its texts wait in the spool.
struct Kept: Sendable {
  /// The row as a line of a split file.
  var line: Spool.Place
  /// The raw row as JSON.
  var raw: Spool.Place
  /// The table it is from, and its row there.
  var table: Int32
  var row: Int32
  /// Its place among all rows that were taken.
  var order: Int32
  var promptTokens: Int32
  var answerTokens: Int32
  var split: DatasetSplit
  var rule: TextRule?
  /// What was done to an answer longer than `dataset.max_tokens`.
  var overLong: CleaningSettings.OverLong?
  /// Whether a syllable of Hangul is in it.
  var isKorean: Bool
  /// What most letters are, for the report.
  var language: LanguageShare.Name
  var isGrouped: Bool
  /// Of the normalised question.
  var question: Rank
  /// Of all that is said: rows with the same are duplicates.
  var conversation: Rank
  var group: Rank?

  var tokens: Int { Int(promptTokens) + Int(answerTokens) }
}
