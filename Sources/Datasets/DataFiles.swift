import Foundation
import Runs

/// The files that an experiment's paths mean: a file, a folder (all data files in it and below), or a pattern (`data/*.jsonl`, `**` for
/// folders of any depth).
public struct DataFiles {
  public struct File: Sendable, Equatable {
    /// As errors, rows and records call it: the path as the experiment has it.
    public var name: String
    public var url: URL

    public init(name: String, url: URL) {
      self.name = name
      self.url = url
    }
  }

  let base: URL

  /// Relative paths are taken from `base`.
  public init(base: URL) { self.base = base }

  /// Every file that is meant, each once, those of a folder or a pattern in the order of their names' bytes.
  public func files(_ paths: [String]) throws(DatasetsError) -> [File] {
    var files: [File] = []
    var seen: Set<String> = []
    for path in paths {
      let found = matches(path)
      if found.isEmpty {
        let isPattern = Self.isPattern(path)
        throw DatasetsError(
          file: path, isPattern ? "no file matches the pattern" : "the folder holds no data file",
          remedy: "data files end in .json, .jsonl, .csv, .tsv or .parquet; the text files may also end in .gz or .zst")
      }
      files += found.filter { seen.insert($0.url.path).inserted }
    }
    return files
  }

  /// What a file's name says it is, by the kind of table: "json" (JSONL too), "csv" (TSV too) or "parquet"; nil for a file that is not read.
  public static func family(of name: String) -> String? {
    switch DataFile.format(of: name) {
    case .json, .jsonl: "json"
    case .csv, .tsv: "csv"
    case .parquet: "parquet"
    case nil: nil
    }
  }

  /// Whether a path leads to a file that is there.
  public func isThere(_ path: String) -> Bool {
    matches(path).contains { FileManager.default.fileExists(atPath: $0.url.path) }
  }

  private func url(_ name: String) -> URL {
    name.hasPrefix("/") ? URL(fileURLWithPath: name) : base.appendingPathComponent(name)
  }

  /// A path that is no pattern and leads nowhere is given back as it is: reading it tells what is wrong.
  private func matches(_ path: String) -> [File] {
    let (isThere, isFolder) = Self.status(url(path))
    if isThere, isFolder { return below(path).filter { DataFile.format(of: $0.name) != nil } }
    if isThere || !Self.isPattern(path) { return [File(name: path, url: url(path))] }
    let parts = path.split(separator: "/").map(String.init)
    return expanded(path.hasPrefix("/") ? "/" : "", parts[...])
  }

  private static func isPattern(_ path: String) -> Bool { path.contains { "*?[".contains($0) } }

  private static func status(_ url: URL) -> (isThere: Bool, isFolder: Bool) {
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    return (isThere, isFolder.boolValue)
  }

  private func joined(_ folder: String, _ name: String) -> String {
    folder.isEmpty || folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
  }

  /// The names in a folder that don't begin with a dot, in the order of their bytes.
  private func names(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url(folder.isEmpty ? "." : folder).path)) ?? []
    return names.filter { !$0.hasPrefix(".") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// A folder as it is known by whatever path; nil where it is one of those above it, to which a link led back.
  private func entered(_ folder: String, _ above: [String]) -> String? {
    let real = url(folder.isEmpty ? "." : folder).resolvingSymlinksInPath().path
    return above.contains(real) ? nil : real
  }

  /// All files in a folder and below.
  private func below(_ folder: String, _ above: [String] = []) -> [File] {
    guard let real = entered(folder, above) else { return [] }
    return names(in: folder).flatMap { name -> [File] in
      let path = joined(folder, name)
      return Self.status(url(path)).isFolder ? below(path, above + [real]) : [File(name: path, url: url(path))]
    }
  }

  /// `above` are the folders that a `**` came through.
  private func expanded(_ folder: String, _ parts: ArraySlice<String>, _ above: [String] = []) -> [File] {
    guard let part = parts.first else { return [] }
    let rest = parts.dropFirst()
    if part == "**" {
      // No folder, or any folder and the same again.
      guard let real = entered(folder, above) else { return [] }
      let deeper = names(in: folder).map { joined(folder, $0) }.filter { Self.status(url($0)).isFolder }
      return expanded(folder, rest) + deeper.flatMap { expanded($0, parts, above + [real]) }
    }
    let candidates = Self.isPattern(part) ? names(in: folder).filter { fnmatch(part, $0, FNM_PERIOD) == 0 } : [part]
    return candidates.flatMap { name -> [File] in
      let path = joined(folder, name)
      let (isThere, isFolder) = Self.status(url(path))
      if !rest.isEmpty { return isFolder ? expanded(path, rest) : [] }
      return isThere && !isFolder && DataFile.format(of: name) != nil ? [File(name: path, url: url(path))] : []
    }
  }
}

/// The files of an experiment, by what their rows are for.
public struct DataSources: Sendable, Equatable {
  /// To be split, or to train on where validation and test have files of their own.
  public var train: [DataFiles.File]
  public var validation: [DataFiles.File]
  public var test: [DataFiles.File]

  public init(train: [DataFiles.File], validation: [DataFiles.File] = [], test: [DataFiles.File] = []) {
    self.train = train
    self.validation = validation
    self.test = test
  }

  /// Those that the settings' paths mean; relative ones are taken from `base`.
  public init(_ settings: DatasetSettings, base: URL) throws(DatasetsError) {
    let files = DataFiles(base: base)
    train = try files.files(settings.files)
    validation = try files.files(settings.validationFiles)
    test = try files.files(settings.testFiles)
  }

  /// Each once.
  public var all: [DataFiles.File] {
    var seen: Set<String> = []
    return (train + validation + test).filter { seen.insert($0.url.path).inserted }
  }
}
