import Foundation
import TestSupport
import Testing

@testable import Runs

@Suite struct MetricsLogTests {
  /// Both ways read the same, number for number.
  @Test func readsWhatTheGeneralDecoderReads() throws {
    let url = Fixtures.url("Site", "run").appendingPathComponent("log/metrics.jsonl")
    let data = try Data(contentsOf: url)
    let events = try MetricsLog.events(in: data, file: "log")
    #expect(events.count > 20)
    #expect(try events == RecordFile.readLines(MetricsEvent.self, from: url))
  }

  @Test(arguments: [
    "0", "-0", "1", "-1", "0.1", "2.9999999999999996", "6.666666666666667e-05", "1e22", "1e23", "1E-22", "4.9e-324",
    "1.7976931348623157e308", "123456789012345678", "0.000000000000000000000000000001", "9007199254740993", "1.5e+3",
    "100000000000000000000000", "0.30000000000000004",
  ])
  func numbersAreRoundedRight(_ text: String) throws {
    let line = Data("{\"step\": 3, \"epoch\": 1, \"split\": \"train\", \"loss\": \(text), \"time\": 2}\n".utf8)
    let loss = try #require(try MetricsLog.events(in: line, file: "log").first?.loss)
    #expect(loss.bitPattern == Double(text)?.bitPattern)
  }

  /// What the quick way does not read has the answer of the general one, errors and all.
  @Test(arguments: [
    "{}", "{\"step\": 1}", "{\"step\": 1.5, \"epoch\": 1, \"split\": \"train\", \"time\": 1}",
    "{\"step\": 1, \"epoch\": null, \"split\": \"train\", \"time\": 1}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"tra\\u0069n\", \"time\": 1}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"other\", \"time\": 1}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1, \"loss\": NaN}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1, \"loss\": 1e999}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1, \"more\": {\"a\": [1, 2]}}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1, \"more\": \"한글\", \"resumed\": true}",
    "{\"step\": 1 \"epoch\": 1, \"split\": \"eval\", \"time\": 1}",
    "{\"step\": 01, \"epoch\": 1, \"split\": \"eval\", \"time\": 1}",
    "{\"step\": 1, \"epoch\": 1., \"split\": \"eval\", \"time\": 1}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1} x",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1,}", "nonsense", "[1]",
    "{\"step\": 99999999999999999999, \"epoch\": 1, \"split\": \"eval\", \"time\": 1}",
    "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1, \"tokens\": null, \"loss\": -0.5, \"resumed\": false}",
  ])
  func oddLinesAreReadAsBefore(_ text: String) throws {
    let data = Data((text + "\n").utf8)
    func outcome(_ body: () throws -> [MetricsEvent]) -> String {
      do { return "\(try body())" } catch { return "\(error)" }
    }
    #expect(
      outcome { try MetricsLog.events(in: data, file: "log") }
        == outcome { try RecordFile.decodeLines(MetricsEvent.self, from: data, file: "log") })
  }

  @Test func aTornLastLineIsPassedOver() throws {
    let line = "{\"step\": 1, \"epoch\": 1, \"split\": \"eval\", \"time\": 1}"
    #expect(try MetricsLog.events(in: Data("\(line)\n\n\(line)\n\(line.dropLast(9))".utf8), file: "log").count == 2)
    #expect(try MetricsLog.events(in: Data(line.utf8), file: "log").isEmpty)
    #expect(try MetricsLog.events(in: Data(), file: "log").isEmpty)
  }
}
