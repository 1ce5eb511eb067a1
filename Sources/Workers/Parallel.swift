import CSystem
import Dispatch
import Foundation
import Synchronization

/// Work spread over the machine's cores; the results stand in the order of the input, whoever was done first.
public enum Parallel {
  /// Deep pages and templates need more than the 512 KB that a pool's thread has.
  private static let stackBytes = 16 << 20

  /// Calls `body` for each item and waits for all. Of several errors the one of the lowest index is thrown.
  public static func map<Item: Sendable, Made: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (Item) throws -> Made
  ) throws -> [Made] {
    try map(items, state: {}) { _, item in Result { try body(item) } }.map { try $0.get() }
  }

  /// - Parameter finished: hears on the calling thread of each that is done, in no set order.
  public static func map<Item: Sendable, Made: Sendable>(
    _ items: [Item], finished: (Int) -> Void, _ body: @escaping @Sendable (Item) throws -> Made
  ) throws -> [Made] {
    try map(items, tells: true, finished: finished, state: {}) { _, item in Result { try body(item) } }
      .map { try $0.get() }
  }

  /// - Parameter state: what a thread keeps from item to item, made once on each. Results must not depend on it: which items meet the
  ///   same one is chance.
  public static func map<Item: Sendable, State, Made: Sendable>(
    _ items: [Item], state: @escaping @Sendable () -> State, _ body: @escaping @Sendable (inout State, Item) -> Made
  ) -> [Made] {
    map(items, tells: false, finished: { _ in }, state: state, body)
  }

  /// `tells`: waking the caller for each of thousands of small items would cost more than they do.
  private static func map<Item: Sendable, State, Made: Sendable>(
    _ items: [Item], tells: Bool, finished: (Int) -> Void, state makeState: @escaping @Sendable () -> State,
    _ body: @escaping @Sendable (inout State, Item) -> Made
  ) -> [Made] {
    let workers = min(items.count, Int(csystem_cores()))
    guard workers > 1 else {
      var state = makeState()
      return items.enumerated().map { index, item in
        defer { finished(index) }
        return body(&state, item)
      }
    }
    let board = Board<Made>(count: items.count)
    for _ in 0..<workers {
      let thread = Thread {
        var state = makeState()
        while let index = board.next() { board.set(index, body(&state, items[index]), tells: tells) }
        board.end()
      }
      thread.stackSize = stackBytes
      thread.start()
    }
    if tells { for _ in items.indices { finished(board.wait()) } }
    for _ in 0..<workers { board.waitForEnd() }
    return board.results()
  }

  private final class Board<Made: Sendable>: Sendable {
    private struct State {
      var next = 0
      var done: [Int] = []
      var results: [Made?]
    }
    private let state: Mutex<State>
    private let ready = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    init(count: Int) { state = Mutex(State(results: Array(repeating: nil, count: count))) }

    func next() -> Int? {
      state.withLock { state in
        guard state.next < state.results.count else { return nil }
        state.next += 1
        return state.next - 1
      }
    }

    /// `tells`: someone waits for each.
    func set(_ index: Int, _ result: Made, tells: Bool) {
      state.withLock { state in
        state.results[index] = result
        if tells { state.done.append(index) }
      }
      if tells { ready.signal() }
    }

    /// A worker has nothing left to do.
    func end() { ended.signal() }
    func waitForEnd() { ended.wait() }

    /// The index of one more that is done.
    func wait() -> Int {
      ready.wait()
      return state.withLock { $0.done.removeLast() }
    }

    func results() -> [Made] { state.withLock { $0.results.compactMap { $0 } } }
  }
}
