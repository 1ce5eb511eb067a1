import CDrawing

/// Lays out single lines of text with Pango, always in the same font and language.
///
/// Hinting and hinted metrics are off and sizes are absolute, so that neither the machine's font settings nor its
/// resolution move a glyph. Not to be shared between threads.
final class Typesetter {
  static let family = "Noto Sans CJK KR"
  static let monoFamily = "Noto Sans Mono CJK KR"

  private let family: String
  private let context: OpaquePointer
  private let layout: OpaquePointer
  private var fonts: [TypeStyle: OpaquePointer] = [:]
  private var cleaned: [String: String] = [:]
  /// Characters left out because no font has them, or because charts show no emoji.
  private(set) var omitted: [String] = []

  /// Throws `ChartsError.fontMissing` where the family is not installed: Pango would draw boxes instead of failing.
  init(language: ChartLanguage, family: String = Typesetter.family) throws {
    self.family = family
    guard let map = pango_cairo_font_map_get_default(), pango_font_map_get_family(map, family) != nil else {
      throw ChartsError.fontMissing(family: family)
    }
    guard let context = pango_font_map_create_context(map) else { throw ChartsError.drawing("no Pango context") }
    guard let layout = pango_layout_new(context) else {
      g_object_unref(UnsafeMutableRawPointer(context))
      throw ChartsError.drawing("no Pango layout")
    }
    self.context = context
    self.layout = layout
    let options = cairo_font_options_create()
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
    pango_cairo_context_set_font_options(context, options)
    cairo_font_options_destroy(options)
    pango_cairo_context_set_resolution(context, 96)
    pango_context_set_round_glyph_positions(context, 0)
    pango_context_set_base_dir(context, PANGO_DIRECTION_LTR)
    pango_context_set_language(context, pango_language_from_string(language.rawValue))
  }

  deinit {
    for font in fonts.values { pango_font_description_free(font) }
    g_object_unref(UnsafeMutableRawPointer(layout))
    g_object_unref(UnsafeMutableRawPointer(context))
  }

  /// The advance width of a line, in logical pixels.
  func width(_ text: String, _ style: TypeStyle) -> Double {
    set(clean(text), style)
    var logical = PangoRectangle()
    pango_layout_get_extents(layout, nil, &logical)
    return Double(logical.width) / Double(PANGO_SCALE)
  }

  /// Adds the outlines of a line to the current path, its baseline starting at (x, y).
  func addPath(_ text: String, _ style: TypeStyle, x: Double, y: Double, to cairo: OpaquePointer) {
    set(clean(text), style)
    pango_cairo_update_layout(cairo, layout)
    let baseline = Double(pango_layout_get_baseline(layout)) / Double(PANGO_SCALE)
    cairo_move_to(cairo, x, y - baseline)
    pango_cairo_layout_path(cairo, layout)
  }

  /// The text with what cannot be drawn left out.
  ///
  /// Emoji are always left out: charts have none, and whether a colour font is installed must not change the picture.
  /// Other characters that the font lacks are taken from any installed font; what none has is left out too. Everything
  /// left out is kept in `omitted`, so that the author can be told.
  func clean(_ text: String) -> String {
    if let known = cleaned[text] { return known }
    var kept = ""
    for character in text {
      if character.isNewline || character == "\t" {
        kept.append(" ")
      } else if character.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
        continue
      } else if Typesetter.isEmoji(character) {
        omitted.append(String(character))
      } else {
        kept.append(character)
      }
    }
    if hasUnknownGlyphs(kept) {
      kept = String(
        kept.filter { character in
          let isKnown = !hasUnknownGlyphs(String(character))
          if !isKnown { omitted.append(String(character)) }
          return isKnown
        })
    }
    if kept != text {
      kept = kept.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
    cleaned[text] = kept
    return kept
  }

  /// How many glyphs of a line no installed font has.
  func hasUnknownGlyphs(_ text: String) -> Bool {
    set(text, .tick)
    return pango_layout_get_unknown_glyphs_count(layout) > 0
  }

  static func isEmoji(_ character: Character) -> Bool {
    character.unicodeScalars.contains { $0.properties.isEmojiPresentation || $0.value == 0xFE0F || $0.value == 0x20E3 }
  }

  private func set(_ text: String, _ style: TypeStyle) {
    pango_layout_set_font_description(layout, font(style))
    text.withCString { pango_layout_set_text(layout, $0, -1) }
  }

  private func font(_ style: TypeStyle) -> OpaquePointer? {
    if let font = fonts[style] { return font }
    guard let font = pango_font_description_new() else { return nil }
    pango_font_description_set_family(font, style.isMono ? Self.monoFamily : family)
    pango_font_description_set_weight(font, style.isBold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL)
    pango_font_description_set_absolute_size(font, style.size * Double(PANGO_SCALE))
    fonts[style] = font
    return font
  }
}
