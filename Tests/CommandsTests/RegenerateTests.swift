import Foundation
import TestSupport
import Testing

@testable import Commands

/// What the program writes and leaves when it is run again, elsewhere, or killed.
@Suite struct RegenerateTests {
  @Test func placeTimeZoneAndLocaleChangeNothing() throws {
    try Fixtures.withTemporaryFolder { folder in
      let first = try ScratchProject(folder.appendingPathComponent("a"))
      let second = try ScratchProject(folder.appendingPathComponent("다른 곳/b"))
      for (project, environment) in [
        (first, ["TZ": "Asia/Seoul", "LC_ALL": "ko_KR.UTF-8", "LANG": "ko_KR.UTF-8"]),
        (second, ["TZ": "America/New_York", "LC_ALL": "C", "LANG": "de_DE.UTF-8"]),
      ] {
        let process = try project.start(["render", "--no-cards"], environment: environment)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
      }
      for part in ["site", "posts", "runs"] {
        let (a, b) = (try first.bytes(part), try second.bytes(part))
        #expect(!a.isEmpty && a == b, "\(part)")
      }
    }
  }

  /// Killed at any moment, the program leaves the old site or the new one.
  @Test func aKilledBuildLeavesAWholeSite() throws {
    try Fixtures.withTemporaryFolder { folder in
      let project = try ScratchProject(folder)
      func render() throws -> TimeInterval {
        let start = Date()
        let process = try project.start(["render", "--no-cards"])
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return Date().timeIntervalSince(start)
      }
      var whole: [(site: [String: Data], posts: [String: Data])] = []
      var took: TimeInterval = 0
      let texts = [("옛 글", ""), ("새 글", "{{ eval_history() }}\n\n{{ chart(\"learning_rate\") }}\n")]
      for (text, more) in texts {
        try project.writePost(text, more: more)
        took = try render()
        whole.append((try project.bytes("site"), try project.bytes("posts")))
      }
      #expect(whole[0].site != whole[1].site && whole[0].posts != whole[1].posts)
      var seen: Set<Int> = []
      // Sixty moments at least; more on a busy machine, until both have been seen.
      for round in 0..<240 where round < 60 || seen.count < 2 {
        try project.writePost(texts[round % 2].0, more: texts[round % 2].1)
        let process = try project.start(["render", "--no-cards"])
        // From the start of the work to well past its end.
        usleep(UInt32(took * 2_000_000 * Double(round % 59) / 59))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let (site, posts) = (try project.bytes("site"), try project.bytes("posts"))
        let version = whole.firstIndex { $0.site == site }
        #expect(version != nil, "round \(round): the site is neither the old one nor the new one")
        #expect(whole.contains { $0.posts == posts }, "round \(round): the posts are neither")
        if let version { seen.insert(version) }
      }
      #expect(seen == [0, 1])
      _ = try render()
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: project.output.path).sorted() == [
          ".cache", "posts", "runs", "site",
        ])
    }
  }
}
