import Foundation
import TestSupport
import Testing

@testable import Commands

/// `lorapress chat` with someone at the other end: Ctrl-C, and a real terminal.
@Suite struct ChatTerminalTests {
  /// The tiny model with a context so long that no answer ends by itself in a test's time.
  private func inProgram(_ body: (Program, URL) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let model = try program.makeModel()
      let file = model.appendingPathComponent("config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
      let long = text.replacing(/"max_position_embeddings": ?512/, with: "\"max_position_embeddings\":65536")
      try #require(long != text)
      try long.write(to: file, atomically: true, encoding: .utf8)
      try body(program, model)
    }
  }

  private func waitUntil(_ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(60)
    while !condition() {
      if ContinuousClock.now > end { return false }
      usleep(20_000)
    }
    return true
  }

  /// A new pseudo-terminal: the end that a person sits at, and the program's.
  private func terminal() throws -> (master: Int32, slave: FileHandle) {
    // TIOCSPTLCK and TIOCGPTN of Linux, which are macros of C.
    let (unlock, number): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
    let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var (isLocked, index): (Int32, Int32) = (0, 0)
    try #require(master >= 0 && ioctl(master, unlock, &isLocked) == 0 && ioctl(master, number, &index) == 0)
    let slave = open("/dev/pts/\(index)", O_RDWR | O_NOCTTY)
    try #require(slave >= 0)
    return (master, FileHandle(fileDescriptor: slave, closeOnDealloc: true))
  }

  @Test func ctrlCStopsTheAnswerThenTheChat() throws {
    try inProgram { program, model in
      let names = ["out", "err"].map { program.folder.appendingPathComponent($0) }
      for name in names { try Data().write(to: name) }
      func size(_ name: URL) -> Int { (try? Data(contentsOf: name).count) ?? 0 }
      func errors() -> String { (try? String(contentsOf: names[1], encoding: .utf8)) ?? "" }
      let process = program.process(["chat", "--model", model.path, "--max-new-tokens", "60000"])
      let input = Pipe()
      process.standardInput = input
      process.standardOutput = try FileHandle(forWritingTo: names[0])
      process.standardError = try FileHandle(forWritingTo: names[1])
      try process.run()
      defer { if process.isRunning { process.terminate() } }

      for turn in 1...2 {
        let before = size(names[0])
        try input.fileHandleForWriting.write(contentsOf: Data("이야기를 들려주세요.\n".utf8))
        #expect(waitUntil { size(names[0]) > before })
        process.interrupt()
        #expect(waitUntil { errors().components(separatedBy: "Stopped.").count == turn + 1 }, "\(errors())")
        #expect(process.isRunning)
      }
      // Never half a character, and each answer its own line.
      let output = String(validating: try Data(contentsOf: names[0]), as: UTF8.self)
      #expect(output?.hasSuffix("\n") == true)
      // What was said before the stop is part of the conversation.
      let all = errors().matches(of: /prompt read \d+\/(\d+)/).compactMap { Int($0.1) }
      #expect(all.count == 2 && all[1] > all[0])

      process.interrupt()
      process.waitUntilExit()
      #expect(process.terminationStatus == 130 && errors().contains("Ended."))
    }
  }

  /// Keys of a person: Hangul typed and taken back, an earlier line called again, Ctrl-C, Ctrl-D.
  @Test(arguments: [false, true]) func aTerminal(endsByCtrlC: Bool) throws {
    try inProgram { program, model in
      let options = ["--model", model.path, "--max-new-tokens", "24", "--repetition-penalty", "1.3"]
      let answers = try ["가다", "수도는?"].map { try program.run(["generate"] + options + ["--prompt", $0]).output }
      try #require(answers[0] != answers[1])
      let (master, slave) = try terminal()
      defer { close(master) }
      let process = program.process(["chat"] + options, environment: ["TERM": "xterm", "LC_ALL": "ko_KR.UTF-8"])
      process.standardInput = slave
      process.standardOutput = slave
      process.standardError = slave
      try process.run()
      defer { if process.isRunning { process.terminate() } }
      _ = fcntl(master, F_SETFL, O_NONBLOCK)
      var seen: [UInt8] = []
      func screen() -> String {
        var piece = [UInt8](repeating: 0, count: 65536)
        while case let count = read(master, &piece, piece.count), count > 0 { seen += piece[..<count] }
        return String(decoding: seen, as: UTF8.self).replacing("\r\n", with: "\n")
      }
      func count(_ part: String) -> Int { screen().components(separatedBy: part).count - 1 }
      let done = "토큰까지"
      func shown(_ answer: String) -> Int { count(answer.filter { $0.unicodeScalars.allSatisfy(PlainText.isPlain) }) }
      // Before the prompt the terminal reads whole lines, and keys would mean other things.
      func type(_ keys: String) {
        #expect(waitUntil { screen().suffix(12).contains("> ") }, "\(screen())")
        _ = Array(keys.utf8).withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
      }
      type("가나\u{7F}다\r")
      #expect(waitUntil { count(done) == 1 }, "\(screen())")
      #expect(shown(answers[0]) == 1, "\(screen())")
      type("/reset\r")
      #expect(waitUntil { count("새로 시작합니다.") == 1 })
      type("수도는?\r")
      #expect(waitUntil { count(done) == 2 }, "\(screen())")
      #expect(shown(answers[1]) == 1)
      type("/reset\r")
      #expect(waitUntil { count("새로 시작합니다.") == 2 })
      // Four lines up: the first question.
      type("\u{1B}[A\u{1B}[A\u{1B}[A\u{1B}[A\r")
      #expect(waitUntil { count(done) == 3 }, "\(screen())")
      #expect(shown(answers[0]) == 2, "\(screen())")
      if endsByCtrlC {
        process.interrupt()
      } else {
        type("\u{4}")
      }
      #expect(waitUntil { !process.isRunning }, "\(screen())")
      #expect(process.terminationStatus == (endsByCtrlC ? 130 : 0))
    }
  }
}
