import Formats
import Foundation

/// What a model card (`README.md`) of a Trainer tells: front matter, the list of hyperparameters, the versions of the packages.
struct ModelCard {
  private(set) var tags: [String] = []
  private(set) var baseModel: String?
  private(set) var settings: [(String, YAMLNode)] = []
  private(set) var versions: [String: String] = [:]
  /// Front matter that is no YAML.
  private(set) var isBroken = false

  private static let packages = [
    "PEFT", "TRL", "Transformers", "Pytorch", "PyTorch", "Datasets", "Tokenizers", "Unsloth",
  ]

  init(_ text: String) {
    let lines = text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false)
    var body = lines[...]
    if lines.first == "---", let end = lines.dropFirst().firstIndex(of: "---") {
      body = lines[(end + 1)...]
      do {
        readFront(try YAMLNode(parsing: lines[1..<end].joined(separator: "\n"), file: "README.md", firstLine: 2))
      } catch { isBroken = true }
    }
    var heading = ""
    for line in body {
      if line.hasPrefix("#") {
        heading = line.drop { $0 == "#" || $0 == " " }.lowercased()
      } else if line.hasPrefix("- "), let colon = line.firstIndex(of: ":"), heading.contains("hyperparameters") {
        let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        let number = YAMLNode.plain(value)
        settings.append(
          (String(line[line.index(line.startIndex, offsetBy: 2)..<colon]), number.double == nil ? .text(value) : number)
        )
      } else if line.hasPrefix("- "), heading.contains("framework versions") {
        let words = line.dropFirst(2).split(separator: " ").map {
          $0.hasSuffix(":") ? String($0.dropLast()) : String($0)
        }
        if words.count == 2, Self.packages.contains(words[0]), words[1].count <= 40 { versions[words[0]] = words[1] }
      }
    }
  }

  private mutating func readFront(_ node: YAMLNode) {
    tags = (node["tags"]?.sequence ?? []).compactMap(\.string)
    baseModel = (node["base_model"]?.sequence?.first ?? node["base_model"])?.string
  }
}
