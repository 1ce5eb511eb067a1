import CCrypto
import Foundation

/// SHA-256 of bytes and files, as lower-case hexadecimal.
public final class SHA256 {
  private let context: OpaquePointer?

  public init() {
    context = EVP_MD_CTX_new()
    EVP_DigestInit_ex(context, EVP_sha256(), nil)
  }

  deinit { EVP_MD_CTX_free(context) }

  public func update(_ bytes: UnsafeRawBufferPointer) {
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
  }

  public func update(_ data: Data) { data.withUnsafeBytes { update($0) } }

  public func update(_ text: String) { update(Data(text.utf8)) }

  /// The digest of all that was given; call it once.
  public func finish() -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &digest, nil)
    return digest.map { byte in
      let hex = String(byte, radix: 16)
      return byte < 16 ? "0" + hex : hex
    }.joined()
  }

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
    let handle: FileHandle
    do { handle = try FileHandle(forReadingFrom: url) } catch { throw RunsError.unreadable(url.path, error) }
    defer { try? handle.close() }
    let hash = SHA256()
    var done = 0
    while true {
      let chunk: Data?
      do { chunk = try handle.read(upToCount: 1 << 22) } catch { throw RunsError.unreadable(url.path, error) }
      guard let chunk, !chunk.isEmpty else { return hash.finish() }
      hash.update(chunk)
      done += chunk.count
      progress(done)
    }
  }
}
