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

  /// The folders that the profiles fill, below the output folder.
  var trees: [Staging.Tree] {
    made.map { Staging.Tree(name: "profiles/\($0.name)", files: $0.output.files) }
  }

  /// What was put in place, given how many files of each tree were written.
  func summaries(output: URL, written: [Int]) -> [ProfileSummary] {
    zip(made, written).map { profile, written in
      ProfileSummary(
        name: profile.name, folder: output.appendingPathComponent("profiles/\(profile.name)"),
        files: profile.output.files.count, written: written)
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
