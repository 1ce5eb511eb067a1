import Foundation
import Models
import Runs

enum ChatCommand {
  private static let maxNewTokens = 512

  static let chat = Command(
    name: "chat", summary: Words("a conversation with a model at the terminal", ko: "터미널에서 모델과 대화합니다"),
    usage: "(\(AskedModel.usage)) [options]",
    options: [
      AskedModel.modelOption, AskedModel.adapterOption,
      Option("--base", Words("the base model answers first; /tuned changes that", ko: "기반 모델부터 답합니다. /tuned로 바꿉니다")),
      AskedModel.systemOption,
    ] + AskedModel.answerOptions(maxNewTokens: maxNewTokens) + [
      Arithmetic.weightsOption, Arithmetic.option, runsOption,
    ], example: "lorapress chat korean-textbooks-qwen2.5-0.5b"
  ) { arguments, console in
    let asked = try AskedModel(arguments, "chat", maxNewTokens: maxNewTokens)
    let (model, decoder, adapter) = try asked.open(console)
    let session = ChatSession(
      decoder, adapter: adapter, tokenizer: model.tokenizer, system: asked.system, options: asked.generation)
    let chat = Chat(session, ChatInput(console), console, startsWithBase: arguments.flag("--base"))
    chat.greet(model: model.resolved.name, run: asked.run?.record.id)
    try chat.run()
  }
}

/// The chat's loop: reads a line, does what it asks for, answers.
private final class Chat {
  private let session: ChatSession
  private let input: ChatInput
  private let console: Console
  /// Who answers.
  private var voices: [ChatSession.Voice]

  init(_ session: ChatSession, _ input: ChatInput, _ console: Console, startsWithBase: Bool) {
    self.session = session
    self.input = input
    self.console = console
    voices = startsWithBase ? [.base] : session.voices.suffix(1)
  }

  func greet(model: String, run: String?) {
    guard input.isTerminal else { return }
    let name = run.map { "\($0) (\(model))" } ?? model
    console.note(
      Words(
        "\(name). /help lists the commands, Ctrl-D ends.", ko: "\(name). 명령은 /help로 보고, Ctrl-D로 끝냅니다."), isAside: true)
  }

  func run() throws {
    while true {
      do {
        guard let line = try input.next() else { return }
        if try !follow(ChatOrder(line)) { return }
      } catch  where input.isTerminal && !(error is Interrupted) {
        // A person can ask again; a script can't.
        console.error("\(error)")
      }
    }
  }

  /// False where the chat is to end.
  private func follow(_ order: ChatOrder) throws -> Bool {
    switch order {
    case .nothing: break
    case .quit: return false
    case .help: console.note(ChatOrder.helpText)
    case .unknown(let text):
      console.note(Words("\(text): no such command; /help lists them", ko: "\(text): 없는 명령입니다. /help로 명령을 볼 수 있습니다"))
    case .ask(let question):
      session.ask(question)
      try answer()
    case .retry where session.isEmpty, .undo where session.isEmpty:
      console.note(Words("Nothing was asked yet.", ko: "아직 질문이 없습니다."))
    case .retry: try answer()
    case .undo:
      session.undo()
      console.note(Words("The last question is taken back.", ko: "마지막 질문을 지웠습니다."), isAside: true)
    case .reset:
      session.reset()
      console.note(Words("A new conversation.", ko: "대화를 새로 시작합니다."), isAside: true)
    case .system(let text):
      session.system = text.isEmpty ? nil : text
      console.note(
        text.isEmpty
          ? Words("No system prompt of its own any more.", ko: "시스템 프롬프트를 없앴습니다.")
          : Words("System prompt: \(text)", ko: "시스템 프롬프트: \(text)"), isAside: true)
    case .answerBy(let wanted): change(to: wanted)
    }
    return true
  }

  private func change(to wanted: [ChatSession.Voice]) {
    guard wanted.allSatisfy(session.voices.contains) else {
      return console.note(
        Words(
          "There is no adapter; start the chat with a RUN or --adapter", ko: "어댑터가 없습니다. RUN이나 --adapter로 시작하세요"))
    }
    voices = wanted
    let names = wanted.map { console.text(name($0)) }.joined(separator: ", ")
    console.note(Words("Answers now: \(names)", ko: "답하는 모델: \(names)"), isAside: true)
  }

  private func name(_ voice: ChatSession.Voice) -> Words {
    voice == .base ? Words("base", ko: "기반 모델") : Words("tuned", ko: "미세 조정 모델")
  }

  /// Lets the chosen voices answer the last question. Ctrl-C stops them, and the chat goes on.
  private func answer() throws {
    // Whatever happened, no question stays without an answer.
    defer { session.dropUnanswered() }
    for voice in voices where !Interruption.isRequested {
      let reply = try session.answer(by: voice, isStopped: { Interruption.isRequested }, onText: console.printAnswer)
      console.print("")
      report(reply, voice)
    }
    guard Interruption.isRequested else { return }
    guard Interruption.isCtrlC else { throw ChatInput.ended }
    Interruption.forget()
    console.note(Words("Stopped.", ko: "멈췄습니다."), isAside: true)
  }

  private func report(_ reply: ChatSession.Reply, _ voice: ChatSession.Voice) {
    if reply.forgotten > 0 {
      console.note(
        Words(
          "The model's context was full: the oldest \(reply.forgotten) questions and answers are forgotten.",
          ko: "모델이 기억할 수 있는 길이를 넘어, 가장 오래된 문답 \(reply.forgotten)개를 잊었습니다."))
    }
    let speed = reply.speed.words(tokens: reply.answer.tokens)
    let read = "\(reply.readTokens)/\(reply.promptTokens)"
    console.note(
      Words(
        "\(name(voice).en) · \(speed.en) · prompt read \(read)",
        ko: "\(name(voice).ko) · \(speed.ko) · 읽은 질문 토큰 \(read)"),
      isAside: true)
  }
}
