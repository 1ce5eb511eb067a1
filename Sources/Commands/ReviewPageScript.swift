/// What the review page does. It never learns whose answer is whose where a server keeps the verdicts; from disk, the file has both
/// answers in one order and `turn` finds the reviewer's, as `BlindOrder` does when the export is read.
enum ReviewPageScript {
  static let source = #"""
    (function () {
      "use strict";
      const setup = JSON.parse(document.getElementById("setup").textContent);
      const words = setup.words, sides = ["A", "B"], marks = ["natural", "awkward", "wrong"];
      const byId = (id) => document.getElementById(id);
      const note = byId("note"), desk = byId("desk");
      let reviewer = "", questions = [], verdicts = [], saved = [], answers = "", at = 0, side = "A";
      let drafts = {}, line = Promise.resolve(), waiting = 0;

      const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => name in values ? values[name] : all);
      const say = (text) => { byId("status").textContent = text; };
      const blame = (text) => { byId("fault").textContent = text; };
      const find = (number, where) => verdicts.find((v) => v.number === number && v.side === where);
      const others = (list, v) => list.filter((o) => o.number !== v.number || o.side !== v.side);
      const spoken = (v) => ({ answer: words["answer_" + v.side], verdict: words[v.verdict] });

      /* Where verdicts are kept: with the server … */

      async function ask(method, path, body) {
        let response;
        try {
          response = await fetch(path, {
            method, cache: "no-store", headers: body ? { "Content-Type": "application/json" } : {},
            body: body ? JSON.stringify(body) : undefined });
        } catch (error) { throw new Error(words.unreachable); }
        if (response.status === 409) throw new Error(words.changed);
        if (!response.ok) throw new Error((await response.text()).trim());
        return response.json();
      }

      const address = () => "verdicts/" + answers + "/" + encodeURIComponent(reviewer);
      const server = {
        load: () => ask("GET", "state/" + encodeURIComponent(reviewer)),
        judge: (verdict) => ask("POST", address(), verdict),
        undo: () => ask("DELETE", address()),
      };

      /* … or in the browser, until they are exported. */

      function turn(number) {
        let hash = 0x811c9dc5;
        for (const byte of new TextEncoder().encode(setup.answers_sha256 + "\n" + reviewer + "\n" + number)) {
          hash = Math.imul(hash ^ byte, 0x01000193);
        }
        hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
        hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
        return (hash ^ hash >>> 16) >>> 31;
      }

      const drawer = () => "lorapress-review:" + setup.run + ":" + setup.answers_sha256 + ":" + reviewer;
      function keep(list) {
        try { localStorage.setItem(drawer(), JSON.stringify(list)); } catch (error) { blame(words.forgetful); }
        return { verdicts: list };
      }
      const file = {
        load: async () => {
          let list = [];
          try { list = JSON.parse(localStorage.getItem(drawer()) || "[]"); } catch (error) { blame(words.forgetful); }
          const known = setup.questions.map((q) => {
            const first = turn(q.number);
            return { number: q.number, question: q.question, reference: q.reference, answers: { A: q.texts[first], B: q.texts[1 - first] } };
          });
          return { answers_sha256: setup.answers_sha256, questions: known, verdicts: list };
        },
        judge: async (verdict) => {
          const dated = Object.assign({}, verdict, { time: new Date().toISOString().slice(0, 19) + "Z" });
          const old = saved.findIndex((v) => v.number === verdict.number && v.side === verdict.side);
          if (old >= 0 && saved[old].verdict === verdict.verdict) return keep(saved.map((v, index) => index === old ? dated : v));
          return keep(others(saved, verdict).concat([dated]));
        },
        undo: async () => Object.assign({ removed: saved.length ? saved[saved.length - 1] : null }, keep(saved.slice(0, -1))),
      };
      const store = setup.kind === "server" ? server : file;

      /* One step after the other, each shown at once; the answer is what is really kept. */

      function step(task, done) {
        waiting += 1;
        line = line.then(task).then((reply) => {
          saved = reply.verdicts;
          waiting -= 1;
          if (waiting === 0) verdicts = saved;
          blame("");
          done(reply);
        }).catch((error) => {
          waiting -= 1;
          if (waiting === 0) verdicts = saved;
          blame(fill(words.failed, { why: error.message }));
        }).then(show);
      }

      function put(verdict) {
        verdicts = others(verdicts, verdict).concat([verdict]);
        step(() => store.judge(verdict), () => say(isDone() ? words.finished : fill(words.saved, spoken(verdict))));
      }

      function judge(verdict) {
        const number = questions[at].number;
        put({ number, side, verdict, note: noteOf(number, side) });
        delete drafts[number + side];
        if (side === "A") move(at, "B");
        else if (at + 1 < questions.length) move(at + 1, "A");
        else first();
      }

      function undo() {
        step(() => store.undo(), (reply) => {
          const gone = reply.removed;
          if (!gone) return say(words.nothing);
          if (gone.note) drafts[gone.number + gone.side] = gone.note;
          verdicts = saved;
          const place = questions.findIndex((q) => q.number === gone.number);
          if (place >= 0) move(place, gone.side);
          say(fill(words.undone, spoken(gone)));
        });
      }

      /* Notes */

      function noteOf(number, where) {
        const draft = drafts[number + where], known = find(number, where);
        return draft !== undefined ? draft : known ? known.note : "";
      }

      function keepNote() {
        const number = questions[at].number, known = find(number, side), text = note.value.trim();
        if (text === noteOf(number, side)) return;
        if (!known) { drafts[number + side] = text; return; }
        delete drafts[number + side];
        put(Object.assign({}, known, { note: text }));
      }

      /* What is shown */

      const isJudged = (q) => sides.every((where) => find(q.number, where));
      const isDone = () => questions.every(isJudged);

      function show() {
        const q = questions[at], all = questions.length;
        const done = questions.filter(isJudged).length;
        byId("progress").max = all;
        byId("progress").value = done;
        byId("progress-text").textContent = fill(words.progress, { done, all });
        byId("place").textContent = fill(words.question, { at: at + 1, all });
        byId("question").textContent = q.question;
        byId("reference").textContent = q.reference;
        for (const where of sides) {
          const known = find(q.number, where);
          byId(where + "-text").textContent = q.answers[where] || words.empty;
          byId(where + "-note").textContent = noteOf(q.number, where);
          byId(where).classList.toggle("current", where === side);
          for (const button of byId(where).querySelectorAll("button")) {
            button.setAttribute("aria-pressed", String(Boolean(known) && known.verdict === button.dataset.verdict));
          }
        }
        byId("note-label").textContent = fill(words.note, { answer: words["answer_" + side] });
        if (document.activeElement !== note) note.value = noteOf(q.number, side);
        byId("previous").disabled = at === 0;
        byId("next").disabled = at + 1 === all;
      }

      function move(place, where) {
        const isNew = place !== at;
        if (document.activeElement === note) note.blur();
        at = place;
        side = where;
        show();
        byId(side).focus({ preventScroll: true });
        (isNew ? desk : byId(side)).scrollIntoView({ block: isNew ? "start" : "nearest" });
      }

      /** The first answer without a verdict. */
      function first() {
        const open = questions.findIndex((q) => !isJudged(q));
        if (open < 0) return move(questions.length - 1, "B");
        move(open, find(questions[open].number, "A") ? "B" : "A");
      }

      /* Who reads */

      function greet() {
        const last = recall();
        byId("who").hidden = false;
        desk.hidden = byId("foot").hidden = byId("progress-line").hidden = true;
        byId("name").value = setup.reviewer || last || "reader";
        byId("name").focus();
        byId("name").select();
      }

      function recall() { try { return localStorage.getItem("lorapress-reviewer"); } catch (error) { return null; } }

      async function begin(name) {
        await line;
        reviewer = name.normalize("NFC").trim();
        try {
          const state = await store.load();
          answers = state.answers_sha256;
          questions = state.questions;
          verdicts = saved = state.verdicts;
        } catch (error) { greet(); return blame(error.message); }
        try { localStorage.setItem("lorapress-reviewer", reviewer); } catch (error) { /* Asked again then. */ }
        drafts = {};
        byId("who").hidden = true;
        desk.hidden = byId("foot").hidden = byId("progress-line").hidden = false;
        byId("export").hidden = setup.kind !== "file";
        byId("reader").textContent = reviewer;
        if (setup.kind === "server") blame("");
        first();
        say(isDone() ? words.finished : "");
      }

      function save() {
        const whole = { format: setup.format, version: setup.version, run: setup.run, answers_sha256: answers, reviewer, verdicts: saved };
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([JSON.stringify(whole, null, 2) + "\n"], { type: "application/json" }));
        link.download = "review-" + setup.run + "-" + reviewer + ".json";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
        say(words.exported);
      }

      /* Keys: letters also as a Korean keyboard gives them. Nothing is taken from who types a note. */

      function press(event) {
        const key = event.key;
        if (marks[key - 1]) { if (!event.repeat) judge(marks[key - 1]); return true; }
        if (["n", "N", "ㅜ"].includes(key)) { note.focus(); return true; }
        if (["u", "U", "ㅕ"].includes(key)) { if (!event.repeat) undo(); return true; }
        if (key === "ArrowLeft" && at > 0) { move(at - 1, "A"); return true; }
        if (key === "ArrowRight" && at + 1 < questions.length) { move(at + 1, "A"); return true; }
        if (key === "ArrowDown" && side === "A") { move(at, "B"); return true; }
        if (key === "ArrowUp" && side === "B") { move(at, "A"); return true; }
        return false;
      }

      document.addEventListener("keydown", (event) => {
        if (desk.hidden || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
        if (event.target === note) {
          if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) { event.preventDefault(); byId(side).focus(); }
          return;
        }
        if (press(event)) event.preventDefault();
      });
      note.addEventListener("blur", () => { keepNote(); show(); });
      for (const where of sides) {
        byId(where).addEventListener("focusin", () => { if (side !== where) { side = where; show(); } });
        for (const button of byId(where).querySelectorAll("button")) {
          button.addEventListener("click", () => { side = where; judge(button.dataset.verdict); });
        }
      }
      byId("previous").addEventListener("click", () => move(at - 1, "A"));
      byId("next").addEventListener("click", () => move(at + 1, "A"));
      byId("undo").addEventListener("click", undo);
      byId("export").addEventListener("click", save);
      byId("rename").addEventListener("click", greet);
      byId("who").addEventListener("submit", (event) => { event.preventDefault(); begin(byId("name").value); });
      addEventListener("beforeunload", (event) => { if (waiting > 0) event.preventDefault(); });
      if (setup.reviewer) begin(setup.reviewer); else greet();
    })();
    """#
}
