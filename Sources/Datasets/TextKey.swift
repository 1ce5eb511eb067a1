import Formats
import Runs

/// Texts made comparable: NFC, white space at the ends gone and every run of it inside one space.
enum TextKey {
  static func normalized(_ text: String) -> String {
    let text = UnicodeText.nfc(text)
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

  /// What is asked: every message that isn't the system's and stands before the last answer.
  static func question(_ messages: [ChatRow.Message]) -> String {
    normalized(messages.dropLast().filter { $0.role != "system" }.map(\.content).joined(separator: "\n"))
  }

  /// Two rows with this key equal say the same to the same.
  static func conversation(_ messages: [ChatRow.Message]) -> String {
    messages.map { "\($0.role)\u{1F}\(normalized($0.content))" }.joined(separator: "\u{1E}")
  }
}
