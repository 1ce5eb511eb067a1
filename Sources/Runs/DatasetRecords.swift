/// One prepared row: a line of `dataset/train.jsonl`, `validation.jsonl` or `test.jsonl`.
public struct ChatRow: Codable, Sendable, Equatable {
  public struct Message: Codable, Sendable, Equatable {
    /// "system", "user" or "assistant".
    public var role: String
    public var content: String
    public init(role: String, content: String) {
      self.role = role
      self.content = content
    }
  }

  /// Where the row came from; `row` counts from 1 in that file.
  public struct Source: Codable, Sendable, Equatable {
    public var file: String
    public var row: Int
    public init(file: String, row: Int) {
      self.file = file
      self.row = row
    }
  }

  public var messages: [Message]
  public var source: Source
  /// The value of the group column, if the experiment names one.
  public var group: String?
  /// In the test split: "taught" (its group is in the training rows, in other words) or "untaught".
  public var kind: String?
  /// Of a row made of one text: the rule that made it (`TextRule`).
  public var rule: String?
  /// Of an answer longer than `dataset.max_tokens`: "truncate" (its end is cut off, so its end of turn is not learned) or "split" (this is a
  /// part of it).
  public var overLong: String?

  public init(
    messages: [Message], source: Source, group: String? = nil, kind: String? = nil, rule: String? = nil,
    overLong: String? = nil
  ) {
    self.messages = messages
    self.source = source
    self.group = group
    self.kind = kind
    self.rule = rule
    self.overLong = overLong
  }
}

/// A line of `dataset/rejected.jsonl`.
public struct RejectedRow: Codable, Sendable, Equatable {
  public var source: ChatRow.Source
  /// A short fixed word ("too_long", "empty_answer", "no_answer", "duplicate"), counted in the report.
  public var reason: String
  /// The reason in words, with its figures.
  public var detail: String
  /// The raw row as JSON text.
  public var raw: String

  public init(source: ChatRow.Source, reason: String, detail: String, raw: String) {
    self.source = source
    self.reason = reason
    self.detail = detail
    self.raw = raw
  }
}

/// `dataset/report.json`.
public struct DatasetReport: Codable, Sendable, Equatable {
  public struct Counts: Codable, Sendable, Equatable {
    /// read = kept + rejected; kept = train + validation + test.
    public var read: Int
    public var kept: Int
    public var rejected: Int
    public var train: Int
    public var validation: Int
    public var test: Int
    public var testTaught: Int
    public var testUntaught: Int
    public var groups: Int
    /// Rows that texts and long answers made beyond one each, where any did: then read + added = kept + rejected.
    public var added: Int?

    public init(
      read: Int, kept: Int, rejected: Int, train: Int, validation: Int, test: Int, testTaught: Int, testUntaught: Int,
      groups: Int, added: Int? = nil
    ) {
      self.read = read
      self.kept = kept
      self.rejected = rejected
      self.train = train
      self.validation = validation
      self.test = test
      self.testTaught = testTaught
      self.testUntaught = testUntaught
      self.groups = groups
      self.added = added
    }
  }

  /// How many rows have a length of so many tokens, prompt and answer together.
  public struct LengthCount: Codable, Sendable, Equatable {
    public var tokens: Int
    public var rows: Int
    public init(tokens: Int, rows: Int) {
      self.tokens = tokens
      self.rows = rows
    }
  }

  /// One row before and after: the raw columns, the messages, and the text the model sees.
  public struct Sample: Codable, Sendable, Equatable {
    public struct Field: Codable, Sendable, Equatable {
      public var name: String
      public var value: String
      public init(name: String, value: String) {
        self.name = name
        self.value = value
      }
    }
    public var source: ChatRow.Source
    public var before: [Field]
    public var after: [ChatRow.Message]
    /// The chat template's rendering, control tokens included.
    public var rendered: String
    public var tokens: Int
    public var supervisedTokens: Int

    public init(
      source: ChatRow.Source, before: [Field], after: [ChatRow.Message], rendered: String, tokens: Int,
      supervisedTokens: Int
    ) {
      self.source = source
      self.before = before
      self.after = after
      self.rendered = rendered
      self.tokens = tokens
      self.supervisedTokens = supervisedTokens
    }
  }

  /// Test questions that also stand among the training or validation questions, compared after normalisation.
  public struct Leakage: Codable, Sendable, Equatable {
    public var exactQuestions: Int
    /// Untaught test groups found among the training rows: always 0, checked after the split.
    public var untaughtGroupsInTrain: Int
    /// Test questions that a training row of another group nearly asks; nil where there is none.
    public var nearQuestions: Int?
    /// Test questions that only training rows of their own group nearly ask, which are there on purpose; nil where there is none.
    public var nearQuestionsInGroup: Int?

    public init(
      exactQuestions: Int, untaughtGroupsInTrain: Int, nearQuestions: Int? = nil, nearQuestionsInGroup: Int? = nil
    ) {
      self.exactQuestions = exactQuestions
      self.untaughtGroupsInTrain = untaughtGroupsInTrain
      self.nearQuestions = nearQuestions
      self.nearQuestionsInGroup = nearQuestionsInGroup
    }
  }

  /// What was done to the texts of the kept rows, and what language they are in.
  public struct Cleaning: Codable, Sendable, Equatable {
    /// Rows brought to Unicode's form C.
    public var normalized: Int
    /// Rows that lost control characters.
    public var controlCharacters: Int
    /// "ko", "en" (Latin letters), "other" or "none", by what most letters are → rows.
    public var languages: [String: Int]
    /// "truncate" (their answers are cut), "split" (they are parts of answers) → rows; nil where none is.
    public var overLong: [String: Int]?

    public init(normalized: Int, controlCharacters: Int, languages: [String: Int], overLong: [String: Int]? = nil) {
      self.normalized = normalized
      self.controlCharacters = controlCharacters
      self.languages = languages
      self.overLong = overLong
    }
  }

  /// "json array of objects", "jsonl messages" …
  public var schema: String
  /// Role → template or column it was made from.
  public var mapping: [String: String]
  public var counts: Counts
  /// Reject reason → rows.
  public var rejects: [String: Int]
  /// A column's values → rows, for columns with few values ("subject"), by column.
  public var categories: [String: [String: Int]]
  public var maxTokens: Int
  /// Of the kept rows, by length.
  public var tokenLengths: [LengthCount]
  public var samples: [Sample]
  public var leakage: Leakage
  /// Of rows made of text: rule → kept rows; nil where no row is.
  public var rules: [String: Int]?
  /// Where a text was changed, or the experiment has settings of its own for cleaning.
  public var cleaning: Cleaning?

  public init(
    schema: String, mapping: [String: String], counts: Counts, rejects: [String: Int],
    categories: [String: [String: Int]],
    maxTokens: Int, tokenLengths: [LengthCount], samples: [Sample], leakage: Leakage, rules: [String: Int]? = nil,
    cleaning: Cleaning? = nil
  ) {
    self.schema = schema
    self.mapping = mapping
    self.counts = counts
    self.rejects = rejects
    self.categories = categories
    self.maxTokens = maxTokens
    self.tokenLengths = tokenLengths
    self.samples = samples
    self.leakage = leakage
    self.rules = rules
    self.cleaning = cleaning
  }
}
