import Runs

extension TextRule {
  /// The conversations that the rule makes of a text, each a list of messages not yet checked; nil where the rule does not fit.
  func conversations(in text: String) -> [[ChatRow.Message]]? {
    switch self {
    case .roles: RoleText.messages(in: text).map { [$0] }
    case .instruction: LabelledText.conversations(in: text)
    case .heading: LectureText(text).conversations
    case .continuation: Self.continuation(of: text.trimmingWhitespace()).map { [$0] }
    }
  }

  // MARK: - The text goes on

  private static let continuationRequest = "다음 글을 이어서 써 줘."

  /// The first sentence, or the first line, is shown, and the rest of the text is the answer; nil where there is no rest.
  private static func continuation(of text: String) -> [ChatRow.Message]? {
    for end in Sentences.ends(in: text) {
      let beginning = String(text[..<end]).trimmingWhitespace()
      let rest = String(text[end...]).trimmingWhitespace()
      if beginning.isEmpty || rest.isEmpty { continue }
      return [
        .init(role: "user", content: "\(continuationRequest)\n\n\(beginning)"),
        .init(role: "assistant", content: rest),
      ]
    }
    return nil
  }
}
