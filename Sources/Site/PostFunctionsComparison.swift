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
        let missing = ids.filter { !runs.exists($0) }
        guard missing.isEmpty else {
          let text = words.pick(
            "비교할 실행 기록이 없다: \(missing.joined(separator: ", "))",
            "No such run to compare: \(missing.joined(separator: ", "))")
          ledger.warn("\(name)(): there is no run \"\(missing.joined(separator: "\", \""))\" here yet")
          let html = "<p class=\"empty\">\(Escape.html(text))</p>\n"
          return output(Rich(html: html, markdown: Escape.markdown(text), plain: text), isBlock: true, name: name)
        }
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
  }

  func comparedRuns(_ arguments: Arguments) throws -> [String] {
    guard let given = arguments.optional(0, "runs") else {
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
