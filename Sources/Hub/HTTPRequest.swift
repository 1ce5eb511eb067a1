import CCurl
import Foundation

/// One request, by libcurl.
struct HTTPRequest {
  /// What an answer says of its body before a byte of it comes.
  struct Head {
    let status: Int
    /// Of the whole body; -1 if unknown.
    let length: Int64
    /// The Content-Range header; empty without.
    let range: String
  }

  /// How it ended.
  enum Outcome {
    case finished(Reply)
    /// The server has nothing from this offset on.
    case nothingThere
    /// Worth another try after that many seconds (0: as the caller likes).
    case transient(String, retryAfter: Int)
    case refused(Refusal)
  }

  /// What the head of an answer said.
  struct Reply {
    /// The address of a list's next page.
    let next: String?
    /// As it was sent, quotes included; empty without.
    let etag: String
  }

  /// Why asking again is of no use.
  struct Refusal {
    let reason: String
    /// The HTTP status; 0 where nobody answered.
    let status: Int
    /// The Hub's word for it: "RepoNotFound", "GatedRepo" …; empty from other servers.
    let code: String
    /// The Hub's own sentence; empty from other servers.
    var message = ""
  }

  /// What a request sends.
  enum Body {
    case data(Data)
    /// `count` bytes of an open file from `offset` on.
    case file(descriptor: Int32, offset: Int, count: Int)
  }

  let url: String
  /// With a body POST or PUT; a request without one is a GET.
  var method = "POST"
  var body: Body?
  /// Lines "Name: value".
  var headers: [String] = []
  var bearer: String?
  var certificates: String?
  var connectTimeout = 4.0
  var stallSeconds = 30

  /// Carries the closures through C.
  private final class Context {
    let receive: (UnsafeRawBufferPointer, Head) throws -> Void
    let isCancelled: () -> Bool
    let sent: (Int) -> Void
    var failure: (any Error)?

    init(
      isCancelled: @escaping () -> Bool, sent: @escaping (Int) -> Void,
      receive: @escaping (UnsafeRawBufferPointer, Head) throws -> Void
    ) {
      self.isCancelled = isCancelled
      self.sent = sent
      self.receive = receive
    }

    /// 0 to go on.
    func take(_ bytes: UnsafeRawBufferPointer, _ head: Head) -> Int32 {
      do {
        try receive(bytes, head)
        return isCancelled() ? 1 : 0
      } catch {
        failure = error
        return 1
      }
    }
  }

  /// Asks for the body from byte `offset` on; `receive` hears its parts, `sent` how much of the request's own body has gone. Throws what
  /// `receive` throws.
  func run(
    from offset: Int = 0, isCancelled: @escaping () -> Bool, sent: @escaping (Int) -> Void = { _ in },
    receive: @escaping (UnsafeRawBufferPointer, Head) throws -> Void
  ) throws -> Outcome {
    let context = Context(isCancelled: isCancelled, sent: sent, receive: receive)
    var result = cc_result()
    perform(context, offset, &result)
    if let failure = context.failure { throw failure }
    return Self.outcome(result)
  }

  private func perform(_ context: Context, _ offset: Int, _ result: inout cc_result) {
    let lines = headers.map { strdup($0) }
    defer { for line in lines { free(line) } }
    let pointers = lines.map { UnsafePointer($0) }
    withExtendedLifetime(context) {
      url.withCString { url in
        Self.withOptional(bearer) { bearer in
          Self.withOptional(certificates) { certificates in
            pointers.withUnsafeBufferPointer { lines in
              var request = cc_request()
              request.url = url
              request.bearer = bearer
              request.certificates = certificates
              request.headers = lines.baseAddress
              request.header_count = lines.count
              request.offset = Int64(offset)
              request.connect_timeout_ms = Int(connectTimeout * 1000)
              request.stall_seconds = stallSeconds
              request.plain_redirects = self.url.hasPrefix("http://") ? 1 : 0
              Self.hear(context, &request)
              send(&request, &result)
            }
          }
        }
      }
    }
  }

  private static func hear(_ context: Context, _ request: inout cc_request) {
    request.context = Unmanaged.passUnretained(context).toOpaque()
    request.on_body = { pointer, bytes, count, status, length, range in
      guard let pointer else { return 1 }
      return Unmanaged<Context>.fromOpaque(pointer).takeUnretainedValue().take(
        UnsafeRawBufferPointer(start: bytes, count: count),
        Head(status: status, length: length, range: range.map { String(cString: $0) } ?? ""))
    }
    request.on_tick = { pointer, sent in
      guard let pointer else { return 1 }
      let context = Unmanaged<Context>.fromOpaque(pointer).takeUnretainedValue()
      context.sent(Int(sent))
      return context.isCancelled() ? 1 : 0
    }
  }

  private func send(_ request: inout cc_request, _ result: inout cc_result) {
    switch body {
    case nil: cc_perform(&request, &result)
    case .file(let descriptor, let offset, let count):
      method.withCString { method in
        request.method = method
        request.body_file = descriptor
        request.body_offset = Int64(offset)
        request.body_count = Int64(count)
        cc_perform(&request, &result)
      }
    case .data(let data):
      // Never without an address: that would mean a file.
      let bytes = data.isEmpty ? [0] : [UInt8](data)
      bytes.withUnsafeBufferPointer { bytes in
        method.withCString { method in
          request.method = method
          request.body = bytes.baseAddress
          request.body_count = Int64(data.count)
          cc_perform(&request, &result)
        }
      }
    }
  }

  private static func withOptional<R>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    guard let text else { return body(nil) }
    return text.withCString(body)
  }

  // MARK: What it means

  private static func outcome(_ result: cc_result) -> Outcome {
    let status = result.status
    func refused(_ reason: String, status: Int = 0) -> Outcome {
      .refused(
        Refusal(
          reason: reason, status: status, code: withUnsafeBytes(of: result.error_code, text),
          message: withUnsafeBytes(of: result.error_message, text)))
    }
    switch result.code {
    case CURLE_OK:
      switch status {
      case 200, 201, 204, 206:
        return .finished(
          Reply(
            next: nextPage(withUnsafeBytes(of: result.link, text)), etag: withUnsafeBytes(of: result.etag, text)))
      case 416: return .nothingThere
      case 408, 425, 429, 500...599:
        return .transient("answers with status \(status)", retryAfter: Int(result.retry_after))
      case 401, 403: return refused("answers with status \(status) (no access; HF_TOKEN may be needed)", status: status)
      default: return refused("answers with status \(status)", status: status)
      }
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM:
      return .transient(message(result), retryAfter: 0)
    case CURLE_OPERATION_TIMEDOUT where status != 0 || result.sent > 0:
      return .transient(message(result), retryAfter: 0)
    default: return refused(message(result))
    }
  }

  /// The address that a Link header (RFC 8288) gives for `rel="next"`.
  static func nextPage(_ link: String) -> String? {
    for part in link.split(separator: ",") where part.contains("rel=\"next\"") {
      guard let start = part.firstIndex(of: "<"), let end = part.firstIndex(of: ">"), start < end else { continue }
      return String(part[part.index(after: start)..<end])
    }
    return nil
  }

  private static func message(_ result: cc_result) -> String {
    let detail = withUnsafeBytes(of: result.message, text)
    return detail.isEmpty ? String(cString: curl_easy_strerror(result.code)) : detail
  }

  private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
