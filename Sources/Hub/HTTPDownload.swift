import Foundation

/// A file of a known size that GETs grow, however often the connection is cut.
struct HTTPDownload {
  let request: HTTPRequest
  /// The bytes that the file should have.
  let limit: Int
  var patience = Patience()
  let isCancelled: () -> Bool

  /// Goes on where `partial` ends until the file has its size. Throws what concerns the disk, or a ``SourceFailure`` where the source can't
  /// give it; what came stays.
  func complete(
    _ partial: PartialFile, progress: @escaping (Int) -> Void,
    retrying: (_ reason: String, _ seconds: Double) -> Void
  ) throws {
    var failures = 0
    while partial.count < limit {
      let before = partial.count
      let outcome = try run(into: partial, progress: progress)
      if isCancelled() { throw CancellationError() }
      if partial.count != before {
        try partial.flush()
        failures = 0
      }
      switch outcome {
      case .finished where partial.count >= limit: return
      case .finished:
        let count = partial.count
        try partial.truncate(to: 0)
        throw SourceFailure(reason: "gives \(count) bytes, where \(limit) were expected")
      case .refused(let refusal): throw SourceFailure(reason: refusal.reason, refusal: refusal)
      case .nothingThere:
        // What lies here is longer than what the source has: begin again, once.
        failures += 1
        guard before > 0, failures < patience.tries else { throw SourceFailure(reason: "answers with status 416") }
        try partial.truncate(to: 0)
      case .transient(let reason, let retryAfter):
        failures += 1
        if failures == patience.tries { throw SourceFailure(reason: "\(reason), \(patience.tries) times") }
        let pause = patience.pause(after: failures, retryAfter: retryAfter)
        retrying(reason, pause)
        try patience.sleep(pause, isCancelled: isCancelled)
      }
    }
  }

  private func run(into partial: PartialFile, progress: @escaping (Int) -> Void) throws -> HTTPRequest.Outcome {
    let offset = partial.count
    var started = false
    return try request.run(from: offset, isCancelled: isCancelled) { bytes, head in
      if !started {
        started = true
        try begin(head, offset, partial)
      }
      // More than the file should hold is not kept: the hash would fail, the disk might too.
      guard partial.count + bytes.count <= limit else {
        throw SourceFailure(reason: "sends more than the \(limit) bytes that the file should have")
      }
      try partial.append(bytes)
      progress(partial.count)
    }
  }

  /// Looks at what the answer says it is before a byte of it is kept: a page of some proxy is no model.
  private func begin(_ head: HTTPRequest.Head, _ offset: Int, _ partial: PartialFile) throws {
    if head.status == 206 {
      guard head.range.hasPrefix("bytes \(offset)-"), head.range.hasSuffix("/\(limit)") || head.range.hasSuffix("/*")
      else {
        throw SourceFailure(
          reason:
            "answers a request from byte \(offset) of \(limit) with '\(head.range.prefix(60))', another part or file")
      }
    } else {
      guard head.length < 0 || head.length == Int64(limit) else {
        throw SourceFailure(reason: "has a file of \(head.length) bytes, where \(limit) were expected")
      }
      if offset > 0 { try partial.truncate(to: 0) }
    }
  }
}

/// How often a server is asked again, and after what pauses.
struct Patience: Sendable {
  /// Tries at one source without a new byte.
  var tries = 5
  /// Pauses between them are this times 1, 2, 4 … seconds.
  var backOff = 1.0

  func pause(after failures: Int, retryAfter: Int) -> Double {
    max(backOff * Double(1 << (failures - 1)), min(Double(retryAfter), 60))
  }

  func sleep(_ seconds: Double, isCancelled: () -> Bool) throws {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
      if isCancelled() { throw CancellationError() }
      usleep(UInt32(min(0.1, max(0.001, end.timeIntervalSinceNow)) * 1_000_000))
    }
  }
}
