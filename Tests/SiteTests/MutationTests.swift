import Foundation
import TestSupport
import Testing

@testable import Site

/// One digit or byte changed at each of a hundred places of the example: `verify` names the file each time.
@Suite struct MutationTests {
  private enum Group: CaseIterable { case log, html, markdown, png }

  private struct Random {
    var state: UInt64
    /// A number from 0 up, below `count` (splitmix64).
    mutating func below(_ count: Int) -> Int {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return Int((z ^ (z >> 31)) % UInt64(count))
    }
  }

  @Test func everyChangedDigitIsFound() throws {
    try Fixtures.withTemporaryFolder { folder in
      try FileManager.default.copyItem(
        at: Fixtures.root.appendingPathComponent("output/example/runs"), to: folder.appendingPathComponent("runs"))
      let root = Fixtures.root
      _ = try SiteBuilder(
        output: folder, content: root.appendingPathComponent("content"),
        templates: root.appendingPathComponent("templates"), sources: root, cards: false
      ).render()
      let verification = Verification(output: folder, content: nil)
      #expect(try verification.check().faults == [], "the clean site")
      let files = try Self.files(folder)
      var random = Random(state: 20_260_314)
      var caught = 0
      for round in 0..<100 {
        let group = Group.allCases[round % Group.allCases.count]
        let candidates = files.filter { Self.group($0) == group }
        let path = candidates[random.below(candidates.count)]
        let url = folder.appendingPathComponent(path)
        let old = try Data(contentsOf: url)
        let new = Self.mutated(old, isPicture: group == .png, &random)
        try new.write(to: url)
        let faults = try verification.check().faults
        try old.write(to: url)
        #expect(faults.contains { $0.file == path }, "round \(round): \(path) passed")
        // A page or picture that changed accuses nothing else.
        if group != .log { #expect(faults.allSatisfy { $0.file == path }, "round \(round): \(path): \(faults)") }
        if faults.contains(where: { $0.file == path }) { caught += 1 }
      }
      #expect(caught == 100)
      #expect(try verification.check().faults == [], "the site as it was")
    }
  }

  /// The record is the one file that holds no hash of itself.
  @Test func everyChangedDigitOfTheRecordIsFound() throws {
    try Rendered.with { made in
      let url = made.url("site/\(ProvenanceRecord.path)")
      let old = try Data(contentsOf: url)
      var random = Random(state: 7)
      for round in 0..<60 {
        try Self.mutated(old, isPicture: false, &random).write(to: url)
        #expect(try !made.check().faults.isEmpty, "round \(round)")
      }
      try old.write(to: url)
      #expect(try made.check().faults == [])
    }
  }

  private static func mutated(_ data: Data, isPicture: Bool, _ random: inout Random) -> Data {
    var bytes = [UInt8](data)
    let places = isPicture ? Array(bytes.indices) : bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
    let place = places[random.below(places.count)]
    if isPicture {
      bytes[place] ^= UInt8(1 + random.below(255))
    } else {
      bytes[place] = 0x30 + (bytes[place] - 0x30 + UInt8(1 + random.below(9))) % 10
    }
    return Data(bytes)
  }

  private static func group(_ path: String) -> Group? {
    switch (path as NSString).pathExtension {
    case "json", "jsonl", "yaml": path.hasPrefix("runs/") ? .log : nil
    case "html": .html
    case "md": path.hasPrefix("posts/") ? .markdown : nil
    case "png": .png
    default: nil
    }
  }

  /// Files that hold something to change, each as likely as another.
  private static func files(_ folder: URL) throws -> [String] {
    try CodeRegions.files(below: folder).filter { path in
      guard group(path) != nil else { return false }
      let data = try Data(contentsOf: folder.appendingPathComponent(path))
      return data.contains { (0x30...0x39).contains($0) }
    }
  }
}
