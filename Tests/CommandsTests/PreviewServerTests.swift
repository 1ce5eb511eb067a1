import Foundation
import TestSupport
import Testing

@testable import Commands

/// The server on real sockets; what is sent is written out byte by byte, as no URL library would send the hostile ones.
@Suite struct PreviewServerTests {
  @Test func servesFilesWithTheirTypes() throws {
    try withSite { server in
      for (path, type, text) in [
        ("/", "text/html; charset=utf-8", "<p>홈</p>"), ("/posts/", "text/html; charset=utf-8", "글 목록"),
        ("/style.css", "text/css; charset=utf-8", "body{}"), ("/chart.PNG", "image/png", "png"),
        ("/a.svg", "image/svg+xml", "<svg/>"), ("/run.json", "application/json; charset=utf-8", "{}"),
        ("/metrics.jsonl", "application/jsonl; charset=utf-8", "{}\n"),
        ("/feed.xml", "application/xml; charset=utf-8", "<f/>"),
        ("/index.md", "text/markdown; charset=utf-8", "# 글"), ("/robots.txt", "text/plain; charset=utf-8", "ok"),
        ("/favicon.ico", "image/x-icon", "ico"), ("/font.woff2", "font/woff2", "w"),
        ("/data", "application/octet-stream", "?"),
        ("/%EA%B8%80%20%ED%95%98%EB%82%98.html?a=b", "text/html; charset=utf-8", "한글 이름"),
      ] {
        let answer = try server.get(path)
        #expect(answer.status == 200, "\(path)")
        #expect(answer.headers["content-type"] == type, "\(path)")
        #expect(answer.text == text, "\(path)")
        #expect(answer.headers["cache-control"] == "no-cache" && answer.headers["etag"]?.hasPrefix("\"") == true)
        #expect(answer.headers["content-length"] == "\(text.utf8.count)")
      }
      let empty = try server.get("/empty.txt")
      #expect(empty.status == 200)
      #expect(empty.headers["content-length"] == "0")
    }
  }

  @Test func headSendsTheHeadersAlone() throws {
    try withSite { server in
      let answer = try server.send("HEAD /style.css HTTP/1.1")
      #expect(answer.status == 200)
      #expect(answer.headers["content-length"] == "6")
      #expect(answer.body.isEmpty)
      #expect(try server.send("HEAD /nothing HTTP/1.1").status == 404)
      // A range is for GET only.
      #expect(try server.send("HEAD /style.css HTTP/1.1", ["Range: bytes=0-1"]).status == 200)
    }
  }

  @Test func sendsOneRange() throws {
    try withSite { server in
      for (range, status, contentRange, text) in [
        ("bytes=0-3", 206, "bytes 0-3/10", "0123"), ("bytes=4-", 206, "bytes 4-9/10", "456789"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"), ("bytes=-99", 206, "bytes 0-9/10", "0123456789"),
        ("bytes=8-99999999999999999999999", 206, "bytes 8-9/10", "89"), ("Bytes=9-9", 206, "bytes 9-9/10", "9"),
        ("bytes=10-", 416, "bytes */10", nil), ("bytes=-0", 416, "bytes */10", nil),
        ("bytes=99999999999999999999999-", 416, "bytes */10", nil),
        ("bytes=5-2", 200, nil, "0123456789"), ("bytes=0-1,4-5", 200, nil, "0123456789"),
        ("bytes=-", 200, nil, "0123456789"), ("bytes=a-b", 200, nil, "0123456789"),
        ("lines=0-1", 200, nil, "0123456789"),
        ("bytes=+1-2", 200, nil, "0123456789"),
      ] as [(String, Int, String?, String?)] {
        let answer = try server.get("/digits.txt", ["Range: \(range)"])
        #expect(answer.status == status, "\(range)")
        #expect(answer.headers["content-range"] == contentRange, "\(range)")
        if let text { #expect(answer.text == text, "\(range)") }
      }
      #expect(try server.get("/empty.txt", ["Range: bytes=0-"]).status == 416)
      #expect(try server.get("/digits.txt", ["Range: bytes=0-3", "If-Range: \"x\""]).status == 200)
      #expect(try server.get("/digits.txt").headers["accept-ranges"] == "bytes")
    }
  }

  @Test func whatTheBrowserKnowsIsNotSentAgain() throws {
    try withSite { server in
      let tag = try #require(try server.get("/digits.txt").headers["etag"])
      for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
        let answer = try server.get("/digits.txt", ["If-None-Match: \(known)"])
        #expect(answer.status == 304 && answer.body.isEmpty && answer.headers["etag"] == tag, "\(known)")
      }
      #expect(try server.get("/digits.txt", ["If-None-Match: \"x\""]).text == "0123456789")
      #expect(try server.get("/digits.txt", ["Range: bytes=0-3", "If-Range: \(tag)"]).text == "0123")
      // Another file of the same name, length and bytes is another one.
      let file = server.folder.appendingPathComponent("digits.txt")
      try Data("0123456789".utf8).write(to: file, options: .atomic)
      let again = try server.get("/digits.txt", ["If-None-Match: \(tag)"])
      #expect(again.status == 200 && again.headers["etag"] != tag)
      #expect(try server.get("/digits.txt", ["Range: bytes=0-3", "If-Range: \(tag)"]).status == 200)
    }
  }

  /// A page of another site whose name leads here must not read the drafts.
  @Test func otherNamesAreRefused() throws {
    try withSite { (server) throws -> Void in
      func status(_ host: String) throws -> Int {
        let text = "GET /style.css HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
        return try Answer(try exchange(port: server.port, Data(text.utf8))).status
      }
      for host in ["127.0.0.1", "127.0.0.1:\(server.port)", "localhost:\(server.port)", "LOCALHOST", "[::1]:80"] {
        #expect(try status(host) == 200, "\(host)")
      }
      for host in [
        "evil.example", "evil.example:\(server.port)", "127.0.0.1.evil.example", "", "[::2]", "localhost.evil",
      ] {
        #expect(try status(host) == 403, "\(host)")
      }
    }
  }

  @Test func onlyAWatchedSiteGetsTheScript() throws {
    try Fixtures.withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("index.html")
      let page = "<!doctype html><body><p>본문 </body> 글자</p></body></html>"
      try Data(page.utf8).write(to: file)
      let news = PreviewNews(series: "s")
      let server = try PreviewServer(folder: folder, news: news)
      defer { server.stop() }
      func get(_ path: String, _ method: String = "GET") throws -> Answer {
        let text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return try Answer(try exchange(port: server.port, Data(text.utf8)))
      }
      let script = "<script src=\"/.lorapress/reload.js\" data-version=\"s-0\"></script>\n"
      let answer = try get("/")
      #expect(answer.text == page.replacing("</body></html>", with: script + "</body></html>"))
      #expect(answer.headers["cache-control"] == "no-store")
      #expect(try get("/", "HEAD").headers["content-length"] == answer.headers["content-length"])
      #expect(try String(contentsOf: file, encoding: .utf8) == page)
      news.built(isNew: true)
      #expect(try get("/").text.contains("data-version=\"s-1\""))
      news.built(isNew: false)
      #expect(try get("/").text.contains("data-version=\"s-1\""))
      // A page that isn't there may come.
      let missing = try get("/none.html")
      #expect(missing.status == 404 && missing.text.contains("reload.js"))
      #expect(try get("/.lorapress/reload.js").headers["content-type"] == "text/javascript; charset=utf-8")
      #expect(try get("/.lorapress/other").status == 404)
    }
  }

  @Test func foldersWantTheirSlash() throws {
    try withSite { server in
      let answer = try server.get("/posts")
      #expect(answer.status == 301)
      #expect(answer.headers["location"] == "/posts/")
      #expect(try server.get("/%ED%8F%B4%EB%8D%94%20%3F").headers["location"] == "/%ED%8F%B4%EB%8D%94%20%3F/")
      // Never `//evil.example/`, which a browser would take for a host.
      #expect(try server.get("//posts").headers["location"] == "/posts/")
      #expect(try server.get("/bare/").status == 404)
      #expect(try server.get("/style.css/").status == 404)
    }
  }

  @Test func missingFilesShowThePageForThem() throws {
    try withSite { server in
      let plain = try server.get("/nothing.html")
      #expect(plain.status == 404)
      #expect(plain.headers["content-type"] == "text/plain; charset=utf-8")
      try Data("<p>없는 쪽</p>".utf8).write(to: server.folder.appendingPathComponent("404.html"))
      let page = try server.get("/nothing.html", ["Range: bytes=0-1"])
      #expect(page.status == 404)
      #expect(page.text == "<p>없는 쪽</p>")
      #expect(page.headers["content-type"] == "text/html; charset=utf-8")
    }
  }

  @Test func nothingOutsideTheFolder() throws {
    try withSite { server in
      // The secret is really there and readable: only the server stands before it.
      #expect(try String(contentsOf: server.outside.appendingPathComponent("secret.txt"), encoding: .utf8) == "secret")
      for path in [
        "/../secret.txt", "/posts/../../secret.txt", "/%2e%2e/secret.txt", "/%2E%2E/secret.txt", "/.%2e/secret.txt",
        "/..%2fsecret.txt", "/..%2Fsecret.txt", "/posts%2f..%2f..%2fsecret.txt", "/%2e%2e%2fsecret.txt",
        "/./index.html", "/style.css%00.html", "/%00", "/%", "/%2", "/%zz", "/%ff%fe", "/%c0%ae%c0%ae/secret.txt",
      ] {
        let answer = try server.get(path)
        #expect(answer.status == 400, "\(path)")
        #expect(!answer.text.contains("secret"), "\(path)")
      }
      for path in [
        "/link.txt", "/linked/secret.txt", "/linked/", "/linked", "/sideways/secret.txt", "/pipe", "/..\\secret.txt",
      ] {
        let answer = try server.get(path)
        #expect(answer.status == 404, "\(path)")
        #expect(!answer.text.hasPrefix("secret"), "\(path)")
      }
      // Links that stay inside are the folder's own business.
      #expect(try server.get("/inside.css").text == "body{}")
      for line in [
        "GET ../secret.txt HTTP/1.1", "GET http://127.0.0.1/../secret.txt HTTP/1.1", "GET secret.txt HTTP/1.1",
      ] {
        let answer = try server.send(line)
        #expect(answer.status == 400, "\(line)")
        #expect(!answer.text.hasPrefix("secret"), "\(line)")
      }
    }
  }

  @Test func otherMethodsAreRefused() throws {
    try withSite { server in
      for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "NONSENSE"] {
        let answer = try server.send("\(method) /style.css HTTP/1.1", ["Content-Length: 0"])
        #expect(answer.status == 405, "\(method)")
        #expect(answer.headers["allow"] == "GET, HEAD", "\(method)")
      }
      #expect(try server.send("POST / HTTP/1.1", ["Content-Length: 1000000000000"]).status == 405)
      #expect(try server.get("/style.css").text == "body{}")
    }
  }

  @Test func oneConnectionCarriesManyRequests() throws {
    try withSite { server in
      let two =
        "GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\nGET /digits.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
      let text = String(decoding: try exchange(port: server.port, Data(two.utf8)), as: UTF8.self)
      #expect(text.components(separatedBy: "HTTP/1.1 200 OK").count == 3)
      #expect(text.hasSuffix("0123456789"))
    }
  }

  @Test func survivesABrowserThatGoesAway() throws {
    try withSite { server in
      let big = server.folder.appendingPathComponent("big.bin")
      try Data(count: 64 << 20).write(to: big)
      for _ in 0..<5 {
        let socket = try connect(port: server.port)
        try write(Data("GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), to: socket)
        var first: UInt8 = 0
        #expect(recv(socket, &first, 1, 0) == 1)
        close(socket)
      }
      #expect(try server.get("/style.css").text == "body{}")
      let whole = try server.get("/big.bin")
      #expect(whole.body.count == 64 << 20)
    }
  }

  @Test func showsWhatIsInTheFolderNow() throws {
    try withSite { server in
      #expect(try server.get("/style.css").text == "body{}")
      let fresh = server.outside.appendingPathComponent("fresh")
      try FileManager.default.createDirectory(at: fresh, withIntermediateDirectories: true)
      try Data("new".utf8).write(to: fresh.appendingPathComponent("style.css"))
      try FileManager.default.moveItem(at: server.folder, to: server.outside.appendingPathComponent("old"))
      try FileManager.default.moveItem(at: fresh, to: server.folder)
      #expect(try server.get("/style.css").text == "new")
    }
  }

  @Test func listensOnLoopbackOnly() throws {
    try withSite { server in
      #expect(server.server.url == "http://127.0.0.1:\(server.port)/")
      // The kernel's list of sockets: local address and port in hex, then the other side, then the state (0A listens).
      let sockets = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
      let hex = String(server.port, radix: 16, uppercase: true)
      let port = String(repeating: "0", count: 4 - hex.count) + hex
      var addresses: [String] = []
      for line in sockets.split(separator: "\n") {
        let fields = line.split(separator: " ").map(String.init)
        guard fields.count > 3, fields[3] == "0A", fields[1].hasSuffix(":" + port) else { continue }
        addresses.append(String(fields[1].dropLast(5)))
      }
      #expect(addresses == ["0100007F"])
    }
  }

  @Test func saysWhatToDoWhereItCanNotServe() throws {
    try withSite { server in
      let folder = server.folder
      #expect(
        description { try PreviewServer(folder: folder, port: server.port) }
          == "port \(server.port) on 127.0.0.1: is taken by another program; take a free one with `--port 0`")
      #expect(
        description { try PreviewServer(folder: folder, host: "192.0.2.1") }
          == "host 192.0.2.1: is no address of this machine; leave `--host` out for 127.0.0.1")
      #expect(
        description { try PreviewServer(folder: folder, port: 65536) }
          == "port 65536: is not a port; give one from 1 to 65535, or 0 for a free one")
      #expect(description { try PreviewServer(folder: folder, port: -1) }?.hasPrefix("port -1: is not a port") == true)
      let missing = folder.appendingPathComponent("missing")
      #expect(
        description { try PreviewServer(folder: missing) }
          == "\(missing.path): there is no such folder; make the site with `lorapress render` first")
    }
  }

  @Test func stopsAndGivesThePortBack() throws {
    try withSite { server in
      let done = DispatchSemaphore(value: 0)
      let preview = server.server
      Thread.detachNewThread {
        #expect(preview.run() == 0)
        done.signal()
      }
      // A connection kept open must not hold the stop up.
      let idle = try connect(port: server.port)
      defer { close(idle) }
      preview.stop()
      preview.stop()
      #expect(done.wait(timeout: .now() + 10) == .success)
      #expect(throws: POSIXError.self) { try connect(port: server.port) }
      let again = try PreviewServer(folder: server.folder, port: server.port)
      #expect(again.port == server.port)
    }
  }

  private func description(_ body: () throws -> PreviewServer) -> String? {
    do { return "no error, but \(try body().url)" } catch { return "\(error)" }
  }
}

// MARK: - A site, and a client that sends what it is told

private struct SiteServer {
  let server: PreviewServer
  let folder: URL
  /// The folder around the site, with a secret in it.
  let outside: URL

  var port: Int { server.port }

  func get(_ path: String, _ headers: [String] = []) throws -> Answer { try send("GET \(path) HTTP/1.1", headers) }

  func send(_ line: String, _ headers: [String] = []) throws -> Answer {
    let lines = [line, "Host: 127.0.0.1:\(port)", "Connection: close"] + headers + ["", ""]
    return try Answer(try exchange(port: port, Data(lines.joined(separator: "\r\n").utf8)))
  }
}

private func withSite(_ body: (SiteServer) throws -> Void) throws {
  try Fixtures.withTemporaryFolder { outside in
    let folder = outside.appendingPathComponent("site")
    let files = FileManager.default
    for name in ["posts", "bare", "폴더 ?"] {
      try files.createDirectory(at: folder.appendingPathComponent(name), withIntermediateDirectories: true)
    }
    for (name, text) in [
      "index.html": "<p>홈</p>", "posts/index.html": "글 목록", "style.css": "body{}", "chart.PNG": "png",
      "a.svg": "<svg/>",
      "run.json": "{}", "metrics.jsonl": "{}\n", "feed.xml": "<f/>", "index.md": "# 글", "robots.txt": "ok",
      "favicon.ico": "ico", "font.woff2": "w", "data": "?", "글 하나.html": "한글 이름", "empty.txt": "",
      "digits.txt": "0123456789",
    ] {
      try Data(text.utf8).write(to: folder.appendingPathComponent(name))
    }
    try Data("secret".utf8).write(to: outside.appendingPathComponent("secret.txt"))
    // A sibling whose path begins like the site's.
    let sibling = outside.appendingPathComponent("site-private")
    try files.createDirectory(at: sibling, withIntermediateDirectories: true)
    try Data("secret".utf8).write(to: sibling.appendingPathComponent("secret.txt"))
    for (link, target) in [
      "link.txt": outside.path + "/secret.txt", "linked": "..", "sideways": "../site-private",
      "inside.css": "style.css",
    ] {
      try files.createSymbolicLink(atPath: folder.path + "/" + link, withDestinationPath: target)
    }
    #expect(mkfifo(folder.path + "/pipe", 0o600) == 0)
    let server = try PreviewServer(folder: folder)
    defer { server.stop() }
    try body(SiteServer(server: server, folder: folder, outside: outside))
  }
}

struct Answer {
  let status: Int
  let headers: [String: String]
  let body: Data

  var text: String { String(decoding: body, as: UTF8.self) }

  init(_ bytes: Data) throws {
    let end = try #require(bytes.range(of: Data("\r\n\r\n".utf8)))
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    status = try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    headers = Dictionary(
      lines.dropFirst().compactMap { line in
        line.firstIndex(of: ":").map {
          (line[..<$0].lowercased(), line[line.index(after: $0)...].trimmingCharacters(in: .whitespaces))
        }
      }, uniquingKeysWith: { $0 + ", " + $1 })
    body = Data(bytes[end.upperBound...])
  }
}

/// Sends `request` and reads until the server closes the connection.
func exchange(port: Int, _ request: Data) throws -> Data {
  let socket = try connect(port: port)
  defer { close(socket) }
  try write(request, to: socket)
  var answer = Data()
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = recv(socket, &buffer, buffer.count, 0)
    guard count >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    guard count > 0 else { return answer }
    answer.append(contentsOf: buffer[..<count])
  }
}

func connect(port: Int) throws -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var limit = timeval(tv_sec: 20, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  let result = withUnsafeBytes(of: &address) { bytes in
    bytes.withMemoryRebound(to: sockaddr.self) { Glibc.connect(descriptor, $0.baseAddress, socklen_t(bytes.count)) }
  }
  guard result == 0 else {
    let error = POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
    close(descriptor)
    throw error
  }
  return descriptor
}

func write(_ data: Data, to socket: Int32) throws {
  let sent = data.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  guard sent == data.count else { throw POSIXError(.EIO) }
}
