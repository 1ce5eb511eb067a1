/// A line of `evaluation/samples.jsonl`: one held-out question and what the two models made of it.
public struct AnswerSample: Codable, Sendable, Equatable {
  public struct Answer: Codable, Sendable, Equatable {
    public var text: String
    /// "stop" (the model ended its turn, or said one of `stop_strings`) or "length" (cut off at max_new_tokens).
    public var stopReason: String
    public var tokens: Int
    /// Sentence scores by name: "bleu", "chrf" (0–100), "rouge1", "rouge2", "rougeL" (0–1).
    public var scores: [String: Double]

    public init(text: String, stopReason: String, tokens: Int, scores: [String: Double]) {
      self.text = text
      self.stopReason = stopReason
      self.tokens = tokens
      self.scores = scores
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

  public init(
    number: Int, kind: String, group: String?, question: String, reference: String, base: Answer, tuned: Answer
  ) {
    self.number = number
    self.kind = kind
    self.group = group
    self.question = question
    self.reference = reference
    self.base = base
    self.tuned = tuned
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
    /// "bleu", "chrf", "rouge1", "rouge2", "rougeL".
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

  /// "all", and "taught"/"untaught" where told apart.
  public var sets: [String: Pair<Corpus>]
  /// Token-weighted loss on the validation split, in nats.
  public var validationLoss: Pair<Double>
  public var validationSupervisedTokens: Int
  public var modelSha256: String
  public var adapterSha256: String
  public var adaptedLayers: Int
  public var maxNewTokens: Int
  /// `EvaluationSettings.decoding`: "greedy", "greedy, repetition_penalty 1.1".
  public var decoding: String
  public var compute: String
  /// Nil where no intervals were computed.
  public var bootstrap: Bootstrap?

  public init(
    sets: [String: Pair<Corpus>], validationLoss: Pair<Double>, validationSupervisedTokens: Int, modelSha256: String,
    adapterSha256: String, adaptedLayers: Int, maxNewTokens: Int, decoding: String, compute: String,
    bootstrap: Bootstrap? = nil
  ) {
    self.sets = sets
    self.validationLoss = validationLoss
    self.validationSupervisedTokens = validationSupervisedTokens
    self.modelSha256 = modelSha256
    self.adapterSha256 = adapterSha256
    self.adaptedLayers = adaptedLayers
    self.maxNewTokens = maxNewTokens
    self.decoding = decoding
    self.compute = compute
    self.bootstrap = bootstrap
  }
}
