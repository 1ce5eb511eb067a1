import Foundation
import Synchronization
import Testing

@testable import Compute

/// A signal handler may run in the middle of a product, as Ctrl-C's does.
@Suite struct SignalTests {
  private final class Flag: Sendable { let stop = Atomic<Bool>(false) }

  @Test func aSignalInAProductChangesNothing() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    action.sa_flags = SA_RESTART
    sigaction(SIGUSR2, &action, nil)

    // The threads that tests run on hold signals back.
    var own = sigset_t()
    var before = sigset_t()
    sigemptyset(&own)
    sigaddset(&own, SIGUSR2)
    pthread_sigmask(SIG_UNBLOCK, &own, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

    let backend = CPUBackend(threads: 1)
    let flag = Flag()
    let target = pthread_self()
    let sender = Thread {
      while !flag.stop.load(ordering: .relaxed) {
        pthread_kill(target, SIGUSR2)
        usleep(50)
      }
      flag.stop.store(false, ordering: .relaxed)
    }
    sender.start()
    for (m, n, k) in [
      (37, 33, 71), (16, 320, 45), (90, 16, 300), (96, 3850, 16), (96, 16, 3850), (128, 4, 16), (128, 16, 4),
      (4, 16, 128), (16, 4, 128), (128, 32, 16), (300, 8, 16), (8, 8, 8),
    ] {
      for (transposeA, transposeB) in [(false, false), (true, false), (false, true), (true, true)] {
        let a = transposeA ? Matrix(k, m) : Matrix(m, k)
        let b = transposeB ? Matrix(n, k) : Matrix(k, n)
        for (index, matrix) in [a, b].enumerated() {
          matrix.withElements { elements in
            for place in elements.indices { elements[place] = Float((place * 7919 + index) % 1009) / 1009 - 0.5 }
          }
        }
        var first: [Float]?
        for _ in 0..<150 {
          let c = Matrix(m, n)
          backend.multiply(a, transposeA: transposeA, b, transposeB: transposeB, alpha: 1, beta: 0, into: c)
          if first == nil { first = c.elements }
          if c.elements != first { Issue.record("another product with a signal: \(m) × \(n) × \(k)") }
        }
      }
    }
    flag.stop.store(true, ordering: .relaxed)
    while flag.stop.load(ordering: .relaxed) { usleep(1000) }
  }
}
