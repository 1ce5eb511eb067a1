import Foundation
import Formats
import Runs

/// What the tags of TensorBoard event files stand for in our log.
enum EventTag: Equatable {
  enum Field: Hashable { case loss, learningRate, gradNorm, tokensPerSecond, epoch }

  case field(MetricsEvent.Split, Field)
  /// A number without a place of its own in our log.
  case other(MetricsEvent.Split)
  /// A total that the Trainer writes once, at the end: "train_runtime".
  case total(String)

  private static let totals = [
    "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos",
  ]
  private static let evalNames = ["eval", "val", "valid", "validation", "evaluation"]
  private static let fields: [String: Field] = [
    "loss": .loss, "learning_rate": .learningRate, "lr": .learningRate, "grad_norm": .gradNorm, "epoch": .epoch,
    "tokens_per_second": .tokensPerSecond,
  ]

  /// "train/loss", "eval/loss", "loss", "val_loss", "Loss/train", in any case.
  init(_ tag: String) {
    let name = tag.lowercased()
    if name.hasPrefix("train/"), Self.totals.contains(String(name.dropFirst(6))) {
      self = .total(String(name.dropFirst(6)))
      return
    }
    let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    let underscored = name.split(separator: "_", maxSplits: 1).map(String.init)
    switch parts.count {
    case 1 where Self.fields[name] != nil: self = Self.found(.train, name)
    case 1 where underscored.count == 2 && Self.evalNames.contains(underscored[0]):
      self = Self.found(.eval, underscored[1])
    case 1 where underscored.count == 2 && underscored[0] == "train": self = Self.found(.train, underscored[1])
    case 2 where Self.evalNames.contains(parts[0]): self = Self.found(.eval, parts[1])
    case 2 where parts[0] == "train" || parts[0] == "training": self = Self.found(.train, parts[1])
    case 2 where parts[0] == "loss" && Self.evalNames.contains(parts[1]): self = .field(.eval, .loss)
    case 2 where parts[0] == "loss" && parts[1] == "train": self = .field(.train, .loss)
    default: self = .other(.train)
    }
  }

  private static func found(_ split: MetricsEvent.Split, _ name: String) -> EventTag {
    fields[name].map { .field(split, $0) } ?? .other(split)
  }

  var split: MetricsEvent.Split {
    switch self {
    case .field(let split, _), .other(let split): split
    case .total: .train
    }
  }
}

/// Several event files of one run, put together to one curve.
struct EventCurve {
  private struct Part {
    var path: String
    var file: EventFile
  }

  private var parts: [Part] = []
  /// "train", "validation": Keras and others write each split into a folder of that name.
  private static let splitFolders = ["train": "train", "validation": "eval", "val": "eval", "eval": "eval"]

  var isEmpty: Bool { parts.allSatisfy { $0.file.scalars.isEmpty } }
  var texts: [String: String] { parts.reduce(into: [:]) { $0.merge($1.file.texts) { $1 } } }

  init(_ paths: [String], in folder: inout ImportFolder) throws {
    for path in paths {
      let data = try folder.data(path, most: ImportFolder.longestLog)
      parts.append(Part(path: path, file: try EventFile(data, name: folder.shown(path))))
    }
    parts.sort { a, b in
      let (left, right) = (a.file.firstTime ?? 0, b.file.firstTime ?? 0)
      return left != right ? left < right : a.path.utf8.lexicographicallyPrecedes(b.path.utf8)
    }
    try checkOneRun(folder)
  }

  /// Runs that were logged at the same time into folders of their own are not one run.
  private func checkOneRun(_ folder: ImportFolder) throws {
    for (index, part) in parts.enumerated() where !part.file.scalars.isEmpty {
      for other in parts[(index + 1)...]
      where !other.file.scalars.isEmpty && Self.home(part.path) != Self.home(other.path) {
        guard let end = part.file.lastTime, let start = other.file.firstTime, start < end else { continue }
        throw RunsError(
          "\(folder.shown(part.path)) and \(folder.shown(other.path)): logged at the same time, so these are two runs; import each by the path of its own folder"
        )
      }
    }
  }

  /// The folder of an event file, without the name of a split.
  private static func home(_ path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    return splitFolders[(folder as NSString).lastPathComponent] == nil
      ? folder : (folder as NSString).deletingLastPathComponent
  }

  /// Notes of the reading that hold whatever the curve is used for.
  func note(in log: inout ImportedLog) {
    for part in parts {
      if let offset = part.file.cutOffAt { log.note(.init(.cutOff, file: part.path, offset: offset)) }
      if part.file.leftOut > 0 { log.note(.init(.leftOut, file: part.path, count: part.file.leftOut)) }
      if part.file.badTimes > 0 { log.note(.init(.badTimes, file: part.path, count: part.file.badTimes)) }
    }
    let starts = parts.compactMap { $0.file.firstTime }
    log.begun = starts.min()
  }

  /// Makes the curve of the log from the files alone.
  func fill(_ log: inout ImportedLog) {
    log.log = parts.first { !$0.file.scalars.isEmpty }?.path ?? ""
    if parts.filter({ !$0.file.scalars.isEmpty }).count > 1 { log.note(.init(.severalFiles, count: parts.count)) }
    var lastSteps: [String: Int] = [:]
    for (index, part) in parts.enumerated() {
      if index > 0, !log.curve.isEmpty,
        part.file.scalars.contains(where: { EventTag(tag(of: $0, in: part)) == .field(.train, .loss) })
      {
        log.curve.markResume()
      }
      for scalar in part.file.scalars { add(scalar, tag: tag(of: scalar, in: part), to: &log, &lastSteps) }
    }
    // A tag of the training tells the epoch; it is that of the evaluation after the same step.
    for event in log.curve.events where event.split == .eval && event.epoch == nil {
      guard let epoch = log.curve.event(.train, event.step)?.epoch else { continue }
      log.curve.update(.eval, event.step) { $0.epoch = epoch }
    }
    log.steps = log.curve.last(.train)?.step ?? log.curve.last(.eval)?.step
    log.epochs = log.curve.last(.train)?.epoch
  }

  private func tag(of scalar: EventFile.Scalar, in part: Part) -> String {
    let folder = ((part.path as NSString).deletingLastPathComponent as NSString).lastPathComponent
    guard !scalar.tag.contains("/"), let split = Self.splitFolders[folder] else { return scalar.tag }
    return "\(split)/\(scalar.tag)"
  }

  private func add(_ scalar: EventFile.Scalar, tag: String, to log: inout ImportedLog, _ lastSteps: inout [String: Int])
  {
    let meaning = EventTag(tag)
    if scalar.value == nil { log.notNumbers += 1 }
    if case .total(let name) = meaning {
      log.totals[name] = scalar.value
      return
    }
    if case .field(.train, _) = meaning, let last = lastSteps[tag], scalar.step < last {
      log.curve.restart(at: scalar.step)
      lastSteps = lastSteps.mapValues { min($0, scalar.step - 1) }
    } else if lastSteps[tag] == scalar.step {
      log.curve.countRepeated()
    }
    lastSteps[tag] = scalar.step
    log.curve.update(meaning.split, scalar.step) { event in
      // The first value of a step tells its time.
      event.time = event.time ?? scalar.time
      switch meaning {
      case .field(_, .loss):
        event.loss = scalar.value
        event.lossNotANumber = scalar.value == nil ? true : nil
      case .field(_, .learningRate): event.learningRate = scalar.value
      case .field(_, .gradNorm): event.gradNorm = scalar.value
      case .field(_, .tokensPerSecond): event.tokensPerSecond = scalar.value
      case .field(_, .epoch): event.epoch = scalar.value
      case .other:
        if let value = scalar.value { event.other = (event.other ?? [:]).merging([tag: value]) { $1 } }
      case .total: break
      }
    }
  }

  /// Adds the times of the files' records to lines that another log gave without.
  func addTimes(to log: inout ImportedLog) {
    for part in parts {
      for scalar in part.file.scalars {
        let meaning = EventTag(tag(of: scalar, in: part))
        guard case .field(let split, .loss) = meaning, let time = scalar.time,
          log.curve.event(split, scalar.step) != nil
        else { continue }
        log.curve.update(split, scalar.step) { $0.time = time }
      }
    }
  }
}
