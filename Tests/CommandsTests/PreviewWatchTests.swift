import Foundation
import TestSupport
import Testing

@testable import Commands

/// `serve --watch` as a person runs it: the program in a project, a page open, a file edited.
@Suite(.serialized) struct PreviewWatchTests {
  @Test(arguments: ["", "poll"])
  func anEditedPostReloadsThePage(watch: String) throws {
    try withPreview(environment: ["LORAPRESS_WATCH": watch]) { preview in
      let page = try preview.page("/posts/note/")
      #expect(page.contains("처음") && page.contains("<script src=\"/.lorapress/reload.js\""))
      let stream = try preview.stream(of: page)
      try preview.project.writePost("고친 글")
      #expect(try stream.wait(for: "event: reload"))
      let again = try preview.page("/posts/note/")
      #expect(again.contains("고친 글") && !again.contains("처음"))
      // The script is the preview's own.
      #expect(try !preview.project.bytes("site").values.contains { $0.range(of: Data("lorapress/reload".utf8)) != nil })
      // A page of an earlier version is told at once.
      #expect(try preview.stream(of: page).wait(for: "event: reload"))
    }
  }

  @Test func aFaultIsShownAndTheLastSiteStays() throws {
    try withPreview { preview in
      let page = try preview.page("/posts/note/")
      let stream = try preview.stream(of: page)
      try preview.project.writePost("<b>틀린</b> {{ valu(1) }}")
      #expect(try stream.wait(for: "event: fault"))
      #expect(try stream.wait(for: "content\\/posts\\/note.md:5:") || stream.text.contains("content/posts/note.md:5:"))
      #expect(try preview.page("/posts/note/").contains("처음"))
      // Who comes later hears of it too.
      let later = try preview.stream(of: preview.page("/"))
      #expect(try later.wait(for: "event: fault"))
      try preview.project.writePost("처음")
      #expect(try later.wait(for: "event: clear"))
      let errors = try String(contentsOf: preview.project.errorFile, encoding: .utf8)
      #expect(errors.split(separator: "\n").contains { $0.hasPrefix("lorapress: content/posts/note.md:5:") })
    }
  }

  @Test func theChartGrowsWithALog() throws {
    try withPreview { preview in
      let page = try preview.page("/runs/fixture-run/")
      let before = try preview.project.bytes("site/runs/fixture-run")["loss.png"]
      let stream = try preview.stream(of: page)
      let log = try FileHandle(forWritingTo: preview.project.run.metricsLog)
      try log.seekToEnd()
      let line = { (step: Int) in
        "{\"epoch\": 4, \"loss\": 1.3, \"split\": \"train\", \"step\": \(step), \"time\": 1795009999}\n"
      }
      // A torn line after it, as a training leaves for a moment.
      try log.write(contentsOf: Data((line(5000) + line(5001).dropLast(20)).utf8))
      #expect(try stream.wait(for: "event: reload"))
      let after = try preview.project.bytes("site/runs/fixture-run")["loss.png"]
      #expect(before != nil && after != nil && before != after)
    }
  }

  @Test func idleStreamsDoNotHoldTheEndUp() throws {
    try withPreview { preview in
      let page = try preview.page("/")
      let streams = try (0..<40).map { _ in try preview.stream(of: page) }
      for stream in streams { #expect(try stream.wait(for: "retry:")) }
      let start = Date()
      preview.process.interrupt()
      preview.process.waitUntilExit()
      #expect(Date().timeIntervalSince(start) < 5)
      #expect(preview.process.terminationStatus == 0)
      for stream in streams { #expect(stream.isAtEnd()) }
    }
  }

  @Test func aTakenPortIsOneLine() throws {
    try withPreview { preview in
      let process = try preview.project.start(["serve", "--watch", "--port", "\(preview.port)"])
      process.waitUntilExit()
      #expect(process.terminationStatus == 1)
      let errors = try String(contentsOf: preview.project.errorFile, encoding: .utf8)
      #expect(errors.contains("lorapress: port \(preview.port) on 127.0.0.1: is taken by another program"))
    }
  }

  @Test func watcherNoticesWhatCounts() throws {
    for polls in [false, true] {
      try Fixtures.withTemporaryFolder { folder in
        let root = folder.path
        let watcher = FileWatcher(
          FileWatcher.Scope(
            folders: {
              [root]
                + ((try? FileManager.default.subpathsOfDirectory(atPath: root)) ?? []).map { "\(root)/\($0)" }.filter {
                  var isFolder: ObjCBool = false
                  return FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder) && isFolder.boolValue
                }
            }, counts: { !$1.hasPrefix(".") }), polls: polls)
        #expect(watcher.isPolling == polls)
        func change(_ body: () throws -> Void) throws -> Set<FileWatcher.Change> {
          try body()
          var all: Set<FileWatcher.Change> = []
          for _ in 0..<20 where all.isEmpty { all.formUnion(watcher.wait(upTo: 0.3)) }
          all.formUnion(watcher.wait(upTo: 0.3))
          return all
        }
        let file = folder.appendingPathComponent("a.md")
        #expect(try change { try Data("1".utf8).write(to: file) }.contains { $0.name == "a.md" })
        #expect(
          try change {
            try Data("22".utf8).write(to: folder.appendingPathComponent("b"), options: .atomic)
          }.contains { $0.name == "b" })
        #expect(try change { try FileManager.default.removeItem(at: file) }.contains { $0.name == "a.md" })
        let below = folder.appendingPathComponent("new/deep")
        #expect(
          try !change {
            try FileManager.default.createDirectory(at: below, withIntermediateDirectories: true)
            try Data("3".utf8).write(to: below.appendingPathComponent("c"))
          }.isEmpty)
        #expect(
          try change { try Data("4".utf8).write(to: below.appendingPathComponent("c")) }.contains { $0.name == "c" })
        try Data("5".utf8).write(to: folder.appendingPathComponent(".hidden"))
        #expect(watcher.wait(upTo: 0.3).isEmpty)
      }
    }
  }
}

// MARK: - A preview that runs, and a page that listens

private struct Preview {
  let project: ScratchProject
  let process: Process
  let port: Int

  /// Waits for the page: right after the start there is no site yet.
  func page(_ path: String) throws -> String {
    for _ in 0..<200 {
      let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n"
      let answer = String(decoding: try exchange(port: port, Data(request.utf8)), as: UTF8.self)
      if answer.hasPrefix("HTTP/1.1 200") { return answer }
      usleep(100_000)
    }
    throw POSIXError(.ETIMEDOUT)
  }

  func stream(of page: String) throws -> EventStream {
    let parts = page.components(separatedBy: "data-version=\"")
    let version = try #require(parts.count == 2 ? parts[1].split(separator: "\"").first.map(String.init) : nil)
    let socket = try connect(port: port)
    let request = "GET /.lorapress/events/\(version) HTTP/1.1\r\nHost: localhost:\(port)\r\n\r\n"
    try write(Data(request.utf8), to: socket)
    return EventStream(socket: socket)
  }
}

private final class EventStream {
  private let socket: Int32
  private(set) var text = ""

  init(socket: Int32) { self.socket = socket }
  deinit { close(socket) }

  /// Reads until this text has come; false at the end or after twenty seconds.
  func wait(for wanted: String) throws -> Bool {
    let end = Date(timeIntervalSinceNow: 20)
    var buffer = [UInt8](repeating: 0, count: 1 << 12)
    while !text.contains(wanted) {
      guard Date() < end else { return false }
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return false }
      text += String(decoding: buffer[..<count], as: UTF8.self)
    }
    return true
  }

  /// Whether the server has ended the stream.
  func isAtEnd() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 12)
    while true {
      let count = recv(socket, &buffer, buffer.count, 0)
      if count <= 0 { return count == 0 || errno == ECONNRESET }
    }
  }
}

private func withPreview(environment: [String: String] = [:], _ body: (Preview) throws -> Void) throws {
  try Fixtures.withTemporaryFolder { folder in
    let project = try ScratchProject(folder)
    let pipe = Pipe()
    let process = try project.start(
      ["serve", "--watch", "--port", "0"], environment: environment, output: pipe.fileHandleForWriting)
    defer {
      if process.isRunning { process.interrupt() }
      process.waitUntilExit()
    }
    // The first line printed is the address.
    var line = Data()
    while line.last != 0x0A, let byte = try pipe.fileHandleForReading.read(upToCount: 1), !byte.isEmpty { line += byte }
    let url = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .newlines)
    #expect(url.hasPrefix("http://127.0.0.1:") && url.hasSuffix("/"))
    let port = try #require(Int(url.dropFirst("http://127.0.0.1:".count).dropLast()))
    let preview = Preview(project: project, process: process, port: port)
    _ = try preview.page("/")
    try body(preview)
  }
}
