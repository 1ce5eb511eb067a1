import Foundation
import Models
import Runs
import Tokenizers

/// Puts questions to a model.
public enum Answering {
  /// The question part of a prepared row: all turns before the last answer.
  public static func question(_ row: ChatRow) -> [ChatMessage] {
    row.messages.dropLast().map { ChatMessage(role: $0.role, content: $0.content) }
  }

  /// The last answer of a prepared row.
  public static func reference(_ row: ChatRow) -> String { row.messages.last?.content ?? "" }
}

extension GenerationOptions {
  public init(_ settings: EvaluationSettings) {
    self.init(
      maxNewTokens: settings.maxNewTokens,
      sampling: Sampling(
        temperature: settings.doSample ? Float(settings.temperature) : 0, topK: settings.topK,
        topP: Float(settings.topP),
        repetitionPenalty: Float(settings.repetitionPenalty), seed: UInt64(bitPattern: Int64(settings.seed))),
      stopStrings: settings.stopStrings)
  }
}

/// Base against tuned on held-out questions: answers, scores, sets.
public struct EvaluationWork {
  private let tokenizer: Tokenizer
  private let options: GenerationOptions
  private let metrics: [EvaluationSettings.Metric]

  public init(tokenizer: Tokenizer, settings: EvaluationSettings) {
    self.tokenizer = tokenizer
    options = GenerationOptions(settings)
    metrics = settings.metrics
  }

  /// Answers through the chat template, as many together as ``Generator`` takes. `onTokens` hears the tokens so far and may stop the work
  /// by returning false, which throws `CancellationError`.
  public func answers(_ session: DecoderSession, _ rows: [ChatRow], onTokens: (Int) -> Bool) throws -> [TextAnswer] {
    let prompts = try tokenizer.encodeChats(rows.map(Answering.question), addGenerationPrompt: true)
    var tokens = 0
    var isStopped = false
    let answers = try Generator(session, endTokens: tokenizer.eosTokens).answers(prompts, tokenizer, options) { _, _ in
      tokens += 1
      isStopped = isStopped || !onTokens(tokens)
      return !isStopped
    }
    if isStopped { throw CancellationError() }
    return answers.map { answer in
      var answer = answer
      answer.text = answer.text.trimmingCharacters(in: .whitespacesAndNewlines)
      return answer
    }
  }

  public func samples(_ rows: [ChatRow], base: [TextAnswer], tuned: [TextAnswer]) -> [AnswerSample] {
    let scorer = scorer(rows.map(Answering.reference))
    return zip(rows, zip(base, tuned)).enumerated().map { index, pair in
      let (row, answers) = pair
      let reference = Answering.reference(row)
      func scored(_ answer: TextAnswer) -> AnswerSample.Answer {
        AnswerSample.Answer(
          text: answer.text, stopReason: answer.stopReason.rawValue, tokens: answer.tokens,
          scores: scorer.scores(answer: answer.text, reference: reference))
      }
      return AnswerSample(
        number: index + 1, kind: row.kind ?? "test", group: row.group,
        question: row.messages.last { $0.role == "user" }?.content ?? "", reference: reference, base: scored(answers.0),
        tuned: scored(answers.1))
    }
  }

  /// Corpus scores of all questions, and of each kind where there are several.
  public func sets(_ samples: [AnswerSample]) -> [String: EvaluationRecord.Pair<EvaluationRecord.Corpus>] {
    let scorer = scorer(samples.map(\.reference))
    func corpus(_ samples: [AnswerSample], _ answer: (AnswerSample) -> AnswerSample.Answer) -> EvaluationRecord.Corpus {
      let pairs = samples.map { AnswerPair(hypothesis: answer($0).text, reference: $0.reference) }
      return scorer.corpus(pairs, stopped: samples.filter { answer($0).stopReason == "stop" }.count)
    }
    var sets = ["all": EvaluationRecord.Pair(base: corpus(samples) { $0.base }, tuned: corpus(samples) { $0.tuned })]
    let kinds = Set(samples.map(\.kind))
    if kinds.count > 1 {
      for kind in kinds {
        let some = samples.filter { $0.kind == kind }
        sets[kind] = EvaluationRecord.Pair(base: corpus(some) { $0.base }, tuned: corpus(some) { $0.tuned })
      }
    }
    return sets
  }

  private func scorer(_ references: [String]) -> Scorer { Scorer(metrics: metrics, references: references) }
}
