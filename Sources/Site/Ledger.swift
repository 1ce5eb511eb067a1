import Foundation
import Synchronization

/// A piece of a page that a post's function made.
struct Fragment: Sendable {
  var content: Rich
  var isBlock: Bool
  /// The function it came from.
  var name: String
}

/// What one page gathers while its text is rendered: fragments, traced values, figure and table numbers, images.
final class Ledger: Sendable {
  struct State: Sendable {
    var fragments: [Fragment] = []
    var traces: [Trace] = []
    var figures = 0
    var tables = 0
    var images: [String: Data] = [:]
    /// Code shown, for its pictures.
    var code: [CodeListing] = []
    var warnings: [String] = []
  }

  private let state = Mutex(State())

  func read<T: Sendable>(_ body: (State) -> T) -> T { state.withLock { body($0) } }

  /// Keeps a fragment and returns the mark that stands for it in the text.
  func add(_ fragment: Fragment) -> String {
    state.withLock { state in
      state.fragments.append(fragment)
      return Mark.placeholder(state.fragments.count - 1)
    }
  }

  /// A piece of an equation, kept as it was written. Its lines stay apart in the source, for readers and for scripts alike.
  func addMath(_ text: String) -> String {
    add(
      Fragment(content: Rich(html: Escape.html(text), markdown: text, plain: text), isBlock: false, name: "equation"))
  }

  /// Notes a traced value for the table at the end; the same value from the same place stands there once.
  func add(_ trace: Trace) {
    state.withLock { state in
      if !state.traces.contains(trace) { state.traces.append(trace) }
    }
  }

  func fragment(_ number: Int) -> Fragment? {
    state.withLock { $0.fragments.indices.contains(number) ? $0.fragments[number] : nil }
  }

  func nextFigure() -> Int {
    state.withLock {
      $0.figures += 1
      return $0.figures
    }
  }

  func nextTable() -> Int {
    state.withLock {
      $0.tables += 1
      return $0.tables
    }
  }

  /// Keeps code that the page shows; each piece once.
  func add(_ listing: CodeListing) {
    state.withLock { if !$0.code.contains(listing) { $0.code.append(listing) } }
  }

  func warn(_ text: String) { state.withLock { if !$0.warnings.contains(text) { $0.warnings.append(text) } } }

  /// Keeps files of the page under names that are free; all change together: `loss`, then `loss-2`.
  func addImages(base: String, _ files: (String) -> [(name: String, data: Data)]) -> String {
    state.withLock { state in
      var name = base
      var number = 2
      while files(name).contains(where: { file in state.images[file.name].map { $0 != file.data } ?? false }) {
        name = "\(base)-\(number)"
        number += 1
      }
      for file in files(name) { state.images[file.name] = file.data }
      return name
    }
  }
}
