import Foundation
import Runs
import Synchronization

/// Results worth keeping from one build to the next, as files named by the hash of all they depend on.
///
/// A file carries the hash of its own content: one that was cut off or damaged counts as missing and is made again. What the
/// last whole build did not ask for is removed at its end, so that the folder holds exactly what the site is made of.
public final class CacheStore: Sendable {
  private let folder: URL
  private let used = Mutex<Set<String>>([])
  /// The folders this store keeps tidy; others beside them are not its own.
  private static let kinds = ["pictures", "code"]
  private static let magic = "lorapress-cache-1 "

  public init(folder: URL) { self.folder = folder }

  /// The name under which a result is kept: the hash of everything it depends on.
  static func key(_ parts: [String]) -> String {
    let hash = SHA256()
    // Lengths part the texts, so that ["ab", "c"] and ["a", "bc"] differ.
    for part in parts { hash.update("\(part.utf8.count):\(part)") }
    return hash.finish()
  }

  func data(_ kind: String, _ key: String) -> Data? {
    markUsed(kind, key)
    guard let file = try? Data(contentsOf: url(kind, key)), file.count >= Self.headerLength else { return nil }
    let content = file.dropFirst(Self.headerLength)
    guard file.prefix(Self.headerLength) == Data(Self.header(Data(content)).utf8) else { return nil }
    return Data(content)
  }

  /// Keeps a result. A cache that can't be written only costs the time to make it again.
  func keep(_ data: Data, _ kind: String, _ key: String) {
    markUsed(kind, key)
    let place = url(kind, key)
    let temporary = place.deletingLastPathComponent().appendingPathComponent(".\(key).\(getpid()).tmp")
    guard (try? AtomicFile.makeFolder(place.deletingLastPathComponent())) != nil else { return }
    guard (try? (Data(Self.header(data).utf8) + data).write(to: temporary)) != nil,
      rename(temporary.path, place.path) == 0
    else {
      unlink(temporary.path)
      return
    }
  }

  /// Removes what was not asked for since the last call.
  func prune() {
    let kept = used.withLock { used in
      defer { used = [] }
      return used
    }
    let files = FileManager.default
    for kind in Self.kinds {
      let place = folder.appendingPathComponent(kind)
      for name in (try? files.contentsOfDirectory(atPath: place.path)) ?? [] where !kept.contains("\(kind)/\(name)") {
        unlink(place.appendingPathComponent(name).path)
      }
    }
  }

  func markUsed(_ kind: String, _ key: String) { _ = used.withLock { $0.insert("\(kind)/\(key)") } }

  private func url(_ kind: String, _ key: String) -> URL {
    folder.appendingPathComponent(kind).appendingPathComponent(key)
  }

  private static func header(_ content: Data) -> String { magic + SHA256.hex(of: content) + "\n" }
  private static let headerLength = magic.utf8.count + 64 + 1
}
