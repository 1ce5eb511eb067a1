import Foundation
import Runs

/// Text that a person typed or a file holds, one question a line.
enum PlainText {
  /// Whether a character is text: no control character but line ends and tabs.
  static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0A, 0x0D: true
    case 0..<0x20, 0x7F..<0xA0: false
    default: true
    }
  }

  /// The text itself. A control character in it is an error that begins with `place`.
  static func checked(_ text: String, place: String) throws -> String {
    if let scalar = text.unicodeScalars.first(where: { !isPlain($0) }) {
      let code = String(format: "U+%04X", scalar.value)
      throw RunsError("\(place): holds the control character \(code); remove it")
    }
    return text
  }

  /// One line, without spaces at its ends. Bytes that are no UTF-8, and control characters, are errors that begin with `place`.
  static func line(_ bytes: some Collection<UInt8>, place: String) throws -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw RunsError("\(place): not valid UTF-8; convert the text to UTF-8 first")
    }
    return try checked(text, place: place)
  }

  /// The lines of a file that are not empty, with their numbers from 1.
  static func lines(of data: Data, file: String) throws -> [(line: Int, text: String)] {
    try data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().compactMap { index, bytes in
      let text = try line(bytes, place: "\(file): line \(index + 1)").trimmingCharacters(in: .whitespacesAndNewlines)
      return text.isEmpty ? nil : (index + 1, text)
    }
  }
}
