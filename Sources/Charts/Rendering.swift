/// Draws the four variants of a chart and writes them as PNGs.
enum Rendering {
  /// `draw` draws one variant and returns its frame, which knows whether the title was cut.
  static func picture(
    _ text: ChartText, title: String, metadata: [ChartMetadata], format: (_ isPhone: Bool) -> Format,
    draw: (Surface) -> Frame
  ) throws -> ChartPicture {
    var chunks = metadata
    if !metadata.contains(where: { $0.key == ChartMetadata.titleKey }) {
      chunks.insert(ChartMetadata(key: ChartMetadata.titleKey, value: title), at: 0)
    }
    let type = try Typesetter(language: text.language)
    var warnings: [String] = []
    var images: [ChartImage] = []
    for variant in ChartVariant.all {
      let format = format(variant.isPhone)
      let surface = try Surface(format: format, theme: variant.isDark ? .dark : .light, type: type)
      let frame = draw(surface)
      if frame.isTitleCut, !variant.isDark {
        warnings.append("title cut in the \(variant.isPhone ? "phone" : "wide") chart: \"\(title)\"; shorten it")
      }
      let png = try surface.png(metadata: chunks)
      images.append(
        ChartImage(
          variant: variant, width: Int(format.width), height: Int(format.height), pixelWidth: surface.pixelWidth,
          pixelHeight: surface.pixelHeight, png: png))
    }
    var seen: Set<String> = []
    let omitted = type.omitted.filter { seen.insert($0).inserted }
    if !omitted.isEmpty {
      warnings.append(
        "left out of the chart \"\(title)\", as charts have no glyph for them: " + omitted.joined(separator: " "))
    }
    return ChartPicture(images: images, warnings: warnings)
  }
}

/// Rows for tables of plotted values.
enum TableRows {
  /// At most `limit` of `count` indices in order: those in `kept` first, then evenly from all.
  static func sampled(count: Int, kept: Set<Int>, limit: Int = ChartTable.maximumRows) -> [Int] {
    guard count > limit else { return Array(0..<max(count, 0)) }
    var chosen = Set(kept.sorted().prefix(limit))
    let free = limit - chosen.count
    if free > 0 {
      let others = (0..<count).filter { !chosen.contains($0) }
      for place in 0..<free {
        let index = free == 1 ? 0 : place * (others.count - 1) / (free - 1)
        chosen.insert(others[index])
      }
    }
    return chosen.sorted()
  }

  /// A column of values with the same decimals: the most that any was recorded with, up to `decimals`.
  static func column(_ values: [Double?], decimals: Int) -> [String] {
    let most = values.compactMap { $0 }.map(NumberFormat.recordedDecimals).max() ?? 0
    return values.map { $0.map { NumberFormat.fixed($0, decimals: min(most, decimals)) } ?? "—" }
  }
}
