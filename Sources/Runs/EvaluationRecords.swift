/// A line of `evaluation/samples.jsonl`: one held-out question and what the two models made of it.
public struct AnswerSample: Codable, Sendable, Equatable {
  public struct Answer: Codable, Sendable, Equatable {
    public var text: String
    /// "stop" (the model ended its turn, or said one of `stop_strings`) or "length" (cut off at max_new_tokens).
    public var stopReason: String
    public var tokens: Int
    /// Sentence scores by the names of ``ScoreName``: ROUGE from 0 to 1, the others from 0 to 100.
    public var scores: [String: Double]
    /// The share of the word 4-grams that stood in the answer before, 0 to 1; nil in records of earlier versions.
    public var repetition: Double?
    /// The share of the letters that are not Hangul, 0 to 1, where the reference is Korean; nil for an answer without letters.
    public var nonKorean: Double?

    public init(
      text: String, stopReason: String, tokens: Int, scores: [String: Double], repetition: Double? = nil,
      nonKorean: Double? = nil
    ) {
      self.text = text
      self.stopReason = stopReason
      self.tokens = tokens
      self.scores = scores
      self.repetition = repetition
      self.nonKorean = nonKorean
    }
  }

  /// From 1, in the order of test.jsonl.
  public var number: Int
  /// "taught", "untaught", or "test" where the split does not tell them apart.
  public var kind: String
  public var group: String?
  public var question: String
  public var reference: String
  public var base: Answer
  public var tuned: Answer
  /// The adapter's answer on the weights it was trained with, where ``tuned`` is its answer on others (`evaluate --weights`).
  public var trained: Answer?
  /// What ``AnswerChange`` says of base and tuned; nil in records of earlier versions.
  public var change: AnswerChange?

  public init(
    number: Int, kind: String, group: String?, question: String, reference: String, base: Answer, tuned: Answer,
    trained: Answer? = nil, change: AnswerChange? = nil
  ) {
    self.number = number
    self.kind = kind
    self.group = group
    self.question = question
    self.reference = reference
    self.base = base
    self.tuned = tuned
    self.trained = trained
    self.change = change
  }
}

/// `evaluation/metrics.json`.
public struct EvaluationRecord: Codable, Sendable, Equatable {
  public struct Score: Codable, Sendable, Equatable {
    public var value: Double
    /// As sacreBLEU prints it: "nrefs:1|case:mixed|eff:no|tok:char|smooth:exp|version:2.6.0".
    public var signature: String
    /// The lower and the upper end of the bootstrap interval; nil below two questions, and in records of earlier versions.
    public var interval: [Double]?
    public init(value: Double, signature: String, interval: [Double]? = nil) {
      self.value = value
      self.signature = signature
      self.interval = interval
    }
  }

  /// What a score changed by from one model to another.
  public struct Delta: Codable, Sendable, Equatable {
    public var value: Double
    /// The lower and the upper end of the paired bootstrap interval; nil below two questions.
    public var interval: [Double]?
    /// Of the paired bootstrap, as sacreBLEU counts it; nil below two questions.
    public var pValue: Double?
    public init(value: Double, interval: [Double]?, pValue: Double?) {
      self.value = value
      self.interval = interval
      self.pValue = pValue
    }

    /// Whether the interval leaves out 0; nil where there is none.
    public var isClear: Bool? {
      guard let interval, let low = interval.first, let high = interval.last, interval.count == 2 else { return nil }
      return low > 0 || high < 0
    }
  }

  /// How the intervals came about: percentile bootstrap over the questions.
  public struct Bootstrap: Codable, Sendable, Equatable {
    public var resamples: Int
    /// 0.95
    public var confidence: Double
    public var seed: Int
    public init(resamples: Int, confidence: Double, seed: Int) {
      self.resamples = resamples
      self.confidence = confidence
      self.seed = seed
    }
  }

  /// Corpus scores over one set of questions for one model.
  public struct Corpus: Codable, Sendable, Equatable {
    public var questions: Int
    /// Answers that ended by themselves.
    public var stopped: Int
    /// By the names of ``ScoreName``.
    public var scores: [String: Score]
    public init(questions: Int, stopped: Int, scores: [String: Score]) {
      self.questions = questions
      self.stopped = stopped
      self.scores = scores
    }
  }

  public struct Pair<Value: Codable & Sendable & Equatable>: Codable, Sendable, Equatable {
    public var base: Value
    public var tuned: Value
    public init(base: Value, tuned: Value) {
      self.base = base
      self.tuned = tuned
    }
  }

  /// An adapter measured on the weights it was trained with, beside the others that it was evaluated on.
  public struct Trained: Codable, Sendable, Equatable {
    /// "bf16", "nf4" …
    public var weights: String
    public var compute: String
    public var validationLoss: Double
    public var sets: [String: Corpus]
    /// What the other weights change, by set and metric.
    public var deltas: [String: [String: Delta]]
    public init(
      weights: String, compute: String, validationLoss: Double, sets: [String: Corpus],
      deltas: [String: [String: Delta]]
    ) {
      self.weights = weights
      self.compute = compute
      self.validationLoss = validationLoss
      self.sets = sets
      self.deltas = deltas
    }
  }

  /// The names of the sets, in the order they are told in.
  public var setNames: [String] {
    let order = ["all", "taught", "untaught"]
    return order.filter { sets[$0] != nil } + sets.keys.sorted().filter { !order.contains($0) }
  }

  /// "all", and "taught"/"untaught" where told apart.
  public var sets: [String: Pair<Corpus>]
  /// What the scores changed by from base to tuned, by set and metric; nil in records of earlier versions.
  public var deltas: [String: [String: Delta]]?
  /// Token-weighted loss on the validation split, in nats.
  public var validationLoss: Pair<Double>
  /// e to the power of ``validationLoss``, where it was asked for and is a finite number.
  public var perplexity: Pair<Double>?
  public var validationSupervisedTokens: Int
  public var modelSha256: String
  public var adapterSha256: String
  public var adaptedLayers: Int
  public var maxNewTokens: Int
  /// `EvaluationSettings.decoding`: "greedy", "greedy, repetition_penalty 1.1".
  public var decoding: String
  public var compute: String
  /// How the weights were held: "f32", "bf16", "nf4", "int8"; nil in records of earlier versions.
  public var weights: String?
  /// Nil where no intervals were computed.
  public var bootstrap: Bootstrap?
  /// The rows it was measured on, where they are not the run's own.
  public var data: FileRecord?
  /// True where the tuned model's adapter was merged into its weights (`evaluate --merged`).
  public var merged: Bool?
  /// Where the weights are not those that the adapter was trained with, or the adapter is merged.
  public var trained: Trained?

  public init(
    sets: [String: Pair<Corpus>], deltas: [String: [String: Delta]]? = nil, validationLoss: Pair<Double>,
    perplexity: Pair<Double>? = nil, validationSupervisedTokens: Int, modelSha256: String, adapterSha256: String,
    adaptedLayers: Int, maxNewTokens: Int, decoding: String, compute: String, weights: String? = nil,
    bootstrap: Bootstrap? = nil, data: FileRecord? = nil, trained: Trained? = nil
  ) {
    self.sets = sets
    self.deltas = deltas
    self.validationLoss = validationLoss
    self.perplexity = perplexity
    self.validationSupervisedTokens = validationSupervisedTokens
    self.modelSha256 = modelSha256
    self.adapterSha256 = adapterSha256
    self.adaptedLayers = adaptedLayers
    self.maxNewTokens = maxNewTokens
    self.decoding = decoding
    self.compute = compute
    self.weights = weights
    self.bootstrap = bootstrap
    self.data = data
    self.trained = trained
  }
}
