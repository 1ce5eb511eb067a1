import Formats
import Foundation
import Runs

/// A run's prepared rows as a repository of the Hub holds them: its card and the files that the card names.
public enum PublishedDataset {
  /// By which a published card says who made it.
  private static let tag = "lorapress"

  /// Copies them into an empty folder. What was rejected stays at home.
  ///
  /// - Parameter repository: "USER/NAME", which the card's code then loads.
  public static func write(_ run: RunFolder, repository: String, to folder: URL) throws {
    let card = run.datasetCard
    guard FileManager.default.fileExists(atPath: card.path) else {
      throw RunsError("\(card.path): the run has no prepared data; prepare them with `lorapress prepare`")
    }
    let text: String
    do { text = try String(contentsOf: card, encoding: .utf8) } catch { throw RunsError.unreadable(card.path, error) }
    let front = try YAMLNode(frontMatterOf: text, file: card.path)
    let configs = front?["configs"]?.sequence ?? []
    let names = configs.flatMap { ($0["data_files"]?.sequence ?? []).compactMap { $0["path"]?.string } }
    guard !names.isEmpty, names.allSatisfy(RunFolder.isSafeName) else {
      throw RunsError(
        "\(card.path): names no data files; prepare them again with `lorapress run EXPERIMENT --force prepare`")
    }
    for name in names {
      let file = run.at("dataset/\(name)")
      do { try FileManager.default.copyItem(at: file, to: folder.appendingPathComponent(name)) } catch {
        throw RunsError.unreadable(file.path, error)
      }
    }
    try AtomicFile.write(published(text, front, repository), to: folder.appendingPathComponent("README.md"))
  }

  /// The card with the repository's name in its code, and with the tag, unless it has tags of its own.
  static func published(_ text: String, _ front: YAMLNode?, _ repository: String) -> String {
    var text = text.replacing(DatasetCard.ownPlace, with: repository)
    if front?["tags"] == nil, let start = text.firstRange(of: "\n") {
      text.insert(contentsOf: "tags: [\(tag)]\n", at: start.upperBound)
    }
    return text
  }
}
