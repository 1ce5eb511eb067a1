public struct DatasetSettings: SettingsSection, Sendable, Equatable {
  public var files: [String] = []
  public var validationFiles: [String] = []
  public var testFiles: [String] = []
  /// A data set of the Hub, instead of files.
  public var hub: HubSettings?
  public var format: FormatSettings?
  /// Of a row in the chat template; `cleaning.over_long` says what becomes of longer ones.
  public var maxTokens = 4096
  /// So many rows of `files` are passed over first.
  public var offset = 0
  /// So many rows of `files` are drawn at random, by the split's seed, before `limit` takes its share; nil takes all.
  public var sample: Int?
  /// At most so many rows are read, the first ones after the seeded ranking; nil reads all.
  public var limit: Int?
  public var cleaning = CleaningSettings()
  public var split: SplitSettings? = SplitSettings()
  /// How the prepared rows are published: `parquet` is written beside the JSONL files that the other stages read.
  public var output = Output.jsonl

  public enum Output: String, CaseIterable, SettingValue, Sendable { case jsonl, parquet }

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("files", &files)
    try binder.bind("validation_files", &validationFiles)
    try binder.bind("test_files", &testFiles)
    try binder.bind(optionalSection: "hub", &hub, empty: HubSettings())
    try binder.bind(optionalSection: "format", &format, empty: FormatSettings())
    try binder.bind("max_tokens", &maxTokens) { $0 >= 1 ? nil : "at least 1" }
    try binder.bind("offset", &offset) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("sample", &sample) { $0.map { $0 >= 1 } ?? true ? nil : "at least 1" }
    try binder.bind("limit", &limit) { $0.map { $0 >= 1 } ?? true ? nil : "at least 1" }
    try binder.bind(section: "cleaning", &cleaning)
    try binder.bind(optionalSection: "split", &split, empty: SplitSettings())
    try binder.bind("output", &output)
  }
}

/// What is done to texts, and which rows are dropped for what they say.
public struct CleaningSettings: SettingsSection, Sendable, Equatable {
  public enum UnicodeForm: String, CaseIterable, SettingValue, Sendable { case nfc, keep }
  public enum ControlCharacters: String, CaseIterable, SettingValue, Sendable { case remove, keep }
  public enum Duplicates: String, CaseIterable, SettingValue, Sendable { case drop, keep }
  /// What happens to training rows that ask what a test row asks. All are counted; `drop` drops those that ask it exactly, `drop_near`
  /// those that nearly do as well, unless they are of the test row's own group.
  public enum Leaks: String, CaseIterable, SettingValue, Sendable {
    case drop
    case dropNear = "drop_near"
    case count
  }
  /// What becomes of a row of more than `max_tokens`: it is rejected, the last answer is cut, or shared out between rows that ask the same.
  public enum OverLong: String, CaseIterable, SettingValue, Sendable { case drop, truncate, split }

  public var unicode = UnicodeForm.nfc
  /// All but tab and line end, and byte-order marks; "\r\n" becomes "\n".
  public var controlCharacters = ControlCharacters.remove
  /// Rows that say the same to the same.
  public var duplicates = Duplicates.drop
  /// Rows that share this share of their character 5-grams (Jaccard) with an earlier one are dropped; nil keeps them: wordings of one
  /// fact with one answer are near duplicates too.
  public var nearDuplicates: Double?
  public var leaks = Leaks.drop
  /// From which similarity of character 5-grams a training question nearly asks a test question; nil doesn't look.
  public var nearLeaks: Double? = 0.8
  /// Rows of which a smaller share of the letters is Hangul are dropped.
  public var minKorean: Double?
  public var overLong = OverLong.drop

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    func share(_ value: Double?) -> String? {
      value.map { $0 > 0 && $0 <= 1 } ?? true ? nil : "a share above 0, up to 1"
    }
    try binder.bind("unicode", &unicode)
    try binder.bind("control_characters", &controlCharacters)
    try binder.bind("duplicates", &duplicates)
    try binder.bind("near_duplicates", &nearDuplicates, check: share)
    try binder.bind("leaks", &leaks)
    try binder.bind("near_leaks", &nearLeaks, check: share)
    try binder.bind("min_korean", &minKorean, check: share)
    try binder.bind("over_long", &overLong)
  }
}

/// How a row of one text becomes questions and answers. Rules are tried in the order they are given.
public enum TextRule: String, CaseIterable, SettingValue, Sendable {
  /// Turns begun by role tokens: `<usr>`, `### 질문:` … `### 응답:`, ChatML.
  case roles
  /// A written question and its answer, by labels: `질문: … 답변: …`, `문제: … 정답: …`, `Q: … A: …`.
  case instruction
  /// A Markdown heading or title asks to be explained, and its section is the answer.
  case heading
  /// The text's beginning asks for its end: nothing of the text is lost.
  case continuation
}

/// How a raw row's columns become a question and an answer: templates with `{column}` in braces, a column of whole conversations, or a
/// column of text that rules turn into conversations.
public struct FormatSettings: SettingsSection, Sendable, Equatable {
  public var system: String?
  public var input = "{question}"
  public var output = "{answer}"
  /// A column of lists of messages ("{conversations}"), instead of input and output.
  public var messages: String?
  /// A column of texts ("{text}"), instead of input and output.
  public var text: String?
  public var rules = TextRule.allCases

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("system", &system)
    try binder.bind("input", &input)
    try binder.bind("output", &output)
    try binder.bind("messages", &messages)
    try binder.bind("text", &text)
    try binder.bind("rules", &rules) { $0.isEmpty ? "at least one rule" : nil }
  }
}

public struct SplitSettings: SettingsSection, Sendable, Equatable {
  /// The share of rows kept for validation.
  public var validation = 0.08
  /// How many rows are kept for the test questions.
  public var test = 10
  public var seed = 42
  /// The column that names what rows have in common (several wordings of one fact).
  public var group: String?
  /// Whether the wordings of a group may stand in different splits: `spread` lets single ones validate, and test where `test_seen` asks
  /// for it; `together` keeps each group whole.
  public var groups = Groups.spread
  /// So many of the test rows ask, in new words, what the training rows teach; no training row shares a group with the others.
  public var testSeen = 0

  public enum Groups: String, CaseIterable, SettingValue, Sendable { case spread, together }

  public init() {}

  public mutating func bind(_ binder: inout SettingsBinder) throws {
    try binder.bind("validation", &validation) { (0..<1).contains($0) ? nil : "a share from 0 to below 1" }
    try binder.bind("test", &test) { $0 >= 0 ? nil : "0 or more" }
    try binder.bind("seed", &seed)
    try binder.bind("group", &group)
    try binder.bind("groups", &groups)
    try binder.bind("test_seen", &testSeen) { $0 >= 0 ? nil : "0 or more" }
  }
}
