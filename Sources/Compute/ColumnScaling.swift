/// The two steps that scale a product's columns by a learnt magnitude (DoRA) and give the magnitude's gradient.
extension CPUBackend {
  public func addColumnsScaled(_ x: Matrix, by scale: Matrix, to y: Matrix) {
    precondition(x.hasShape(of: y) && scale.rows == 1 && scale.columns == x.columns)
    eachRows(x) { part in
      let factors = scale.pointer
      for row in part {
        let (from, to) = (x.row(row), y.row(row))
        for i in 0..<x.columns { to[i] += from[i] * factors[i] }
      }
    }
  }

  public func columnDots(_ a: Matrix, _ b: Matrix, into sums: Matrix) {
    precondition(a.hasShape(of: b) && sums.rows == 1 && sums.columns == a.columns)
    // Threads share the columns out, so that the order of each sum is the rows'.
    threads.split(a.columns, minimum: CPUBackend.smallest / max(1, a.rows), grain: 16) { part in
      let to = sums.pointer
      for i in part { to[i] = 0 }
      for row in 0..<a.rows {
        let (left, right) = (a.row(row), b.row(row))
        for i in part { to[i] += left[i] * right[i] }
      }
    }
  }
}

extension ReferenceBackend {
  public func addColumnsScaled(_ x: Matrix, by scale: Matrix, to y: Matrix) {
    precondition(x.hasShape(of: y) && scale.rows == 1 && scale.columns == x.columns)
    for t in 0..<x.rows {
      for i in 0..<x.columns { y[t, i] = Float(Double(y[t, i]) + Double(x[t, i]) * Double(scale[0, i])) }
    }
  }

  public func columnDots(_ a: Matrix, _ b: Matrix, into sums: Matrix) {
    precondition(a.hasShape(of: b) && sums.rows == 1 && sums.columns == a.columns)
    for i in 0..<a.columns {
      var sum = 0.0
      for t in 0..<a.rows { sum += Double(a[t, i]) * Double(b[t, i]) }
      sums[0, i] = Float(sum)
    }
  }
}
