/// The looks of an element, written into it. Text keeps the skin's colour, so that a dark skin stays readable; where a ground is
/// painted, its text's colour is set with it.
enum TistoryStyle {
  static let body = "word-break:keep-all;overflow-wrap:anywhere;line-break:strict"
  static let traced = "border-bottom:1.5px dotted #7c8794;white-space:nowrap"
  static let image = "display:block;max-width:100%;height:auto;margin:0 auto"
  static let placeholder =
    "display:block;margin:0;padding:12px 16px;border:2px dashed #7c8794;font-size:15px;font-weight:600;text-align:center"
  static let caption = "margin:8px 0 20px;font-size:14px;line-height:1.6;opacity:.8"
  static let label = "margin:0 0 4px;font-size:13px;font-weight:600;line-height:1.5"
  static let term = "margin:0;font-size:13px;line-height:1.5;opacity:.8"
  static let table = "border-collapse:collapse;border:0;width:100%;margin:0 0 20px;font-size:15px;line-height:1.5"
  /// A hairline on a ground that may be light or dark.
  private static let hair = "1px solid rgba(127,135,148,.4)"
  // `break-word`, not `anywhere`: a column is as wide as its longest word, and the table scrolls.
  private static let wrapping = ";overflow-wrap:break-word"
  static let cell = "padding:7px 12px;border:0;border-bottom:\(hair);text-align:left;vertical-align:top" + wrapping
  static let rowHead = cell + ";font-weight:600;white-space:nowrap"
  private static let ground = "background:#f5f6f8;color:#1a1e23"

  private static let callouts: [String: (rule: String, tint: String)] = [
    "note": ("#1555cf", "#eef3fd"), "tip": ("#146c43", "#eaf5ef"), "caution": ("#9a5b00", "#fdf3e1"),
    "limits": ("#84335c", "#f8eef3"),
  ]

  /// Code colours of the light theme: code stands on a light ground of its own.
  static func code(_ element: HTMLElement) -> String? {
    let colours = [
      "k": "color:#8f2b86;font-weight:600", "t": "color:#006b75", "f": "color:#1450c4", "s": "color:#146c43",
      "n": "color:#8a4b00", "c": "color:#5b6570", "m": "color:#6b3fa0",
    ]
    return element["class"].flatMap { colours[$0] }
  }

  static func of(_ element: HTMLElement) -> String {
    switch element.name {
    case "h2": "margin:48px 0 16px;font-size:24px;font-weight:700;line-height:1.35"
    case "h3": "margin:36px 0 8px;font-size:19px;font-weight:700;line-height:1.4"
    case "h4", "h5", "h6": "margin:20px 0 4px;font-size:17px;font-weight:700;line-height:1.5"
    case "p": paragraph(element)
    case "ul", "ol": "margin:0 0 20px;padding-left:1.5em"
    case "li": "margin:0 0 6px"
    case "blockquote":
      "margin:0 0 20px;padding:0 16px;border:0;border-left:3px solid rgba(127,135,148,.4);text-align:left"
    case "table": table
    case "th", "td": tableCell(element)
    case "code":
      "padding:.08em .18em;border-radius:2px;background:rgba(127,135,148,.15);font-family:\(mono);font-size:.9em"
    case "pre":
      "margin:0 0 20px;padding:16px;border-radius:6px;overflow-x:auto;white-space:pre;word-break:normal;"
        + "overflow-wrap:normal;tab-size:4;font-family:\(mono);font-size:14px;line-height:1.6;\(ground)"
    case "em": "font-style:normal;font-weight:600"
    case "hr": "margin:48px 0;border:0;border-top:\(hair)"
    case "a": "text-decoration:underline"
    case "div", "section", "article", "aside", "figure": block(element)
    default: ""
    }
  }

  private static let mono = "Consolas,Menlo,'Noto Sans Mono',monospace"

  private static func paragraph(_ element: HTMLElement) -> String {
    if element.has("label") { return label }
    if element.has("below") || element.has("lead") || element.has("verdict") || element.has("empty") {
      return "margin:0 0 12px;font-size:14px;line-height:1.6;opacity:.8"
    }
    if element.has("question") { return "margin:0 0 12px;font-weight:600" }
    return "margin:0 0 20px"
  }

  private static func tableCell(_ element: HTMLElement) -> String {
    let isHead = element["scope"] == "col"
    var style = "padding:7px 12px;border:0;border-bottom:\(isHead ? "1.5px solid #7c8794" : hair)" + wrapping
    style += ";text-align:\(element.has("num") ? "right" : "left");vertical-align:\(isHead ? "bottom" : "top")"
    if element.has("num") { style += ";white-space:nowrap;font-variant-numeric:tabular-nums" }
    if element.has("prose") { style += ";min-width:12em" }
    return style + ";font-weight:\(isHead ? "600" : "400")"
  }

  private static func block(_ element: HTMLElement) -> String {
    if element.has("scroll") { return "overflow-x:auto;margin:0 0 20px" }
    if let kind = element["class"]?.split(separator: " ").first(where: { callouts[String($0)] != nil }),
      element.has("callout"), let colours = callouts[String(kind)]
    {
      return "margin:0 0 20px;padding:12px 16px;border-left:3px solid \(colours.rule);background:\(colours.tint);"
        + "color:#1a1e23"
    }
    if element.has("before") { return "flex:1 1 240px;min-width:0;padding-top:8px;border-top:3px solid #7c8794" }
    if element.has("after") { return "flex:1 1 240px;min-width:0;padding-top:8px;border-top:3px solid #1555cf" }
    if element.has("generated") { return "margin:0 0 20px;padding:12px 16px;border:\(hair)" }
    if element.has("item") { return "padding:16px 0;border-top:\(hair)" }
    if element.has("text") { return "margin:0 0 12px" }
    if element.has("footnotes") {
      return "margin:48px 0 0;padding-top:16px;border-top:\(hair);font-size:14px"
    }
    if element.name == "figure" { return "margin:0 0 20px" }
    return ""
  }
}
