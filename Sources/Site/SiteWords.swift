import Charts
import Foundation
import Runs

/// The language of a post and of everything the program writes around it.
public enum SiteLanguage: String, Sendable, CaseIterable {
  case ko, en

  var chart: ChartLanguage { self == .ko ? .ko : .en }
}

/// The fixed words of pages.
struct SiteWords: Sendable {
  let language: SiteLanguage

  func pick(_ ko: String, _ en: String) -> String { language == .ko ? ko : en }

  // MARK: Page
  var skip: String { pick("본문으로 건너뛰기", "Skip to content") }
  var contents: String { pick("목차", "Contents") }
  var sources: String { pick("수치 출처", "Sources of the numbers") }
  var footnotes: String { pick("각주", "Footnotes") }
  var back: String { pick("본문으로 돌아가기", "Back to the text") }
  var code: String { pick("코드", "Code") }
  var allPosts: String { pick("글 목록", "All posts") }
  var posts: String { pick("글", "Posts") }
  var runs: String { pick("실행 기록", "Runs") }
  var notFoundTitle: String { pick("없는 페이지", "No such page") }
  var notFoundText: String {
    pick("이 주소에는 페이지가 없어요. 글 목록에서 찾아보세요.", "There is no page at this address. Look for it in the list of posts.")
  }
  var noPosts: String { pick("아직 글이 없어요. content/posts에 글을 넣어 주세요.", "No posts yet. Put one into content/posts.") }
  func linkTo(_ heading: String) -> String { pick("‘\(heading)’ 링크", "Link to “\(heading)”") }
  func figure(_ number: Int) -> String { pick("그림 \(number).", "Figure \(number).") }
  func table(_ number: Int) -> String { pick("표 \(number).", "Table \(number).") }
  func tableLabel(_ number: Int) -> String { pick("표 \(number)", "Table \(number)") }
  func plainTable(_ number: Int) -> String { pick("본문 표 \(number)", "Table \(number) in the text") }
  func chartData(_ number: Int) -> String { pick("그림 \(number)의 값", "Values of figure \(number)") }
  func listing(_ number: Int) -> String { pick("코드 \(number)", "Code \(number)") }
  var showTable: String { pick("표로 보기", "Show as a table") }
  var showAll: String { pick("전체 보기", "Show all") }
  func sourceCount(_ count: Int) -> String {
    pick("수치 \(count)개의 출처 보기", count == 1 ? "Source of 1 number" : "Sources of \(count) numbers")
  }
  func reading(minutes: Int) -> String { pick("읽는 데 \(minutes)분", "\(minutes) min read") }

  /// A date as "2025-03-14…"; nil when it is none.
  func date(_ iso: String) -> String? {
    let parts = iso.prefix(10).split(separator: "-").compactMap { Int($0) }
    guard parts.count == 3, (1...12).contains(parts[1]), (1...31).contains(parts[2]), iso.utf8.count >= 10 else {
      return nil
    }
    let months = [
      "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
      "December",
    ]
    return pick("\(parts[0])년 \(parts[1])월 \(parts[2])일", "\(parts[2]) \(months[parts[1] - 1]) \(parts[0])")
  }

  /// `2025. 3. 14.` or `14 March 2025`: for pictures, where room is short.
  func shortDate(_ iso: String) -> String? {
    let parts = iso.prefix(10).split(separator: "-").compactMap { Int($0) }
    guard let long = date(iso), parts.count == 3 else { return nil }
    return pick("\(parts[0]). \(parts[1]). \(parts[2]).", long)
  }

  // MARK: Traced numbers
  var measured: String { pick("측정값", "Measured") }
  var setting: String { pick("설정값", "Setting") }
  var computed: String { pick("계산값", "Computed") }
  func raw(_ text: String) -> String { pick("원값 \(text)", "raw value \(text)") }
  var sourceColumns: [String] {
    pick("수치|지표|실행|step|파일|원값", "Number|Metric|Run|Step|File|Raw value").split(separator: "|").map(String.init)
  }

  // MARK: Opening list
  var baseModel: String { pick("기반 모델", "Base model") }
  var data: String { pick("데이터", "Data") }
  var method: String { pick("방법", "Method") }
  var result: String { pick("결과", "Result") }
  var machine: String { pick("장비", "Machine") }

  // MARK: Data blocks
  var noRecord: String { pick("기록 없음", "No records") }
  func from(_ file: String) -> String { pick("출처: \(file).", "Source: \(file).") }
  var best: String { pick("굵은 값이 가장 좋다.", "Bold is best.") }
  var noInterval: String { pick("구간 없음.", "No intervals.") }
  /// What the brackets beside scores are; that there are none where the record has no intervals.
  func intervals(_ bootstrap: EvaluationRecord.Bootstrap?) -> String {
    guard let bootstrap else { return noInterval }
    let method = intervalMethod(bootstrap)
    return pick("대괄호 안은 \(method)이다.", "In brackets: \(method).")
  }
  func intervalMethod(_ bootstrap: EvaluationRecord.Bootstrap) -> String {
    let percent = NumberFormat.fixed(100 * bootstrap.confidence, decimals: 0)
    let draws = NumberFormat.grouped(bootstrap.resamples)
    return pick("\(percent)% 신뢰구간(부트스트랩 \(draws)회)", "\(percent)% interval (\(draws) bootstrap draws)")
  }
  var before: String { pick("변환 전 · 원본 행", "Before · raw row") }
  var after: String { pick("변환 후 · 대화 형식", "After · chat format") }
  var beforeTraining: String { pick("학습 전 · base", "Before training · base") }
  func afterTraining(_ rank: String?) -> String {
    let lora = rank.map { "LoRA r=\($0)" } ?? "LoRA"
    return pick("학습 후 · \(lora)", "After training · \(lora)")
  }
  var question: String { pick("질문", "Question") }
  var reference: String { pick("기준 답", "Reference") }
  var noReview: String { pick("사람 평가 없음", "No human review") }
  func kind(_ kind: String) -> String {
    switch kind {
    case "taught": pick("배운 사실", "taught fact")
    case "untaught": pick("배우지 않은 사실", "untaught fact")
    case "all": pick("전체", "all")
    default: pick("시험", "test")
    }
  }
  func stopped(_ reason: String) -> String {
    switch reason {
    case "stop": pick("스스로 끝냄", "ended by itself")
    case "length": pick("길이 제한에서 잘림", "cut at the length limit")
    default: reason
    }
  }
  func stage(_ name: String) -> String {
    switch name {
    case "prepare": pick("데이터 준비", "Prepare")
    case "train": pick("학습", "Train")
    case "evaluate": pick("평가", "Evaluate")
    default: name
    }
  }
  func status(_ status: String) -> String {
    switch status {
    case "done": pick("완료", "done")
    case "running": pick("진행 중", "running")
    case "interrupted": pick("중단됨", "interrupted")
    case "failed": pick("실패", "failed")
    default: status
    }
  }
  func role(_ role: String) -> String {
    switch role {
    case "user": pick("사용자", "user")
    case "assistant": pick("모델", "assistant")
    case "system": pick("시스템", "system")
    default: role
    }
  }
}
