import CCurl
import Foundation

/// One GET that grows a file, by libcurl.
struct HTTPDownload {
  enum Outcome {
    case finished
    /// The server has nothing from this offset on.
    case nothingThere
    /// Worth another try after that many seconds (0: as the caller likes).
    case transient(String, retryAfter: Int)
    /// Of no use at this source.
    case refused(String)
  }

  let url: String
  var bearer: String?
  var certificates: String?
  var connectTimeout = 4.0
  var stallSeconds = 30

  /// Carries the closures through C.
  private final class Context {
    let partial: PartialFile
    let limit: Int
    let progress: (Int) -> Void
    let isCancelled: () -> Bool
    var failure: (any Error)?
    var started = false
    let offset: Int

    init(partial: PartialFile, limit: Int, progress: @escaping (Int) -> Void, isCancelled: @escaping () -> Bool) {
      self.partial = partial
      self.limit = limit
      self.progress = progress
      self.isCancelled = isCancelled
      offset = partial.count
    }

    /// 0 to go on.
    func receive(_ bytes: UnsafeRawBufferPointer, status: Int, length: Int64, range: String) -> Int32 {
      do {
        if !started {
          started = true
          try begin(status: status, length: length, range: range)
        }
        // More than the file should hold is not kept: the hash would fail, the disk might too.
        guard partial.count + bytes.count <= limit else {
          throw SourceFailure(reason: "sends more than the \(limit) bytes that the file should have")
        }
        try partial.append(bytes)
        progress(partial.count)
        return isCancelled() ? 1 : 0
      } catch {
        failure = error
        return 1
      }
    }

    /// Looks at what the answer says it is before a byte of it is kept: a page of some proxy is no model.
    private func begin(status: Int, length: Int64, range: String) throws {
      if status == 206 {
        guard range.hasPrefix("bytes \(offset)-"), range.hasSuffix("/\(limit)") || range.hasSuffix("/*") else {
          throw SourceFailure(
            reason: "answers a request from byte \(offset) of \(limit) with '\(range.prefix(60))', another part or file"
          )
        }
      } else {
        guard length < 0 || length == Int64(limit) else {
          throw SourceFailure(reason: "has a file of \(length) bytes, where \(limit) were expected")
        }
        if offset > 0 { try partial.truncate(to: 0) }
      }
    }
  }

  /// Goes on where `partial` ends. Throws what concerns the disk or the source for good; a cut-off connection is an outcome.
  func run(
    into partial: PartialFile, limit: Int, progress: @escaping (Int) -> Void, isCancelled: @escaping () -> Bool
  ) throws -> Outcome {
    let context = Context(partial: partial, limit: limit, progress: progress, isCancelled: isCancelled)
    var result = cc_result()
    perform(context, &result)
    if let failure = context.failure { throw failure }
    return outcome(result)
  }

  private func perform(_ context: Context, _ result: inout cc_result) {
    withExtendedLifetime(context) {
      url.withCString { url in
        Self.withOptional(bearer) { bearer in
          Self.withOptional(certificates) { certificates in
            var request = cc_request()
            request.url = url
            request.bearer = bearer
            request.certificates = certificates
            request.offset = Int64(context.partial.count)
            request.connect_timeout_ms = Int(connectTimeout * 1000)
            request.stall_seconds = stallSeconds
            request.plain_redirects = self.url.hasPrefix("http://") ? 1 : 0
            request.context = Unmanaged.passUnretained(context).toOpaque()
            request.on_body = { pointer, bytes, count, status, length, range in
              guard let pointer else { return 1 }
              return Unmanaged<Context>.fromOpaque(pointer).takeUnretainedValue().receive(
                UnsafeRawBufferPointer(start: bytes, count: count), status: status, length: length,
                range: range.map { String(cString: $0) } ?? "")
            }
            request.on_tick = { pointer in
              guard let pointer else { return 1 }
              return Unmanaged<Context>.fromOpaque(pointer).takeUnretainedValue().isCancelled() ? 1 : 0
            }
            cc_get(&request, &result)
          }
        }
      }
    }
  }

  private static func withOptional<R>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    guard let text else { return body(nil) }
    return text.withCString(body)
  }

  private func outcome(_ result: cc_result) -> Outcome {
    let status = result.status
    switch result.code {
    case CURLE_OK:
      switch status {
      case 200, 206: return .finished
      case 416: return .nothingThere
      case 408, 425, 429, 500...599:
        return .transient("answers with status \(status)", retryAfter: Int(result.retry_after))
      case 401, 403: return .refused("answers with status \(status) (no access; HF_TOKEN may be needed)")
      default: return .refused("answers with status \(status)")
      }
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_HTTP2, CURLE_HTTP2_STREAM:
      return .transient(message(result), retryAfter: 0)
    case CURLE_OPERATION_TIMEDOUT where status != 0: return .transient(message(result), retryAfter: 0)
    default: return .refused(message(result))
    }
  }

  private func message(_ result: cc_result) -> String {
    let detail = withUnsafeBytes(of: result.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return detail.isEmpty ? String(cString: curl_easy_strerror(result.code)) : detail
  }
}
