import CKernel

/// With LD_DEBUG=1 every version of an updated object is kept as a file that debuggers can read, whatever has become
/// of the file that it came from: a memory file of the helper's, named by its place in /proc.
enum VersionImage {
  /// On the helper. Without memory or descriptors a debugger reads the file at the object's path, as it does otherwise.
  static func keep(_ version: LoadedObject) {
    guard version.imageName == 0, let content = version.fileContent,
      let file = try? FileDescriptor.inMemory(named: version.path.lastComponent.withBytes { Path($0.prefix(240)) })
    else { return }
    guard (try? file.writeAll(content)) != nil else { return file.close() }
    var name = Text("/proc/")
    name.append(decimal: UInt64(CurrentThread.process))
    name.append("/task/")
    name.append(decimal: UInt64(CurrentThread.id))
    name.append("/fd/")
    name.append(decimal: UInt64(file.number))
    version.imageName = LinkMaps.cString(Path(name))
  }
}
