import Foundation

/// What a line of a chat asks for.
enum ChatOrder: Equatable {
  case ask(String)
  /// `/base`, `/tuned`, `/both`: who answers from now on.
  case answerBy([ChatSession.Voice])
  /// The text is empty where the system prompt is to go.
  case system(String)
  case reset, undo, retry, help, quit
  case nothing
  case unknown(String)

  /// A line that begins with "/" is a command; a space before the slash makes it a question.
  init(_ line: String) {
    let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
    guard line.hasPrefix("/") else {
      self = text.isEmpty ? .nothing : .ask(text)
      return
    }
    let name = text.prefix { !$0.isWhitespace }
    let rest = text.dropFirst(name.count).trimmingCharacters(in: .whitespaces)
    switch (name, rest.isEmpty) {
    case ("/system", _): self = .system(rest)
    case ("/base", true): self = .answerBy([.base])
    case ("/tuned", true): self = .answerBy([.tuned])
    case ("/both", true): self = .answerBy([.base, .tuned])
    case ("/reset", true): self = .reset
    case ("/undo", true): self = .undo
    case ("/retry", true): self = .retry
    case ("/help", true): self = .help
    case ("/quit", true): self = .quit
    default: self = .unknown(text)
    }
  }

  static let helpText = Words(
    """
    /base, /tuned, /both   who answers from now on: the base model, the one with the adapter, both
    /retry                 answers the last question again
    /undo                  takes the last question and its answers back
    /reset                 begins a new conversation
    /system TEXT           another system prompt; without TEXT none
    /help, /quit           this list; the end (as Ctrl-D)
    Ctrl-C stops an answer. A space before "/" makes the line a question.
    """,
    ko: """
      /base, /tuned, /both   다음부터 답할 모델: 기반 모델, 어댑터를 붙인 모델, 둘 다
      /retry                 마지막 질문에 다시 답합니다
      /undo                  마지막 질문과 답을 지웁니다
      /reset                 대화를 새로 시작합니다
      /system 글             시스템 프롬프트를 바꿉니다. 글이 없으면 없앱니다
      /help, /quit           이 도움말, 끝내기(Ctrl-D와 같음)
      Ctrl-C는 답을 멈춥니다. "/" 앞에 공백을 두면 그 줄은 질문이 됩니다.
      """)
}
