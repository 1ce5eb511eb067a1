import Foundation

/// Opens what lies below a folder, and nothing else.
enum PreviewFolder {
  /// A regular file, open for reading; who gets it closes it.
  struct File {
    let descriptor: Int32
    let size: UInt64
    /// Another one as soon as the file is replaced or written to.
    let tag: String
  }

  enum Found {
    case file(File)
    case folder
    case none
  }

  /// The file or folder at `components` below `folder`.
  ///
  /// What was opened is asked where it lies, links and all, and that place must be below the folder: a symbolic link
  /// that leads outside is `.none`, and swapping a link between the check and the opening gains nothing.
  static func open(_ folder: String, _ components: [String]) -> Found {
    let root = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard root >= 0 else { return .none }
    defer { close(root) }
    let relative = components.isEmpty ? "." : components.joined(separator: "/")
    // O_NONBLOCK: opening a named pipe must not wait for its writer.
    let descriptor = openat(root, relative, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else { return .none }
    var status = stat()
    guard let rootPath = place(of: root), let path = place(of: descriptor),
      path == rootPath || path.starts(with: rootPath == [slash] ? rootPath : rootPath + [slash]),
      fstat(descriptor, &status) == 0
    else {
      close(descriptor)
      return .none
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      let size = UInt64(clamping: status.st_size)
      let date = "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
      return .file(File(descriptor: descriptor, size: size, tag: "\"\(status.st_ino)-\(size)-\(date)\""))
    case S_IFDIR:
      close(descriptor)
      return .folder
    default:
      close(descriptor)
      return .none
    }
  }

  private static let slash = UInt8(ascii: "/")

  /// The real path of an open file, as bytes.
  private static func place(of descriptor: Int32) -> [UInt8]? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/fd/\(descriptor)", &buffer, buffer.count)
    guard length > 0, length < buffer.count else { return nil }
    return buffer[..<length].map { UInt8(bitPattern: $0) }
  }
}
