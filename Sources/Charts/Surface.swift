import CDrawing

/// The canvas of one picture: owns the Cairo surface and draws in logical pixels.
final class Surface {
  let format: Format
  let theme: Theme
  let type: Typesetter
  let pixelWidth: Int
  let pixelHeight: Int
  private let pixels: PixelMemory
  private let surface: OpaquePointer
  private let cairo: OpaquePointer

  init(format: Format, theme: Theme, type: Typesetter) throws {
    self.format = format
    self.theme = theme
    self.type = type
    pixelWidth = Int((format.width * format.scale).rounded())
    pixelHeight = Int((format.height * format.scale).rounded())
    let stride = cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, Int32(pixelWidth))
    guard stride > 0, pixelHeight > 0 else { throw ChartsError.drawing("no surface of \(pixelWidth)x\(pixelHeight)") }
    pixels = PixelMemory(byteCount: Int(stride) * pixelHeight)
    guard
      let surface = cairo_image_surface_create_for_data(
        pixels.base, CAIRO_FORMAT_RGB24, Int32(pixelWidth), Int32(pixelHeight), stride),
      let cairo = cairo_create(surface)
    else { throw ChartsError.drawing("no surface") }
    self.surface = surface
    self.cairo = cairo
    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_GRAY)
    cairo_scale(cairo, format.scale, format.scale)
    set(theme.page)
    cairo_paint(cairo)
  }

  deinit {
    cairo_destroy(cairo)
    cairo_surface_destroy(surface)
  }

  /// Hands out the finished pixels. Throws where Cairo met an error on the way.
  func withPixels<Result>(_ body: (PixelGrid) throws -> Result) throws -> Result {
    let status = cairo_status(cairo)
    guard status == CAIRO_STATUS_SUCCESS else {
      throw ChartsError.drawing(cairo_status_to_string(status).map { String(cString: $0) } ?? "unknown error")
    }
    cairo_surface_flush(surface)
    guard let data = cairo_image_surface_get_data(surface) else { throw ChartsError.drawing("no pixels") }
    let stride = Int(cairo_image_surface_get_stride(surface)) / MemoryLayout<UInt32>.size
    return try data.withMemoryRebound(to: UInt32.self, capacity: stride * pixelHeight) { base in
      try body(PixelGrid(base: base, width: pixelWidth, height: pixelHeight, stride: stride))
    }
  }

  /// The finished picture as a PNG.
  func png(metadata: [ChartMetadata]) throws -> [UInt8] {
    try withPixels { try PNGWriter.encode($0, scale: format.scale, metadata: metadata) }
  }

  // MARK: Lines and shapes

  struct Stroke {
    var colour: Colour
    var width: Double
    var dashes: [Double] = []
    var opacity: Double = 1
  }

  /// Strokes a path of straight segments, as one path, so that it does not darken where it meets itself.
  func polyline(_ spots: [Spot], _ stroke: Stroke) {
    guard let first = spots.first, spots.count > 1 else { return }
    cairo_new_path(cairo)
    cairo_move_to(cairo, first.x, first.y)
    for spot in spots.dropFirst() { cairo_line_to(cairo, spot.x, spot.y) }
    // How pieces of a pixel's width meet can't be seen, and rounding a thousand of them takes longer than the rest of a chart.
    cairo_set_line_join(cairo, stroke.width > 1 ? CAIRO_LINE_JOIN_ROUND : CAIRO_LINE_JOIN_BEVEL)
    cairo_set_line_cap(cairo, stroke.dashes.isEmpty ? CAIRO_LINE_CAP_ROUND : CAIRO_LINE_CAP_BUTT)
    apply(stroke)
    cairo_stroke(cairo)
  }

  /// A horizontal or vertical line with sharp ends, put on the pixel raster.
  func rule(from a: Spot, to b: Spot, _ stroke: Stroke) {
    cairo_new_path(cairo)
    cairo_move_to(cairo, snapped(a.x), snapped(a.y))
    cairo_line_to(cairo, snapped(b.x), snapped(b.y))
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_BUTT)
    apply(stroke)
    cairo_stroke(cairo)
  }

  func fill(_ box: Box, _ colour: Colour) {
    cairo_new_path(cairo)
    let left = (box.left * format.scale).rounded() / format.scale
    let right = (box.right * format.scale).rounded() / format.scale
    let top = (box.top * format.scale).rounded() / format.scale
    let bottom = (box.bottom * format.scale).rounded() / format.scale
    cairo_rectangle(cairo, left, top, right - left, bottom - top)
    set(colour)
    cairo_fill(cairo)
  }

  func dot(_ spot: Spot, radius: Double, _ colour: Colour, opacity: Double = 1) {
    cairo_new_path(cairo)
    cairo_arc(cairo, spot.x, spot.y, radius, 0, 2 * Double.pi)
    set(colour, opacity)
    cairo_fill(cairo)
  }

  func ring(_ spot: Spot, radius: Double, width: Double, _ colour: Colour) {
    cairo_new_path(cairo)
    cairo_arc(cairo, spot.x, spot.y, radius, 0, 2 * Double.pi)
    apply(Stroke(colour: colour, width: width))
    cairo_stroke(cairo)
  }

  /// A marker 7 px across with a 1.5 px halo in the page's colour.
  func marker(_ marker: Marker, _ spot: Spot, _ colour: Colour, opacity: Double = 1, halo: Bool = true) {
    cairo_new_path(cairo)
    trace(marker, spot)
    if halo {
      cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND)
      apply(Stroke(colour: theme.page, width: 3))
      cairo_stroke_preserve(cairo)
      set(theme.page)
      cairo_fill_preserve(cairo)
    }
    set(colour, opacity)
    cairo_fill(cairo)
  }

  private func trace(_ marker: Marker, _ spot: Spot) {
    func polygon(_ corners: [(Double, Double)]) {
      for (index, corner) in corners.enumerated() {
        let x = spot.x + corner.0
        let y = spot.y + corner.1
        index == 0 ? cairo_move_to(cairo, x, y) : cairo_line_to(cairo, x, y)
      }
      cairo_close_path(cairo)
    }
    switch marker {
    case .circle: cairo_arc(cairo, spot.x, spot.y, 3.5, 0, 2 * Double.pi)
    case .square: polygon([(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)])
    case .triangle: polygon([(0, -4), (4, 3), (-4, 3)])
    case .diamond: polygon([(0, -4.4), (4.4, 0), (0, 4.4), (-4.4, 0)])
    case .triangleDown: polygon([(0, 4), (4, -3), (-4, -3)])
    }
  }

  /// Draws what `body` draws inside the box only.
  func clipped(to box: Box, _ body: () -> Void) {
    cairo_save(cairo)
    cairo_new_path(cairo)
    cairo_rectangle(cairo, box.left, box.top, box.width, box.height)
    cairo_clip(cairo)
    body()
    cairo_restore(cairo)
  }

  // MARK: Text

  enum Anchor { case start, middle, end }

  /// Draws a line of text with its baseline at y, and returns the box it takes. With `halo`, 3 px of page colour lie
  /// around the letters, so that lines behind do not touch them.
  @discardableResult
  func text(
    _ text: String, _ style: TypeStyle, _ colour: Colour, at spot: Spot, anchor: Anchor = .start, halo: Bool = false
  ) -> Box {
    let box = textBox(text, style, at: spot, anchor: anchor)
    cairo_new_path(cairo)
    type.addPath(text, style, x: box.left, y: spot.y, to: cairo)
    if halo {
      cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND)
      apply(Stroke(colour: theme.page, width: 6))
      cairo_stroke_preserve(cairo)
    }
    set(colour)
    cairo_fill(cairo)
    cairo_new_path(cairo)
    return box
  }

  /// The box of a line of text: from the top of Hangul to the descenders.
  func textBox(_ text: String, _ style: TypeStyle, at spot: Spot, anchor: Anchor = .start) -> Box {
    let width = type.width(text, style)
    let left =
      switch anchor {
      case .start: spot.x
      case .middle: spot.x - width / 2
      case .end: spot.x - width
      }
    return Box(left: left, top: spot.y - 0.88 * style.size, width: width, height: 1.1 * style.size)
  }

  // MARK: State

  private func snapped(_ coordinate: Double) -> Double { (coordinate * format.scale).rounded() / format.scale }

  private func set(_ colour: Colour, _ opacity: Double = 1) {
    cairo_set_source_rgba(cairo, colour.red, colour.green, colour.blue, opacity)
  }

  private func apply(_ stroke: Stroke) {
    set(stroke.colour, stroke.opacity)
    cairo_set_line_width(cairo, stroke.width)
    cairo_set_dash(cairo, stroke.dashes, Int32(stroke.dashes.count), 0)
  }
}
