import Glibc
import LoaderCore

/// A directory of a test's own, removed with the value.
final class TemporaryDirectory {
  let name: String

  init() {
    var template = Array("/tmp/luci-test-XXXXXX".utf8CString)
    name = String(cString: mkdtemp(&template)!)
  }

  deinit { TemporaryDirectory.removeTree(name) }

  private static func removeTree(_ name: String) {
    if let directory = opendir(name) {
      while let entry = readdir(directory) {
        let child = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if child == "." || child == ".." { continue }
        let path = name + "/" + child
        if entry.pointee.d_type == UInt8(DT_DIR) { removeTree(path) } else { unlink(path) }
      }
      closedir(directory)
    }
    rmdir(name)
  }

  func path(_ relative: String) -> Path { Path(name + "/" + relative) }

  func write(_ relative: String, _ content: String, mode: mode_t = 0o644) {
    let file = open(name + "/" + relative, O_WRONLY | O_CREAT | O_TRUNC, mode)
    content.withCString { _ = Glibc.write(file, $0, strlen($0)) }
    fchmod(file, mode)
    close(file)
  }

  func read(_ relative: String) -> String {
    let file = open(name + "/" + relative, O_RDONLY)
    defer { close(file) }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(file, &buffer, buffer.count)
      if count <= 0 { break }
      content += buffer[0..<count]
    }
    return String(decoding: content, as: UTF8.self)
  }

  func makeDirectory(_ relative: String) { mkdir(name + "/" + relative, 0o755) }
  func makeFIFO(_ relative: String) { mkfifo(name + "/" + relative, 0o644) }
  func remove(_ relative: String) { if unlink(name + "/" + relative) != 0 { rmdir(name + "/" + relative) } }
  func rename(_ from: String, _ to: String) { _ = Glibc.rename(name + "/" + from, name + "/" + to) }
  func link(_ from: String, to target: String) { symlink(target, name + "/" + from) }
  func hardLink(_ from: String, _ to: String) { _ = Glibc.link(name + "/" + from, name + "/" + to) }
  func changeMode(_ relative: String, _ mode: mode_t) { chmod(name + "/" + relative, mode) }
}

extension Path {
  init(_ string: String) { self = Array(string.utf8).withUnsafeBytes { Path(Bytes($0)) } }
  var string: String { withBytes { String(decoding: $0.copy(), as: UTF8.self) } }
}

extension Text {
  init(_ string: String) {
    self.init()
    Array(string.utf8).withUnsafeBytes { append(Bytes($0)) }
  }
  var string: String { String(decoding: bytes, as: UTF8.self) }
}
