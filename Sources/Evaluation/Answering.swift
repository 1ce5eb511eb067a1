import Foundation
import Models
import Runs
import Tokenizers

/// Puts questions to a model.
public enum Answering {
  public struct Answer: Sendable, Equatable {
    public var text: String
    public var stopReason: Generation.StopReason
    public var tokens: Int
  }

  /// The question part of a prepared row: all turns before the last answer.
  public static func question(_ row: ChatRow) -> [ChatMessage] {
    row.messages.dropLast().map { ChatMessage(role: $0.role, content: $0.content) }
  }

  /// The last answer of a prepared row.
  public static func reference(_ row: ChatRow) -> String { row.messages.last?.content ?? "" }
}

/// Base against tuned on held-out questions: answers, scores, sets.
public struct EvaluationWork {
  private let tokenizer: Tokenizer
  private let maxNewTokens: Int
  private let metrics: [EvaluationSettings.Metric]
  /// Questions decoded together.
  private static let together = 8

  public init(tokenizer: Tokenizer, maxNewTokens: Int, metrics: [EvaluationSettings.Metric]) {
    self.tokenizer = tokenizer
    self.maxNewTokens = maxNewTokens
    self.metrics = metrics
  }

  /// Greedy answers through the chat template. `onTokens` hears the tokens so far and may stop the work by returning false, which
  /// throws `CancellationError`.
  public func answers(_ session: DecoderSession, _ rows: [ChatRow], onTokens: (Int) -> Bool) throws -> [Answering
    .Answer]
  {
    let generator = Generator(session, endTokens: tokenizer.eosTokens)
    var answers: [Answering.Answer] = []
    var tokens = 0
    for start in stride(from: 0, to: rows.count, by: Self.together) {
      let prompts = try rows[start..<min(start + Self.together, rows.count)].map {
        try tokenizer.encodeChat(Answering.question($0), addGenerationPrompt: true)
      }
      var isStopped = false
      let generations = try generator.generate(prompts, maxNewTokens: maxNewTokens) { _, _ in
        tokens += 1
        isStopped = !onTokens(tokens)
        return !isStopped
      }
      if isStopped { throw CancellationError() }
      answers += generations.map { generation in
        let text = tokenizer.decode(generation.ids, skipSpecial: true).trimmingCharacters(in: .whitespacesAndNewlines)
        return Answering.Answer(text: text, stopReason: generation.stopReason, tokens: generation.ids.count)
      }
    }
    return answers
  }

  public func samples(_ rows: [ChatRow], base: [Answering.Answer], tuned: [Answering.Answer]) -> [AnswerSample] {
    let scorer = scorer(rows.map(Answering.reference))
    return zip(rows, zip(base, tuned)).enumerated().map { index, pair in
      let (row, answers) = pair
      let reference = Answering.reference(row)
      func scored(_ answer: Answering.Answer) -> AnswerSample.Answer {
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
