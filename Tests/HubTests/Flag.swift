import Foundation

/// What one thread raises and another sees.
final class Flag: @unchecked Sendable {
  private let lock = NSLock()
  private var up = false
  var isUp: Bool { lock.withLock { up } }
  func raise() { lock.withLock { up = true } }
}
