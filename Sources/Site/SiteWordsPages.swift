/// The words of the pages around the posts.
extension SiteWords {
  var tags: String { pick("태그", "Tags") }
  var comparisons: String { pick("실행 비교", "Comparisons") }
  var comparison: String { pick("실행 비교", "Comparison") }
  var siteNavigation: String { pick("사이트", "Site") }
  var siblings: String { pick("앞뒤 글", "Neighbouring posts") }
  var older: String { pick("이전 글", "Older") }
  var newer: String { pick("다음 글", "Newer") }
  var related: String { pick("관련 글", "Related posts") }
  var runOfPost: String { pick("이 글의 실행 기록", "The run of this post") }
  var noRuns: String { pick("아직 실행 기록이 없어요. lorapress run으로 하나 만들어 보세요.", "No runs yet. Make one with lorapress run.") }
  var feed: String { pick("Atom 피드", "Atom feed") }
  var evaluationLoss: String { pick("검증 손실", "Evaluation loss") }
  var firstToBest: String { pick("첫 평가 → 최저", "first → lowest") }
  var lowestLoss: String { pick("최저 검증 손실", "Lowest evaluation loss") }
  var tokensPerSecond: String { pick("토큰/초", "tokens/s") }
  func postCount(_ count: Int) -> String { pick("글 \(count)개", count == 1 ? "1 post" : "\(count) posts") }
  func tagTitle(_ tag: String) -> String { pick("태그: \(tag)", "Tag: \(tag)") }
  func compareHeading(_ count: Int) -> String { pick("실행 \(count)개 비교", "\(count) runs compared") }
  func compareTitle(_ ids: [String]) -> String { "\(comparison): \(ids.joined(separator: " · "))" }
  var compareDescription: String {
    pick("실행의 설정과 환경, 지표를 나란히 놓고 다른 점을 적었다.", "Settings, environment and metrics of the runs side by side.")
  }
  func tokenCount(_ count: String) -> String { pick("n\u{A0}=\u{A0}\(count)토큰", "n\u{A0}=\u{A0}\(count)\u{A0}tokens") }
  func ogAlt(_ title: String) -> String { pick("글 ‘\(title)’의 대표 그림", "Card of the post “\(title)”") }
}
