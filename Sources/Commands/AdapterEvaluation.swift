import Evaluation
import Foundation
import Models
import Runs
import Tokenizers
import Training

/// A base model and an adapter put to the same held-out rows: by `evaluate` for a run's own, by `evaluate --data` for any others.
struct AdapterEvaluation {
  let tokenizer: Tokenizer
  let settings: EvaluationSettings
  /// The rows whose questions are answered.
  let questions: [ChatRow]
  /// The rows that the loss is measured on.
  let lossRows: [TokenizedExample]
  let console: Console

  private var work: EvaluationWork { EvaluationWork(tokenizer: tokenizer, settings: settings) }

  /// What one model made of the rows.
  struct Outcome {
    var answers: [TextAnswer]
    var loss: LossSummary
  }

  /// Lets one model answer and measures its loss; throws `CancellationError` where the user interrupts.
  func ask(_ decoder: Decoder, _ adapter: LoraAdapter?, title: Words) throws -> Outcome {
    let session = DecoderSession(decoder, adapter: adapter)
    let progress = Progress(console, title)
    defer { progress.close() }
    let total = questions.count * settings.maxNewTokens
    let answers = try work.answers(session, questions) { tokens in
      progress.update(tokens, of: total)
      return !Interruption.isRequested
    }
    guard let loss = LossEvaluation.run(session, lossRows, isCancelled: { Interruption.isRequested }) else {
      throw CancellationError()
    }
    return Outcome(answers: answers, loss: loss)
  }

  static let baseTitle = Words("Base model answers", ko: "기반 모델 평가")
  static let tunedTitle = Words("Tuned model answers", ko: "미세 조정 모델 평가")

  /// The files' contents, of base and tuned model on the same weights, and of the adapter on the weights it was trained with where those are
  /// others.
  func results(
    base: Outcome, tuned: Outcome, trained: (outcome: Outcome, arithmetic: Arithmetic)? = nil, modelSha256: String,
    adapter: (sha256: String, layers: Int), arithmetic: Arithmetic, data: FileRecord? = nil, isMerged: Bool = false
  ) -> (samples: [AnswerSample], record: EvaluationRecord) {
    let samples = work.samples(
      questions, base: base.answers, tuned: tuned.answers, trained: trained?.outcome.answers)
    let sets = work.sets(samples)
    let loss = EvaluationRecord.Pair(base: base.loss.loss, tuned: tuned.loss.loss)
    let perplexity = EvaluationRecord.Pair(base: exp(loss.base), tuned: exp(loss.tuned))
    let isTold = settings.metrics.contains(.perplexity) && perplexity.base.isFinite && perplexity.tuned.isFinite
    var record = EvaluationRecord(
      sets: sets.mapValues(\.pair), deltas: sets.mapValues(\.deltas), validationLoss: loss,
      perplexity: isTold ? perplexity : nil, validationSupervisedTokens: base.loss.supervisedTokens,
      modelSha256: modelSha256, adapterSha256: adapter.sha256, adaptedLayers: adapter.layers,
      maxNewTokens: settings.maxNewTokens, decoding: settings.decoding, compute: arithmetic.compute,
      weights: arithmetic.weights.rawValue, bootstrap: Bootstrap.record, data: data)
    record.merged = isMerged ? true : nil
    if let trained, let sets = work.trainedSets(samples) {
      record.trained = EvaluationRecord.Trained(
        weights: trained.arithmetic.weights.rawValue, compute: trained.arithmetic.compute,
        validationLoss: trained.outcome.loss.loss, sets: sets.mapValues(\.pair.base),
        deltas: sets.mapValues(\.deltas))
    }
    return (samples, record)
  }
}
