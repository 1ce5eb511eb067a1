import CEdit
import CSystem
import Foundation

/// Where a chat's lines come from: a line editor with history on a terminal, plain lines of standard input elsewhere.
final class ChatInput {
  /// Ctrl-C where a line is waited for.
  static let ended = Interrupted(advice: Words("Ended.", ko: "끝냈습니다."))

  /// Whether a person types the lines.
  let isTerminal = isatty(STDIN_FILENO) == 1
  private let console: Console
  private let editor: LineEditor?
  private var lines = InputLines()
  /// How many lines were read.
  private var count = 0

  init(_ console: Console) {
    self.console = console
    editor = isTerminal && console.isTerminal ? LineEditor(output: STDERR_FILENO) : nil
  }

  /// The next line; nil at the end of the input. One that is no text is an error, and so is Ctrl-C.
  func next() throws -> String? {
    let line: [UInt8]?
    if let editor { line = try editor.next(prompt: "> ") } else { line = try lines.next() }
    if line == nil, isTerminal { console.note("") }
    count += 1
    return try line.map { try PlainText.line($0, place: "standard input: line \(count)") }
  }
}

/// Lines typed at a terminal, with arrow keys and a history.
private final class LineEditor {
  private let editor: OpaquePointer

  /// - Parameter output: the terminal's descriptor that the line is shown on. Nil where the terminal can't be used so.
  init?(output: Int32) {
    guard let editor = cedit_open(output, csystem_interrupt_requested) else { return nil }
    self.editor = editor
  }

  deinit { cedit_close(editor) }

  /// The bytes of the next line; nil at the end of the input.
  func next(prompt: String) throws -> [UInt8]? {
    let line = cedit_read(editor, prompt).map { Array(UnsafeBufferPointer(start: $0, count: strlen($0))) }
    if Interruption.isRequested { throw ChatInput.ended }
    return line.map { $0.map(UInt8.init(bitPattern:)) }
  }
}

/// The lines of standard input as they come; Ctrl-C is heard while one is waited for.
private struct InputLines {
  private var buffer: [UInt8] = []
  private var isAtEnd = false

  /// The bytes of the next line without its end; nil at the end of the input.
  mutating func next() throws -> [UInt8]? {
    while true {
      if let end = buffer.firstIndex(of: 0x0A) {
        defer { buffer.removeFirst(end + 1) }
        return Array(buffer[..<end])
      }
      if isAtEnd {
        defer { buffer = [] }
        return buffer.isEmpty ? nil : buffer
      }
      try fill()
    }
  }

  private mutating func fill() throws {
    var wanted = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    var ready: Int32 = 0
    repeat {
      if Interruption.isRequested { throw ChatInput.ended }
      // Signals end poll() but not read().
      ready = poll(&wanted, 1, 100)
    } while ready == 0 || (ready < 0 && errno == EINTR)
    var piece = [UInt8](repeating: 0, count: 65536)
    let count = read(STDIN_FILENO, &piece, piece.count)
    if count > 0 { buffer += piece[..<count] } else { isAtEnd = count == 0 || errno != EINTR }
  }
}
