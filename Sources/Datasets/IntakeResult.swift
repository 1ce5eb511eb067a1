import Formats
import Foundation
import Runs

extension Intake.Result {
  /// "ko", "en" … → kept rows.
  var languages: [String: Int] { kept.reduce(into: [:]) { $0[$1.language.rawValue, default: 0] += 1 } }

  /// Rule → kept rows, where rows are made of text.
  var rules: [String: Int] {
    kept.reduce(into: [:]) { if let rule = $1.rule { $0[rule.rawValue, default: 0] += 1 } }
  }

  /// "truncate", "split" → kept rows whose answer was too long.
  var overLong: [String: Int] {
    kept.reduce(into: [:]) { if let rule = $1.overLong { $0[rule.rawValue, default: 0] += 1 } }
  }

  /// The raw row of a kept one.
  func raw(_ kept: Kept) throws -> JSONValue {
    try JSONValue(parsing: try spool.bytes(kept.raw), file: tables[Int(kept.table)].file)
  }

  /// The same as a sample shows it, column by column.
  func fields(_ kept: Kept) throws -> [DatasetReport.Sample.Field] {
    (try raw(kept).object?.entries ?? []).map { .init(name: $0.key, value: $0.value.string ?? $0.value.text()) }
  }
}

/// How many kept rows were changed on their way in.
struct Changes: Sendable, Equatable {
  /// Brought to Unicode's form C.
  var normalized = 0
  var controlCharacters = 0
}

/// Where the rejected rows' lines wait, and how many there are of each reason.
struct RejectedRows: Sendable {
  private var places: [(order: Int, place: Spool.Place)] = []
  private(set) var reasons: [String: Int] = [:]

  var count: Int { places.count }

  /// `order` is the row's place among all that were taken.
  mutating func add(_ reason: String, order: Int, _ place: Spool.Place) {
    places.append((order, place))
    reasons[reason, default: 0] += 1
  }

  /// In the order the rows were taken.
  var lines: [Spool.Place] {
    places.enumerated().sorted { ($0.element.order, $0.offset) < ($1.element.order, $1.offset) }.map(\.element.place)
  }
}

extension RawRow {
  /// The value of the group column; nil without one.
  func group(_ column: String?) -> String? {
    guard let column, let value = columns?.column(column) else { return nil }
    switch value {
    case .null, .array, .object: return nil
    case .string(let text): return text.isEmpty ? nil : text
    case .number(let number): return number.text
    case .bool(let bool): return String(bool)
    }
  }
}

extension String {
  /// Whether a syllable of Hangul is in it.
  var hasHangul: Bool { unicodeScalars.contains { (0xAC00...0xD7A3).contains($0.value) } }
}
