import Foundation

/// A marked-out remark, known by its first word.
enum Callout: String, CaseIterable {
  case note, tip, caution, limits

  init?(word: String) {
    let word = word.trimmingCharacters(in: [" ", ".", ":", "\u{A0}"]).lowercased()
    switch word {
    case "참고", "note": self = .note
    case "팁", "tip": self = .tip
    case "주의", "caution": self = .caution
    case "한계", "limits": self = .limits
    default: return nil
    }
  }

  func word(_ language: SiteLanguage) -> String {
    switch self {
    case .note: language == .ko ? "참고" : "Note"
    case .tip: language == .ko ? "팁" : "Tip"
    case .caution: language == .ko ? "주의" : "Caution"
    case .limits: language == .ko ? "한계" : "Limits"
    }
  }

  func html(_ inner: String) -> String { "<div class=\"callout \(rawValue)\" role=\"note\">\n\(inner)</div>\n" }
}
