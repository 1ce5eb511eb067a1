import CKernels
import CSystem
import Synchronization

/// Shares work out over a fixed number of threads.
///
/// Ranges are cut by their length and the thread count alone, never by who is free, so a sum that follows the cuts
/// is the same in every run.
public struct Threads: Sendable {
  public let count: Int

  /// The cores this process may use.
  public static var available: Int { max(1, Int(csystem_cores())) }

  public init(_ count: Int? = nil) {
    self.count = max(1, count ?? Threads.available)
  }

  /// Calls `body` with consecutive parts of 0..<total, at most one a thread, each with at least `minimum` units and
  /// starting at a multiple of `grain`.
  func split(_ total: Int, minimum: Int, grain: Int = 1, _ body: @Sendable (Range<Int>) -> Void) {
    guard total > 0 else { return }
    let grains = (total + grain - 1) / grain
    let parts = min(count, grains, max(1, total / max(1, minimum)))
    guard parts > 1 else { return body(0..<total) }
    shareOut(parts) { part in
      let start = grains * part / parts * grain
      let end = min(total, grains * (part + 1) / parts * grain)
      if start < end { body(start..<end) }
    }
  }

  /// Calls `body` once for each of 0..<total, in any order, on all threads. For tasks that write to places of their own.
  func forEach(_ total: Int, _ body: @Sendable (Int) -> Void) {
    let workers = min(count, total)
    guard workers > 1 else {
      for task in 0..<max(0, total) { body(task) }
      return
    }
    let next = Atomic<Int>(0)
    shareOut(workers) { _ in
      while true {
        let task = next.add(1, ordering: .relaxed).oldValue
        guard task < total else { return }
        body(task)
      }
    }
  }

  /// Calls `body` once for each of 0..<parts on as many threads.
  private func shareOut(_ parts: Int, _ body: @Sendable (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var body = body
      withUnsafeMutablePointer(to: &body) { pointer in
        ck_share_out(
          parts,
          { context, part in
            context?.assumingMemoryBound(to: (@Sendable (Int) -> Void).self).pointee(part)
          }, pointer)
      }
    }
  }
}
