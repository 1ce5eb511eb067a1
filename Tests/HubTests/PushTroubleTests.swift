import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Hub

private let files = PushBench.files

/// Servers that are busy, connections that break, and pushes that are stopped at any moment.
@Suite struct PushTroubleTests {
  @Test(arguments: [429, 503]) func busyServersAreWaitedFor(_ status: Int) throws {
    for place in ["whoami", "create", "preupload", "batch", "/put/", "verify", "/commit/"] {
      try PushBench.with { bench in
        let times = Times(2)
        bench.server.state.inject {
          $0.path.contains(place) && times.next()
            ? .answer(.init(status: status, headers: status == 429 ? ["Retry-After": "0"] : [:])) : nil
        }
        try bench.push()
        bench.expectWhole()
        #expect(bench.events.count { if case .retrying = $0 { true } else { false } } == 2, "\(place)")
      }
    }
  }

  @Test func retryAfterIsHeeded() throws {
    try PushBench.with { bench in
      let times = Times(1)
      bench.server.state.inject {
        $0.path.contains("whoami") && times.next() ? .answer(.init(status: 429, headers: ["Retry-After": "1"])) : nil
      }
      let start = ContinuousClock.now
      try bench.push()
      #expect(ContinuousClock.now - start >= .seconds(1))
      #expect(bench.events.first == .retrying(reason: "answers with status 429", seconds: 1))
    }
  }

  @Test func aHubThatStaysBusyIsTold() throws {
    try PushBench.with { bench in
      bench.server.state.inject { $0.path.contains("/commit/") ? .answer(.init(status: 503)) : nil }
      #expect(bench.failure().contains("can't be reached (answers with status 503, 5 times); check the network"))
      bench.server.state.heal()
      try bench.push()
      bench.expectWhole()
    }
  }

  /// Each request once answered by a connection that breaks before, after and in the middle of its work.
  @Test(arguments: ["create", "preupload", "batch", "/put/", "verify", "complete", "/commit/"])
  func brokenConnectionsAreTriedAgain(_ place: String) throws {
    for kind in 0..<3 {
      try PushBench.with(partBytes: place == "complete" ? 70_000 : .max) { bench in
        let times = Times(1)
        let isMeant = { @Sendable (request: LocalServer.Request) in request.path.contains(place) && times.next() }
        switch kind {
        case 0: bench.server.state.inject { isMeant($0) ? .hangUp : nil }
        case 1: bench.server.state.inject { isMeant($0) ? .doAndHangUp : nil }
        default: bench.server.state.cut { isMeant($0) ? 10 : nil }
        }
        try bench.push()
        var found = bench.there?.files ?? [:]
        found[PushBench.gitattributes] = nil
        #expect(found == files && bench.there?.commits.count == 1, "\(place) \(kind)")
        #expect(!times.next(), "\(place) was never asked")
      }
    }
  }

  /// Whatever moment it stops at, the same call goes on, sends nothing twice and commits once.
  @Test(arguments: ["create", "preupload", "batch", "/put/", "/4", "complete", "verify", "/commit/"])
  func stoppedAndPushedAgain(_ place: String) throws {
    for isDone in [false, true] {
      try PushBench.with(partBytes: 70_000) { bench in
        let flag = Flag()
        let times = Times(1)
        bench.server.state.inject { request in
          guard request.path.contains(place), times.next() else { return nil }
          flag.raise()
          return isDone ? .doAndHangUp : .hangUp
        }
        let error = #expect(throws: HubError.self) { try bench.push(isCancelled: { flag.isUp }) }
        #expect(error?.isCancelled == true, "\(place)")
        try bench.push()
        if place == "/put/" || place == "/4", isDone {
          // The answer to that part was lost: only its ETag would spare it.
          #expect(bench.there?.commits.count == 1)
        } else {
          bench.expectWhole()
        }
      }
    }
  }

  @Test func anUploadWhoseAddressesHaveRunOutBeginsAnew() throws {
    try PushBench.with(partBytes: 70_000) { bench in
      let flag = Flag()
      bench.server.state.inject { request in
        guard request.path.hasSuffix("/3") else { return nil }
        flag.raise()
        return .hangUp
      }
      #expect(throws: HubError.self) { try bench.push(isCancelled: { flag.isUp }) }
      let times = Times(1)
      bench.server.state.inject { $0.path.hasSuffix("/3") && times.next() ? .answer(.init(status: 403)) : nil }
      try bench.push()
      var found = bench.there?.files ?? [:]
      found[PushBench.gitattributes] = nil
      #expect(found == files)
    }
  }

  /// Another commit comes in between comparing and committing.
  @Test func aCommitInBetweenIsSeen() throws {
    try PushBench.with { bench in
      let times = Times(1)
      let state = bench.server.state
      state.inject { request in
        if request.path.contains("/preupload/"), times.next() {
          state[PushBench.key, "main"]?.commit = String(repeating: "b2", count: 20)
          state[PushBench.key, "main"]?.files["notes.txt"] = Data("mine".utf8)
        }
        return nil
      }
      try bench.push()
      #expect(bench.there?.files["notes.txt"] != nil && bench.there?.files["README.md"] == files["README.md"])
      #expect(bench.there?.commits.count == 1 && bench.server.state.uploads.count == 2)
      #expect(bench.server.requests.count { $0.path.contains("/commit/") } == 2)
    }
  }
}
