import Formats
import Runs

/// Counts the values of columns that have few, short ones ("subject"), row by row.
struct CategoryCounter: Sendable {
  struct Category: Sendable {
    var column: String
    var rows: [String: Int]
  }

  /// A column with more different values than this is no category.
  private static let most = 40
  private static let longest = 60

  /// By column, in the order of their first appearance; nil once it is sure that it is none.
  private var columns: [(name: String, rows: [String: Int]?)] = []
  private var places: [String: Int] = [:]

  /// Hears of the columns of any row, kept or not.
  mutating func see(_ row: JSONObject) {
    for entry in row.entries where places[entry.key] == nil {
      places[entry.key] = columns.count
      columns.append((entry.key, [:]))
    }
  }

  mutating func add(_ row: JSONObject) {
    for entry in row.entries {
      guard let place = places[entry.key], columns[place].rows != nil, entry.value != .null else { continue }
      guard let text = Self.text(entry.value) else {
        columns[place].rows = nil
        continue
      }
      if text.isEmpty { continue }
      columns[place].rows?[text, default: 0] += 1
      if (columns[place].rows?.count ?? 0) > Self.most { columns[place].rows = nil }
    }
  }

  /// Takes a row out again that was added before.
  mutating func remove(_ row: JSONObject) {
    for entry in row.entries {
      guard let place = places[entry.key], let text = Self.text(entry.value),
        let count = columns[place].rows?[text]
      else { continue }
      columns[place].rows?[text] = count > 1 ? count - 1 : nil
    }
  }

  /// The columns whose values repeat. What became a message, and the group, is none.
  func categories(excluding excluded: Set<String>) -> [Category] {
    columns.compactMap { name, rows in
      guard let rows, !excluded.contains(name) else { return nil }
      let total = rows.values.reduce(0, +)
      return total >= 50 || (total > 0 && total >= 2 * rows.count) ? Category(column: name, rows: rows) : nil
    }
  }

  /// A value as a category; nil where it can't be one.
  static func text(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): text.unicodeScalars.count <= longest ? text.trimmingWhitespace() : nil
    case .number(let number): number.text
    case .bool(let value): String(value)
    case .null, .array, .object: nil
    }
  }
}
