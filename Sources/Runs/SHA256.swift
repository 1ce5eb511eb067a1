import CCrypto
import Foundation

/// A digest of bytes and files, as lower-case hexadecimal.
public class Digest {
  private let context: OpaquePointer?
  private let size: Int

  fileprivate init(_ kind: OpaquePointer?, size: Int) {
    self.size = size
    context = EVP_MD_CTX_new()
    EVP_DigestInit_ex(context, kind, nil)
  }

  deinit { EVP_MD_CTX_free(context) }

  public func update(_ bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  public func update(_ data: Data) { data.withUnsafeBytes { update($0) } }

  public func update(_ text: String) { update(Data(text.utf8)) }

  /// Streams a file; `progress` hears the bytes read so far.
  fileprivate func update(file url: URL, progress: (Int) -> Void) throws {
    let handle: FileHandle
    do { handle = try FileHandle(forReadingFrom: url) } catch { throw RunsError.unreadable(url.path, error) }
    defer { try? handle.close() }
    var done = 0
    while true {
      let chunk: Data?
      do { chunk = try handle.read(upToCount: 1 << 22) } catch { throw RunsError.unreadable(url.path, error) }
      guard let chunk, !chunk.isEmpty else { return }
      update(chunk)
      done += chunk.count
      progress(done)
    }
  }

  /// The digest of all that was given; call it once.
  public func finish() -> String {
    var digest = [UInt8](repeating: 0, count: size)
    EVP_DigestFinal_ex(context, &digest, nil)
    return digest.map { byte in
      let hex = String(byte, radix: 16)
      return byte < 16 ? "0" + hex : hex
    }.joined()
  }
}

/// SHA-256 of bytes and files.
public final class SHA256: Digest {
  public init() { super.init(EVP_sha256(), size: 32) }

  public static func hex(of data: Data) -> String {
    let hash = SHA256()
    hash.update(data)
    return hash.finish()
  }

  public static func hex(of text: String) -> String { hex(of: Data(text.utf8)) }

  /// The digest's first 16 bytes as two numbers, whose order is the order of the bytes.
  public static func prefix(of text: String) -> (high: UInt64, low: UInt64) {
    var text = text
    var digest = [UInt8](repeating: 0, count: 32)
    text.withUTF8 { _ = EVP_Digest($0.baseAddress, $0.count, &digest, nil, EVP_sha256(), nil) }
    func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    return (number(digest[0..<8]), number(digest[8..<16]))
  }

  /// Streams a file; `progress` hears the bytes read so far.
  public static func hex(ofFile url: URL, progress: (Int) -> Void = { _ in }) throws -> String {
    let hash = SHA256()
    try hash.update(file: url, progress: progress)
    return hash.finish()
  }
}

/// Git's name of a file's content: the SHA-1 of "blob LENGTH", a zero byte, and the bytes.
public final class GitBlob: Digest {
  private init(bytes: Int) {
    super.init(EVP_sha1(), size: 20)
    update("blob \(bytes)\0")
  }

  public static func hex(of data: Data) -> String {
    let hash = GitBlob(bytes: data.count)
    hash.update(data)
    return hash.finish()
  }

  public static func hex(ofFile url: URL) throws -> String {
    let size: Int?
    do { size = try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int } catch {
      throw RunsError.unreadable(url.path, error)
    }
    let hash = GitBlob(bytes: size ?? 0)
    try hash.update(file: url) { _ in }
    return hash.finish()
  }
}
