import Charts

/// A table for both targets.
struct DataTable: Sendable {
  struct Column: Sendable {
    var name: String
    var isNumeric = false
    /// Cells of running text: they wrap.
    var isProse = false
  }

  var columns: [Column]
  var rows: [[Rich]]

  static func named(_ names: [(String, isNumeric: Bool)]) -> [Column] {
    names.map { Column(name: $0.0, isNumeric: $0.isNumeric) }
  }

  /// The table in its scrolling region. `label` names it to a screen reader.
  func html(label: String) -> String {
    var out =
      "<div class=\"scroll\" role=\"region\" aria-label=\"\(Escape.html(label))\" tabindex=\"0\">\n<table>\n<thead>\n<tr>"
    for column in columns { out += "<th scope=\"col\"\(name(column, isHead: true))>\(Escape.html(column.name))</th>" }
    out += "</tr>\n</thead>\n<tbody>\n"
    for row in rows {
      out += "<tr>"
      for (index, cell) in row.enumerated() where columns.indices.contains(index) {
        let tag = index == 0 ? "th" : "td"
        out +=
          "<\(tag)\(index == 0 ? " scope=\"row\"" : "")\(name(columns[index], isHead: false))>\(cell.html)</\(tag)>"
      }
      out += "</tr>\n"
    }
    return out + "</tbody>\n</table>\n</div>\n"
  }

  private func name(_ column: Column, isHead: Bool) -> String {
    column.isNumeric ? " class=\"num\"" : column.isProse && !isHead ? " class=\"prose\"" : ""
  }

  var markdown: String {
    var out = "| " + columns.map { Escape.markdown($0.name) }.joined(separator: " | ") + " |\n"
    out += "|" + columns.map { $0.isNumeric ? " ---: |" : " --- |" }.joined() + "\n"
    for row in rows {
      out += "| " + row.map { $0.markdown.isEmpty ? " " : $0.markdown }.joined(separator: " | ") + " |\n"
    }
    return out
  }

  /// With a numbered caption above.
  func captioned(_ caption: Rich, number: Int, words: SiteWords) -> Rich {
    let name = words.table(number)
    let html =
      "<figure class=\"table\">\n<figcaption><b>\(name)</b> \(caption.html)</figcaption>\n"
      + self.html(label: words.tableLabel(number)) + "</figure>\n"
    return Rich(html: html, markdown: "**\(name)** \(caption.markdown)\n\n\(markdown)", plain: name)
  }

  init(columns: [Column], rows: [[Rich]]) {
    self.columns = columns
    self.rows = rows
  }

  /// A chart's values.
  init(_ chart: ChartTable) {
    columns = chart.columns.map { Column(name: $0.name, isNumeric: $0.isNumeric) }
    rows = chart.rows.enumerated().map { index, row in
      row.map { index == chart.bestRow ? .strong(.text($0)) : .text($0) }
    }
  }
}
