/// Equal bins over whole numbers.
///
/// The width is the step of {1, 2, 5} × 10^k nearest to Freedman and Diaconis' 2 IQR n^(-1/3) ("On the histogram as a
/// density estimator", 1981), moved along the ladder until there are 8 to 40 bins. Whole numbers cannot be split, so
/// a narrow range has fewer bins, of width 1.
struct HistogramBins: Equatable {
  static let count = 8...40

  /// The left end of the first bin, a multiple of the width.
  var start: Int
  var width: Int
  /// Bin i holds the values v with start + i·width ≤ v < start + (i+1)·width.
  var counts: [Int]

  var end: Int { start + width * counts.count }

  init(_ values: [Int]) {
    let sorted = values.sorted()
    guard let low = sorted.first, let high = sorted.last else {
      (start, width, counts) = (0, 1, [])
      return
    }
    let numbers = sorted.map(Double.init)
    let spread = Statistics.quantile(numbers, 0.75) - Statistics.quantile(numbers, 0.25)
    let rule = 2 * spread / Double(sorted.count).cubeRoot
    let wish = rule > 0 ? rule : max((Double(high) - Double(low)) / 20, 1)
    var step = LadderStep.nearest(max(wish, 1))
    func bins(_ step: LadderStep) -> Int { Self.bin(high, step) - Self.bin(low, step) + 1 }
    while step.value > 1, bins(step) < Self.count.lowerBound { step = step.previous }
    while bins(step) > Self.count.upperBound { step = step.next }
    width = Int(step.value)
    let first = Self.bin(low, step)
    start = first * width
    var counts = [Int](repeating: 0, count: bins(step))
    for value in sorted { counts[Self.bin(value, step) - first] += 1 }
    self.counts = counts
  }

  private static func bin(_ value: Int, _ step: LadderStep) -> Int {
    let width = Int(step.value)
    return value >= 0 ? value / width : -((-value + width - 1) / width)
  }
}

extension Double {
  fileprivate var cubeRoot: Double {
    // Newton's method: the same bits on every machine, which pow does not promise.
    guard self > 0 else { return 0 }
    var root = self > 1 ? self : 1
    for _ in 0..<200 {
      let next = (2 * root + self / (root * root)) / 3
      if abs(next - root) <= 1e-12 * root { return next }
      root = next
    }
    return root
  }
}
