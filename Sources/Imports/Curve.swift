import Runs

/// The lines of `log/metrics.jsonl` while they are gathered: by step, each step once, the later logging of a step in the earlier one's place.
struct Curve {
  private var train: [MetricsEvent] = []
  private var eval: [MetricsEvent] = []
  private var resumes = false
  /// Lines that a later logging of the same steps has replaced.
  private(set) var repeated = 0
  /// Steps the training went on at after it was cut off.
  private(set) var resumedAt: [Int] = []

  var isEmpty: Bool { train.isEmpty && eval.isEmpty }

  /// All lines by step; a step's training comes before its evaluation.
  var events: [MetricsEvent] {
    var all: [MetricsEvent] = []
    all.reserveCapacity(train.count + eval.count)
    var next = 0
    for event in train {
      while next < eval.count, eval[next].step < event.step {
        all.append(eval[next])
        next += 1
      }
      all.append(event)
    }
    return all + eval[next...]
  }

  func last(_ split: MetricsEvent.Split) -> MetricsEvent? { split == .train ? train.last : eval.last }

  func event(_ split: MetricsEvent.Split, _ step: Int) -> MetricsEvent? {
    let list = split == .train ? train : eval
    let index = Self.place(of: step, in: list)
    return index < list.count && list[index].step == step ? list[index] : nil
  }

  /// The training went on from before `step`: what was logged for it and for later steps goes.
  mutating func restart(at step: Int) {
    let before = train.count + eval.count
    train.removeLast(train.count - Self.place(of: step, in: train))
    eval.removeLast(eval.count - Self.place(of: step, in: eval))
    repeated += before - train.count - eval.count
    while let last = resumedAt.last, last >= step { resumedAt.removeLast() }
    resumes = true
  }

  /// The next line of training is the first one after a restart.
  mutating func markResume() { resumes = true }

  mutating func countRepeated() { repeated += 1 }

  /// Changes the line of a step, made if it isn't there yet.
  mutating func update(_ split: MetricsEvent.Split, _ step: Int, _ change: (inout MetricsEvent) -> Void) {
    switch split {
    case .train:
      if Self.change(&train, split, step, change), resumes {
        train[Self.place(of: step, in: train)].resumed = true
        resumedAt.append(step)
        resumes = false
      }
    case .eval: _ = Self.change(&eval, split, step, change)
    }
  }

  /// Returns whether the line is new.
  private static func change(
    _ list: inout [MetricsEvent], _ split: MetricsEvent.Split, _ step: Int, _ change: (inout MetricsEvent) -> Void
  ) -> Bool {
    let index = place(of: step, in: list)
    let isNew = index == list.count || list[index].step != step
    if isNew { list.insert(MetricsEvent(step: step, epoch: nil, split: split, loss: nil, time: nil), at: index) }
    change(&list[index])
    return isNew
  }

  /// The first index whose step is not below `step`.
  private static func place(of step: Int, in list: [MetricsEvent]) -> Int {
    if let last = list.last, last.step < step { return list.count }
    var (low, high) = (0, list.count)
    while low < high {
      let middle = (low + high) / 2
      if list[middle].step < step { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
