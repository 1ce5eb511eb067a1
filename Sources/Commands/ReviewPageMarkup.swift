/// The review page's elements and looks. Words stand in braces.
enum ReviewPageMarkup {
  static let body = #"""
    <header>
    <div><h1>{heading}</h1><p class="run">{title}</p></div>
    <p class="progress" id="progress-line" hidden><label for="progress" id="progress-text"></label> <progress id="progress" value="0" max="1"></progress></p>
    </header>
    <main>
    <noscript><p class="fault">{no_script}</p></noscript>
    <form id="who" hidden>
    <p>{intro}</p>
    <label for="name">{name}</label>
    <p class="row"><input id="name" maxlength="40" autocomplete="off" required aria-describedby="name-hint"> <button class="strong">{start}</button></p>
    <p class="hint" id="name-hint">{name_hint}</p>
    </form>
    <div id="desk" hidden>
    <p class="label" id="place"></p>
    <h2 class="text" id="question"></h2>
    <p class="label">{reference}</p>
    <p class="text" id="reference"></p>
    <div class="answers">
    \#(answer("A"))
    \#(answer("B"))
    </div>
    <p class="label"><label for="note" id="note-label"></label></p>
    <textarea id="note" rows="2" maxlength="2000" aria-describedby="note-hint"></textarea>
    <p class="hint" id="note-hint">{note_hint}</p>
    <p class="row"><button type="button" id="previous"><kbd>←</kbd> {previous}</button> <button type="button" id="next"><kbd>→</kbd> {next}</button> <button type="button" id="undo"><kbd>u</kbd> {undo}</button></p>
    </div>
    <p id="status" role="status"></p>
    <p id="fault" class="fault" role="alert"></p>
    </main>
    <footer id="foot" hidden>
    <p class="hint"><b>{keys}</b> <kbd>1</kbd> {natural} · <kbd>2</kbd> {awkward} · <kbd>3</kbd> {wrong} · <kbd>n</kbd> {key_note} · <kbd>u</kbd> {undo} · <kbd>←</kbd> <kbd>→</kbd> {key_questions} · <kbd>↑</kbd> <kbd>↓</kbd> {key_answers}</p>
    <p class="row"><button type="button" id="export" hidden>{export}</button> <button type="button" id="rename">{rename}</button> <span class="hint" id="reader"></span></p>
    </footer>

    """#

  private static func answer(_ side: String) -> String {
    let marks = [("natural", 1, "○"), ("awkward", 2, "△"), ("wrong", 3, "×")].map { name, key, sign in
      "<button type=\"button\" data-verdict=\"\(name)\" aria-pressed=\"false\"><kbd>\(key)</kbd> "
        + "<span aria-hidden=\"true\">\(sign)</span> {\(name)}</button>"
    }
    return """
      <div class="answer" id="\(side)" tabindex="0" role="group" aria-labelledby="\(side)-name" aria-describedby="\(side)-text">
      <h3 id="\(side)-name">{answer_\(side)}</h3>
      <p class="text" id="\(side)-text"></p>
      <p class="marks">\(marks.joined(separator: " "))</p>
      <p class="hint" id="\(side)-note"></p>
      </div>
      """
  }

  static let style = """
    :root { --page: #ffffff; --surface: #f5f6f8; --ink: #1a1e23; --muted: #59636e; --link: #1555cf; --control: #7c8794; --hair: #dde2e8; --fault: #a8261b; --fault-tint: #fdecea; }
    @media (prefers-color-scheme: dark) { :root { --page: #14171b; --surface: #1d2127; --ink: #e3e7ec; --muted: #a2acb8; --link: #8ab4ff; --control: #737e8b; --hair: #2f353d; --fault: #ffa198; --fault-tint: #3a1f1e; } }
    *, ::before, ::after { box-sizing: border-box; }
    [hidden] { display: none !important; }
    body { margin: 0; background: var(--page); color: var(--ink); font: 400 1rem/1.65 "Pretendard Variable", Pretendard, -apple-system, BlinkMacSystemFont, "Apple SD Gothic Neo", "Noto Sans KR", "Noto Sans CJK KR", "Malgun Gothic", "Segoe UI", Roboto, sans-serif; word-break: keep-all; overflow-wrap: anywhere; line-break: strict; }
    header, main, footer { max-width: 60rem; margin: 0 auto; padding: 0 1rem; }
    header { display: flex; flex-wrap: wrap; gap: 4px 24px; align-items: end; justify-content: space-between; padding-top: 1rem; }
    h1 { font-size: 1.25rem; line-height: 1.35; margin: 0; }
    h2 { font-size: 1.25rem; line-height: 1.5; font-weight: 600; margin: 0 0 16px; }
    h3 { font-size: 1rem; line-height: 1.5; margin: 0 0 8px; }
    p { margin: 0 0 12px; }
    .run, .hint, .label, .progress { font-size: .875rem; line-height: 1.6; color: var(--muted); margin: 0 0 4px; }
    .progress { display: flex; gap: 8px; align-items: center; font-variant-numeric: tabular-nums; }
    progress { accent-color: var(--link); width: 8rem; }
    main { padding-top: 1.5rem; padding-bottom: 1rem; }
    .text { white-space: pre-wrap; }
    #reference { color: var(--muted); margin-bottom: 20px; }
    .answers { display: grid; gap: 16px; margin-bottom: 16px; }
    .answer { border: 1px solid var(--hair); border-top: 3px solid var(--hair); border-radius: 6px; padding: 12px 16px; background: var(--page); scroll-margin: 1rem; }
    .answer.current { border-color: var(--link); background: var(--surface); }
    .marks, .row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-bottom: 8px; }
    button, input, textarea { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--control); border-radius: 6px; }
    button { min-height: 44px; padding: 6px 12px; cursor: pointer; font-size: .9375rem; }
    button:hover { border-color: var(--ink); }
    button[aria-pressed="true"] { background: var(--ink); color: var(--page); border-color: var(--ink); font-weight: 600; }
    button[aria-pressed="true"] kbd { color: inherit; border-color: currentColor; }
    button.strong { background: var(--link); border-color: var(--link); color: var(--page); }
    input { min-height: 44px; padding: 6px 12px; flex: 1 1 12rem; max-width: 20rem; }
    textarea { width: 100%; padding: 8px 12px; resize: vertical; }
    kbd { font: 400 .8125rem/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono", monospace; border: 1px solid var(--control); border-radius: 3px; padding: 0 5px; color: var(--muted); }
    a { color: var(--link); }
    :focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
    #status { min-height: 1.65em; margin: 0; font-size: .9375rem; color: var(--muted); }
    .fault:not(:empty) { background: var(--fault-tint); color: var(--fault); border-left: 3px solid var(--fault); padding: 8px 12px; }
    footer { border-top: 1px solid var(--hair); padding-top: 12px; padding-bottom: 2rem; }
    footer .hint { line-height: 2; }
    @media (min-width: 48rem) { .answers { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } .answer { display: flex; flex-direction: column; } .answer .text { flex: 1; } }
    @media (prefers-reduced-motion: no-preference) { .answer { transition: border-color .1s; } }
    """
}
