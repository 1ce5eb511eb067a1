import Foundation
import Testing
import Workers

@Suite struct ParallelTests {
  private struct Failure: Error, Equatable { let number: Int }

  @Test func resultsStandInOrderAndTheFirstErrorIsThrown() throws {
    var heard: [Int] = []
    let squares = try Parallel.map(Array(0..<500), finished: { heard.append($0) }) { number in
      if number % 7 == 0 { usleep(200) }
      return number * number
    }
    #expect(squares == (0..<500).map { $0 * $0 })
    #expect(heard.sorted() == Array(0..<500))
    #expect(throws: Failure(number: 3)) {
      _ = try Parallel.map(Array(0..<50)) { number in
        if number == 3 { usleep(20_000) }
        if number >= 3 { throw Failure(number: number) }
      }
    }
    #expect(try Parallel.map([Int]()) { $0 }.isEmpty)
  }

  /// Each thread's own state is counted up by that thread alone.
  @Test func everyThreadKeepsAState() {
    let counts = Parallel.map(Array(0..<1000), state: { 0 }) { count, number -> (Int, Int) in
      count += 1
      return (number, count)
    }
    #expect(counts.map(\.0) == Array(0..<1000))
    // With k threads the counts 1, 2, 3 … each stand at most k times.
    let threads = ProcessInfo.processInfo.activeProcessorCount
    #expect(Dictionary(grouping: counts, by: \.1).values.allSatisfy { $0.count <= threads })
  }
}
