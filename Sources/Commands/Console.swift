import CSystem
import Foundation

/// A text in the two languages the program speaks.
struct Words: Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
  let en: String
  let ko: String

  init(_ en: String, ko: String) {
    self.en = en
    self.ko = ko
  }

  /// The same in both languages.
  init(stringLiteral value: String) { self.init(value, ko: value) }
}

/// Where the program writes. Results go to standard output, all else to standard error.
final class Console: Sendable {
  let isKorean: Bool
  /// Whether standard error is a terminal: a progress line may rewrite itself.
  let isTerminal: Bool
  /// Whether standard output is a terminal that shows colours, and nobody asked for none (no-color.org).
  let paintsOutput: Bool
  private let paintsErrors: Bool
  /// Whether standard output is a terminal, which control characters could disturb.
  private let showsOutput: Bool

  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
    isKorean = locale.hasPrefix("ko")
    let isPlain = environment["TERM"] == "dumb"
    let wantsColour = !isPlain && (environment["NO_COLOR"] ?? "").isEmpty
    showsOutput = isatty(STDOUT_FILENO) == 1
    paintsOutput = showsOutput && wantsColour
    isTerminal = isatty(STDERR_FILENO) == 1 && !isPlain
    paintsErrors = isTerminal && wantsColour
  }

  func text(_ words: Words) -> String { isKorean ? words.ko : words.en }

  /// A result, on standard output.
  func print(_ line: String, terminator: String = "\n") { Self.write(line + terminator, to: STDOUT_FILENO) }

  /// A piece of a model's answer, on standard output; a terminal gets no control characters but line ends and tabs.
  func printAnswer(_ piece: String) {
    print(showsOutput ? piece.filter { $0.unicodeScalars.allSatisfy(PlainText.isPlain) } : piece, terminator: "")
  }

  /// News for the person at the terminal, on standard error; an aside is dim there.
  func note(_ words: Words, isAside: Bool = false) {
    let line = isAside && paintsErrors ? "\u{1B}[2m\(text(words))\u{1B}[0m" : text(words)
    Self.write(line + "\n", to: STDERR_FILENO)
  }

  func error(_ description: String) {
    // One line, whatever an error brought along.
    let line = description.split(whereSeparator: \.isNewline).joined(separator: " ")
    Self.write("lorapress: \(line)\n", to: STDERR_FILENO)
  }

  fileprivate static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        return
      }
      bytes = bytes.dropFirst(count)
    }
  }
}

/// A progress line: rewritten in place on a terminal, a plain line now and then elsewhere. Silent for work that is over at once.
final class Progress {
  private let console: Console
  private let title: Words
  /// When the first part was done and how much that was: rate and time left count from there.
  private var first: (time: ContinuousClock.Instant, done: Int)?
  private var lastShown: ContinuousClock.Instant?
  private var isOpen = false
  private var isFinished = false
  private static let barWidth = 24
  /// Seconds before the first line, and from line to line.
  private var silence: Double { console.isTerminal ? 2 : 10 }
  private var pause: Double { console.isTerminal ? 0.1 : 30 }

  init(_ console: Console, _ title: Words) {
    self.console = console
    self.title = title
  }

  private static func seconds(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Double {
    let elapsed = start.duration(to: end).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
  }

  /// `detail` comes after the bar: "loss 2.345 · 81 tokens/s".
  func update(_ done: Int, of total: Int, detail: @autoclosure () -> String = "") {
    let now = ContinuousClock.now
    let start = first ?? (now, done)
    first = start
    guard !isFinished else { return }
    let isLast = done >= total && lastShown != nil
    isFinished = isLast
    let waited = Self.seconds(from: lastShown ?? start.time, to: now) >= (lastShown == nil ? silence : pause)
    guard waited || isLast else { return }
    lastShown = now
    let tail = detail().isEmpty ? "" : " · \(detail())"
    var left = ""
    if done > start.done, done < total {
      let rate = Self.seconds(from: start.time, to: now) / Double(done - start.done)
      let time = Self.clock(rate * Double(total - done))
      left = " · " + console.text(Words("\(time) left", ko: "\(time) 남음"))
    }
    if console.isTerminal {
      let filled = total > 0 ? Int(min(1, Double(done) / Double(total)) * Double(Self.barWidth)) : 0
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.barWidth - filled)
      Console.write("\r\u{1B}[2K\(console.text(title)) \(bar) \(done)/\(total)\(tail)\(left)", to: STDERR_FILENO)
      isOpen = true
    } else {
      Console.write("\(console.text(title)) \(done)/\(total)\(tail)\(left)\n", to: STDERR_FILENO)
    }
  }

  /// Ends the line on a terminal, so that other text starts on its own.
  func close() {
    if isOpen { Console.write("\r\u{1B}[2K", to: STDERR_FILENO) }
    isOpen = false
  }

  /// "1:05" or "1:02:03".
  static func clock(_ seconds: Double) -> String {
    let whole = seconds.isFinite ? Int(min(seconds, 359_999).rounded()) : 0
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return whole >= 3600
      ? "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))" : "\(whole / 60):\(two(whole % 60))"
  }
}

/// Ctrl-C: the first one asks the work to stop at a good place, the second one ends the program.
enum Interruption {
  static func watch() { csystem_watch_interrupts() }
  static var isRequested: Bool { csystem_interrupt_requested() != 0 }
  /// Whether it was Ctrl-C, and not a request to end the program.
  static var isCtrlC: Bool { csystem_interrupt_requested() == SIGINT }
  /// Ctrl-C has been answered; the next one is a first one again.
  static func forget() { csystem_forget_interrupt() }
}

/// The work was stopped by Ctrl-C; exit code 130.
struct Interrupted: Error {
  let advice: Words
}
