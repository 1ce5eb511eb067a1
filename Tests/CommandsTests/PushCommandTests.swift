import Checkpoints
import Foundation
import Formats
import Runs
import TestSupport
import Testing

/// `lorapress push` on a tiny run, to a server that speaks as the Hub does.
@Suite struct PushCommandTests {
  private static let secret = "hf_secretsecret"
  private static let repository = "kim/tiny"
  private static let key = "models/kim/tiny"

  /// A trained and evaluated tiny run.
  private func withRun(_ body: (Program) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: program.makeModel())
      let made = try program.run([
        "run", experiment.path, "--output", program.output.path, "--set", "model.weights=f32",
      ])
      try #require(made.code == 0, "\(made.errors)")
      try body(program)
    }
  }

  private func withServer<R>(_ body: (HubServer) throws -> R) throws -> R {
    let server = try HubServer(accounts: [Self.secret: "kim"], partBytes: 5000)
    defer { server.stop() }
    return try body(server)
  }

  private func push(
    _ program: Program, _ server: HubServer, _ more: [String] = [], token: String = secret,
    killWhen: (() -> Bool)? = nil
  ) throws -> Program.Result {
    try program.run(
      ["push", "tiny", "--repo", Self.repository, "--output", program.output.path] + more,
      environment: ["HF_ENDPOINT": server.url, "HF_TOKEN": token, "HOME": program.folder.path], killWhen: killWhen)
  }

  /// What `push` was to make there, byte for byte.
  private func files(_ repository: HubServer.Repository?) -> [String: Data] {
    var files = repository?.files ?? [:]
    files[".gitattributes"] = nil
    return files
  }

  @Test func theAdapterItsCardAndItsChartsArePushed() throws {
    try withRun { program in
      try withServer { server in
        let planned = try push(program, server, ["--dry-run"])
        #expect(planned.code == 0 && server.requests.isEmpty, "\(planned.errors)")
        let done = try push(program, server)
        #expect(done.code == 0, "\(done.errors)")
        #expect(done.lastLine == "\(server.url)/kim/tiny")
        #expect(done.errors.contains("Made the private repository kim/tiny"))
        let there = try #require(server.state[Self.key, "main"])
        let found = files(there)
        for name in [
          "adapter_model.safetensors", "adapter_config.json", "tokenizer_config.json", "README.md", "loss.png",
        ] {
          #expect(found[name] != nil, "\(name)")
        }
        #expect(found["optimizer.safetensors"] == nil && found["state.json"] == nil)
        let weights = program.run.bestCheckpoint.appendingPathComponent("adapter_model.safetensors")
        #expect(try found["adapter_model.safetensors"].map(SHA256.hex) == SHA256.hex(ofFile: weights))
        #expect(there.large.contains("adapter_model.safetensors") && there.large.contains("loss.png"))
        // The dry run told the same files, sizes and ways.
        let lines = planned.output.split(separator: "\n").dropLast().map {
          $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        }
        #expect(
          lines
            == found.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
              [$0, "\(found[$0]?.count ?? 0)", "bytes", there.large.contains($0) ? "LFS" : "regular"]
            })
        let card = String(decoding: found["README.md"] ?? Data(), as: UTF8.self)
        let front = try #require(try YAMLNode(frontMatterOf: card, file: "README.md"))
        #expect(front["library_name"]?.string == "peft" && front["language"]?.sequence?.first?.string == "ko")
        #expect(front["model-index"]?.sequence?.first?["name"]?.string == "tiny")
        #expect(card.contains("adapter = \"kim/tiny\"") && card.contains("](loss.png)"))
        for (name, data) in found { #expect(data.range(of: Data(program.folder.path.utf8)) == nil, "\(name)") }
        // The export is the same, but for what names the repository or the model's place.
        let exported = try program.run(["export", "adapter", "tiny", "--output", program.output.path])
        #expect(exported.code == 0, "\(exported.errors)")
        for (name, data) in found where name != "README.md" {
          #expect(try data == Data(contentsOf: program.run.at("export/adapter/\(name)")), "\(name)")
        }
        let own = try String(contentsOf: program.run.at("export/adapter/README.md"), encoding: .utf8)
        #expect(own.contains("adapter = \"USER/tiny\""))
        let again = try push(program, server)
        #expect(again.code == 0 && again.errors.contains("Already there"))
        #expect(server.state[Self.key, "main"]?.commits == ["tiny (LoraPress 0.1.0)"])
      }
    }
  }

  /// Killed for good at six places, and started again: the repository ends as after one undisturbed push, nothing was sent twice.
  @Test func killedAndPushedAgain() throws {
    try withRun { program in
      let expected = try withServer { server in
        let done = try push(program, server)
        try #require(done.code == 0, "\(done.errors)")
        return files(server.state[Self.key, "main"])
      }
      let places: [(String, HubServer.Fault)] = [
        ("/create", .doAndHold), ("/put/", .hold), ("/3", .hold), ("/complete/", .doAndHold), ("/lfs/verify", .hold),
        ("/commit/", .hold), ("/commit/", .doAndHold),
      ]
      for (place, fault) in places {
        try FileManager.default.removeItem(at: program.folder.appendingPathComponent("cache/uploads"))
        try withServer { server in
          server.state.inject {
            $0.path.hasSuffix(place) || $0.path.contains(place) && place.hasSuffix("/") ? fault : nil
          }
          let killed = try push(program, server) { server.state.isHolding }
          #expect(killed.code == SIGKILL, "\(place): \(killed.errors)")
          server.state.heal()
          server.state.release()
          let again = try push(program, server)
          #expect(again.code == 0, "\(place): \(again.errors)")
          let there = server.state[Self.key, "main"]
          #expect(files(there) == expected, "\(place)")
          #expect(there?.commits.count == 1, "\(place)")
          let uploads = server.state.uploads
          #expect(Set(uploads).count == uploads.count, "\(place): \(uploads)")
          #expect((killed.output + killed.errors + again.output + again.errors).contains(Self.secret) == false)
        }
      }
    }
  }

  @Test func theDataSetIsPushedAndLoads() throws {
    try withRun { program in
      try withServer { server in
        let done = try push(program, server, ["--dataset"])
        #expect(done.code == 0 && done.lastLine == "\(server.url)/datasets/kim/tiny", "\(done.errors)")
        let found = files(server.state["datasets/kim/tiny", "main"])
        #expect(found.keys.sorted() == ["README.md", "test.jsonl", "train.jsonl", "validation.jsonl"])
        #expect(try found["train.jsonl"] == Data(contentsOf: program.run.dataset(.train)))
        let card = String(decoding: found["README.md"] ?? Data(), as: UTF8.self)
        #expect(card.contains("load_dataset(\"kim/tiny\")"))
        let again = try push(program, server, ["--dataset"])
        #expect(again.code == 0 && again.errors.contains("Already there"), "\(again.errors)")
        guard PeerPython.isHere else { return }
        let told = try PeerPython.run(
          """
          import sys
          from datasets import load_dataset
          from huggingface_hub import snapshot_download
          data = load_dataset(snapshot_download(sys.argv[1], repo_type="dataset"))
          print({split: len(rows) for split, rows in data.items()})
          print(data["train"][0]["messages"][0]["role"])
          """, ["kim/tiny"], folder: program.folder, environment: ["HF_ENDPOINT": server.url, "HF_TOKEN": Self.secret])
        let counts = try RecordFile.read(DatasetReport.self, from: program.run.datasetReport).counts
        #expect(
          told.hasPrefix("{'train': \(counts.train), 'validation': \(counts.validation), 'test': \(counts.test)}\nuser")
        )
      }
    }
  }

  @Test func badInputIsOneLine() throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let experiment = try program.makeExperiment(model: program.makeModel())
      let prepared = try program.run(["prepare", experiment.path, "--output", program.output.path])
      try #require(prepared.code == 0, "\(prepared.errors)")
      try withServer { server in
        let untrained = try push(program, server)
        #expect(
          untrained.code == 1
            && untrained.errors
              == "lorapress: \(program.run.url.path): the run has no finished adapter; train it first with `lorapress train`\n"
        )
        let unnamed = try program.run(["push", "tiny", "--output", program.output.path])
        #expect(unnamed.code == 64 && unnamed.errors.contains("--repo is missing"))
        let misnamed = try program.run(["push", "tiny", "--repo", "tiny", "--output", program.output.path])
        #expect(misnamed.code == 64 && misnamed.errors.contains("--repo must be USER/NAME"))
        let wrong = try push(program, server, ["--dataset"], token: "hf_wrong")
        #expect(wrong.code == 1 && wrong.errors.contains("the Hub does not know the token (status 401)"))
        #expect(!wrong.errors.contains("hf_wrong") && wrong.errors.split(separator: "\n").count == 1)
        #expect(server.state.names.isEmpty)
      }
    }
  }
}
