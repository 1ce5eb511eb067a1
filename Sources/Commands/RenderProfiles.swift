import Foundation
import Runs
import Site

// `render --profile`: what it takes, and what its user does next.

extension SiteCommands {
  static let profileOption = Option(
    "--profile", "NAME", repeats: true,
    Words(
      "also makes the posts for a platform: \(Profiles.names.joined(separator: ", "))",
      ko: "플랫폼에 올릴 글도 만듭니다: \(Profiles.names.joined(separator: ", "))"))

  static func profiles(_ arguments: Arguments) throws -> [String] {
    let names = arguments.list("--profile")
    for name in names where !Profiles.names.contains(name) {
      let near = Spelling.nearest(to: name, among: Profiles.names).map { "did you mean \($0)? " } ?? ""
      throw UsageError(
        "unknown profile '\(name)'; \(near)the profiles are \(Profiles.names.joined(separator: ", "))")
    }
    return names
  }

  /// A line a profile: where it lies and what to do with it.
  static func tell(_ profiles: [ProfileSummary], _ console: Console) {
    for profile in profiles {
      let next = step(profile.name)
      console.note(
        Words(
          "\(profile.name): \(profile.folder.path) (\(profile.files) files). \(next.en)",
          ko: "\(profile.name): \(profile.folder.path) (파일 \(profile.files)개). \(next.ko)"))
    }
  }

  private static func step(_ profile: String) -> (en: String, ko: String) {
    switch profile {
    case "standalone":
      ("Each post is one HTML file; send or open it as it is", "글마다 HTML 파일 하나예요. 그대로 보내거나 여세요")
    case "tistory":
      (
        "Follow upload.txt: paste body.html in HTML mode, then upload the pictures in order",
        "upload.txt를 따라 HTML 모드에 body.html을 붙이고 이미지를 순서대로 올리세요"
      )
    case "velog":
      (
        "Follow upload.txt: paste index.md, then drop the pictures in order",
        "upload.txt를 따라 index.md를 붙이고 이미지를 순서대로 끌어다 놓으세요"
      )
    case "hugo", "jekyll":
      ("Copy a post's folder over your site: cp -R POST/. SITE/", "글 폴더를 사이트에 덮어 복사하세요: cp -R 글/. 사이트/")
    case "hub":
      (
        "README.md and its pictures go into the adapter's repository; put your name for USER",
        "README.md와 그림을 어댑터 저장소에 넣고 USER를 내 이름으로 바꾸세요"
      )
    default: ("", "")
    }
  }
}
