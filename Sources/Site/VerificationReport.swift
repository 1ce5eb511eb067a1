/// What `verify` found: faults, which mean that something published is not what its sources say, and notes.
public struct VerificationReport: Sendable, Equatable {
  /// In order of file, then line.
  public var faults: [VerificationFault] = []
  /// Numbers in prose that look like results; faults under `--strict`.
  public var prose: [VerificationFault] = []
  /// What could not be compared, and why.
  public var notes: [VerificationFault] = []
  public var files = 0
  public var pages = 0
  /// Traced numbers that were derived again.
  public var values = 0
  public var pictures = 0
  public var artifacts = 0

  public init() {}
}

/// One fault: where it is, what stands there and what should.
public struct VerificationFault: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    // The record of the build
    case recordMissing = "record-missing"
    case recordUnreadable = "record-unreadable"
    case recordChanged = "record-changed"
    // Files of posts and site
    case fileMissing = "file-missing"
    case fileUnlisted = "file-unlisted"
    case fileChanged = "file-changed"
    case lineChanged = "line-changed"
    // Records of runs
    case sourceMissing = "source-missing"
    case sourceChanged = "source-changed"
    case sourceNew = "source-new"
    case runUnreadable = "run-unreadable"
    case artifactMissing = "artifact-missing"
    case artifactChanged = "artifact-changed"
    // Numbers
    case placeMissing = "place-missing"
    case valueDiffers = "value-differs"
    case textDiffers = "text-differs"
    case titleDiffers = "title-differs"
    case sourceRowDiffers = "source-row-differs"
    case numberGone = "number-gone"
    case bindingBroken = "binding-broken"
    // Pictures
    case pictureBroken = "picture-broken"
    case pictureSource = "picture-source"
    // Prose
    case proseNumber = "prose-number"
    // Notes
    case notKept = "not-kept"
    case unfinished = "unfinished"
    case noProse = "no-prose"
  }

  public var kind: Kind
  /// Below the output folder ("site/index.html"), or as a post's source is named ("content/posts/a.md").
  public var file: String
  public var line: Int?
  public var column: Int?
  /// What stands there.
  public var says: String?
  /// What should stand there by the log.
  public var expected: String?
  /// The place in a log, or another thing the fault is about.
  public var about: String?
  /// Pages built from a changed record.
  public var pages: [String]

  init(
    _ kind: Kind, _ file: String, line: Int? = nil, column: Int? = nil, says: String? = nil, expected: String? = nil,
    about: String? = nil, pages: [String] = []
  ) {
    self.kind = kind
    self.file = file
    self.line = line
    self.column = column
    self.says = says
    self.expected = expected
    self.about = about
    self.pages = pages
  }

  /// What is wrong and what to do, without the place; one line.
  public func message(_ language: SiteLanguage) -> String {
    func pick(_ ko: String, _ en: String) -> String { language == .ko ? ko : en }
    let says = Self.short(says)
    let expected = Self.short(expected)
    let about = Self.short(about)
    let pages = Self.list(pages, language)
    let text =
      switch kind {
      case .recordMissing:
        pick(
          "만든 기록이 없어 파일을 견줄 수 없어요. `lorapress render`로 다시 만들어 주세요",
          "the record of the build is missing, so files can't be compared; run `lorapress render`")
      case .recordUnreadable:
        pick("읽을 수 없어요(\(about)). `lorapress render`로 다시 만들어 주세요", "can't be read (\(about)); run `lorapress render`")
      case .recordChanged:
        pick(
          "기록이 고쳐졌어요: \"\(says)\"이 아니라 \"\(expected)\"이어야 해요",
          "the record was edited: says \"\(says)\", should be \"\(expected)\"")
      case .fileMissing: pick("파일이 없어요. 다시 만들어 주세요", "the file is missing; render again")
      case .fileUnlisted:
        pick(
          "만든 기록에 없는 파일이에요. 지우거나 다시 만들어 주세요",
          "the record of the build does not know this file; remove it or render again")
      case .fileChanged:
        pick(
          "만든 뒤에 바뀌었어요: 지금 \(says), \(about)에는 \(expected)",
          "changed since it was made: now \(says), in \(about) \(expected)")
      case .lineChanged:
        pick("만든 뒤에 바뀐 줄이에요: \"\(says)\"", "this line changed since it was made: \"\(says)\"")
      case .sourceMissing:
        pick("이것으로 만든 페이지가 있는데 파일이 없어요: \(pages)", "missing, though pages were made from it: \(pages)")
      case .sourceChanged:
        pick(
          "페이지를 만든 뒤에 바뀌었어요: 지금 \(says), \(about)에는 \(expected). 다시 만들 페이지: \(pages)",
          "changed since its pages were made: now \(says), in \(about) \(expected); render again: \(pages)")
      case .sourceNew:
        pick("페이지를 만든 뒤에 생겼어요. 다시 만들 페이지: \(pages)", "came after its pages were made; render again: \(pages)")
      case .runUnreadable: pick("실행 기록을 읽을 수 없어요(\(about))", "the run's record can't be read (\(about))")
      case .artifactMissing: pick("\(about)에 적힌 파일이 없어요", "listed in \(about), but missing")
      case .artifactChanged:
        pick(
          "\(about)에 적힌 파일과 달라요: 지금 \(says), 기록은 \(expected)",
          "not the file that \(about) lists: now \(says), listed \(expected)")
      default: numberMessage(says, expected, about, pick)
      }
    // One line, whatever a record put into it.
    return text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  private func numberMessage(
    _ says: String, _ expected: String, _ about: String, _ pick: (String, String) -> String
  ) -> String {
    switch kind {
    case .placeMissing: pick("\"\(says)\"의 출처가 없어요: \(about)", "\"\(says)\" has no source: \(about)")
    case .valueDiffers:
      pick("원값이 \(says)인데 로그는 \(expected): \(about)", "holds \(says), the log says \(expected): \(about)")
    case .textDiffers:
      pick(
        "\"\(says)\"로 보이는데 로그로는 \"\(expected)\": \(about)", "shows \"\(says)\", the log gives \"\(expected)\": \(about)"
      )
    case .titleDiffers:
      pick("설명이 \"\(says)\"인데 로그로는 \"\(expected)\"", "the title says \"\(says)\", the log gives \"\(expected)\"")
    case .sourceRowDiffers:
      pick(
        "수치 출처 표가 \"\(says)\"인데 로그로는 \"\(expected)\"",
        "the table of sources says \"\(says)\", the log gives \"\(expected)\"")
    case .numberGone: pick("본문에 \"\(expected)\"가 없어요: \(about)", "the text no longer shows \"\(expected)\": \(about)")
    case .bindingBroken: pick("수치의 출처 표시가 잘못되었어요(\(about))", "a number's binding is broken (\(about))")
    case .pictureBroken: pick("그림을 읽을 수 없어요(\(about))", "the picture can't be read (\(about))")
    case .pictureSource:
      pick(
        "그림이 \(about)에서 그려졌다고 하는데 \(says)이고, 파일은 \(expected)",
        "drawn from \(about): says \(says), the file is \(expected)")
    case .proseNumber:
      pick(
        "출처 없이 쓴 결과로 보여요: \"\(says)\". value()로 묶거나, 결과가 아니면 {{ \"…\" }}로 쓰세요",
        "looks like a result without a source: \"\(says)\"; bind it with value(), or write {{ \"…\" }} if it is none")
    case .notKept:
      pick("이 사본에 남기지 않은 파일 \(says)개는 견주지 않았어요", "\(says) files were left out of this copy and not compared")
    case .unfinished:
      pick("아직 끝나지 않은 실행이라 파일 목록을 견주지 않았어요", "the run is not finished: its list of files was not compared")
    case .noProse:
      pick(
        "글의 원본 폴더가 없어 본문의 숫자는 살피지 않았어요", "no folder with the posts' sources: the numbers in prose were not looked at")
    default: about
    }
  }

  /// Hashes by their first digits, texts to 120 characters.
  private static func short(_ text: String?) -> String {
    guard let text = text.map(Escape.plain) else { return "—" }
    if text.utf8.count == 64, text.allSatisfy(\.isHexDigit) { return text.prefix(12) + "…" }
    return text.count > 120 ? text.prefix(119) + "…" : text
  }

  private static func list(_ pages: [String], _ language: SiteLanguage) -> String {
    let shown = pages.prefix(5).joined(separator: ", ")
    guard pages.count > 5 else { return shown }
    return shown + (language == .ko ? " 외 \(pages.count - 5)개" : " and \(pages.count - 5) more")
  }
}
