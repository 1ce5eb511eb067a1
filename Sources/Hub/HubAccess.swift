import Foundation

/// Where the Hub is, and as whom it is asked: HF_ENDPOINT, and HF_TOKEN or the file that `hf auth login` writes.
struct HubAccess: Sendable {
  let environment: [String: String]

  private func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

  /// Whether HF_HUB_OFFLINE forbids to ask.
  var isOffline: Bool { ["1", "on", "yes", "true"].contains(value("HF_HUB_OFFLINE")?.lowercased() ?? "") }

  /// "https://huggingface.co", without a slash at its end.
  func endpoint() throws(SourceFailure) -> String {
    var endpoint = value("HF_ENDPOINT") ?? "https://huggingface.co"
    while endpoint.hasSuffix("/") { endpoint.removeLast() }
    guard endpoint.hasPrefix("https://") || endpoint.hasPrefix("http://") else {
      throw SourceFailure(reason: "HF_ENDPOINT is no http or https address")
    }
    return endpoint
  }

  func request(_ url: String) -> HTTPRequest {
    var request = plainRequest(url)
    request.bearer = token(for: url)
    return request
  }

  /// One without the token, for hosts other than the Hub.
  func plainRequest(_ url: String) -> HTTPRequest {
    HTTPRequest(url: url, certificates: value("CURL_CA_BUNDLE") ?? value("SSL_CERT_FILE"))
  }

  /// The token, for an address where nobody else can read it; nil for one that can't be a header.
  func token(for url: String) -> String? { isPrivate(url) ? token : nil }

  /// Whether there is a token that this address does not get.
  func withholdsToken(from url: String) -> Bool { token != nil && !isPrivate(url) }

  private func isPrivate(_ url: String) -> Bool {
    ["https://", "http://127.0.0.1:", "http://localhost:"].contains { url.hasPrefix($0) }
  }

  private var token: String? {
    guard let token = (value("HF_TOKEN") ?? savedToken)?.trimmingCharacters(in: .whitespacesAndNewlines),
      !token.isEmpty, token.utf8.count < 900, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    return token
  }

  /// HF_TOKEN_PATH, else `token` in HF_HOME, else in the Hub's folder of the user's cache.
  private var savedToken: String? {
    let home =
      value("HF_HOME") ?? value("XDG_CACHE_HOME").map { "\($0)/huggingface" }
      ?? value("HOME").map { "\($0)/.cache/huggingface" }
    guard let path = value("HF_TOKEN_PATH") ?? home.map({ "\($0)/token" }) else { return nil }
    return try? String(contentsOfFile: path, encoding: .utf8)
  }
}
