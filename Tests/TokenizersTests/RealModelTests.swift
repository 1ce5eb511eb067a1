import Formats
import Foundation
import Testing

@testable import Tokenizers

/// The full comparison on a real vocabulary, when `LORAPRESS_TOKENIZER_LINES` names the file of lines and ids that
/// `scripts/peers/tokenizers --write FILE` makes and `LORAPRESS_TOKENIZER_FOLDER` the model's folder.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LORAPRESS_TOKENIZER_LINES"] != nil))
struct RealModelTests {
  @Test func everyLineEqualsHuggingFace() throws {
    let environment = ProcessInfo.processInfo.environment
    let path = try #require(environment["LORAPRESS_TOKENIZER_LINES"])
    let folder = try #require(environment["LORAPRESS_TOKENIZER_FOLDER"], "LORAPRESS_TOKENIZER_FOLDER is not set")
    let started = ContinuousClock.now
    let tokenizer = try Tokenizer(folder: URL(fileURLWithPath: folder))
    let loaded = ContinuousClock.now
    let lines = try JSONValue.lines(of: try Data(contentsOf: URL(fileURLWithPath: path)), file: path)
    #expect(lines.count >= 20_000)
    let rows = try lines.map { (try #require($0.value["text"]?.string), ids($0.value["ids"])) }
    let encoding = ContinuousClock.now
    let encoded = tokenizer.encode(all: rows.map(\.0))
    let done = ContinuousClock.now
    #expect(encoded == rows.map { tokenizer.encode($0.0) })
    var differences = 0
    for (row, found) in zip(rows, encoded) {
      let roundTrip = Array(tokenizer.decode(found, skipSpecial: false).utf8) == Array(UnicodeText.nfc(row.0).utf8)
      if found != row.1 || !roundTrip {
        differences += 1
        if differences <= 20 {
          Issue.record("\(row.0.debugDescription.prefix(300)): \(found.prefix(20)), \(row.1.prefix(20))")
        }
      }
    }
    let tokens = encoded.reduce(0) { $0 + $1.count }
    let seconds = (done - encoding) / .seconds(1)
    print(
      "\(rows.count) lines, \(differences) differences, \(tokens) tokens, \(Int(Double(tokens) / seconds)) tokens/s, loaded in \(loaded - started)"
    )
    #expect(differences == 0)
  }
}
