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
  private let settings: EvaluationSettings

  public init(tokenizer: Tokenizer, settings: EvaluationSettings) {
    self.tokenizer = tokenizer
    options = GenerationOptions(settings)
    self.settings = settings
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

  /// - Parameter trained: the adapter's answers on the weights it was trained with, where `tuned` are its answers on others.
  public func samples(
    _ rows: [ChatRow], base: [TextAnswer], tuned: [TextAnswer], trained: [TextAnswer]? = nil
  ) -> [AnswerSample] {
    let scorer = scorer(rows.map(Answering.reference))
    return rows.indices.map { index in
      let row = rows[index]
      let reference = Answering.reference(row)
      func scored(_ answer: TextAnswer) -> AnswerSample.Answer {
        AnswerSample.Answer(
          text: answer.text, stopReason: answer.stopReason.rawValue, tokens: answer.tokens,
          scores: scorer.scores(answer: answer.text, reference: reference),
          repetition: AnswerText.repetition(answer.text),
          nonKorean: AnswerText.nonKorean(answer.text, reference: reference))
      }
      let (base, tuned) = (scored(base[index]), scored(tuned[index]))
      return AnswerSample(
        number: index + 1, kind: row.kind ?? "test", group: row.group,
        question: row.messages.last { $0.role == "user" }?.content ?? "", reference: reference, base: base,
        tuned: tuned, trained: trained.map { scored($0[index]) }, change: AnswerChange(from: base, to: tuned))
    }
  }

  /// What a set's answers of base and tuned model score, and what changed.
  public struct SetScores {
    public var pair: EvaluationRecord.Pair<EvaluationRecord.Corpus>
    public var deltas: [String: EvaluationRecord.Delta]
  }

  /// Corpus scores of all questions, and of each kind where there are several.
  public func sets(_ samples: [AnswerSample]) -> [String: SetScores] {
    compared(samples, { $0.base }, { $0.tuned })
  }

  /// The same of the adapter on the weights it was trained with against the others; nil where it was not asked there.
  public func trainedSets(_ samples: [AnswerSample]) -> [String: SetScores]? {
    guard samples.allSatisfy({ $0.trained != nil }) else { return nil }
    return compared(samples, { $0.trained ?? $0.tuned }, { $0.tuned })
  }

  private func compared(
    _ samples: [AnswerSample], _ first: (AnswerSample) -> AnswerSample.Answer,
    _ second: (AnswerSample) -> AnswerSample.Answer
  ) -> [String: SetScores] {
    let scorer = scorer(samples.map(\.reference))
    func scores(_ samples: [AnswerSample]) -> SetScores {
      func pairs(_ answer: (AnswerSample) -> AnswerSample.Answer) -> [AnswerPair] {
        samples.map { AnswerPair(hypothesis: answer($0).text, reference: $0.reference) }
      }
      let result = scorer.compare(pairs(first), pairs(second))
      func corpus(
        _ scores: [String: EvaluationRecord.Score], _ answer: (AnswerSample) -> AnswerSample.Answer
      ) -> EvaluationRecord.Corpus {
        EvaluationRecord.Corpus(
          questions: samples.count, stopped: samples.count { answer($0).stopReason == "stop" }, scores: scores)
      }
      return SetScores(
        pair: .init(base: corpus(result.scores.base, first), tuned: corpus(result.scores.tuned, second)),
        deltas: result.deltas)
    }
    var sets = ["all": scores(samples)]
    let kinds = Set(samples.map(\.kind))
    if kinds.count > 1 { for kind in kinds { sets[kind] = scores(samples.filter { $0.kind == kind }) } }
    return sets
  }

  private func scorer(_ references: [String]) -> Scorer {
    Scorer(metrics: settings.metrics, references: references, bleu: BLEUTokenizer(settings.bleuTokenize))
  }
}
