import Formats
import Runs

extension Comparison {
  /// All of it for a program to read.
  public var json: JSONValue {
    func differences(_ list: [Difference]) -> JSONValue {
      .array(
        list.map { difference in
          .object([
            "name": .string(difference.path),
            "values": .array(difference.values.map { $0.map { .string($0) } ?? .null }),
          ])
        })
    }
    func flag(_ value: Bool?) -> JSONValue { value.map { .bool($0) } ?? .null }
    let answers: JSONValue =
      answers.map { answers in
        .object([
          "common": JSONValue(answers.common), "different": JSONValue(answers.different),
          "best_chrf": answers.best.map { .array($0.map { JSONValue($0) }) } ?? .null,
        ])
      } ?? .null
    return .object([
      "runs": .array(ids.map { .string($0) }), "same_validation": flag(hasSameValidation),
      "same_test": flag(hasSameTest),
      "same_vocabulary_size": flag(hasSameVocabulary), "settings": differences(settings),
      "environment": differences(environment), "metrics": .array(metrics.map(\.json)), "answers": answers,
      "curves": .array(curves),
    ])
  }

  /// Evaluation loss by step, a list a run.
  private var curves: [JSONValue] {
    runs.map { run in
      .array(
        run.events.filter { $0.split == .eval }.map { event in
          .object(["step": JSONValue(event.step), "loss": event.loss.map { JSONValue($0) } ?? .null])
        })
    }
  }
}

extension ComparedMetric {
  var json: JSONValue {
    .object([
      "name": .string(name), "file": .string(path), "pointer": .string(pointer), "better": .string(better.rawValue),
      "values": .array(values.map { $0 ?? .null }),
      "n": counts.contains { $0 != nil } ? .array(counts.map { $0.map { JSONValue($0) } ?? .null }) : .null,
      "best": .array(best.map { JSONValue($0) }),
    ])
  }
}
