import Foundation
import Formats
import Runs

/// What an address below `/.lorapress/review/` asks for.
enum ReviewPlace: Equatable {
  /// The list of runs.
  case list
  case page(run: String)
  /// A folder without its slash.
  case bare(PreviewPath)
  case state(run: String, reviewer: String)
  case verdicts(run: String, answers: String, reviewer: String)
  case nothing

  static let folder = "review"

  /// Nil for an address elsewhere.
  init?(_ path: PreviewPath) {
    let names = path.components
    guard names.starts(with: [PreviewScript.folder, Self.folder]) else { return nil }
    let rest = Array(names.dropFirst(2))
    switch (rest.count, path.hasTrailingSlash) {
    case (0...1, false): self = .bare(path)
    case (0, true): self = .list
    case (1, true): self = .page(run: rest[0])
    case (3, false) where rest[1] == "state": self = .state(run: rest[0], reviewer: rest[2])
    case (4, false) where rest[1] == "verdicts": self = .verdicts(run: rest[0], answers: rest[2], reviewer: rest[3])
    default: self = .nothing
    }
  }

  var methods: [String] { if case .verdicts = self { ["POST", "DELETE"] } else { ["GET", "HEAD"] } }
}

/// Answers what the review pages ask. Only pages of this server, opened by a name of this machine, may write.
final class ReviewAnswers: Sendable {
  /// A verdict with the longest note, every character escaped, stays below it.
  static let bodyLimit = 32 << 10

  private let desk: ReviewDesk
  private let hosts: PreviewHosts

  init(_ desk: ReviewDesk, hosts: PreviewHosts) {
    self.desk = desk
    self.hosts = hosts
  }

  /// Why a request is not answered, whatever its body says.
  func refusal(of request: PreviewRequest, _ method: String, _ place: ReviewPlace) -> ReviewFault? {
    guard let host = request.header("Host"), hosts.allow(host) else {
      return ReviewFault(403, "answers are judged on pages of this machine; open them by the server's own address")
    }
    if place == .nothing { return ReviewFault(404, "there is nothing here") }
    guard place.methods.contains(method) else {
      let names = place.methods.joined(separator: ", ")
      var fault = ReviewFault(405, "only \(names.replacing(",", with: " and")) are answered here")
      fault.headers = [("Allow", names)]
      return fault
    }
    guard case .verdicts = place else { return nil }
    guard request.header("Origin")?.lowercased() == "http://\(host.lowercased())" else {
      return ReviewFault(403, "only this server's own page may write")
    }
    if let length = request.header("Content-Length"), Int(length).map({ $0 > Self.bodyLimit }) ?? true {
      return ReviewFault(413, "a verdict has at most \(Self.bodyLimit) bytes")
    }
    let type = (request.header("Content-Type") ?? "").prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces)
    guard method == "DELETE" || type.lowercased() == "application/json" else {
      return ReviewFault(415, "a verdict must come as application/json")
    }
    return nil
  }

  func answer(_ request: PreviewRequest, _ method: String, _ place: ReviewPlace, body: Data) {
    do {
      if let fault = refusal(of: request, method, place) { throw fault }
      switch place {
      case .bare(let path): send(request, 301, "this is a folder", [("Location", path.asFolder)])
      case .list: list(request)
      case .page(let run):
        let sheet = try desk.sheet(run)
        page(request, ReviewPage(sheet, language: desk.language(sheet.run)).served(reviewer: desk.reviewer))
      case .state(let run, let reviewer): json(request, try desk.state(run, reviewer: try name(reviewer)))
      case .verdicts(let run, let answers, let reviewer):
        let reviewer = try name(reviewer)
        json(
          request,
          method == "DELETE"
            ? try desk.undo(run, answers: answers, reviewer: reviewer)
            : try desk.judge(run, answers: answers, reviewer: reviewer, try value(body)))
      case .nothing: break  // Refused above.
      }
    } catch let fault as ReviewFault {
      send(request, fault.status, fault.text, fault.headers)
    } catch {
      send(request, 500, "\(error)")
    }
  }

  private func name(_ text: String) throws(ReviewFault) -> String {
    do { return try ReviewerName.checked(text) } catch { throw ReviewFault(400, "\(error)") }
  }

  private func value(_ body: Data) throws(ReviewFault) -> JSONValue {
    do { return try JSONValue(parsing: body, file: "the request") } catch { throw ReviewFault(400, "\(error)") }
  }

  /// The runs to choose from; where there is one alone, its page.
  private func list(_ request: PreviewRequest) {
    let runs = desk.runs()
    if runs.count == 1, let run = runs.first {
      return send(request, 302, "there is one run to judge", [("Location", Self.path(of: run))])
    }
    page(request, ReviewPage.list(runs.map { (id: $0.id, path: Self.path(of: $0)) }))
  }

  /// The address of a run's page on this server, or of the list.
  static func path(of run: RunFolder?) -> String {
    let id = run.map { ($0.id.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? $0.id) + "/" } ?? ""
    return "/\(PreviewScript.folder)/\(ReviewPlace.folder)/\(id)"
  }

  private func page(_ request: PreviewRequest, _ page: ReviewPage.Text) {
    request.reply(
      200, bytes: Data(page.html.utf8),
      headers: [
        ("Content-Type", PreviewType.of("index.html")), ("Cache-Control", "no-store"),
        ("Content-Security-Policy", page.policy + "; frame-ancestors 'none'"),
      ])
  }

  private func json(_ request: PreviewRequest, _ value: JSONValue) {
    request.reply(
      200, bytes: Data(value.text().utf8),
      headers: [("Content-Type", PreviewType.of("state.json")), ("Cache-Control", "no-store")])
  }

  private func send(
    _ request: PreviewRequest, _ status: UInt32, _ text: String, _ headers: [(String, String)] = []
  ) {
    let all = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")] + headers
    request.reply(status, bytes: Data("\(status): \(text)\n".utf8), headers: all)
  }
}
