import Foundation

/// A value at a place on the x axis.
struct Datum: Equatable {
  var x: Double
  var y: Double
}

/// The points of one log as they are to be read: later runs over earlier ones, cut at gaps and resumes.
struct PreparedSeries: Equatable {
  /// Kept points in pieces that a line may join, none empty.
  var pieces: [[Datum]] = []
  /// What a later run repeated.
  var superseded: [[Datum]] = []
  /// Kept points without a value.
  var missing = 0

  var all: [Datum] { pieces.flatMap { $0 } }
  var count: Int { pieces.reduce(0) { $0 + $1.count } }

  /// `points` are in the order of the log. A step that goes back takes the place of the points from there on. The line
  /// breaks at a point without a value, at a resume, and, with `breaksAtGaps`, where more than three usual distances
  /// between steps are missing.
  init(_ points: [ChartPoint], resumes: [Int] = [], breaksAtGaps: Bool) {
    var kept: [ChartPoint] = []
    for point in points {
      if let last = kept.last, last.step >= point.step {
        let cut = kept.firstIndex { $0.step >= point.step } ?? kept.endIndex
        superseded += Self.pieces(of: Array(kept[cut...])) { _, _ in false }
        kept.removeSubrange(cut...)
      }
      kept.append(ChartPoint(step: point.step, value: point.value))
    }
    missing = kept.filter { $0.value == nil }.count
    let distances = zip(kept, kept.dropFirst()).map { $1.step - $0.step }.sorted()
    let usual = distances.isEmpty ? 0 : distances[distances.count / 2]
    pieces = Self.pieces(of: kept) { a, b in
      resumes.contains { $0 > a && $0 <= b } || (breaksAtGaps && b - a > 3 * usual)
    }
  }

  private static func pieces(of points: [ChartPoint], isBreak: (Int, Int) -> Bool) -> [[Datum]] {
    var pieces: [[Datum]] = []
    var current: [Datum] = []
    var last: Int?
    for point in points {
      if point.value == nil || last.map({ isBreak($0, point.step) }) == true {
        if !current.isEmpty { pieces.append(current) }
        current = []
      }
      if let value = point.value { current.append(Datum(x: Double(point.step), y: value)) }
      last = point.step
    }
    if !current.isEmpty { pieces.append(current) }
    return pieces
  }
}

/// The centred moving mean of a curve.
enum Smoothing {
  /// Series below this many points are shown as they are.
  static let leastPoints = 30

  /// The odd number nearest to count/15 within 5...101; the smaller of two.
  static func window(count: Int) -> Int {
    let target = Double(count) / 15
    let odd = Int(((target - 1) / 2 - 1e-9).rounded()) * 2 + 1
    return min(max(odd, 5), 101)
  }

  /// out has the length of values: at each place the mean of the values within window/2 of it that exist.
  static func movingMean(_ values: [Double], window: Int) -> [Double] {
    let half = window / 2
    return values.indices.map { index in
      let range = values[max(0, index - half)...min(values.count - 1, index + half)]
      let mean = range.reduce(0, +) / Double(range.count)
      // Where the sum of huge values overflows, each is divided first.
      return mean.isFinite ? mean : range.reduce(0) { $0 + $1 / Double(range.count) }
    }
  }

  static func smooth(_ pieces: [[Datum]], window: Int) -> [[Datum]] {
    pieces.map { piece in
      zip(piece, movingMean(piece.map(\.y), window: window)).map { Datum(x: $0.x, y: $1) }
    }
  }
}

enum Statistics {
  /// The q-quantile of sorted values by linear interpolation (Hyndman and Fan's type 7). Empty gives NaN.
  static func quantile(_ sorted: [Double], _ q: Double) -> Double {
    guard let first = sorted.first else { return .nan }
    let place = q * Double(sorted.count - 1)
    let below = Int(place.rounded(.down))
    guard below + 1 < sorted.count else { return sorted.last ?? first }
    let part = place - Double(below)
    return sorted[below] * (1 - part) + sorted[below + 1] * part
  }
}
