import Charts
import Formats
import Foundation
import Jinja
import Runs

/// What the index, tag and post templates are given about posts and runs.
struct PageValues: Sendable {
  let tags: TagNames
  let runs: [String: RunData]

  static func address(post: RenderedPost) -> String { "posts/\(post.slug)/index.html" }
  static func address(run id: String) -> String { "runs/\(id)/index.html" }
  static func address(comparison slug: String) -> String { "compare/\(slug)/index.html" }
  static func address(tag: TagNames.Tag) -> String { "tags/\(tag.slug)/index.html" }

  private static func link(_ address: String) -> Value { .string(PageRenderer.percentEncoded(address)) }

  // MARK: Posts

  /// A post in a list: with its result where its run has one.
  func card(_ post: RenderedPost) -> Value {
    let words = SiteWords(language: post.language)
    let run = post.run.flatMap { runs[$0] }
    return [
      "slug": .string(post.slug), "address": Self.link(Self.address(post: post)), "title": .string(post.title),
      "description": .string(post.description), "lang": .string(post.language.rawValue),
      "finding": post.finding.map { .string($0) } ?? .none, "iso": .string(post.date),
      "date": .string(words.date(post.date) ?? ""), "reading": .string(words.reading(minutes: post.minutes)),
      "tags": list(post.tags), "result": run.flatMap { result($0, words) } ?? .none,
    ]
  }

  /// Only what a link needs.
  func link(_ post: RenderedPost) -> Value {
    [
      "address": Self.link(Self.address(post: post)), "title": .string(post.title),
      "lang": .string(post.language.rawValue),
      "date": .string(SiteWords(language: post.language).date(post.date) ?? ""),
    ]
  }

  func list(_ names: [String]) -> Value { .list(tags.tags(names).map(Self.value)) }

  static func value(_ tag: TagNames.Tag) -> Value {
    ["name": .string(tag.name), "address": link(address(tag: tag)), "count": .int(tag.count)]
  }

  static func link(_ comparison: RenderedPost) -> Value {
    [
      "address": link(address(comparison: comparison.slug)),
      "title": .string(comparison.compare.joined(separator: " · ")),
      "lang": .string(comparison.language.rawValue),
    ]
  }

  // MARK: Runs

  /// A run in a list, with its key numbers where it has them.
  func row(_ run: RunData, _ page: RenderedPost, _ words: SiteWords) -> Value {
    let model: Value = run.record.model.map { .string($0.name) } ?? .none
    let loss: Value = run.number("/training/best_eval_loss", .loss, words).map { .safe($0) } ?? .none
    let speed: Value = run.number("/training/tokens_per_second", .count, words).map { .safe($0) } ?? .none
    return [
      "id": .string(run.id), "address": Self.link(Self.address(run: run.id)), "title": .string(page.title),
      "lang": .string(page.language.rawValue), "iso": .string(page.date), "date": .string(words.date(page.date) ?? ""),
      "model": model, "loss": loss, "speed": speed,
      "sparkline": run.sparkline.map { .safe($0) } ?? .none,
    ]
  }

  /// Loss from the first evaluation to the lowest, as numbers and as a small line.
  private func result(_ run: RunData, _ words: SiteWords) -> Value? {
    guard let first = run.number("/training/first_eval_loss", .loss, words),
      let best = run.number("/training/best_eval_loss", .loss, words)
    else { return nil }
    let tokens = run.evaluation.map { words.tokenCount(NumberFormat.grouped($0.validationSupervisedTokens)) }
    return [
      "label": .string(words.evaluationLoss), "span": .string(words.firstToBest), "first": .safe(first),
      "best": .safe(best), "n": tokens.map { .string($0) } ?? .none,
      "sparkline": run.sparkline.map { .safe($0) } ?? .none,
    ]
  }
}

extension RunData {
  /// A number of run.json, bound to its place; nil where there is none.
  func number(_ pointer: String, _ format: ValueFormat, _ words: SiteWords) -> String? {
    guard let document = try? document("run.json"), let value = document.value(at: pointer), case .number = value
    else { return nil }
    let reference = Reference(run: id, path: "run.json", pointer: pointer)
    let source = Derivation.source(reference, value: value, in: document)
    return try? Derivation.measured(source, value, format, language: words.language).html(words)
  }

  /// The evaluation loss of the whole training as a small line.
  var sparkline: String? {
    Sparkline(points: events.filter { $0.split == .eval }.map { (step: $0.step, value: $0.loss) }).svg
  }
}
