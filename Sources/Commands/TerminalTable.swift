/// Columns of text on a terminal.
enum TerminalTable {
  /// The first column to the left, the others to the right or to the left.
  static func lines(_ rows: [[String]], right: Bool) -> [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { column < $0.count ? width($0[column]) : 0 }.max() ?? 0 }
    return rows.map { row in
      let line = row.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - width(text))
        return right && column > 0 ? space + text : text + space
      }.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }

  /// Columns that a text takes: two for Hangul and other wide letters, none for a mark on a letter.
  static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { sum, scalar in
      switch scalar.value {
      case 0x300...0x36F, 0x1160...0x11FF, 0x200B...0x200D, 0xFE00...0xFE0F: sum
      case 0x1100...0x115F, 0x2E80...0xD7A3, 0xF900...0xFAFF, 0xFF00...0xFF60, 0x1F300...0x1FAFF: sum + 2
      default: sum + 1
      }
    }
  }
}
