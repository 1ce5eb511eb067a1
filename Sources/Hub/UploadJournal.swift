import Formats
import Foundation
import Runs

/// The parts of a large file that the storage has taken, kept so that an upload that was cut off goes on behind them.
///
/// One small file an upload, in a folder that only its owner reads: the addresses in it may be written to while they last.
struct UploadJournal {
  let folder: URL
  /// What is uploaded where, so that one file may go to two repositories.
  let repository: String

  /// An upload in parts, as the LFS batch answer laid it out.
  struct Plan: Equatable {
    let completion: String
    let partBytes: Int
    let parts: [String]
    /// By part; nil until it is there.
    var etags: [String?]

    init(completion: String, partBytes: Int, parts: [String]) {
      self.completion = completion
      self.partBytes = partBytes
      self.parts = parts
      etags = parts.map { _ in nil }
    }
  }

  private func file(_ oid: String) -> URL {
    folder.appendingPathComponent("\(SHA256.hex(of: "\(repository) \(oid)")).json")
  }

  /// What is left of an earlier upload; a damaged record is as good as none.
  func plan(_ oid: String, bytes: Int) -> Plan? {
    let url = file(oid)
    guard let data = try? Data(contentsOf: url), let json = try? JSONValue(parsing: data, file: url.path),
      let completion = json["completion"]?.string, let partBytes = json["part_bytes"]?.integer, partBytes > 0,
      let parts = json["parts"]?.array?.map(\.string), let etags = json["etags"]?.array?.map(\.string),
      parts.count == etags.count, parts.count == (bytes - 1) / partBytes + 1
    else { return nil }
    let named = parts.compactMap(\.self)
    guard named.count == parts.count else { return nil }
    var plan = Plan(completion: completion, partBytes: partBytes, parts: named)
    plan.etags = etags
    return plan
  }

  func keep(_ plan: Plan, _ oid: String) throws {
    try CacheFolder.make(folder)
    chmod(folder.path, 0o700)
    let json: JSONValue = [
      "completion": .string(plan.completion), "part_bytes": JSONValue(plan.partBytes),
      "parts": .array(plan.parts.map(JSONValue.string)),
      "etags": .array(plan.etags.map { $0.map(JSONValue.string) ?? .null }),
    ]
    try AtomicFile.write(json.text(pretty: true) + "\n", to: file(oid))
  }

  func drop(_ oid: String) { unlink(file(oid).path) }
}
