/// What can keep a chart from being drawn or read. Each description is one line with the remedy.
public enum ChartsError: Error, Equatable, CustomStringConvertible, Sendable {
  case fontMissing(family: String)
  case drawing(String)
  case png(String)
  case metadata(key: String, problem: String)

  public var description: String {
    switch self {
    case .fontMissing(let family):
      "font \"\(family)\": not installed, so charts would have empty boxes for Korean; "
        + "run `apt-get install fonts-noto-cjk`"
    case .drawing(let problem):
      "chart: Cairo could not draw it (\(problem)); free some memory and run the command again"
    case .png(let problem):
      "PNG: \(problem); make the chart again with `lorapress render`"
    case .metadata(let key, let problem):
      "PNG text \"\(key)\": \(problem); use a keyword of 1 to 79 printable ASCII characters and a value without NUL"
    }
  }
}
