import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Datasets

/// The same rows out of every kind of file.
@Suite struct ReaderTests {
  private static let contents = [
    ["대한민국의 수도는 어디인가요?", "서울입니다."], ["\"따옴표\"와, 쉼표가 있는 질문은?", "한 줄\n그리고 한 줄"], ["가장 작은 소수는?", "2"],
  ]

  private func prepare(_ files: [String], _ configure: (inout DatasetSettings) -> Void = { _ in }) throws -> Prepared {
    var settings = DatasetSettings()
    settings.files = files
    settings.split = nil
    configure(&settings)
    return try Prepared(
      Preparation(settings: settings, base: Fixtures.url("Datasets", "readers"), encode: measure).run())
  }

  /// How many files of a folder this process has open.
  private func openFiles(in folder: URL) -> Int {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    let paths = numbers.compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
    }
    return paths.count { $0.hasPrefix(folder.resolvingSymlinksInPath().path + "/") }
  }

  @Test(arguments: [
    ("rows.jsonl", "jsonl, question/answer"), ("rows.json", "json array of objects, question/answer"),
    ("rows.csv", "csv, question/answer"), ("rows.tsv", "tsv, question/answer"), ("bom.csv", "csv, question/answer"),
    ("cp949.csv", "csv (CP949), question/answer"), ("cp949.jsonl", "jsonl (CP949), question/answer"),
    ("rows.jsonl.gz", "jsonl (gzip), question/answer"), ("two-members.jsonl.gz", "jsonl (gzip), question/answer"),
    ("rows.csv.zst", "csv (zstd), question/answer"),
  ])
  func theSameRowsOutOfEveryFile(_ file: String, _ schema: String) throws {
    let dataset = try prepare([file])
    #expect(dataset.report.schema == schema)
    #expect(dataset.train.map { $0.messages.map(\.content) } == Self.contents)
    #expect(dataset.train.map(\.source.row) == [1, 2, 3])
  }

  @Test func packedJSONIsReadToo() throws {
    let data = try Fixtures.data("Datasets", "readers/rows.jsonl.gz")
    #expect(
      failure { try DatasetsTests.prepare(bytes: ["a.json.gz": data]) }
        == "a.json.gz:2:1: more text after the end of the JSON value; name the file .jsonl if it holds one object a line"
    )
    let table = try Fixtures.data("Datasets", "readers/rows.csv.zst")
    #expect(try DatasetsTests.prepare(bytes: ["a.csv.zst": table]).train.count == 3)
  }

  // MARK: - Parquet

  private static var hasDuckDB: Bool { DuckDB.program(ProcessInfo.processInfo.environment) != nil }

  @Test(.enabled(if: hasDuckDB, "DuckDB's command line is not here"))
  func parquetByDuckDB() throws {
    let dataset = try prepare(["rows.parquet"])
    #expect(dataset.report.schema == "parquet, messages")
    #expect(dataset.train.map { $0.messages.map(\.content) } == Self.contents)
  }

  @Test(.enabled(if: hasDuckDB, "DuckDB's command line is not here"))
  func aParquetFileThatWasCutOff() {
    let error = failure { try prepare(["cut.parquet"]) }
    #expect(error.hasPrefix("cut.parquet: DuckDB can't read it (Invalid Input Error: No magic bytes found"))
    #expect(error.hasSuffix("; copy or download the file again, or check that it is Parquet"))
  }

  /// A name is no pattern and no SQL to DuckDB, and its folders are no columns.
  @Test(.enabled(if: hasDuckDB, "DuckDB's command line is not here"))
  func parquetFilesWithOddNames() throws {
    let data = try Fixtures.data("Datasets", "readers/rows.parquet")
    for name in ["part=5/d*.parquet", "part=5/d[1].parquet", "-x?.parquet", "it's; --.parquet"] {
      let other = name.replacing(/[*?]|\[1\]/, with: "1")
      let dataset = try DatasetsTests.prepare(bytes: [name: data].merging([other: data]) { $1 }) { $0.files = [name] }
      #expect(dataset.report.counts.read == 3)
      #expect(dataset.report.samples.first?.before.map(\.name) == ["messages", "score"])
    }
  }

  /// Rows that came before the end of a program that was killed are not all rows.
  @Test func aDuckDBThatIsKilledIsAnError() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = folder.appendingPathComponent("duckdb")
      try Data("#!/bin/sh\necho '{\"question\": \"ㄱ\"}'\nkill -9 $$\n".utf8).write(to: program)
      chmod(program.path, 0o755)
      let reader = try ParquetReader(
        Fixtures.url("Datasets", "readers/rows.parquet"), name: "rows.parquet",
        environment: ["LORAPRESS_DUCKDB": program.path])
      #expect(try reader.next()?["question"] == "ㄱ")
      #expect(
        throws: DatasetsError(
          "rows.parquet: DuckDB can't read it (it was ended by signal 9); copy or download the file again, or check that it is Parquet"
        )
      ) { try reader.next() }
    }
  }

  @Test(.enabled(if: hasDuckDB, "DuckDB's command line is not here"))
  func aParquetFileThatIsNotReadToItsEndDoesNotStayOpen() throws {
    try Fixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("rows.parquet")
      try FileManager.default.copyItem(at: Fixtures.url("Datasets", "readers/rows.parquet"), to: url)
      #expect(try ParquetReader(url, name: "rows.parquet").next() != nil)
      #expect(openFiles(in: folder) == 0)
    }
  }

  @Test func withoutDuckDBTheErrorSaysHowToGetIt() {
    let url = Fixtures.url("Datasets", "readers/rows.parquet")
    #expect(
      throws: DatasetsError(
        "rows.parquet: Parquet is read by DuckDB's command line, which is not here; install it (`pip install duckdb-cli`) and put `duckdb` on PATH, or name it in LORAPRESS_DUCKDB"
      )
    ) { try ParquetReader(url, name: "rows.parquet", environment: ["PATH": "/nowhere"]) }
    #expect(DuckDB.program(["LORAPRESS_DUCKDB": "/nowhere/duckdb", "PATH": "/usr/bin"]) == nil)
    #expect(DuckDB.program(["LORAPRESS_DUCKDB": "/bin/sh"])?.path == "/bin/sh")
  }

  // MARK: - Damage

  @Test func aPackedFileThatWasCutOff() {
    #expect(
      failure { try prepare(["cut.jsonl.gz"]) }
        == "cut.jsonl.gz: the gzip data ends too early; copy or download the file again")
  }

  @Test func aPackedFileThatIsDamaged() throws {
    var data = try Fixtures.data("Datasets", "readers/rows.csv.zst")
    data[20] ^= 0xFF
    let error = failure { try DatasetsTests.prepare(bytes: ["a.csv.zst": data]) }
    #expect(error == "a.csv.zst: the zstd data is damaged; copy or download the file again")
  }

  @Test func mixedEncodings() throws {
    var data = try Fixtures.data("Datasets", "readers/rows.csv")
    data += try Fixtures.data("Datasets", "readers/cp949.csv").dropFirst(17)
    #expect(
      failure { try DatasetsTests.prepare(bytes: ["a.csv": data]) }
        == "a.csv:6: is UTF-8 text before this line and something else in it (perhaps CP949); save the whole file in one encoding, UTF-8"
    )
  }

  @Test func aByteThatIsNoCP949IsToldWithItsLine() throws {
    let data = try Fixtures.data("Datasets", "readers/cp949.csv") + Data([0x61, 0x2C, 0xFF, 0xFF, 0x0D, 0x0A])
    #expect(
      failure { try DatasetsTests.prepare(bytes: ["a.csv": data]) }
        == "a.csv:6: is neither UTF-8 nor CP949 text; save it as UTF-8 (`iconv -f ENCODING -t UTF-8 OLD > NEW`)")
  }

  @Test func aColumnThatHalfOfTheRowsLack() throws {
    let rows = (1...10).map { "{\"question\": \"질문 \($0)\"\($0.isMultiple(of: 2) ? "" : ", \"answer\": \"답\"")}" }
    let dataset = try DatasetsTests.prepare(["a.jsonl": rows.joined(separator: "\n")])
    #expect(dataset.report.counts.kept == 5 && dataset.report.rejects == ["no_answer": 5])
    #expect(dataset.rejected.allSatisfy { $0.detail == "the row has no \"answer\"" })
    #expect(dataset.rejected.map(\.source.row) == [2, 4, 6, 8, 10])
  }

  // MARK: - Long files

  /// Pieces end anywhere: within a character, a field, a line end.
  @Test func piecesMayEndAnywhere() throws {
    let long = String(repeating: "가나다라 \"마\", 바\r\n사", count: 20_000)
    let quoted = long.replacing("\"", with: "\"\"")
    let text = "Q,A\r\n" + (0..<8).map { "\"\($0)\(quoted)\",\"답\($0)\"\r\n" }.joined()
    for bytes in [Data(text.utf8), try #require(text.data(using: .init(rawValue: 0x8000_0422)))] {
      let dataset = try DatasetsTests.prepare(bytes: ["a.csv": bytes]) {
        $0.maxTokens = 10_000_000
        $0.cleaning.controlCharacters = .keep
      }
      #expect(dataset.train.count == 8)
      for (index, row) in dataset.train.enumerated() {
        #expect(row.messages.map(\.content) == ["\(index)\(long)", "답\(index)"])
      }
    }
  }

  // MARK: - Folders and patterns

  @Test func foldersAndPatternsAreReadInTheOrderOfTheirNames() throws {
    func row(_ text: String) -> String { "{\"question\": \"\(text)\", \"answer\": \"답\"}" }
    let files = [
      "data/b.jsonl": row("b"), "data/a.jsonl": row("a"), "data/deep/c.jsonl": row("c"), "data/notes.txt": "no data",
      "data/.hidden.jsonl": row("h"), "data/d[1].jsonl": row("d"),
    ]
    func sources(_ paths: [String]) throws -> [String] {
      try DatasetsTests.prepare(files) { $0.files = paths }.train.map(\.source.file)
    }
    #expect(try sources(["data"]) == ["data/a.jsonl", "data/b.jsonl", "data/d[1].jsonl", "data/deep/c.jsonl"])
    #expect(try sources(["data/*.jsonl"]) == ["data/a.jsonl", "data/b.jsonl", "data/d[1].jsonl"])
    #expect(try sources(["data/**/*.jsonl"]).count == 4)
    #expect(try sources(["**/c.jsonl", "data/[ab].jsonl"]) == ["data/deep/c.jsonl", "data/a.jsonl", "data/b.jsonl"])
    // A name that is there is no pattern, and no file counts twice.
    #expect(try sources(["data/d[1].jsonl", "data/d*"]) == ["data/d[1].jsonl"])
    #expect(
      failure { try DatasetsTests.prepare(files) { $0.files = ["data/*.csv"] } }
        == "data/*.csv: no file matches the pattern; data files end in .json, .jsonl, .csv, .tsv or .parquet; the text files may also end in .gz or .zst"
    )
    #expect(
      failure { try DatasetsTests.prepare(["data/notes.txt": "x"]) { $0.files = ["data"] } }
        .hasPrefix("data: the folder holds no data file; "))
  }

  /// However many files there are, few are open.
  @Test func oneFileAfterTheOtherIsOpen() throws {
    try Fixtures.withTemporaryFolder { folder in
      // As many rows a file as lie between two reports of progress.
      for number in 1...40 {
        let rows = (1...256).map { "{\"question\": \"질문 \(number)-\($0)\", \"answer\": \"답\"}\n" }
        try Data(rows.joined().utf8).write(to: folder.appendingPathComponent("\(100 + number).jsonl"))
      }
      var settings = DatasetSettings()
      settings.files = [folder.path]
      settings.split = nil
      var most = 0
      let preparation = try Preparation(settings: settings, base: folder, encode: measure)
      let dataset = try Prepared(preparation.run { _ in most = max(most, openFiles(in: folder)) })
      #expect(
        dataset.train.map(\.messages[0].content)
          == (1...40).flatMap { number in (1...256).map { "질문 \(number)-\($0)" } })
      #expect((1...2).contains(most))
    }
  }

  @Test func aFolderThatLeadsBackIsReadOnce() throws {
    try Fixtures.withTemporaryFolder { folder in
      try Data("{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}".utf8).write(to: folder.appendingPathComponent("a.jsonl"))
      try FileManager.default.createSymbolicLink(
        atPath: folder.appendingPathComponent("again").path, withDestinationPath: ".")
      let files = DataFiles(base: folder.deletingLastPathComponent())
      let name = folder.lastPathComponent
      #expect(try files.files([name]).map(\.name) == ["\(name)/a.jsonl"])
      #expect(try files.files(["\(name)/**/*.jsonl"]).map(\.name) == ["\(name)/a.jsonl"])
    }
  }

  // MARK: - Offset, sample, limit

  private func numbered(_ count: Int, _ configure: (inout DatasetSettings) -> Void) throws -> [Int] {
    let rows = (1...count).map { "{\"question\": \"질문 \($0)\", \"answer\": \"답\"}" }
    let dataset = try DatasetsTests.prepare(["a.jsonl": rows.joined(separator: "\n")], configure)
    #expect(dataset.report.counts.read == dataset.train.count)
    return dataset.train.map(\.source.row)
  }

  @Test func anOffsetPassesRowsOver() throws {
    #expect(try numbered(10) { $0.offset = 7 } == [8, 9, 10])
    let error = failure {
      try DatasetsTests.prepare(["a.jsonl": "{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}"]) { $0.offset = 1 }
    }
    #expect(error == "dataset.offset: 1 leaves none of the 1 rows; lower it")
  }

  @Test func aSampleIsSeededAndInTheFilesOrder() throws {
    let first = try numbered(1000) { $0.sample = 100 }
    #expect(first.count == 100 && first == first.sorted() && Set(first).count == 100)
    #expect(try numbered(1000) { $0.sample = 100 } == first)
    var split = SplitSettings()
    split.test = 1
    split.seed = 7
    let other = try DatasetsTests.prepare([
      "a.jsonl": (1...1000).map { "{\"question\": \"질문 \($0)\", \"answer\": \"답\"}" }.joined(separator: "\n")
    ]) {
      $0.sample = 100
      $0.split = split
    }
    #expect(other.report.counts.read == 100)
    #expect(Set(other.train.map(\.source.row)) != Set(first))
    // Every part of the file has its share: 10 a tenth are expected.
    for tenth in 0..<10 {
      #expect((2...22).contains(first.count { ($0 - 1) / 100 == tenth }))
    }
    #expect(try numbered(10) { $0.sample = 100 }.count == 10)
    #expect(
      try numbered(1000) {
        $0.offset = 995; $0.sample = 3
      }.allSatisfy { $0 > 995 })
  }

  @Test func aLimitTakesTheFirstByRankHoweverManyAreSeen() throws {
    #expect(try numbered(10) { $0.limit = .max }.count == 10)
    let few = try numbered(4000) { $0.limit = 20 }
    #expect(few.count == 20 && few == few.sorted())
    // The rows that stay of a part of the file are among those of the whole or make place for others.
    let half = try numbered(2000) { $0.limit = 20 }
    #expect(Set(few).subtracting(half).allSatisfy { $0 > 2000 })
    #expect(
      try numbered(4000) {
        $0.sample = 50; $0.limit = 20
      }.count == 20)
  }
}
