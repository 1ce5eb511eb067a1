import Formats
import Foundation
import Runs

/// A place where a post is published other than the site: what its user needs there, as files to copy or paste.
protocol Profile: Sendable {
  /// As `--profile` names it and as its folder below `output/profiles` is called.
  static var name: String { get }

  init()

  /// The profile's files by their path below its folder.
  func files(_ input: ProfileInput) throws -> ProfileOutput
}

/// What profiles are made from: all that the build of the site has rendered.
struct ProfileInput: Sendable {
  var posts: [RenderedPost]
  var runs: [(run: RunData, page: RenderedPost)]
  var pages: PageTemplates
  var charts: RunCharts
  /// The folder with `models.yaml`.
  var content: URL
}

struct ProfileOutput: Sendable {
  var files: [String: Data] = [:]
  /// One line each.
  var warnings: [String] = []

  mutating func add(_ path: String, _ text: String) { files[path] = Data(text.utf8) }
}

/// The profiles there are, besides the site itself.
public enum Profiles {
  static let all: [any Profile.Type] = [
    StandaloneProfile.self, TistoryProfile.self, VelogProfile.self, HugoProfile.self, JekyllProfile.self,
    HubProfile.self,
  ]

  /// The site, which is always made.
  public static let site = "html"

  /// Every name that `render` takes, the site first.
  public static var names: [String] { [site] + all.map { $0.name } }

  /// The profiles of these names, each once; the site is none of them.
  static func named(_ names: [String]) throws -> [any Profile.Type] {
    for name in names where !Self.names.contains(name) {
      throw SiteError("there is no profile \"\(name)\"; there are \(Self.names.joined(separator: ", "))")
    }
    return all.filter { names.contains($0.name) }
  }
}

/// The asked profiles, ready to be put in place.
struct ProfileBuild {
  private let made: [(name: String, output: ProfileOutput)]

  var warnings: [String] { made.flatMap { profile in profile.output.warnings.map { "\(profile.name): \($0)" } } }

  init(_ profiles: [any Profile.Type], _ input: ProfileInput) throws {
    made = try profiles.map { profile in (profile.name, try profile.init().files(input)) }
  }

  /// Puts each profile's folder in its place below `output/profiles`.
  func install(output: URL) throws -> [ProfileSummary] {
    try made.map { profile in
      let folder = output.appendingPathComponent("profiles/\(profile.name)")
      let written = try ProfileStaging.install(profile.output.files, at: folder)
      return ProfileSummary(
        name: profile.name, folder: folder, files: profile.output.files.count, written: written)
    }
  }
}

/// What a profile left.
public struct ProfileSummary: Sendable, Equatable {
  public var name: String
  public var folder: URL
  public var files: Int
  /// Of them, those that are new or different.
  public var written: Int
}

/// Puts a profile's folder in place as a whole: filled aside, then swapped in. A file that holds its bytes already is linked,
/// not written, so that it keeps its date; a folder in which nothing changes is left alone.
enum ProfileStaging {
  static func install(_ files: [String: Data], at place: URL) throws -> Int {
    AtomicFolder.recover(place)
    let before = FileManager.default.fileExists(atPath: place.path) ? try CodeRegions.files(below: place) : []
    let changed = files.filter { (try? Data(contentsOf: place.appendingPathComponent($0.key))) != $0.value }.map(\.key)
    if changed.isEmpty, before.count == files.count, FileManager.default.fileExists(atPath: place.path) { return 0 }
    let isChanged = Set(changed)
    try AtomicFolder.replace(place) { new in
      for path in files.keys.sorted() {
        guard let data = files[path] else { continue }
        let url = new.appendingPathComponent(path)
        try AtomicFile.makeFolder(url.deletingLastPathComponent())
        let isKept = !isChanged.contains(path) && link(place.appendingPathComponent(path).path, url.path) == 0
        if !isKept { try AtomicFile.write(data, to: url) }
      }
    }
    return changed.count
  }
}
