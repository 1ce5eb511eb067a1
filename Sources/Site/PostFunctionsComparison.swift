import Formats
import Jinja

extension PostFunctions {
  /// Blocks over several runs: those of `compare:` in the front matter, or the list given as `runs`.
  func registerComparison(in environment: inout Environment) {
    func block(_ name: String, hasCaption: Bool, _ body: @escaping @Sendable (ComparisonBlocks, String?) -> Rich) {
      add(&environment, name) { arguments in
        if hasCaption {
          try arguments.allow("runs", "caption", positional: 1)
        } else {
          try arguments.allow("runs", positional: 1)
        }
        let ids = try comparedRuns(arguments)
        if let missing = missing(ids, name) { return missing }
        let blocks = ComparisonBlocks(
          comparison: Comparison(runs: try ids.map { try runs.run($0) }), words: words, ledger: ledger)
        return output(body(blocks, caption(arguments)), isBlock: true, name: name)
      }
    }
    block("compare_runs", hasCaption: false) { blocks, _ in blocks.list() }
    block("compare_note", hasCaption: false) { blocks, _ in blocks.note() }
    block("compare_answers", hasCaption: false) { blocks, _ in blocks.answers() }
    block("compare_metrics", hasCaption: true) { $0.metrics(caption: $1) }
    block("compare_curves", hasCaption: true) { $0.curves(caption: $1) }
    block("compare_settings", hasCaption: true) { $0.settings(caption: $1) }
    block("compare_environment", hasCaption: true) { $0.environment(caption: $1) }
    add(&environment, "compare_bars") { arguments in
      try arguments.allow("metric", "runs", "finding", "caption", positional: 2)
      let name = try arguments.text(0, "metric")
      let ids = try comparedRuns(arguments, place: 1)
      if let missing = missing(ids, "compare_bars") { return missing }
      let data = try ids.map { try runs.run($0) }
      let metrics = Comparison(runs: data).metrics
      guard let metric = metrics.first(where: { $0.name == name }) else {
        let known = metrics.map(\.name).joined(separator: ", ")
        throw SiteError("these runs have no \"\(name)\" to compare; there are \(known)")
      }
      let blocks = Blocks(run: data[0], words: words, ledger: ledger, charts: charts)
      let figure = try blocks.bars(
        metric, runs: data, finding: arguments.optional(2, "finding")?.plainText, caption: caption(arguments))
      return output(figure, isBlock: true, name: "compare_bars")
    }
  }

  /// What stands where runs to compare are not there; nil where all are.
  private func missing(_ ids: [String], _ name: String) -> Value? {
    let missing = ids.filter { !runs.exists($0) }
    guard !missing.isEmpty else { return nil }
    let text = words.pick(
      "비교할 실행 기록이 없다: \(missing.joined(separator: ", "))",
      "No such run to compare: \(missing.joined(separator: ", "))")
    ledger.warn("\(name)(): there is no run \"\(missing.joined(separator: "\", \""))\" here yet")
    let html = "<p class=\"empty\">\(Escape.html(text))</p>\n"
    return output(Rich(html: html, markdown: Escape.markdown(text), plain: text), isBlock: true, name: name)
  }

  /// The runs that a block compares, given as its argument `runs` at `place` or by the front matter.
  func comparedRuns(_ arguments: Arguments, place: Int = 0) throws -> [String] {
    guard let given = arguments.optional(place, "runs") else {
      guard compared.count >= 2 else {
        throw SiteError("the post compares no runs; add `compare: [RUN, OTHER]` to its front matter")
      }
      return compared
    }
    guard case .list(let items) = given else { throw SiteError("'runs' must be a list of runs, not \(given.kind)") }
    let ids = try items.map { item in
      guard let id = item.plainText else { throw SiteError("'runs' must name runs, one of them is \(item.kind)") }
      return id
    }
    guard ids.count >= 2, Set(ids).count == ids.count else {
      throw SiteError("'runs' must name two different runs or more")
    }
    return ids
  }
}
