import Charts
import Foundation

/// A small line without axes, drawn into the page itself: the course of a value beside its numbers. It is decoration; the numbers
/// stand next to it as text.
struct Sparkline: Sendable {
  /// In order of step; nil where the log holds no number.
  let points: [(step: Int, value: Double?)]

  private static let width = 120.0
  private static let height = 40.0
  private static let margin = 5.0

  /// Nil below three values: fewer would suggest a course that nobody measured.
  var svg: String? {
    let known = points.compactMap { point in point.value.map { (step: point.step, value: $0) } }
    guard known.count >= 3, let first = known.first, let last = known.last, first.step < last.step,
      let low = known.map(\.value).min(), let high = known.map(\.value).max()
    else { return nil }
    let span = Double(last.step - first.step)
    func place(_ step: Int, _ value: Double) -> String {
      let x = Self.margin + Double(step - first.step) / span * (Self.width - 2 * Self.margin)
      let share = high > low ? (value - low) / (high - low) : 0.5
      let y = Self.height - Self.margin - share * (Self.height - 2 * Self.margin)
      return "\(NumberFormat.fixed(x, decimals: 1)) \(NumberFormat.fixed(y, decimals: 1))"
    }
    var path = ""
    var isOpen = false
    for point in points {
      guard let value = point.value else {
        isOpen = false
        continue
      }
      path += (isOpen ? "L" : "M") + place(point.step, value)
      isOpen = true
    }
    guard let best = known.first(where: { $0.value == low }) else { return nil }
    let ring = place(best.step, best.value).split(separator: " ")
    return
      "<svg class=\"spark\" viewBox=\"0 0 120 40\" width=\"120\" height=\"40\" aria-hidden=\"true\">"
      + "<path d=\"\(path)\"/><circle cx=\"\(ring.first ?? "0")\" cy=\"\(ring.last ?? "0")\" r=\"3.5\"/></svg>"
  }
}
