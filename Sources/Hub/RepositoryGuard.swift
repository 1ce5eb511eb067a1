import Formats
import Foundation

/// Whether a repository may be written to: it is empty, or its card says that LoraPress made it, of the same base model.
struct RepositoryGuard {
  static let tag = "lorapress"

  /// What a card says of itself.
  struct Card: Equatable {
    var tags: [String] = []
    var baseModels: [String] = []

    /// A card without readable settings says nothing.
    init(_ text: String) {
      guard let front = try? YAMLNode(frontMatterOf: text, file: "README.md") else { return }
      func texts(_ key: String) -> [String] {
        guard let node = front[key] else { return [] }
        return (node.sequence ?? [node]).compactMap(\.string)
      }
      tags = texts("tags")
      baseModels = texts("base_model")
    }
  }

  /// Why a repository with this card (nil: files and no card) is left alone; nil where it may be written to.
  static func objection(there: String?, own: String?) -> String? {
    guard let there else { return "holds files and no README.md, so LoraPress did not make it" }
    let (old, new) = (Card(there), Card(own ?? ""))
    guard old.tags.contains(tag) else {
      return "holds something that LoraPress did not make (its README.md lacks the tag \"\(tag)\")"
    }
    guard old.baseModels.isEmpty || new.baseModels.isEmpty || old.baseModels == new.baseModels else {
      return
        "holds a model of another base (\(old.baseModels.joined(separator: ", ")), not \(new.baseModels.joined(separator: ", ")))"
    }
    return nil
  }
}
