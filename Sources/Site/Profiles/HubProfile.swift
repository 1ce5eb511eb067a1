import Formats
import Foundation
import Runs

/// A model card a run: `README.md` for the repository its adapter is put into, with metadata the Hub reads, and its charts.
struct HubProfile: Profile {
  static let name = "hub"

  func files(_ input: ProfileInput) throws -> ProfileOutput {
    var output = ProfileOutput()
    let catalog = try HubCatalog(input.content.appendingPathComponent("models.yaml"))
    for (run, page) in input.runs {
      guard run.record.model != nil, run.record.training != nil || run.evaluation != nil else {
        output.warnings.append("\(run.id): is left out, as nothing was trained in it")
        continue
      }
      // In the language of the post that tells of the run, if there is one.
      let post = input.posts.first { $0.run == run.id }
      let card = try HubCard.files(
        of: run, finding: post?.finding, title: page.title, base: catalog.base(of: run.record),
        language: post?.language ?? page.language, charts: input.charts)
      for (name, data) in card.files { output.files["\(run.id)/\(name)"] = data }
      output.warnings += card.warnings.map { "\(run.id): \($0)" }
    }
    return output
  }
}

/// Where a base model is on the Hub.
struct HubBase: Sendable, Equatable {
  /// "Qwen/Qwen2.5-Coder-0.5B-Instruct", for the card's metadata.
  var repository: String?
  /// The repository of the very file that was trained on, and the file; nil where it is not there.
  var fileRepository: String?
  var file: String
}

/// What `content/models.yaml` says about models; empty without that file.
struct HubCatalog {
  private let models: [YAMLNode.Entry]

  init(_ file: URL) throws {
    guard FileManager.default.fileExists(atPath: file.path) else {
      models = []
      return
    }
    let text: String
    do { text = try String(contentsOf: file, encoding: .utf8) } catch { throw RunsError.unreadable(file.path, error) }
    models = try YAMLNode(parsing: text, file: file.path)["models"]?.mapping ?? []
  }

  /// By the file's hash first, since a name may mean another file elsewhere; then by the source in the run's record.
  func base(of record: RunRecord) -> HubBase {
    guard let model = record.model else { return HubBase(file: "") }
    var base = HubBase(file: model.file ?? "")
    if let hash = model.sha256, let entry = models.first(where: { $0.value["sha256"]?.string == hash })?.value {
      base.repository = entry["homepage"]?.string.flatMap(Self.repository(ofAddress:))
      let source = entry["sources"]?.sequence?.compactMap { $0["huggingface"]?.string }.first
      base.fileRepository = source.flatMap { Self.isRepository($0) ? $0 : nil }
    }
    if base.fileRepository == nil, let source = model.source, Self.isRepository(source) { base.fileRepository = source }
    base.repository = base.repository ?? base.fileRepository
    return base
  }

  private static func repository(ofAddress address: String) -> String? {
    guard let range = address.firstRange(of: "https://huggingface.co/"), range.lowerBound == address.startIndex
    else { return nil }
    var name = address[range.upperBound...]
    while name.hasSuffix("/") { name = name.dropLast() }
    return isRepository(String(name)) ? String(name) : nil
  }

  /// `OWNER/NAME` as the Hub allows it.
  static func isRepository(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        !part.isEmpty && part.utf8.count <= 96
          && part.unicodeScalars.allSatisfy {
            $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "._-".unicodeScalars.contains($0))
          }
      }
  }
}
