import Formats
import Foundation
import TestSupport
import Testing

@testable import Datasets

/// The data of the main job itself, as an editor of it must keep it.
@Suite struct TextbookDataTests {
  @Test func isWholeAndClean() throws {
    let table = try TableReader.read(Fixtures.root.appendingPathComponent(textbookFile), name: textbookFile)
    let columns = ["fact", "subject", "level", "question", "answer"]
    var wordings: [String: Int] = [:]
    var subjects: Set<String> = []
    var questions: Set<String> = []
    var factsAnswers: [String: Set<String>] = [:]
    for row in table.rows {
      let object = try #require(row.columns)
      #expect(object.keys == columns, "row \(row.source.row)")
      let values = object.entries.compactMap(\.value.string)
      try #require(values.count == columns.count, "row \(row.source.row)")
      for text in values {
        #expect(!text.isEmpty && text == text.trimmingWhitespace(), "row \(row.source.row): \(text)")
        #expect(
          Array(text.unicodeScalars) == Array(text.precomposedStringWithCanonicalMapping.unicodeScalars), "\(text)")
      }
      wordings[values[0], default: 0] += 1
      subjects.insert(values[1])
      #expect(["초등", "중등", "고등"].contains(values[2]), "row \(row.source.row)")
      #expect(questions.insert(TextKey.normalized(values[3])).inserted, "row \(row.source.row) asks what another asks")
      factsAnswers[values[0], default: []].insert(values[4])
    }
    #expect(table.rows.count >= 700)
    #expect(wordings.count >= 250)
    #expect(wordings.values.allSatisfy { (2...4).contains($0) })
    #expect(subjects.count >= 12)
    #expect(factsAnswers.values.allSatisfy { $0.count == 1 })
    #expect(questions.contains { $0.contains("대한민국의 수도") })
    #expect(questions.contains { $0.contains("에펠탑") })
  }
}
