import Formats
import Foundation
import TestSupport

@testable import Evaluation

/// `fixtures/metrics.json`: what sacreBLEU and rouge-score say. Made by `scripts/fixtures/metrics.py`.
struct MetricFixture {
  struct Missing: Error { let what: String }

  struct Pair {
    let name: String
    let texts: AnswerPair
    let values: JSONValue
  }

  let values: JSONValue
  let pairs: [Pair]
  /// A corpus's pairs with its expected values.
  let corpora: [(name: String, pairs: [AnswerPair], values: JSONValue)]

  init() throws {
    let root = try JSONValue(parsing: Fixtures.data("Evaluation", "metrics.json"), file: "metrics.json")
    values = root
    let pairs = try Self.need(root["pairs"]?.array, "pairs").map { value in
      let hypothesis = try Self.need(value["hypothesis"]?.string, "hypothesis")
      let reference = try Self.need(value["reference"]?.string, "reference")
      return Pair(
        name: try Self.need(value["name"]?.string, "name"),
        texts: AnswerPair(hypothesis: hypothesis, reference: reference),
        values: value)
    }
    self.pairs = pairs
    corpora = try Self.need(root["corpora"]?.array, "corpora").map { value in
      let indices = try Self.need(value["indices"]?.array, "indices").map { try Self.need($0.integer, "index") }
      return (try Self.need(value["name"]?.string, "name"), indices.map { pairs[$0].texts }, value)
    }
  }

  static func need<Value>(_ value: Value?, _ what: String) throws -> Value {
    guard let value else { throw Missing(what: what) }
    return value
  }

  static func number(_ value: JSONValue?, _ what: String) throws -> Double { try need(value?.double, what) }
}
