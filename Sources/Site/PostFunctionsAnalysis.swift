import Jinja

extension PostFunctions {
  /// `{{ analysis() }}`, `{{ flips() }}`, `{{ review() }}` and `{{ delta("all", "chrf") }}`.
  func registerAnalysis(in environment: inout Environment) {
    add(&environment, "analysis") { arguments in
      try arguments.allow("about", "run", positional: 1)
      let about = arguments.optional(0, "about")?.plainText
      return output(try blocks(arguments).analysis(about: about), isBlock: true, name: "analysis")
    }
    add(&environment, "delta") { arguments in
      try arguments.allow("set", "metric", "run", positional: 2)
      let text = AnalysisText(trace: Tracer(run: try blocks(arguments).run, words: words, ledger: ledger))
      let rich = try text.difference(try arguments.text(1, "metric"), set: try arguments.text(0, "set"))
      return output(rich, isBlock: false, name: "delta")
    }
    add(&environment, "flips") { arguments in
      try arguments.allow("caption", "run", positional: 0)
      return output(try blocks(arguments).flips(caption: caption(arguments)), isBlock: true, name: "flips")
    }
    add(&environment, "review") { arguments in
      try arguments.allow("caption", "run", positional: 0)
      return output(try blocks(arguments).review(caption: caption(arguments)), isBlock: true, name: "review")
    }
  }
}

extension Blocks {
  /// What the records say, in sentences, marked as generated. `about` is "training", "time", "answers" or nil for all.
  func analysis(about: String?) throws -> Rich {
    let parts = ["training", "time", "answers"]
    if let about, !parts.contains(about) {
      throw SiteError("analysis(): no part \"\(about)\"; there are \(parts.joined(separator: ", "))")
    }
    func isWanted(_ part: String) -> Bool { about.map { $0 == part } ?? true }
    var findings: [Finding] = []
    if isWanted("training") { findings += Analysis.training(run.events) }
    if isWanted("time") { findings += Analysis.time(run.record, run.events) }
    if isWanted("answers") { findings += Analysis.answers(run.samples, run.evaluation) }
    guard !findings.isEmpty else { return missing(words.generated) }
    let text = AnalysisText(trace: Tracer(run: run, words: words, ledger: ledger))
    let sentences = try findings.map(text.sentence)
    let title = Escape.html(words.generated)
    return Rich(
      html: "<aside class=\"generated\" aria-label=\"\(title)\">\n<p class=\"label\">\(title)</p>\n<ul>\n"
        + sentences.map { "<li>\($0.html)</li>\n" }.joined() + "</ul>\n</aside>\n",
      markdown: "> **\(Escape.markdown(words.generated))**\n>\n" + sentences.map { "> - \($0.markdown)\n" }.joined(),
      plain: words.generated)
  }
}

extension SiteWords {
  /// The headline of what the program wrote, so that nobody takes it for the author's words.
  var generated: String { pick("자동 분석 · 로그에서 생성함", "Automatic analysis · generated from the logs") }
}
