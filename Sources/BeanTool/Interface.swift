import Bean

/// What changed in what an object offers to others and needs from them.
public struct InterfaceChanges {
  public private(set) var addedExports: [String] = []
  public private(set) var removedExports: [String] = []
  public private(set) var addedImports: [String] = []
  public private(set) var removedImports: [String] = []
  public private(set) var addedNeeds: [String] = []
  public private(set) var removedNeeds: [String] = []
  /// Bytes of thread-local storage.
  public let threadSizes: (old: UInt64, new: UInt64)
  public let sonames: (old: String, new: String)

  public init(_ old: Binary, _ new: Binary) {
    threadSizes = (old.file.segments.tls?.memorySize ?? 0, new.file.segments.tls?.memorySize ?? 0)
    sonames = (old.file.soname.map { String(bytes: $0) } ?? "", new.file.soname.map { String(bytes: $0) } ?? "")
    (removedExports, addedExports) = InterfaceChanges.difference(old, new) {
      InterfaceChanges.symbols($0, exports: true)
    }
    (removedImports, addedImports) = InterfaceChanges.difference(old, new) {
      InterfaceChanges.symbols($0, exports: false)
    }
    (removedNeeds, addedNeeds) = InterfaceChanges.difference(old, new, InterfaceChanges.needs)
  }

  public var isEmpty: Bool {
    addedExports.isEmpty && removedExports.isEmpty && addedImports.isEmpty && removedImports.isEmpty
      && addedNeeds.isEmpty && removedNeeds.isEmpty && threadSizes.old == threadSizes.new
      && sonames.old == sonames.new
  }

  private static func difference(
    _ old: Binary, _ new: Binary, _ names: (Binary) -> [String]
  ) -> (removed: [String], added: [String]) {
    let (left, right) = (names(old), names(new))
    let (before, after) = (Set(left), Set(right))
    return (left.filter { !after.contains($0) }.sorted(), right.filter { !before.contains($0) }.sorted())
  }

  private static func symbols(_ binary: Binary, exports: Bool) -> [String] {
    var found: [String] = []
    for entry in binary.symbols.entries.dropFirst() where entry.name.count != 0 {
      guard exports ? entry.isExport : entry.symbol.isUndefined else { continue }
      let name = String(bytes: entry.name)
      found.append(entry.version.count == 0 ? name : "\(name)@\(String(bytes: entry.version))")
    }
    return found
  }

  private static func needs(_ binary: Binary) -> [String] {
    guard let dynamic = binary.file.dynamic else { return [] }
    return dynamic.needed.compactMap { binary.file.symbols.string(at: $0).map { String(bytes: $0) } }
  }

  /// Lists by the names that output uses.
  public var lists: [(name: StaticString, removed: [String], added: [String])] {
    [
      ("export", removedExports, addedExports), ("import", removedImports, addedImports),
      ("needed", removedNeeds, addedNeeds),
    ]
  }
}
