// swift-tools-version: 6.1
import PackageDescription

/// A room of the house: one library target in `Sources/NAME` with its tests in `Tests/NAMETests`.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(name)")
}

func tests(_ name: String, _ more: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests",
    dependencies: [.byName(name: name), "TestSupport"] + more,
    path: "Tests/\(name)Tests",
    exclude: ["fixtures"])
}

/// A C shim over system libraries: `Sources/NAME/include/NAME.h` is what Swift sees.
func shim(_ name: String, links: [String] = [], headers: [String] = [], flags: [String] = []) -> Target {
  .target(
    name: name,
    path: "Sources/\(name)",
    publicHeadersPath: "include",
    cSettings: [.unsafeFlags(headers.map { "-I\($0)" } + flags)],
    linkerSettings: links.map { .linkedLibrary($0) })
}

let package = Package(
  name: "LoraPress",
  products: [.executable(name: "lorapress", targets: ["lorapress"])],
  targets: [
    // System libraries, each behind a small C header of ours.
    shim("CBlas"),
    shim("COneDNN", links: ["dnnl", "gomp"]),
    shim("CKernels", flags: ["-O3", "-fno-math-errno", "-ffp-contract=off"]),
    shim("CQuants", flags: ["-O3", "-fno-math-errno", "-ffp-contract=off"]),
    shim("CMarkdown", links: ["cmark-gfm", "cmark-gfm-extensions"]),
    .systemLibrary(name: "CDrawing", path: "Sources/CDrawing", pkgConfig: "pangocairo"),
    shim("CPng", links: ["png16", "z"]),
    shim("CRegex", links: ["pcre2-8"]),
    shim("CNormalize", links: ["icuuc"]),
    shim("CStreams", links: ["z", "zstd"]),
    shim("CYaml", links: ["yaml"]),
    shim("CCurl", links: ["curl"]),
    shim("CHttpServer", links: ["microhttpd"]),
    shim("CEdit", links: ["edit"]),
    shim("CSystem"),
    shim("CCrypto", links: ["crypto"]),

    // Leaves: work on all cores, text formats, and the records the two halves of the program share.
    room("Workers", ["CSystem"]),
    room("Formats", ["CYaml", "CNormalize"]),
    room("Korean"),
    room("Runs", ["Formats", "CSystem", "CCrypto"]),

    // The model's half.
    room("Compute", ["CBlas", "COneDNN", "CKernels", "CSystem"]),
    room("Checkpoints", ["Formats", "CQuants", "CSystem"]),
    room("Jinja", ["Formats"]),
    room("Tokenizers", ["Formats", "Jinja", "Checkpoints", "Workers", "CRegex"]),
    room("Models", ["Formats", "Checkpoints", "Compute", "Tokenizers"]),
    room("Datasets", ["Formats", "Runs", "Korean", "CStreams"]),
    room("Training", ["Formats", "Runs", "Models", "Checkpoints", "Compute"]),
    room("Evaluation", ["Formats", "Runs", "Models", "Tokenizers", "Workers"]),
    room("Exports", ["Formats", "Checkpoints", "Compute", "Tokenizers", "Models"]),
    room("Hub", ["Formats", "Runs", "CCurl", "CSystem"]),
    room("Imports", ["Formats", "Runs"]),

    // The publication's half: never loads a model.
    room("Charts", ["Korean", "CDrawing", "CPng"]),
    room("Site", ["Formats", "Runs", "Korean", "Charts", "Jinja", "Workers", "CMarkdown", "CSystem"]),

    room(
      "Commands",
      [
        "Formats", "Runs", "Compute", "Checkpoints", "Jinja", "Tokenizers", "Models", "Datasets", "Training",
        "Evaluation", "Exports", "Hub", "Imports", "Charts", "Site", "Workers", "CHttpServer", "CEdit", "CSystem",
      ]),
    .executableTarget(name: "lorapress", dependencies: ["Commands"], path: "Sources/lorapress"),

    .target(name: "TestSupport", dependencies: ["Formats", "Runs"], path: "Tests/TestSupport"),
    .target(
      name: "ModelFixtures", dependencies: ["TestSupport", "Formats", "Checkpoints", "Compute", "Models"],
      path: "Tests/ModelFixtures"),
    tests("Workers"),
    tests("Formats"),
    tests("Runs"),
    tests("Korean"),
    tests("Compute"),
    tests("Checkpoints", ["Formats", "Runs"]),
    tests("Jinja", ["Formats"]),
    tests("Tokenizers", ["Formats", "Checkpoints"]),
    tests("Models", ["Formats", "Checkpoints", "Compute", "Tokenizers", "ModelFixtures"]),
    tests("Datasets", ["Formats", "Runs", "Tokenizers"]),
    tests("Training", ["Formats", "Runs", "Models", "Checkpoints", "Compute", "ModelFixtures"]),
    tests("Evaluation", ["Formats", "Runs"]),
    tests("Exports", ["Formats", "Checkpoints", "Compute", "Tokenizers", "Models", "ModelFixtures"]),
    tests("Hub", ["Formats", "Runs", "Datasets"]),
    tests("Imports", ["Formats", "Runs", "Site", "Charts", "Training"]),
    tests("Charts", ["CPng"]),
    tests("Site", ["Formats", "Runs", "Charts"]),
    tests("Commands", ["Formats", "Runs", "Site", "Charts", "Checkpoints", "Tokenizers"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
