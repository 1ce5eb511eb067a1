import Foundation

/// How a post's text uses one of the run's lists (`events`, `samples`): making every line of a log a value of the template takes
/// longer than the rest of a page, and most posts only ask whether there are any.
enum RecordUse {
  case none
  /// Only in `{% if events %}`.
  case asked
  case full

  init(of name: String, in text: String) {
    var mentions = text.components(separatedBy: name).count - 1
    guard mentions > 0 else {
      self = .none
      return
    }
    for question in ["{% if \(name) %}", "{% elif \(name) %}", "{% if not \(name) %}"] {
      mentions -= text.components(separatedBy: question).count - 1
    }
    self = mentions == 0 ? .asked : .full
  }
}
