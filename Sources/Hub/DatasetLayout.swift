import Formats
import Foundation

/// Which files a repository's configs and splits are made of, as the Hub's `datasets` finds them: by `configs` in the front matter of its
/// README.md, else by the names of folders and files.
struct DatasetLayout: Equatable {
  struct Split: Equatable {
    let name: String
    let files: [String]
  }

  struct Config: Equatable {
    let name: String
    var isDefault = false
    let splits: [Split]
  }

  let configs: [Config]

  /// - Parameter family: what a file's name says it is ("json", "parquet"); nil where it can't be read.
  init(files: [String], readme: String?, subject: String, family: (String) -> String?) throws {
    let files = files.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let readable = files.filter { family($0) != nil }
    if readable.isEmpty {
      let endings = Set(files.map { ($0 as NSString).pathExtension }.filter { !$0.isEmpty }).sorted()
      let found = endings.isEmpty ? "" : " (its files end in \(endings.joined(separator: ", ")))"
      throw HubError(
        subject, "holds no file that can be read\(found)",
        remedy: "look for its Parquet copy: dataset.hub.revision: refs/convert/parquet")
    }
    let cards = try readme.map { try Self.cards(in: $0, subject: subject) } ?? []
    if !cards.isEmpty {
      configs = cards.map { card in
        let below = readable.compactMap { Self.path($0, below: card.folder) }
        let splits = card.splits.isEmpty ? Self.splits(byNamesOf: below) : Self.splits(card.splits, among: below)
        return Config(
          name: card.name, isDefault: card.isDefault,
          splits: Self.oneFamily(splits.map { Split(name: $0.name, files: $0.files.map { card.folder + $0 }) }, family))
      }
      return
    }
    // A Parquet copy (refs/convert/parquet) has a folder a config, and no card.
    let folders = Set(readable.compactMap { $0.split(separator: "/").count > 2 ? $0.split(separator: "/").first : nil })
    let named = folders.sorted().map { folder -> Config in
      let below = readable.compactMap { Self.path($0, below: folder + "/") }
      let splits = Self.splits(byNamesOf: below).map { Split(name: $0.name, files: $0.files.map { "\(folder)/\($0)" }) }
      return Config(name: String(folder), splits: Self.oneFamily(splits, family))
    }
    let whole = Config(
      name: "default", isDefault: true, splits: Self.oneFamily(Self.splits(byNamesOf: readable), family))
    configs = [whole] + named.filter { $0.name != "default" }
  }

  /// The files of each of the splits. `config` nil takes the only or the default one.
  func files(config name: String?, splits wanted: [String], subject: String) throws -> [[String]] {
    let names = configs.map(\.name)
    let config: Config
    if let name {
      guard let found = configs.first(where: { $0.name == name }) else {
        throw HubError(
          subject, "has no config \"\(name)\"", remedy: "dataset.hub.name may be \(names.joined(separator: ", "))")
      }
      config = found
    } else if let found = configs.count == 1
      ? configs.first : configs.first(where: { $0.isDefault || $0.name == "default" })
    {
      config = found
    } else {
      throw HubError(
        subject, "has \(configs.count) configs and no default one",
        remedy: "choose with dataset.hub.name: \(names.joined(separator: ", "))")
    }
    return try wanted.map { split in
      let files = config.splits.first { $0.name == split }?.files ?? []
      if !files.isEmpty { return files }
      let there = config.splits.filter { !$0.files.isEmpty }.map(\.name)
      throw HubError(
        subject, "the config \"\(config.name)\" has no split \"\(split)\"",
        remedy: there.isEmpty
          ? "none of its files is there; try another dataset.hub.name" : "it has \(there.joined(separator: ", "))")
    }
  }

  // MARK: - Cards

  private struct Card {
    let name: String
    let isDefault: Bool
    /// With a slash at its end; empty for the whole repository.
    let folder: String
    let splits: [(name: String, patterns: [String])]
  }

  private static func cards(in readme: String, subject: String) throws -> [Card] {
    let front: YAMLNode?
    do { front = try YAMLNode(frontMatterOf: readme, file: "\(subject)/README.md") } catch {
      throw HubError(
        "\(error)", "the data card's front matter can't be read", remedy: "give another dataset.hub.revision")
    }
    return (front?["configs"]?.sequence ?? []).map { config in
      var folder = config["data_dir"]?.string ?? ""
      while folder.hasSuffix("/") { folder.removeLast() }
      return Card(
        name: config["config_name"]?.string ?? "default", isDefault: config["default"]?.bool ?? false,
        folder: folder.isEmpty ? "" : folder + "/", splits: patterns(config["data_files"]))
    }
  }

  /// A pattern, a list of them (all train), a list of `{split, path}`, or a mapping of splits.
  private static func patterns(_ node: YAMLNode?) -> [(name: String, patterns: [String])] {
    guard let node else { return [] }
    func paths(_ node: YAMLNode?) -> [String] { (node?.sequence ?? node.map { [$0] } ?? []).compactMap(\.string) }
    if let entries = node.mapping { return entries.map { ($0.key.string ?? "", paths($0.value)) } }
    let items = node.sequence ?? [node]
    if items.contains(where: { $0.mapping != nil }) {
      return items.compactMap { item in item["split"]?.string.map { ($0, paths(item["path"])) } }
    }
    return [("train", items.compactMap(\.string))]
  }

  private static func splits(_ splits: [(name: String, patterns: [String])], among files: [String]) -> [Split] {
    splits.map { Split(name: $0.name, files: matching($0.patterns, files)) }
  }

  private static func path(_ file: String, below folder: String) -> String? {
    file.hasPrefix(folder) ? String(file.dropFirst(folder.count)) : nil
  }

  /// By one pattern after the other, none twice.
  private static func matching(_ patterns: [String], _ files: [String]) -> [String] {
    var seen: Set<String> = []
    return patterns.map(PathPattern.init).flatMap { pattern in
      files.filter { pattern.matches($0) && seen.insert($0).inserted }
    }
  }

  /// Files of the kind that most of the split's are.
  private static func oneFamily(_ splits: [Split], _ family: (String) -> String?) -> [Split] {
    splits.map { split in
      let families = split.files.compactMap(family)
      let most = families.max { left, right in
        families.count { $0 == left } < families.count { $0 == right }
      }
      return Split(name: split.name, files: split.files.filter { family($0) == most })
    }
  }

  // MARK: - Names

  private static let keywords = [
    ("train", ["train", "training"]), ("validation", ["validation", "valid", "dev", "val"]),
    ("test", ["test", "testing", "eval", "evaluation"]),
  ]
  private static let others = "[-._ 0-9]"

  /// `data/SPLIT-00000-of-00001….parquet`; else folders, else files named after the splits; else all is to train on.
  private static func splits(byNamesOf files: [String]) -> [Split] {
    let sharded = sharded(files)
    if !sharded.isEmpty { return sharded }
    let folders = ["**/{}/**", "**/{}\(others)*/**", "**/*\(others){}/**", "**/*\(others){}\(others)*/**"]
    let names = ["**/{}\(others)*", "**/*\(others){}\(others)*"]
    for patterns in [folders, names] {
      let found = keywords.map { split, words in
        Split(
          name: split, files: matching(words.flatMap { word in patterns.map { $0.replacing("{}", with: word) } }, files)
        )
      }.filter { !$0.files.isEmpty }
      if !found.isEmpty { return found }
    }
    return [Split(name: "train", files: matching(["**"], files))]
  }

  private static func sharded(_ files: [String]) -> [Split] {
    let digits = "[0-9][0-9][0-9][0-9][0-9]"
    let shards = matching(["data/*-\(digits)-of-\(digits)*.*"], files)
    var names: [String] = []
    for shard in shards {
      guard let name = shard.firstMatch(of: /^data\/(\w+(?:\.\w+)*)-[0-9]{5}-of-[0-9]{5}/)?.1,
        !names.contains(String(name))
      else { continue }
      names.append(String(name))
    }
    return names.map { name in Split(name: name, files: matching(["data/\(name)-\(digits)-of-\(digits)*.*"], files)) }
  }
}
