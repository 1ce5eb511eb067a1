/// A place on the canvas, in logical pixels, y downwards.
struct Spot: Equatable {
  var x: Double
  var y: Double
}

/// A rectangle on the canvas, in logical pixels.
struct Box: Equatable {
  var left: Double
  var top: Double
  var width: Double
  var height: Double

  var right: Double { left + width }
  var bottom: Double { top + height }
  var centre: Spot { Spot(x: left + width / 2, y: top + height / 2) }

  func intersects(_ other: Box) -> Bool {
    left < other.right && other.left < right && top < other.bottom && other.top < bottom
  }

  func insetBy(_ margin: Double) -> Box {
    Box(left: left + margin, top: top + margin, width: width - 2 * margin, height: height - 2 * margin)
  }

  func contains(_ other: Box) -> Bool {
    other.left >= left && other.right <= right && other.top >= top && other.bottom <= bottom
  }

  /// Whether the straight line from a to b touches the rectangle (Liang-Barsky).
  func touches(_ a: Spot, _ b: Spot) -> Bool {
    var enter = 0.0
    var leave = 1.0
    let dx = b.x - a.x
    let dy = b.y - a.y
    for (p, q) in [(-dx, a.x - left), (dx, right - a.x), (-dy, a.y - top), (dy, bottom - a.y)] {
      if p == 0 {
        if q < 0 { return false }
      } else if p < 0 {
        enter = max(enter, q / p)
      } else {
        leave = min(leave, q / p)
      }
      if enter > leave { return false }
    }
    return true
  }
}
