import CHttpServer
import Foundation

/// One request of libmicrohttpd while it is being answered.
struct PreviewRequest {
  private let handle: OpaquePointer

  init(_ handle: OpaquePointer) { self.handle = handle }

  func header(_ name: String) -> String? {
    lora_http_header(handle, name).map { String(cString: $0) }
  }

  func reply(_ status: UInt32, type: String, text: String, headers: [(String, String)] = []) {
    let bytes = Array(text.utf8)
    send(status, lora_http_response_bytes(bytes, bytes.count), [("Content-Type", type)] + headers)
  }

  /// Sends `range` of the file, whose descriptor is taken over.
  func reply(_ status: UInt32, file: Int32, range: Range<UInt64>, headers: [(String, String)]) {
    send(status, lora_http_response_file(file, range.lowerBound, UInt64(range.count)), headers)
  }

  private func send(_ status: UInt32, _ response: OpaquePointer?, _ headers: [(String, String)]) {
    guard let response else { return }  // No memory: an unanswered request is cut off.
    for (name, value) in headers + [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")] {
      lora_http_set(response, name, value)
    }
    lora_http_reply(handle, status, response)
  }
}

/// Finds the file a request asks for and answers with it. Holds no state, so it may be called from many threads.
final class PreviewAnswers: Sendable {
  private let folder: String

  init(folder: URL) { self.folder = folder.path }

  func answer(_ request: PreviewRequest, method: String, target: String) {
    guard method == "GET" || method == "HEAD" else {
      return message(request, 405, "405: only GET and HEAD are answered here", [("Allow", "GET, HEAD")])
    }
    guard let path = PreviewPath(target: target) else {
      return message(request, 400, "400: this address is not well-formed")
    }
    switch PreviewFolder.open(folder, path.components) {
    case .file(let file):
      // A trailing slash asks for a folder: relative links of a page shown there would go wrong.
      guard !path.hasTrailingSlash else {
        close(file.descriptor)
        return notFound(request)
      }
      send(file, to: request, method: method, name: path.components.last ?? "")
    case .folder:
      guard path.hasTrailingSlash else { return redirect(request, to: path) }
      guard case .file(let index) = PreviewFolder.open(folder, path.components + ["index.html"]) else {
        return notFound(request)
      }
      send(index, to: request, method: method, name: "index.html")
    case .none:
      notFound(request)
    }
  }

  private func send(_ file: PreviewFolder.File, to request: PreviewRequest, method: String, name: String) {
    var headers = [("Content-Type", PreviewType.of(name)), ("Accept-Ranges", "bytes")]
    // Without validators an If-Range can never hold: the whole file is the answer (RFC 9110, 13.1.5).
    let wanted = method == "GET" && request.header("If-Range") == nil ? request.header("Range") : nil
    switch ByteRange.parse(wanted, size: file.size) {
    case .whole:
      request.reply(200, file: file.descriptor, range: 0..<file.size, headers: headers)
    case .part(let range):
      headers.append(("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"))
      request.reply(206, file: file.descriptor, range: range, headers: headers)
    case .unsatisfiable:
      close(file.descriptor)
      message(request, 416, "416: the file has \(file.size) bytes", [("Content-Range", "bytes */\(file.size)")])
    }
  }

  private func redirect(_ request: PreviewRequest, to path: PreviewPath) {
    message(request, 301, "301: this is a folder", [("Location", path.asFolder)])
  }

  private func notFound(_ request: PreviewRequest) {
    guard case .file(let page) = PreviewFolder.open(folder, ["404.html"]) else {
      return message(request, 404, "404: there is no such file in this folder")
    }
    request.reply(
      404, file: page.descriptor, range: 0..<page.size, headers: [("Content-Type", PreviewType.of("404.html"))])
  }

  private func message(
    _ request: PreviewRequest, _ status: UInt32, _ text: String, _ headers: [(String, String)] = []
  ) {
    request.reply(status, type: "text/plain; charset=utf-8", text: text + "\n", headers: headers)
  }
}

/// The path of a request, decoded: names without `/`, NUL, `.` or `..`.
struct PreviewPath: Equatable {
  let components: [String]
  /// Also true of the root.
  let hasTrailingSlash: Bool

  /// Nil when the target is no absolute path, has a broken escape, bytes that are not UTF-8, or tries to leave the
  /// folder (`..`, also as %2e%2e; an encoded slash or NUL). A browser resolves `..` by itself and never sends these.
  init?(target: String) {
    guard target.utf8.first == UInt8(ascii: "/") else { return nil }
    var names: [String] = []
    for part in target.utf8.split(separator: UInt8(ascii: "/")) {
      guard let name = Self.decode(part), name != ".", name != ".." else { return nil }
      names.append(name)
    }
    components = names
    hasTrailingSlash = target.utf8.last == UInt8(ascii: "/")
  }

  private static func decode(_ part: Substring.UTF8View) -> String? {
    var bytes: [UInt8] = []
    var rest = part[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
        return nil
      }
      bytes.append(high * 16 + low)
    }
    guard !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The same folder with its slash. It starts with one slash only, so that `//elsewhere` never leads to another host.
  var asFolder: String {
    let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: "/"))
    return "/" + components.map { ($0.addingPercentEncoding(withAllowedCharacters: allowed) ?? $0) + "/" }.joined()
  }
}

/// The part of a file that a `Range` header asks for.
enum ByteRange: Equatable {
  case whole
  case part(Range<UInt64>)
  case unsatisfiable

  /// One range of bytes: `0-99`, `100-`, `-50`. Anything else (several ranges, other units, nonsense) is ignored, as
  /// RFC 9110 allows, and the whole file sent.
  static func parse(_ header: String?, size: UInt64) -> ByteRange {
    guard let header, let equals = header.firstIndex(of: "="), header[..<equals].lowercased() == "bytes" else {
      return .whole
    }
    let bounds = header[header.index(after: equals)...].trimmingCharacters(in: .whitespaces)
      .split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard bounds.count == 2, let first = number(bounds[0]), let last = number(bounds[1]) else { return .whole }
    switch (first, last) {
    case (nil, nil):
      return .whole
    case (nil, let count?):
      return count == 0 || size == 0 ? .unsatisfiable : .part(size - min(count, size)..<size)
    case (let start?, let end):
      if let end, end < start { return .whole }
      guard start < size else { return .unsatisfiable }
      return .part(start..<min(end ?? size - 1, size - 1) + 1)
    }
  }

  /// `.some(nil)` for no digits, nil for what is no number; a number too great for 64 bits is the greatest.
  private static func number(_ text: Substring) -> UInt64?? {
    guard !text.isEmpty else { return .some(nil) }
    guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    return .some(UInt64(text) ?? .max)
  }
}

/// Media types by the file name's extension.
enum PreviewType {
  private static let known: [String: String] = [
    "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
    "json": "application/json; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8",
    "md": "text/markdown; charset=utf-8", "txt": "text/plain; charset=utf-8", "csv": "text/csv; charset=utf-8",
    "yaml": "application/yaml; charset=utf-8", "yml": "application/yaml; charset=utf-8",
    "xml": "application/xml; charset=utf-8", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "gif": "image/gif", "webp": "image/webp", "avif": "image/avif", "svg": "image/svg+xml", "ico": "image/x-icon",
    "woff2": "font/woff2", "pdf": "application/pdf", "webmanifest": "application/manifest+json",
  ]

  static func of(_ name: String) -> String {
    guard let dot = name.lastIndex(of: ".") else { return "application/octet-stream" }
    return known[name[name.index(after: dot)...].lowercased()] ?? "application/octet-stream"
  }
}
