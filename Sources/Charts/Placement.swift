/// Where labels go so that they cover neither each other nor the lines.
enum Placement {
  /// The first candidate with the least harm: labels covered count most, then leaving `bounds`, then lines crossed.
  static func best(_ candidates: [Box], bounds: Box, labels: [Box], lines: [[Spot]]) -> Int {
    var best = 0
    var least = Int.max
    for (index, box) in candidates.enumerated() {
      let padded = box.insetBy(-2)
      var harm = 100 * labels.filter { $0.intersects(padded) }.count + (bounds.contains(box) ? 0 : 300)
      for line in lines {
        harm += min(20, zip(line, line.dropFirst()).filter { padded.touches($0, $1) }.count)
        if line.count == 1, padded.touches(line[0], line[0]) { harm += 1 }
      }
      if harm < least {
        least = harm
        best = index
      }
    }
    return best
  }

  /// Centres moved as little as possible to be `gap` apart within `range`, in the same order.
  ///
  /// Neighbours that collide become a block around the mean of its wishes (pool adjacent violators).
  static func spread(_ wishes: [Double], gap: Double, range: ClosedRange<Double>) -> [Double] {
    let order = wishes.indices.sorted { (wishes[$0], $0) < (wishes[$1], $1) }
    var blocks: [(sum: Double, members: Int)] = []
    func start(_ block: (sum: Double, members: Int)) -> Double {
      let extent = Double(block.members - 1) * gap
      let centre = block.sum / Double(block.members)
      return min(max(centre - extent / 2, range.lowerBound), max(range.lowerBound, range.upperBound - extent))
    }
    for index in order {
      blocks.append((wishes[index], 1))
      while blocks.count > 1 {
        let last = blocks[blocks.count - 1]
        let before = blocks[blocks.count - 2]
        guard start(before) + Double(before.members) * gap > start(last) else { break }
        blocks.removeLast(2)
        blocks.append((before.sum + last.sum, before.members + last.members))
      }
    }
    var result = wishes
    var next = 0
    for block in blocks {
      for member in 0..<block.members {
        result[order[next]] = start(block) + Double(member) * gap
        next += 1
      }
    }
    return result
  }
}
