import Foundation

/// The tags of all posts and the folder of each one's page.
struct TagNames: Sendable {
  struct Tag: Sendable, Equatable {
    /// As the newest post writes it.
    var name: String
    /// The folder below `tags`.
    var slug: String
    /// How many posts have it.
    var count: Int
  }

  /// Sorted by name: by their bytes, whatever the case.
  let all: [Tag]
  private let byKey: [[UInt8]: Tag]

  /// `posts`: the tags of each post, newest post first.
  init(posts: [[String]]) {
    var names: [(key: [UInt8], name: String, count: Int)] = []
    for tags in posts {
      var seen: [[UInt8]] = []
      for tag in tags {
        let key = Self.key(tag)
        if key.isEmpty || seen.contains(key) { continue }
        seen.append(key)
        if let place = names.firstIndex(where: { $0.key == key }) {
          names[place].count += 1
        } else {
          names.append((key, tag.trimmingCharacters(in: .whitespacesAndNewlines), 1))
        }
      }
    }
    names.sort { $0.key.lexicographicallyPrecedes($1.key) }
    // The folder must not be called as the page beside it.
    var taken: Set<String> = ["index.html"]
    var all: [Tag] = []
    var byKey: [[UInt8]: Tag] = [:]
    for (key, name, count) in names {
      let base = Self.slug(name)
      var slug = base
      var number = 2
      while !taken.insert(slug).inserted {
        slug = "\(base)-\(number)"
        number += 1
      }
      let tag = Tag(name: name, slug: slug, count: count)
      all.append(tag)
      byKey[key] = tag
    }
    self.all = all
    self.byKey = byKey
  }

  /// A post's tags in its own order, each once.
  func tags(_ names: [String]) -> [Tag] {
    var found: [Tag] = []
    for name in names {
      if let tag = byKey[Self.key(name)], !found.contains(tag) { found.append(tag) }
    }
    return found
  }

  /// How many tags two posts share.
  func shared(_ a: [String], _ b: [String]) -> Int {
    let other = tags(b)
    return tags(a).filter { other.contains($0) }.count
  }

  /// The same for "LoRA" and "lora", and for composed and decomposed Hangul.
  private static func key(_ name: String) -> [UInt8] {
    Array(plain(name).utf8)
  }

  private static func plain(_ name: String) -> String {
    name.trimmingCharacters(in: .whitespacesAndNewlines).precomposedStringWithCanonicalMapping.lowercased()
  }

  /// Letters of any script, digits, '.' and '_'; all else becomes '-'. "미세 조정" is "미세-조정".
  static func slug(_ name: String) -> String {
    var slug = ""
    for scalar in plain(name).unicodeScalars {
      if slug.utf8.count > 80 { break }
      let isDigit = scalar.properties.numericType != nil
      if scalar.properties.isAlphabetic || isDigit || scalar == "_" || (scalar == "." && !slug.isEmpty) {
        slug.unicodeScalars.append(scalar)
      } else if !slug.isEmpty, !slug.hasSuffix("-") {
        slug += "-"
      }
    }
    // Windows drops a dot at the end of a folder's name.
    while slug.hasSuffix("-") || slug.hasSuffix(".") { slug.removeLast() }
    return slug.isEmpty ? "tag" : slug
  }
}
