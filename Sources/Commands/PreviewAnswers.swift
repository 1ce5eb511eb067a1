import CHttpServer
import Foundation

/// One request of libmicrohttpd while it is being answered.
struct PreviewRequest {
  private let handle: OpaquePointer

  init(_ handle: OpaquePointer) { self.handle = handle }

  func header(_ name: String) -> String? {
    lora_http_header(handle, name).map { String(cString: $0) }
  }

  func reply(_ status: UInt32, bytes: Data, headers: [(String, String)]) {
    let response = bytes.withUnsafeBytes { lora_http_response_bytes($0.baseAddress, $0.count) }
    send(status, response, headers)
  }

  /// Sends `range` of the file, whose descriptor is taken over.
  func reply(_ status: UInt32, file: Int32, range: Range<UInt64>, headers: [(String, String)]) {
    send(status, lora_http_response_file(file, range.lowerBound, UInt64(range.count)), headers)
  }

  func reply(_ stream: PreviewStream, headers: [(String, String)]) { send(200, stream.response(), headers) }

  private func send(_ status: UInt32, _ response: OpaquePointer?, _ headers: [(String, String)]) {
    guard let response else { return }  // No memory: an unanswered request is cut off.
    for (name, value) in headers + [("X-Content-Type-Options", "nosniff")] { lora_http_set(response, name, value) }
    lora_http_reply(handle, status, response)
  }
}

/// Finds the file a request asks for and answers with it. Holds no state of its own, so it may be called from many threads.
final class PreviewAnswers: Sendable {
  private let folder: String
  /// What open pages hear; nil where they are not told of changes.
  private let news: PreviewNews?
  /// The names this server may be called by; nil where any will do.
  private let hosts: PreviewHosts?
  /// The pages on which answers are judged; nil where none are.
  private let review: ReviewAnswers?

  init(folder: URL, news: PreviewNews? = nil, hosts: PreviewHosts? = nil, review: ReviewAnswers? = nil) {
    self.folder = folder.path
    self.news = news
    self.hosts = hosts
    self.review = review
  }

  /// How many bytes of a body are read: none of a request that is refused whatever it says.
  func bodyLimit(_ request: PreviewRequest, method: String, target: String) -> Int {
    guard let review, let path = PreviewPath(target: target), let place = ReviewPlace(path),
      review.refusal(of: request, method, place) == nil
    else { return 0 }
    return ReviewAnswers.bodyLimit
  }

  func answer(_ request: PreviewRequest, method: String, target: String, body: Data) {
    if let review, let path = PreviewPath(target: target), let place = ReviewPlace(path) {
      return review.answer(request, method, place, body: body)
    }
    guard method == "GET" || method == "HEAD" else {
      return message(request, 405, "405: only GET and HEAD are answered here", [("Allow", "GET, HEAD")])
    }
    if let hosts, let host = request.header("Host"), !hosts.allow(host) {
      return message(request, 403, "403: this preview is only for pages of this machine; open it by its own address")
    }
    guard let path = PreviewPath(target: target) else {
      return message(request, 400, "400: this address is not well-formed")
    }
    if let news, path.components.first == PreviewScript.folder {
      return own(request, method: method, names: Array(path.components.dropFirst()), news)
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
    let type = PreviewType.of(name)
    if let news, type.hasPrefix("text/html") { return sendPage(file, 200, to: request, news) }
    var headers = [
      ("Content-Type", type), ("Accept-Ranges", "bytes"), ("ETag", file.tag), ("Cache-Control", "no-cache"),
    ]
    if let known = request.header("If-None-Match"), PreviewTag.matches(known, file.tag) {
      close(file.descriptor)
      return request.reply(304, bytes: Data(), headers: headers)
    }
    // If-Range asks for a part of the file it knows; of another one the whole is the answer (RFC 9110, 13.1.5).
    let isSame = request.header("If-Range").map { $0 == file.tag } ?? true
    let wanted = method == "GET" && isSame ? request.header("Range") : nil
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

  /// A page with the script that reloads it.
  private func sendPage(_ file: PreviewFolder.File, _ status: UInt32, to request: PreviewRequest, _ news: PreviewNews) {
    // The version first: if the site is replaced meanwhile, the page is told so and comes again.
    let version = news.version
    let handle = FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: true)
    guard let page = try? handle.readToEnd() ?? Data() else { return notFound(request) }
    request.reply(
      status, bytes: PreviewScript.inject(into: page, version: version),
      headers: [("Content-Type", PreviewType.of("index.html")), ("Cache-Control", "no-store")])
  }

  /// The preview's own files: the script and the stream of news.
  private func own(_ request: PreviewRequest, method: String, names: [String], _ news: PreviewNews) {
    if names == ["reload.js"] {
      let headers = [("Content-Type", PreviewType.of("reload.js")), ("Cache-Control", "no-store")]
      return request.reply(200, bytes: Data(PreviewScript.source.utf8), headers: headers)
    }
    guard names.count == 2, names[0] == "events" else { return message(request, 404, "404: there is no such file") }
    let headers = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-store")]
    // A stream without an end would keep HEAD waiting for a length.
    guard method == "GET" else { return request.reply(200, bytes: Data(), headers: headers) }
    request.reply(PreviewStream(news, version: names[1]), headers: headers)
  }

  private func redirect(_ request: PreviewRequest, to path: PreviewPath) {
    message(request, 301, "301: this is a folder", [("Location", path.asFolder)])
  }

  private func notFound(_ request: PreviewRequest) {
    guard case .file(let page) = PreviewFolder.open(folder, ["404.html"]) else {
      let text = "404: there is no such file in this folder"
      guard let news else { return message(request, 404, text) }
      // A page, so that it can show why there is no site yet, and come again when there is one.
      let body = Data("<!doctype html>\n<title>404</title>\n<body>\n<p>\(text)</p>\n</body>\n".utf8)
      return request.reply(
        404, bytes: PreviewScript.inject(into: body, version: news.version),
        headers: [("Content-Type", PreviewType.of("404.html")), ("Cache-Control", "no-store")])
    }
    if let news { return sendPage(page, 404, to: request, news) }
    let headers = [("Content-Type", PreviewType.of("404.html")), ("Cache-Control", "no-cache")]
    request.reply(404, file: page.descriptor, range: 0..<page.size, headers: headers)
  }

  private func message(
    _ request: PreviewRequest, _ status: UInt32, _ text: String, _ headers: [(String, String)] = []
  ) {
    let all = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")] + headers
    request.reply(status, bytes: Data((text + "\n").utf8), headers: all)
  }
}

/// The names that a request's Host may have. A page of another site whose name was made to lead here (DNS rebinding) would send its
/// own name, and is not let in.
struct PreviewHosts: Sendable {
  private let names: Set<String>

  /// For a server that listens on this machine alone, under `host`; nil for one that listens to others, whatever they call it.
  init?(host: String) {
    let name = host.lowercased()
    guard name == "localhost" || name == "::1" || name.hasPrefix("127.") else { return nil }
    names = ["127.0.0.1", "localhost", "::1", name]
  }

  func allow(_ host: String) -> Bool {
    var name = host.lowercased()[...]
    if name.hasPrefix("["), let end = name.firstIndex(of: "]") {
      name = name[name.index(after: name.startIndex)..<end]
    } else if let colon = name.firstIndex(of: ":") {
      name = name[..<colon]
    }
    if name.hasSuffix(".") { name.removeLast() }
    return names.contains(String(name))
  }
}

enum PreviewTag {
  /// Whether an If-None-Match header names this tag.
  static func matches(_ header: String, _ tag: String) -> Bool {
    header.split(separator: ",").contains { part in
      let name = part.trimmingCharacters(in: .whitespaces)
      return name == "*" || name == tag || name == "W/" + tag
    }
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
