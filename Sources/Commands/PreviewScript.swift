import Foundation

/// What the preview puts into a page so that it hears of a new build. It is never written into the site's files.
enum PreviewScript {
  /// Below this folder lies what belongs to the preview, not to the site.
  static let folder = ".lorapress"

  /// The page with the script before its end.
  static func inject(into page: Data, version: String) -> Data {
    let tag = Data("<script src=\"/\(folder)/reload.js\" data-version=\"\(version)\"></script>\n".utf8)
    guard let place = page.range(of: Data("</body>".utf8), options: .backwards) else { return page + tag }
    return page[..<place.lowerBound] + tag + page[place.lowerBound...]
  }

  /// Keeps one stream open while the page is looked at: hidden tabs let go of theirs, as a browser opens only six a server.
  static let source = #"""
    (function () {
      "use strict";
      var version = document.currentScript.dataset.version;
      var key = "lorapress-scroll:" + location.pathname;
      var source = null, box = null;

      function restore() {
        var place = null;
        try { place = sessionStorage.getItem(key); sessionStorage.removeItem(key); } catch (error) {}
        if (place === null) return;
        history.scrollRestoration = "manual";
        var parts = place.split(","), move = function () { scrollTo(Number(parts[0]), Number(parts[1])); };
        move();
        addEventListener("load", function () { move(); history.scrollRestoration = "auto"; });
      }

      function reload() {
        close();
        try { sessionStorage.setItem(key, scrollX + "," + scrollY); } catch (error) {}
        location.reload();
      }

      function line(text, style) {
        var element = document.createElement("p");
        element.textContent = text;
        Object.assign(element.style, { margin: "0 0 12px", whiteSpace: "pre-wrap", overflowWrap: "anywhere" }, style);
        return element;
      }

      function hide() { if (box) box.remove(); box = null; }

      function show(fault) {
        hide();
        box = document.createElement("div");
        box.id = "lorapress-fault";
        box.setAttribute("role", "alert");
        Object.assign(box.style, {
          all: "initial", position: "fixed", inset: "16px 16px auto", zIndex: "2147483647", maxHeight: "80vh", overflow: "auto",
          boxSizing: "border-box", padding: "20px 24px 12px", background: "#FDECEA", color: "#1A1E23", borderLeft: "4px solid #A8261B",
          font: "16px/1.6 system-ui, 'Noto Sans KR', 'Noto Sans CJK KR', sans-serif" });
        box.append(line(fault.title, { fontWeight: "700", color: "#A8261B" }),
          line(fault.text, { fontFamily: "ui-monospace, 'Noto Sans Mono', monospace", fontSize: "14px" }),
          line(fault.advice, { fontSize: "14px" }));
        document.body.append(box);
      }

      function open() {
        if (source) return;
        source = new EventSource("/.lorapress/events/" + version);
        source.addEventListener("reload", reload);
        source.addEventListener("fault", function (event) { show(JSON.parse(event.data)); });
        source.addEventListener("clear", hide);
      }

      function close() { if (source) source.close(); source = null; }

      document.addEventListener("visibilitychange", function () { if (document.hidden) close(); else open(); });
      document.addEventListener("keydown", function (event) { if (event.key === "Escape") hide(); });
      addEventListener("pagehide", close);
      addEventListener("pageshow", function () { if (!document.hidden) open(); });
      restore();
      if (!document.hidden) open();
    })();
    """#
}
