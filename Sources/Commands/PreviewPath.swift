import Foundation

/// The path of a request, decoded: names without `/`, NUL, `.` or `..`.
struct PreviewPath: Equatable {
  let components: [String]
  /// Also true of the root.
  let hasTrailingSlash: Bool

  /// Nil when the target is no absolute path, has a broken escape, bytes that are not UTF-8, or tries to leave the
  /// folder (`..`, also as %2e%2e; an encoded slash or NUL). A browser resolves `..` by itself and never sends these.
  init?(target: String) {
    guard target.utf8.first == UInt8(ascii: "/") else { return nil }
    var names: [String] = []
    for part in target.utf8.split(separator: UInt8(ascii: "/")) {
      guard let name = Self.decode(part), name != ".", name != ".." else { return nil }
      names.append(name)
    }
    components = names
    hasTrailingSlash = target.utf8.last == UInt8(ascii: "/")
  }

  private static func decode(_ part: Substring.UTF8View) -> String? {
    var bytes: [UInt8] = []
    var rest = part[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
        return nil
      }
      bytes.append(high * 16 + low)
    }
    guard !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The same folder with its slash. It starts with one slash only, so that `//elsewhere` never leads to another host.
  var asFolder: String {
    let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: "/"))
    return "/" + components.map { ($0.addingPercentEncoding(withAllowedCharacters: allowed) ?? $0) + "/" }.joined()
  }
}
