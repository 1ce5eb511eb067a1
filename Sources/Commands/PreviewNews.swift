import CHttpServer
import Foundation

/// What open pages are told while the site is rebuilt: that there is a new one, or why there is none. Shared by the builder's
/// thread and those of the connections.
final class PreviewNews: @unchecked Sendable {  // All is guarded by `condition`.
  /// Why the last build failed, as the page shows it.
  struct Fault: Sendable, Equatable {
    var text: String
    /// The two lines around it, in the user's language.
    var title: String
    var advice: String
  }

  private let condition = NSCondition()
  /// Tells this server's pages from those of an earlier one.
  private let series: String
  private var number = 0
  private var fault: Fault?
  private var changes = 0
  private var isClosed = false

  init(series: String = "\(getpid())-\(DispatchTime.now().uptimeNanoseconds)") { self.series = series }

  /// The site that pages are served from now.
  var version: String { condition.withLock { "\(series)-\(number)" } }

  /// A build that went well; `isNew` where it changed a file.
  func built(isNew: Bool) {
    change {
      if isNew { number += 1 }
      fault = nil
    }
  }

  func failed(_ fault: Fault) { change { self.fault = fault } }

  /// Ends every stream.
  func close() { change { isClosed = true } }

  private func change(_ body: () -> Void) {
    condition.withLock {
      body()
      changes += 1
      condition.broadcast()
    }
  }

  /// What a page of `version` is to hear, as soon as there is something it hasn't heard; a comment after a while, so that a
  /// connection whose browser went away is noticed; nil at the end.
  fileprivate func next(for version: String, after heard: inout Heard, patience: TimeInterval = 15) -> String? {
    condition.lock()
    defer { condition.unlock() }
    let end = Date(timeIntervalSinceNow: patience)
    while !isClosed {
      if heard.isNew {
        // The first bytes: the browser then knows that it is connected.
        heard.isNew = false
        return "retry: 500\n\n"
      }
      if version != "\(series)-\(number)", !heard.reload {
        heard.reload = true
        return "event: reload\ndata: \(series)-\(number)\n\n"
      }
      if fault != heard.fault {
        heard.fault = fault
        return fault.map { "event: fault\ndata: \(Self.json($0))\n\n" } ?? "event: clear\ndata: -\n\n"
      }
      if !condition.wait(until: end) { return ": still here\n\n" }
    }
    return nil
  }

  fileprivate struct Heard {
    var isNew = true
    var reload = false
    var fault: Fault?
  }

  private static func json(_ fault: Fault) -> String {
    // One line, as an event's data must be; JSON escapes line ends.
    let fields = ["title": fault.title, "text": fault.text, "advice": fault.advice]
    guard let data = try? JSONEncoder().encode(fields) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }
}

/// One page's stream of events.
final class PreviewStream: @unchecked Sendable {  // Read by its connection's thread alone.
  private let news: PreviewNews
  private let version: String
  private var heard = PreviewNews.Heard()
  private var pending: [UInt8] = []

  init(_ news: PreviewNews, version: String) {
    self.news = news
    self.version = version
  }

  /// Fills the buffer, waiting for news; 0 at the end.
  fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    if pending.isEmpty {
      guard let text = news.next(for: version, after: &heard) else { return 0 }
      pending = Array(text.utf8)
    }
    let count = min(pending.count, buffer.count)
    buffer.copyBytes(from: pending[..<count])
    pending.removeFirst(count)
    return count
  }

  /// A response that reads from this stream, which it keeps.
  func response() -> OpaquePointer? {
    lora_http_response_stream(readStream, releaseStream, Unmanaged.passRetained(self).toOpaque())
  }
}

private func readStream(context: UnsafeMutableRawPointer?, buffer: UnsafeMutablePointer<CChar>?, capacity: Int) -> Int {
  guard let context, let buffer else { return 0 }
  return Unmanaged<PreviewStream>.fromOpaque(context).takeUnretainedValue()
    .read(into: UnsafeMutableRawBufferPointer(start: buffer, count: capacity))
}

private func releaseStream(context: UnsafeMutableRawPointer?) {
  if let context { Unmanaged<PreviewStream>.fromOpaque(context).release() }
}
