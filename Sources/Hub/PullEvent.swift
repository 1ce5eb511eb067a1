/// What happens while a model is fetched; a command turns it into words and a progress bar.
public enum PullEvent: Sendable, Equatable {
  /// The file is in the cache with the right hash; nothing is fetched.
  case alreadyThere(path: String)
  /// A source is asked; `from` bytes are there from before.
  case trying(source: String, from: Int)
  /// Bytes of the whole file that are there.
  case progress(done: Int, total: Int)
  /// The connection broke; it is tried again after a pause.
  case retrying(source: String, reason: String, seconds: Double)
  /// A source can't give the file; the next one is asked.
  case sourceFailed(source: String, reason: String)
  /// The finished file is hashed.
  case hashing(done: Int, total: Int)
  case finished(path: String, source: String)
}
