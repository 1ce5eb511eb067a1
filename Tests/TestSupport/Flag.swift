import Synchronization

/// Goes up once, on whatever thread, and stays up.
public final class Flag: Sendable {
  private let up = Atomic<Bool>(false)

  public init() {}

  public var isUp: Bool { up.load(ordering: .acquiring) }
  public func raise() { up.store(true, ordering: .releasing) }
}
