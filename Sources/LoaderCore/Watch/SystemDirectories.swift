/// Directories whose files are replaced by package managers and linkers, i.e. by renaming. Everywhere else files are
/// overwritten in place as well, which would change or truncate the code of a file that is mapped.
public enum SystemDirectories {
  /// For a path without symbolic links.
  public static func contain(_ path: Path) -> Bool {
    path.withBytes { bytes in
      guard !bytes.hasParentComponent else { return false }
      return bytes.hasPrefix("/lib/") || bytes.hasPrefix("/lib32/") || bytes.hasPrefix("/lib64/")
        || bytes.hasPrefix("/libx32/") || bytes.hasPrefix("/usr/lib/") || bytes.hasPrefix("/usr/lib32/")
        || bytes.hasPrefix("/usr/lib64/") || bytes.hasPrefix("/usr/libx32/") || bytes.hasPrefix("/usr/libexec/")
        || bytes.hasPrefix("/usr/local/lib/") || bytes.hasPrefix("/usr/local/lib64/")
    }
  }
}

extension Bytes {
  fileprivate var hasParentComponent: Bool {
    for index in 0..<count where self[index] == 47 && self[index + 1] == 46 && self[index + 2] == 46 {
      if index + 3 >= count || self[index + 3] == 47 { return true }
    }
    return false
  }
}
