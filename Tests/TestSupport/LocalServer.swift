import Foundation

/// An HTTP/1.1 server on 127.0.0.1 that answers as a closure says, one request a connection.
public final class LocalServer: @unchecked Sendable {
  public struct Request: Sendable {
    public let method: String
    /// With its query.
    public let path: String
    /// Names in lower case.
    public let headers: [String: String]
    public var body = Data()

    /// The first byte of a Range header; 0 without.
    public var start: Int {
      guard let range = headers["range"], range.hasPrefix("bytes="), range.hasSuffix("-") else { return 0 }
      return Int(range.dropFirst(6).dropLast()) ?? 0
    }
  }

  public struct Answer: Sendable {
    public var status: Int
    public var headers: [String: String]
    public var body: Data
    /// Close the connection after so many bytes of the body.
    public var cutAfter: Int?
    public var leaveOutLength: Bool
    /// Close the connection without a word.
    public var hangsUp = false

    public init(
      status: Int, headers: [String: String] = [:], body: Data = Data(), cutAfter: Int? = nil,
      leaveOutLength: Bool = false
    ) {
      self.status = status
      self.headers = headers
      self.body = body
      self.cutAfter = cutAfter
      self.leaveOutLength = leaveOutLength
    }

    /// A file, with Range honoured.
    public static func file(_ data: Data, _ request: Request, cutAfter: Int? = nil) -> Answer {
      let start = request.start
      if start == 0 { return Answer(status: 200, body: data, cutAfter: cutAfter) }
      if start >= data.count { return Answer(status: 416, headers: ["Content-Range": "bytes */\(data.count)"]) }
      return Answer(
        status: 206, headers: ["Content-Range": "bytes \(start)-\(data.count - 1)/\(data.count)"],
        body: Data(data.dropFirst(start)), cutAfter: cutAfter)
    }
  }

  public struct Failure: Error {}

  public let port: Int
  public var url: String { "http://127.0.0.1:\(port)" }
  /// All requests so far.
  public var requests: [Request] { lock.withLock { seen } }

  private let listener: Int32
  private let lock = NSLock()
  private var seen: [Request] = []
  private let answer: @Sendable (Request, Int) -> Answer
  private let bodyLimit: @Sendable (Request) -> Int?

  /// `answer` gets the request and its number, from 0.
  /// - Parameter bodyLimit: after how many bytes of a request's body its connection breaks; nil lets it come.
  public init(
    bodyLimit: @escaping @Sendable (Request) -> Int? = { _ in nil },
    _ answer: @escaping @Sendable (Request, Int) -> Answer
  ) throws {
    self.answer = answer
    self.bodyLimit = bodyLimit
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(listener, generic, length) == 0 && listen(listener, 8) == 0 && getsockname(listener, generic, &length) == 0
      }
    }
    guard listener >= 0, bound else { throw Failure() }
    self.listener = listener
    port = Int(UInt16(bigEndian: address.sin_port))
    signal(SIGPIPE, SIG_IGN)
    Thread.detachNewThread { [self] in serve() }
  }

  /// Ends the server; call it when the test is done.
  public func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func serve() {
    while true {
      let connection = accept(listener, nil, nil)
      if connection < 0 { break }
      handle(connection)
      close(connection)
    }
    close(listener)
  }

  private func handle(_ connection: Int32) {
    var stream = ByteStream(connection)
    guard let head = stream.take(through: Data("\r\n\r\n".utf8)) else { return }
    let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    let words = (lines.first ?? "").split(separator: " ").map(String.init)
    var request = Request(
      method: words.first ?? "", path: words.count > 1 ? words[1] : "", headers: headers)
    if let limit = bodyLimit(request) {
      _ = stream.take(limit)
      return
    }
    guard let body = stream.body(headers) else { return }
    request.body = body
    let number = lock.withLock { () -> Int in
      seen.append(request)
      return seen.count - 1
    }
    let answer = answer(request, number)
    if !answer.hangsUp { send(answer, withBody: request.method != "HEAD", to: connection) }
  }

  private func send(_ answer: Answer, withBody: Bool, to connection: Int32) {
    var head = "HTTP/1.1 \(answer.status) X\r\nConnection: close\r\n"
    if !answer.leaveOutLength { head += "Content-Length: \(answer.body.count)\r\n" }
    for (name, value) in answer.headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
    let body = withBody ? answer.body.prefix(answer.cutAfter ?? answer.body.count) : Data()
    let bytes = Data((head + "\r\n").utf8) + body
    bytes.withUnsafeBytes { raw in
      var rest = raw
      while let base = rest.baseAddress, rest.count > 0 {
        let count = write(connection, base, rest.count)
        if count <= 0 { return }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }
}

/// What comes in on a connection.
private struct ByteStream {
  let connection: Int32
  private var waiting = Data()

  init(_ connection: Int32) { self.connection = connection }

  /// False at the end.
  private mutating func fill() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(connection, &buffer, buffer.count)
    if count > 0 { waiting.append(contentsOf: buffer[..<count]) }
    return count > 0
  }

  mutating func take(through mark: Data) -> Data? {
    while true {
      if let range = waiting.range(of: mark) {
        let taken = Data(waiting[..<range.lowerBound])
        waiting = Data(waiting[range.upperBound...])
        return taken
      }
      guard fill() else { return nil }
    }
  }

  mutating func take(_ count: Int) -> Data? {
    while waiting.count < count { guard fill() else { return nil } }
    let taken = Data(waiting.prefix(count))
    waiting = Data(waiting.dropFirst(count))
    return taken
  }

  /// By its length or in chunks; nil where it breaks off.
  mutating func body(_ headers: [String: String]) -> Data? {
    guard headers["transfer-encoding"]?.lowercased() == "chunked" else {
      return take(Int(headers["content-length"] ?? "0") ?? 0)
    }
    var body = Data()
    let lineEnd = Data("\r\n".utf8)
    while let line = take(through: lineEnd) {
      guard let count = Int(String(decoding: line, as: UTF8.self), radix: 16), let chunk = take(count) else {
        return nil
      }
      _ = take(through: lineEnd)
      if count == 0 { return body }
      body += chunk
    }
    return nil
  }
}
