import Foundation
import Runs

/// Texts made comparable: NFC, white space at the ends gone and every run of it inside one space.
enum TextKey {
  static func normalized(_ text: String) -> String {
    let text = isPlainlyNFC(text) ? text : text.precomposedStringWithCanonicalMapping
    var out = String.UnicodeScalarView()
    var pending = false
    for scalar in text.unicodeScalars {
      if scalar.properties.isWhitespace {
        pending = !out.isEmpty
      } else {
        if pending { out.append(" ") }
        pending = false
        out.append(scalar)
      }
    }
    return String(out)
  }

  /// Whether the text is in NFC for sure, by blocks that hold nothing a composition could change. Foundation's normaliser is slow, and
  /// nearly all Korean text is made of these.
  private static func isPlainlyNFC(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { scalar in
      switch scalar.value {
      case 0..<0x300, 0x2010..<0x2100, 0x3001..<0x302A, 0x3131..<0x318F, 0x4E00..<0xA000, 0xAC00..<0xD7A4,
        0xFF01..<0xFFEF:
        true
      default: false
      }
    }
  }

  /// What is asked: every message that isn't the system's and stands before the last answer.
  static func question(_ messages: [ChatRow.Message]) -> String {
    normalized(messages.dropLast().filter { $0.role != "system" }.map(\.content).joined(separator: "\n"))
  }

  /// Two rows with this key equal say the same to the same.
  static func conversation(_ messages: [ChatRow.Message]) -> String {
    messages.map { "\($0.role)\u{1F}\(normalized($0.content))" }.joined(separator: "\u{1E}")
  }
}

/// The place of a row or group in a seeded order: a SHA-256 of what it says, so that other rows coming or going don't move it.
struct Rank: Comparable, Hashable {
  private let digest: String

  init(seed: Int, purpose: String, _ text: String) {
    digest = SHA256.hex(of: "\(seed)\u{1F}\(purpose)\u{1F}\(text)")
  }

  static func < (left: Rank, right: Rank) -> Bool { left.digest.utf8.lexicographicallyPrecedes(right.digest.utf8) }
}
