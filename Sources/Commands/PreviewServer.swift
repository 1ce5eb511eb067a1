import CHttpServer
import Dispatch
import Foundation

/// Why the preview can't be served: one line naming the folder or address, and the remedy.
public struct PreviewServerError: Error, CustomStringConvertible, Sendable, Equatable {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// Shows a folder of files at an address of this machine, for looking at a site before it is published.
///
/// Answers GET and HEAD only, never with anything outside the folder, and asks the browser to ask again each time: after a new
/// `render` a reload shows the new page. The folder is looked up anew for each request, so it may be replaced meanwhile.
public final class PreviewServer: @unchecked Sendable {  // `server` is guarded by `lock`; the rest never changes.
  /// Where the site is: `http://127.0.0.1:8000/`.
  public let url: String
  public let port: Int

  private let answers: PreviewAnswers
  private let news: PreviewNews?
  private let lock = NSLock()
  private var server: OpaquePointer?
  private let stopped = DispatchSemaphore(value: 0)

  /// Listens and serves from now on, on threads of its own.
  ///
  /// `host` is a name or an address of this machine; only the default keeps other machines out. `port` 0 takes a free one.
  public convenience init(folder: URL, host: String = "127.0.0.1", port: Int = 0) throws(PreviewServerError) {
    try self.init(folder: folder, host: host, port: port, news: nil)
  }

  /// With `news`, pages get a script that listens to them; with `review`, its pages stand beside the site. With either the folder
  /// need not be there yet.
  init(
    folder: URL, host: String = "127.0.0.1", port: Int = 0, news: PreviewNews?, review: ReviewAnswers? = nil
  ) throws(PreviewServerError) {
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder) && isFolder.boolValue
    guard isThere || news != nil || review != nil else {
      throw PreviewServerError("\(folder.path): there is no such folder; make the site with `lorapress render` first")
    }
    guard let number = UInt16(exactly: port) else {
      throw PreviewServerError("port \(port): is not a port; give one from 1 to 65535, or 0 for a free one")
    }
    var bound: UInt16 = 0
    let listener = lora_http_listen(host, number, &bound)
    guard listener >= 0 else { throw Self.refusal(host: host, port: port, code: listener) }
    // A browser that goes away in the middle of an answer must not end the program.
    signal(SIGPIPE, SIG_IGN)
    self.news = news
    answers = PreviewAnswers(folder: folder, news: news, hosts: PreviewHosts(host: host), review: review)
    let context = Unmanaged.passUnretained(answers).toOpaque()
    guard let started = lora_http_start(listener, answerRequest, bodyLimit, context) else {
      throw PreviewServerError("\(host):\(port): no thread or memory left to serve with; close other programs")
    }
    server = started
    self.port = Int(bound)
    url = "http://\(host.contains(":") ? "[\(host)]" : host):\(bound)/"
  }

  deinit { stop() }

  /// Waits until `stop()` is called from another thread, or Ctrl-C (SIGINT) or SIGTERM comes; then serves no longer.
  /// Returns the signal's number, 0 after `stop()`.
  @discardableResult
  public func run() -> Int32 {
    let caught = CaughtSignal()
    let sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [stopped] in
        caught.set(number)
        stopped.signal()
      }
      source.resume()
      return source
    }
    stopped.wait()
    for source in sources { source.cancel() }
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    stop()
    return caught.value
  }

  /// Closes the port and every connection. A second call does nothing.
  public func stop() {
    let running = lock.withLock {
      defer { server = nil }
      return server
    }
    guard let running else { return }
    news?.close()
    lora_http_stop(running)
    stopped.signal()
  }

  private static func refusal(host: String, port: Int, code: Int32) -> PreviewServerError {
    if Int(code) == LORA_HTTP_UNKNOWN_HOST || code == -EADDRNOTAVAIL {
      return PreviewServerError("host \(host): is no address of this machine; leave `--host` out for 127.0.0.1")
    }
    let why =
      switch -code {
      case EADDRINUSE: "is taken by another program"
      case EACCES: "may not be opened without more rights"
      default: "can't be opened (\(String(cString: strerror(-code))))"
      }
    return PreviewServerError("port \(port) on \(host): \(why); take a free one with `--port 0`")
  }
}

/// Which signal ended the wait, written from the signal's queue.
private final class CaughtSignal: @unchecked Sendable {  // `number` is only touched under `lock`.
  private let lock = NSLock()
  private var number: Int32 = 0

  var value: Int32 { lock.withLock { number } }

  func set(_ number: Int32) { lock.withLock { self.number = number } }
}

/// libmicrohttpd calls this on the connection's thread; `context` is the server's `PreviewAnswers`.
private func answerRequest(
  context: UnsafeMutableRawPointer?, request: OpaquePointer?, method: UnsafePointer<CChar>?,
  target: UnsafePointer<CChar>?, body: UnsafeRawPointer?, length: Int
) {
  guard let context, let request, let method, let target else { return }
  Unmanaged<PreviewAnswers>.fromOpaque(context).takeUnretainedValue()
    .answer(
      PreviewRequest(request), method: String(cString: method), target: String(cString: target),
      body: body.map { Data(bytes: $0, count: length) } ?? Data())
}

/// Called on the connection's thread before `answerRequest`, for requests that may bring a body.
private func bodyLimit(
  context: UnsafeMutableRawPointer?, request: OpaquePointer?, method: UnsafePointer<CChar>?,
  target: UnsafePointer<CChar>?
) -> Int {
  guard let context, let request, let method, let target else { return 0 }
  return Unmanaged<PreviewAnswers>.fromOpaque(context).takeUnretainedValue()
    .bodyLimit(PreviewRequest(request), method: String(cString: method), target: String(cString: target))
}
