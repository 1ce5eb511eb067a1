import CNormalize
import Foundation

/// Unicode normalisation form C.
public enum UnicodeText {
  /// The text in form C; the text itself where it is in that form already, which a scan tells for most texts.
  public static func nfc(_ text: String) -> String {
    var text = text
    guard let bytes = text.withUTF8({ nfc($0) }) else { return text }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Form C of valid UTF-8, nil where it is in that form already.
  public static func nfc(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    var out: UnsafeMutablePointer<UInt8>?
    var length = 0
    let state = cnormalize_nfc_utf8(text.baseAddress, text.count, &out, &length)
    defer { free(out) }
    if state == 0 { return nil }
    if state == 1 { return Array(UnsafeBufferPointer(start: out, count: length)) }
    // ICU refuses texts of half a gigabyte and more; Foundation is slow but takes them.
    return Array(String(decoding: text, as: UTF8.self).precomposedStringWithCanonicalMapping.utf8)
  }
}
