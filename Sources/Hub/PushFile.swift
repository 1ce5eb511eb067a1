import Foundation
import Runs

/// A file to be put into a repository.
public struct PushFile: Sendable, Equatable {
  /// In the repository.
  public let path: String
  public let bytes: Int
  let url: URL
  let sha256: String
  let gitBlob: String
  /// Its first bytes, by which the Hub tells text from the rest.
  let sample: Data

  private static let sampleBytes = 512
  private static let largeBytes = 10 << 20

  init(_ path: String, at url: URL) throws {
    self.path = path
    self.url = url
    guard let identity = FileIdentity(url.path) else {
      throw HubError(url.path, "is no file", remedy: "a push takes plain files alone; remove it or put a file there")
    }
    bytes = identity.bytes
    sha256 = try SHA256.hex(ofFile: url)
    gitBlob = try GitBlob.hex(ofFile: url)
    do {
      let handle = try FileHandle(forReadingFrom: url)
      defer { try? handle.close() }
      sample = try handle.read(upToCount: Self.sampleBytes) ?? Data()
    } catch { throw RunsError.unreadable(url.path, error) }
  }

  /// All files below a folder, by path; names that begin with a dot are left out.
  public static func all(in folder: URL) throws -> [PushFile] {
    let names: [String]
    do { names = try FileManager.default.subpathsOfDirectory(atPath: folder.path) } catch {
      throw RunsError.unreadable(folder.path, error)
    }
    let shown = names.filter { !$0.split(separator: "/").contains { $0.hasPrefix(".") } }
    return try shown.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.compactMap { name in
      let url = folder.appendingPathComponent(name)
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
      return isFolder.boolValue ? nil : try PushFile(name, at: url)
    }
  }

  /// Whether it will likely be stored as a large file (LFS): it is over 10 MiB or no text. The Hub has the last word.
  public var isLikelyLarge: Bool { bytes > Self.largeBytes || sample.contains(0) }

  /// Whether a repository has the very same content.
  func isSame(as file: RepositoryFile?) -> Bool {
    switch file?.hash {
    case .sha256(let hash): hash == sha256
    case .gitBlob(let hash): hash == gitBlob
    case nil: false
    }
  }
}
