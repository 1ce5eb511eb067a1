import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Hub

private let name = PushBench.name
private let files = PushBench.files

@Suite struct PushPeerTests {
  @Test(.enabled(if: PeerPython.isHere, "the tests' Python tools are not here"))
  func theHubsOwnClientFetchesWhatWasPushed() throws {
    let program = """
      import pathlib, sys
      from huggingface_hub import snapshot_download
      repo, to = sys.argv[1:]
      folder = pathlib.Path(snapshot_download(repo, local_dir=to))
      print(*sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and ".cache" not in file.parts))
      """
    try PushBench.with(partBytes: 70_000) { bench in
      try bench.push()
      let to = bench.folder.appendingPathComponent("fetched")
      let told = try PeerPython.run(program, [name, to.path], folder: bench.folder, environment: bench.environment)
      #expect(
        told.split(whereSeparator: \.isWhitespace).map(String.init) == ([PushBench.gitattributes] + files.keys).sorted()
      )
      for (name, data) in files { #expect(try Data(contentsOf: to.appendingPathComponent(name)) == data, "\(name)") }
    }
  }

  /// The server speaks the protocol as that client writes it; what it has put there is not put there again.
  @Test(.enabled(if: PeerPython.isHere, "the tests' Python tools are not here"))
  func theHubsOwnClientPushesTheSame() throws {
    let program = """
      import sys
      from huggingface_hub import HfApi
      repo, folder = sys.argv[1:]
      api = HfApi()
      print(api.whoami()["name"])
      api.create_repo(repo, private=True)
      api.upload_folder(repo_id=repo, folder_path=folder, commit_message="from Python")
      """
    try PushBench.with(partBytes: 70_000) { bench in
      let told = try PeerPython.run(
        program, [name, bench.source.path], folder: bench.folder,
        environment: bench.environment.merging(["HF_HUB_DISABLE_XET": "1"]) { $1 })
      #expect(told.hasPrefix("kim"))
      bench.expectWhole()
      #expect(try bench.push().changed.isEmpty)
      bench.expectWhole()
    }
  }
}
