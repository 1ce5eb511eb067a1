import Formats
import Foundation

/// One account talking to one repository, with its refusals in words. No text that leaves it holds the token.
struct PushSession {
  var repository: HubRepository
  /// Whose token it is.
  var account = ""

  private var token: String { repository.access.token(for: ((try? repository.endpoint()) ?? "") + "/") ?? "" }

  /// Asks who the token belongs to: `GET /api/whoami-v2`.
  mutating func signIn() throws {
    let endpoint = try repository.endpoint()
    guard !token.isEmpty else {
      if repository.access.withholdsToken(from: endpoint + "/") {
        throw HubError(
          repository.subject, "the token is not sent to \(endpoint), where others could read it",
          remedy: "give an https address as HF_ENDPOINT")
      }
      throw HubError(
        repository.subject, "no token is given",
        remedy:
          "make one with write access at \(endpoint)/settings/tokens and set HF_TOKEN to it (or run `hf auth login`)")
    }
    let url = "\(endpoint)/api/whoami-v2"
    account = try get(url, doing: "read its account")["name"]?.string ?? ""
  }

  // MARK: - Requests

  func get(_ url: String, doing what: String) throws -> JSONValue {
    do { return try repository.answer(repository.ask(repository.access.request(url)).body, url) } catch {
      throw failure(error, doing: what)
    }
  }

  func post(_ url: String, _ body: JSONValue, doing what: String) throws -> JSONValue {
    do { return try post(repository.access.request(url), body, url) } catch { throw failure(error, doing: what) }
  }

  /// Throws a ``SourceFailure`` where it is refused.
  func post(_ request: HTTPRequest, _ body: JSONValue, _ url: String) throws -> JSONValue {
    var request = request
    request.body = .data(Data(body.text().utf8))
    if request.headers.isEmpty { request.headers = ["Content-Type: application/json"] }
    return try repository.answer(repository.ask(request).body, url)
  }

  // MARK: - Refusals

  /// A server's text without the token, should it say it back.
  func clean(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return String((token.isEmpty ? line : line.replacing(token, with: "(token)")).prefix(200))
  }

  /// What went wrong, in one line with the way out; errors that are told already stay as they are.
  func failure(_ error: any Error, doing what: String) -> any Error {
    guard let refusal = (error as? SourceFailure)?.refusal else {
      guard let error = error as? SourceFailure else { return error }
      return HubError(repository.subject, "the Hub \(error.reason)", remedy: "run the command again")
    }
    if refusal.status == 0 { return HubRepository.NotReached(reason: clean(refusal.reason)) }
    let endpoint = (try? repository.endpoint()) ?? ""
    let said = refusal.message.isEmpty ? "" : ", \"\(clean(refusal.message))\""
    switch refusal.status {
    case 401 where account.isEmpty:
      return HubError(
        repository.subject, "the Hub does not know the token (status 401)",
        remedy: "set HF_TOKEN to a valid one with write access from \(endpoint)/settings/tokens")
    case 401, 403:
      return HubError(
        repository.subject, "the token of \(account) may not \(what) (status \(refusal.status)\(said))",
        remedy: "take a token with write access from \(endpoint)/settings/tokens, or a --repo of \(account)'s own")
    case 402, 413, 507:
      return HubError(
        repository.subject, "the Hub has no room for it (status \(refusal.status)\(said))",
        remedy: "check the account's space at \(endpoint)/settings/billing")
    case 301, 302, 307, 308:
      return HubError(
        repository.subject, "the repository has moved (status \(refusal.status))", remedy: "give its new name as --repo"
      )
    default:
      return HubError(
        repository.subject, "the Hub refuses to \(what) (status \(refusal.status)\(said))",
        remedy: "check the names given, or HF_ENDPOINT")
    }
  }
}
