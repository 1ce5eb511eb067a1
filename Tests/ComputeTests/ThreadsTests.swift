import Foundation
import Synchronization
import Testing

@testable import Compute

@Suite struct ThreadsTests {
  /// Every unit once, whatever the numbers of units and threads.
  @Test(arguments: [1, 2, 3, 7]) func splitCoversEverything(count: Int) {
    let threads = Threads(count)
    for total in [0, 1, 2, 5, 64, 1000] {
      for grain in [1, 6, 64] {
        let visits = Mutex([Int](repeating: 0, count: total))
        threads.split(total, minimum: 1, grain: grain) { part in
          #expect(part.lowerBound % grain == 0)
          visits.withLock { for index in part { $0[index] += 1 } }
        }
        #expect(visits.withLock { $0.allSatisfy { $0 == 1 } })
      }
      let visits = Mutex([Int](repeating: 0, count: total))
      threads.forEach(total) { task in visits.withLock { $0[task] += 1 } }
      #expect(visits.withLock { $0.allSatisfy { $0 == 1 } })
    }
  }

  /// Work within work, and work of several threads at once: the team is lent to one, the others do theirs alone.
  @Test func workWithinWorkAndBesideItIsDone() async {
    await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask {
          let sum = Atomic<Int>(0)
          for _ in 0..<200 {
            Threads(3).forEach(4) { outer in
              Threads(2).split(10, minimum: 1) { part in
                for index in part { sum.add(outer * index, ordering: .relaxed) }
              }
            }
          }
          return sum.load(ordering: .relaxed)
        }
      }
      for await sum in group { #expect(sum == 200 * 6 * 45) }
    }
  }

  /// Workers that went to sleep between two works are woken.
  @Test func workersWakeUpAgain() {
    for _ in 0..<20 {
      let ids = Mutex<Set<UInt>>([])
      Threads(2).split(2, minimum: 1) { _ in
        ids.withLock { _ = $0.insert(UInt(bitPattern: Thread.current.hash)) }
        Thread.sleep(forTimeInterval: 0.004)
      }
      #expect(ids.withLock { $0.count } >= 1)
      Thread.sleep(forTimeInterval: 0.003)
    }
  }
}
