/// Where an imported run comes from: the tool that trained it, the files that were read, and what they do not tell.
public struct OriginRecord: Codable, Sendable, Equatable {
  /// What was met on the way: a fixed word, and the place and number that belong to it.
  public struct Note: Codable, Sendable, Equatable {
    public enum Code: String, Codable, Sendable, CaseIterable {
      /// The log was read from a checkpoint's folder, which is newer than the one beside it.
      case checkpointLog = "checkpoint_log"
      /// Steps that were logged again later: the later ones are kept.
      case repeatedSteps = "repeated_steps"
      /// NaN or infinite values, kept as null.
      case notANumber = "not_a_number"
      /// The last record or line was cut off and is left out; `offset` is where it begins.
      case cutOff = "cut_off"
      /// `training_args.bin` holds Python code and is never opened.
      case pickle
      /// Train loss is the mean since the line before, over `count` steps.
      case meanOfSteps = "mean_of_steps"
      /// The base model's name is the last part of a path.
      case localModel = "local_model"
      /// `target_modules` listed `count` modules by their paths; the settings keep their names alone.
      case moduleNames = "module_names"
      /// A file beside the log that could not be read; the rest could.
      case unreadable
      /// A file with settings that look like a password: they are left out, and the file is not copied.
      case secret
      /// Keys or tags of which no number was taken.
      case leftOut = "left_out"
      /// Several event files of one run, read in the order of their times.
      case severalFiles = "several_files"
      /// Times that are no dates, left out.
      case badTimes = "bad_times"
    }

    public var code: Code
    public var file: String?
    public var offset: Int?
    public var step: Int?
    public var count: Int?

    public init(_ code: Code, file: String? = nil, offset: Int? = nil, step: Int? = nil, count: Int? = nil) {
      self.code = code
      self.file = file
      self.offset = offset
      self.step = step
      self.count = count
    }
  }

  /// A file that was read: its path in the folder that was imported, and where its copy lies in the run folder (nil: not copied).
  public struct Source: Codable, Sendable, Equatable {
    public var path: String
    public var copy: String?
    public var bytes: Int
    public var sha256: String

    public init(path: String, copy: String?, bytes: Int, sha256: String) {
      self.path = path
      self.copy = copy
      self.bytes = bytes
      self.sha256 = sha256
    }
  }

  /// "transformers Trainer", "TRL", "Unsloth", "LLaMA-Factory", "TensorBoard".
  public var tool: String
  /// Versions of the tool's packages, as its files name them: "Transformers" → "5.23.0".
  public var versions: [String: String]
  /// The file the curves come from, by its path in the run folder.
  public var log: String
  /// Sorted by path.
  public var files: [Source]
  /// What our own runs record and the source does not, by its place in the records: "environment", "training.learning_rate".
  public var notRecorded: [String]
  public var notes: [Note]

  public init(tool: String, log: String) {
    self.tool = tool
    self.log = log
    versions = [:]
    files = []
    notRecorded = []
    notes = []
  }
}
